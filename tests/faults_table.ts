/**
 * The table of faults and of the tests named after them: `deno run -A tests/faults_table.ts` writes it anew.
 *
 * @module
 */

/** A test, and a fault that it is named after. */
export interface FaultRow {
  /** The fault's number. */
  readonly fault: number;
  /** The test's name, as its file has it. */
  readonly name: string;
  /** Its file, seen from the top. */
  readonly path: string;
}

const TOP = new URL("../", import.meta.url);
const TABLE = new URL("tests/FAULTS.md", TOP);
const NUMBERS = String.raw`(?:FAULTS )?\d{1,2}(?:, \d{1,2})*: `;
/** A test is a call whose first argument is its name. */
const TEST = new RegExp(`\\(\\s*(["\`])(${NUMBERS}.*?)\\1`, "g");
/** What all engines are judged by are names and functions. */
const CHECK = new RegExp(`(["\`])(${NUMBERS}.*?)\\1`, "g");
const CHECKS = "storage/testing/";
/** Bugs of systems like this one: each is put in, and the test named here says so. */
export const ANCESTORS: readonly (readonly [bug: string, test: string, path: string])[] = [
  [
    "A replica that forgot its counter mints dots that others have seen (Riak, kv679)",
    "an actor id is used again by one who forgot its counter",
    "tests/sim/planted/versions.ts",
  ],
  [
    "A tombstone that was forgotten comes back by handoff and eats a new value (Riak, doomstone)",
    "stale stamps are accepted",
    "tests/sim/planted/collection.ts",
  ],
  [
    "A merge drops a tombstone while an older file holds the value (bitcask #82)",
    "planted: a merge that drops a removal while an older segment holds the value is caught",
    "storage/bitcask/faults_test.ts",
  ],
  [
    "Checksums are not verified where there is no hint file (bitcask)",
    "planted: a rebuild that does not verify checksums is caught",
    "storage/bitcask/faults_test.ts",
  ],
  [
    "Hints are deleted before they are durable at their target",
    "a hint is forgotten before it is durable at its target",
    "tests/sim/planted/hints.ts",
  ],
  [
    "A put is forwarded twice where members know different rings",
    "two coordinators for one request id make two versions",
    "tests/sim/planted/versions.ts",
  ],
  [
    "Acknowledged writes are lost where members join and leave under load",
    "a put asks only the old owners of a partition that moves",
    "tests/sim/planted/rings.ts",
  ],
  [
    "Anti-entropy counts a failed exchange as repaired",
    "an exchange that breaks off counts as one",
    "tests/sim/planted/trees.ts",
  ],
  [
    "A read quorum counts only identical replies (RLDB)",
    "counts only identical replies",
    "tests/sim/planted/quorums.ts",
  ],
  [
    "A put tries only the first node of the list (RLDB)",
    "a put tries only the first node of the list",
    "tests/sim/planted/quorums.ts",
  ],
];

const HEAD = `# What denamo must survive, and the tests that say so

Each number is a line of the project's list of faults. A test's name begins with it. The lines that are not
here need a door that is not open yet: RESP (2, 3, 4, 19, 20, 21) and HTTP (14, 17, 22).
\`tests/faults_table.ts\` finds the tests and writes the table; \`tests/faults_table_test.ts\` sees that it names
every one of them, and nothing else.

| fault | test | in |
| ----: | ---- | -- |
`;
const ANCESTORS_HEAD = `
## Bugs of systems like this one

Each is put in on purpose, and caught. \`tests/sim/planted/\` has the others that are.

| bug | caught by | in |
| --- | --------- | -- |
`;

/** The rows that the tests of a file ask for. */
export function rowsOf(path: string, source: string): FaultRow[] {
  const pattern = path.startsWith(CHECKS) ? CHECK : TEST;
  const names = new Set(source.matchAll(pattern).map(([, , name]) => name!));
  return [...names].flatMap((name) =>
    [...name.matchAll(new RegExp(`(?:^|; )(${NUMBERS})`, "g"))]
      .flatMap(([, numbers]) => numbers!.match(/\d+/g)!)
      .map((fault) => ({ fault: Number(fault), name, path }))
  );
}

/** The rows that all tests ask for, in order. */
export function allRows(): FaultRow[] {
  const rows = sources().flatMap((path) => rowsOf(path, Deno.readTextFileSync(new URL(path, TOP))));
  return rows.sort((a, b) => a.fault - b.fault || compare(a.path, b.path));
}

/** The rows of a table. */
export function readTable(text: string): FaultRow[] {
  return [...text.matchAll(/^\| *(\d+) *\| (.*?) *\| `(.*?)` *\|$/gm)].map(([, fault, name, path]) => ({
    fault: Number(fault),
    name: name!.replaceAll(/\\([\\_*`|<>])/g, "$1"),
    path: path!,
  }));
}

function* walk(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, TOP))) {
    if (isDirectory) yield* walk(`${folder}${name}/`);
    else yield `${folder}${name}`;
  }
}

function sources(): string[] {
  return ["actors/", "storage/", "net/", "cli/", "tests/"]
    .flatMap((folder) => [...walk(folder)]).filter((path) =>
      path.endsWith("_test.ts") || path.startsWith(CHECKS)
    );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function writeTable(): void {
  const escaped = (name: string) => name.replaceAll(/[\\_*`|<>]/g, "\\$&");
  const lines = allRows().map(({ fault, name, path }) => `| ${fault} | ${escaped(name)} | \`${path}\` |\n`);
  const planted = ANCESTORS.map(([bug, test, path]) => `| ${bug} | ${test} | \`${path}\` |\n`);
  Deno.writeTextFileSync(TABLE, [HEAD, ...lines, ANCESTORS_HEAD, ...planted].join(""));
  const { success } = new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", TABLE.pathname] })
    .outputSync();
  if (!success) throw new Error("the table was written, and could not be formatted");
}

if (import.meta.main) writeTable();
