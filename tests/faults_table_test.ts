/**
 * The table of faults names every test that is named after one, and nothing else; and for every fault that needs no
 * RESP and no HTTP there is at least one.
 *
 * @module
 */

import { assert, assertEquals } from "../actors/runtime/testing/assert.ts";
import { allRows, ANCESTORS, type FaultRow, readTable, rowsOf } from "./faults_table.ts";

const TABLE = new URL("FAULTS.md", import.meta.url);
const LAST = 65;
const BEHIND_OTHER_DOORS = [2, 3, 4, 14, 17, 19, 20, 21, 22];

/** What is wrong with a table, when the tests ask for `wanted`. */
function problems(table: readonly FaultRow[], wanted: readonly FaultRow[]): string[] {
  const said = ({ fault, name, path }: FaultRow) => `${fault}: "${name}" in ${path}`;
  const [has, wants] = [new Set(table.map(said)), new Set(wanted.map(said))];
  const found = [
    ...wants.difference(has).values().map((row) => `the table lacks ${row}`),
    ...has.difference(wants).values().map((row) => `there is no ${row}`),
  ];
  const covered = new Set(wanted.map(({ fault }) => fault));
  for (let fault = 1; fault <= LAST; fault++) {
    if (covered.has(fault) === BEHIND_OTHER_DOORS.includes(fault)) found.push(`fault ${fault}`);
  }
  return found;
}

Deno.test("the table of faults is what the tests say; `deno run -A tests/faults_table.ts` writes it", () => {
  assertEquals(problems(readTable(Deno.readTextFileSync(TABLE)), allRows()), []);
});

Deno.test("planted: a fault without a test, a test that is not there, and one that is not listed are noticed", () => {
  const all = allRows();
  const without = all.filter(({ fault }) => fault !== 61);
  assertEquals(problems(without, without), ["fault 61"]);
  const [first, ...rest] = all;
  const renamed = { ...first!, name: "1: nothing" };
  assertEquals(problems([renamed, ...rest], all).map((line) => line.slice(0, 14)), [
    "the table lack",
    "there is no 1:",
  ]);
});

Deno.test("a test is listed under every fault that it is named after", () => {
  const name = "FAULTS 41, 56: damaged or forged; 57: or old";
  const source = `Deno.test("${name}", () => {}); const other = "12: 3 of them"; // 7: none\n`;
  assertEquals(
    rowsOf("a_test.ts", source),
    [41, 56, 57].map((fault) => ({ fault, name, path: "a_test.ts" })),
  );
  assertEquals(rowsOf("storage/testing/checks.ts", source).map(({ fault }) => fault), [41, 56, 57, 12]);
});

Deno.test("the bugs of systems like this one are put in where the table says", () => {
  const table = Deno.readTextFileSync(TABLE);
  for (const [bug, test, path] of ANCESTORS) {
    assert(table.includes(bug) && table.includes(test), `the table lacks ${bug}`);
    const source = Deno.readTextFileSync(new URL(`../${path}`, import.meta.url));
    assert(source.includes(`"${test}"`), `${path} lacks ${test}`);
  }
});
