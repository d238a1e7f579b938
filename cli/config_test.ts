import fc from "fast-check";
import { assert, assertEquals, assertMatch } from "../actors/runtime/testing/assert.ts";
import denoJson from "../deno.json" with { type: "json" };
import {
  type FieldPath,
  FIELDS,
  flagName,
  readFile,
  readVariables,
  resolve,
  variableName,
} from "./config.ts";
import { checkMember, type Member } from "../actors/ring_manager/ring.ts";
import { VERSION } from "../mod.ts";
import * as config from "./config.ts";
import { parseFlags } from "./flags.ts";
import { PERMISSIONS } from "./permissions.ts";

const RLDB = `{"port":3001,"quorum":{"n":3,"r":2,"w":2},"heartbeat":{"fanout":2,"interval":500}}`;

Deno.test("config: RLDB's files are accepted as they are, the older ones too", () => {
  for (
    const source of [
      RLDB,
      RLDB.replace("{", `{"storage_engine":"in_memory","partitioning_scheme":"consistent_hashing",`),
    ]
  ) {
    const { values, problems } = readFile(source);
    assertEquals(problems, []);
    assertEquals(values, {
      "port": 3001,
      "quorum.n": 3,
      "quorum.r": 2,
      "quorum.w": 2,
      "heartbeat.fanout": 2,
      "heartbeat.interval": 500,
    });
  }
});

Deno.test("config: the sample files are well, and full.json has every field that is served", () => {
  for (const name of ["node_1", "node_2", "node_3", "full"]) {
    const source = Deno.readTextFileSync(new URL(`./conf/${name}.json`, import.meta.url));
    const { values, problems } = readFile(source);
    assertEquals(problems, []);
    assert(resolve(values).ok);
    if (name !== "full") continue;
    const reserved = ["resp.port", "http.port"];
    assertEquals(Object.keys(values), Object.keys(FIELDS).filter((path) => !reserved.includes(path)));
  }
});

Deno.test("config: wrong files are told what is wrong, all of it, by path", () => {
  const cases: [source: string, problems: (string | RegExp)[]][] = [
    ["{", [/^not JSON: /]],
    ["[]", ["expected an object, not []"]],
    [`{"quorum":3}`, ["quorum: expected an object, not 3"]],
    [`{"port":"3001"}`, [`port: expected an integer from 0 to 65535, not "3001"`]],
    [`{"port":3001.5,"weight":-1}`, [
      /^port: expected an integer/,
      /^weight: expected a number from 0.001 to 1000/,
    ]],
    [`{"quorom":{"n":3}}`, ["quorom: unknown field; did you mean quorum?"]],
    [`{"storage":{"engin":"memory"}}`, ["storage.engin: unknown field; did you mean storage.engine?"]],
    [`{"storage":{"engine":"rocks"}}`, [
      `storage.engine: expected ${FIELDS["storage.engine"].kind.expected}, not "rocks"`,
    ]],
    [`{"seeds":["127.0.0.1"]}`, [`seeds: expected a list of host:port, not ["127.0.0.1"]`]],
    [`{"storage_engine":"on_disk"}`, [`storage_engine: expected "in_memory", not "on_disk"`]],
    [`{"__proto__":{"port":1}}`, ["__proto__: unknown field"]],
    [`{"constructor":1,"quorum":{"toString":1}}`, [/^constructor: unknown/, /^quorum.toString: unknown/]],
    [`{"port":null}`, ["port: expected an integer from 0 to 65535, not null"]],
  ];
  for (const [source, expected] of cases) {
    const { problems } = readFile(source);
    assertEquals(problems.length, expected.length, source);
    for (const [index, problem] of expected.entries()) {
      if (typeof problem === "string") assertEquals(problems[index], problem);
      else assertMatch(problems[index]!, problem);
    }
  }
});

Deno.test("config: no JSON at all throws or pollutes", () => {
  fc.assert(fc.property(fc.json({ maxDepth: 3 }), (source) => {
    const { problems, values } = readFile(source);
    assert(problems.length > 0 || Object.keys(values).every((path) => path in FIELDS));
  }));
  assertEquals(({} as Record<string, unknown>)["port"], undefined);
});

Deno.test("config: flags beat variables, which beat the file, which beats defaults", () => {
  fc.assert(fc.property(fc.subarray(["flag", "variable", "file"]), (sources) => {
    const line = sources.includes("flag") ? ["--quorum-n", "7"] : [];
    const parsed = parseFlags(line, config.configFlags());
    assert(parsed.ok);
    const variables = readVariables(
      sources.includes("variable") ? { DENAMO_QUORUM_N: "6" } : {},
    );
    const file = readFile(sources.includes("file") ? `{"quorum":{"n":5}}` : "{}");
    const resolution = resolve(config.readFlags(parsed.values), variables.values, file.values);
    assert(resolution.ok);
    const expected = sources.includes("flag") ? 7 : sources.includes("variable") ? 6 : sources[0] ? 5 : 3;
    assertEquals(resolution.config["quorum.n"], expected);
  }));
});

