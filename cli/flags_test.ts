import fc from "fast-check";
import { assert, assertEquals } from "../actors/runtime/testing/assert.ts";
import { defaulted, optional, parseFlags, required, toggled } from "./flags.ts";
import * as kind from "./kinds.ts";

const FLAGS = {
  port: defaulted(kind.port, 3001, "The port", "p"),
  key: required(kind.text(), "The key", "k"),
  value: optional(kind.text(), "The value", "v"),
  json: toggled(kind.toggle, "JSON"),
};

function values(...line: string[]) {
  const parsed = parseFlags(line, FLAGS);
  assert(parsed.ok, parsed.ok ? "" : parsed.problem);
  return parsed.values;
}

Deno.test("flags: every spelling of a value", () => {
  for (const line of [["-k", "a"], ["-ka"], ["-k=a"], ["--key", "a"], ["--key=a"]]) {
    assertEquals(values(...line), { port: 3001, key: "a", value: undefined, json: false });
  }
  assertEquals(values("-k", "a", "-v", "-").value, "-");
  assertEquals(values("-k", "a", "-v", "-5").value, "-5");
  assertEquals(values("-k", "a", "-v", "").value, "");
  assertEquals(values("-k", "a", "--value=--json", "--json"), {
    port: 3001,
    key: "a",
    value: "--json",
    json: true,
  });
  assertEquals(values("-k", "007").key, "007");
});

Deno.test("flags: what is given comes out, whatever it is", () => {
  const spellings = new Set(["-p", "--port", "-k", "--key", "-v", "--value", "--json", "--"]);
  const word = fc.string({ unit: "binary" }).filter((text) => !spellings.has(text));
  fc.assert(fc.property(word, word, fc.integer({ min: 1, max: 65535 }), (key, value, port) => {
    assertEquals(values("-k", key, "-p", String(port), `--value=${value}`), {
      port,
      key,
      value,
      json: false,
    });
  }));
});

Deno.test("flags: no line throws, and a flag that is not known is never dropped", () => {
  const token = fc.oneof(
    fc.constantFrom("-p", "-k", "--key", "--json", "--", "-x", "--nope", "--no-json", "--key=a", "a", "-"),
    fc.string(),
  );
  fc.assert(fc.property(fc.array(token), (line) => {
    const parsed = parseFlags(line, FLAGS);
    if (!parsed.ok) return assert(parsed.problem.length > 0);
    const before = line.includes("--") ? line.slice(0, line.indexOf("--")) : line;
    for (const [index, text] of before.entries()) {
      const isValue = ["-k", "--key", "-p", "-v"].includes(before[index - 1]!);
      if (!isValue) assert(!["-x", "--nope", "--no-json"].includes(text), `${text} was dropped`);
    }
  }));
});

Deno.test("flags: words come back in order, after -- whatever they look like", () => {
  const parsed = parseFlags(["one", "-k", "a", "12", "--", "-k", "b"], FLAGS);
  assertEquals(parsed.ok && parsed.words, ["one", "12", "-k", "b"]);
});

Deno.test("flags: a word that is none of those known, alone or in a list, is told the nearest", () => {
  const flags = {
    level: optional(kind.choice("debug", "warn"), "How much"),
    kinds: optional(kind.list(kind.choice("loss", "delay")), "Which"),
  };
  const problem = (word: string) => {
    const parsed = parseFlags([word], flags);
    return parsed.ok ? "" : parsed.problem;
  };
  assertEquals(
    problem("--level=wran"),
    '--level: expected one of "debug", "warn", not "wran"; did you mean warn?',
  );
  const list = '--kinds: expected a list of one of "loss", "delay", not "loss,dealy"; did you mean delay?';
  assertEquals(problem("--kinds=loss,dealy"), list);
  assertEquals(problem("--level=quiet"), '--level: expected one of "debug", "warn", not "quiet"');
});