Deno.test("config: what a flag, a variable and a file say means the same, for every field", () => {
  const samples: { [P in FieldPath]: [json: unknown, text: string] } = {
    "port": [4001, "4001"],
    "host": ["localhost", "localhost"],
    "advertise": ["db1:3001", "db1:3001"],
    "cluster": ["shop", "shop"],
    "seeds": [["127.0.0.1:3001", "[::1]:3002"], "127.0.0.1:3001, [::1]:3002"],
    "zone": ["a", "a"],
    "conflicts": ["last-write-wins", "last-write-wins"],
    "weight": [2.5, "2.5"],
    "partitions": [64, "64"],
    "quorum.n": [5, "5"],
    "quorum.sloppy": [false, "false"],
    "quorum.r": [3, "3"],
    "quorum.w": [3, "3"],
    "heartbeat.fanout": [3, "3"],
    "heartbeat.interval": [100, "100"],
    "storage.engine": ["memory", "memory"],
    "storage.path": ["/data", "/data"],
    "storage.sync": [50, "50"],
    "storage.persist": [false, "false"],
    "storage.reserve": [8, "8"],
    "resp.port": [6379, "6379"],
    "http.port": [8080, "8080"],
    "log.level": ["debug", "debug"],
    "log.format": ["json", "json"],
  };
  const file: Record<string, Record<string, unknown> | unknown> = {};
  for (const [path, [json]] of Object.entries(samples)) {
    const [group, name] = path.split(".");
    if (name === undefined) file[path] = json;
    else file[group!] = { ...(file[group!] as Record<string, unknown> | undefined), [name]: json };
  }
  const fromFile = readFile(JSON.stringify(file));
  const paths = Object.keys(samples) as FieldPath[];
  const byVariable = Object.fromEntries(paths.map((path) => [variableName(path), samples[path][1]]));
  const fromVariables = readVariables(byVariable);
  const line = paths.flatMap((path) => [`--${flagName(path)}`, samples[path][1]]);
  const parsed = parseFlags(line, config.configFlags());
  assert(parsed.ok);
  assertEquals([...fromFile.problems, ...fromVariables.problems], []);
  assertEquals(fromVariables.values, fromFile.values);
  assertEquals(config.readFlags(parsed.values), fromFile.values);
  const resolution = resolve(fromFile.values);
  assert(resolution.ok);
  assertEquals(resolution.warnings.map((warning) => warning.split(":")[0]), ["resp.port", "http.port"]);
});

Deno.test("config: zone, cluster, weight and advertise are what the ring takes, from every source", () => {
  const cases: [path: FieldPath, good: unknown[], bad: unknown[]][] = [
    ["zone", ["a", "é".repeat(128), "a b"], ["", "é".repeat(128) + "x", "a\nb", "a\x00", "\x9b", "\ud800"]],
    ["cluster", ["a".repeat(256)], ["a".repeat(257), "\t", ""]],
    ["weight", [0.001, 1, 2.5, 1000], [0, 0.0009, 1000.5, 1001, -1, "x"]],
    ["advertise", ["db1:3001", "10.0.0.1:1", "[::1]:3001", "0.example:1"], [
      ...["0.0.0.0:3001", "0:3001", "*:3001", "[::]:3001", "[0:0::0]:3001", "[::ffff:0.0.0.0]:3001"],
      ...["db1", `${"a".repeat(300)}:1`],
    ]],
  ];
  const member = { id: "0".repeat(32), address: "a:1", zone: "z", weight: 1 };
  for (const [path, good, bad] of cases) {
    for (const value of [...good, ...bad]) {
      const problems = [
        readFile(JSON.stringify({ [path]: value })).problems,
        readVariables({ [variableName(path)]: String(value) || "\n" }).problems,
      ];
      const parsed = parseFlags([`--${flagName(path)}=${value}`], config.configFlags());
      const wrong = bad.includes(value);
      for (const list of problems) assertEquals(list.length, wrong ? 1 : 0, `${path} ${value}: ${list}`);
      assertEquals(parsed.ok, !wrong, `--${flagName(path)}=${value}`);
      assert(
        problems.flat().every((problem) => problem.includes(path) || problem.includes(variableName(path))),
      );
      const joins = path === "advertise" ? { address: value } : { [path]: value };
      if (!wrong && path !== "cluster") assertEquals(checkMember({ ...member, ...joins } as Member), null);
    }
  }
});

Deno.test("config: what fields say together is checked", () => {
  const cases: [config.PartialConfig, RegExp][] = [
    [{ "quorum.n": 1 }, /^quorum.r: expected at most quorum.n, 1, not 2/],
    [{ "quorum.w": 4 }, /^quorum.w: expected at most quorum.n, 3, not 4/],
    [{ host: "0.0.0.0" }, /^host: expected a loopback address/],
    [{ host: "::" }, /^host/],
    [{ host: "127.evil.example" }, /^host/],
  ];
  for (const [values, says] of cases) {
    const resolution = resolve(values);
    assert(!resolution.ok);
    assertMatch(resolution.problems[0]!, says);
  }
});

Deno.test("config: the README's table is the table", () => {
  const readme = Deno.readTextFileSync(new URL("../README.md", import.meta.url));
  const squeeze = (table: string) => table.replace(/ +/g, " ").replace(/-{3,}/g, "---");
  const rows = squeeze(readme).split("\n").filter((line) => line.startsWith("| `")).map((line) =>
    line.trim()
  );
  for (const row of squeeze(config.configTable()).split("\n").slice(2)) {
    assert(rows.includes(row), `README.md lacks\n${row}`);
  }
});

Deno.test("permissions: the tasks grant what permissions.ts lists", () => {
  for (const task of ["denamo", "cluster", "demo", "bench"] as const) {
    const granted = denoJson.tasks[task].command.split(" ").filter((word) =>
      /^--(allow|no-prompt)/.test(word)
    );
    assertEquals(granted, [...PERMISSIONS]);
  }
});

Deno.test("version: the code and the package say the same", () => assertEquals(VERSION, denoJson.version));
