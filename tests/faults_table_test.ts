/**
 * The table of faults names tests that are there, and for every fault that needs no RESP and no HTTP at least one.
 *
 * @module
 */

import { assert, assertEquals } from "../actors/runtime/testing/assert.ts";

const HERE = new URL("./", import.meta.url);
const LAST = 65;
const BEHIND_OTHER_DOORS = [2, 3, 4, 14, 17, 19, 20, 21, 22];

/** What is wrong with a table. */
function problems(table: string): string[] {
  const found: string[] = [];
  const covered = new Set<number>();
  for (const [, fault, escaped, path] of table.matchAll(/^\| *(\d+) *\| (.*?) *\| `(.*?)` *\|$/gm)) {
    const name = escaped!.replaceAll("\\", "");
    const numbers = /^(?:FAULTS )?([\d, and]+)[:,]/.exec(name)?.[1]?.match(/\d+/g)?.map(Number) ?? [];
    if (!numbers.includes(Number(fault))) found.push(`${name} is not named after ${fault}`);
    const source = sourceOf(path!);
    if (!source.includes(name.replaceAll("/", "|")) && !source.includes(name)) {
      found.push(`${path} lacks ${name}`);
    }
    covered.add(Number(fault));
  }
  for (let fault = 1; fault <= LAST; fault++) {
    if (covered.has(fault) === BEHIND_OTHER_DOORS.includes(fault)) found.push(`fault ${fault}`);
  }
  return found;
}

function sourceOf(path: string): string {
  try {
    return Deno.readTextFileSync(new URL(`../${path}`, HERE));
  } catch {
    return "";
  }
}

Deno.test("every fault has a test that is there", () => {
  assertEquals(problems(Deno.readTextFileSync(new URL("FAULTS.md", HERE))), []);
});

Deno.test("planted: a fault without a test, and a test that is not there, are noticed", () => {
  const table = Deno.readTextFileSync(new URL("FAULTS.md", HERE));
  const without = table.split("\n").filter((line) => !/^\| *61 /.test(line)).join("\n");
  assertEquals(problems(without), ["fault 61"]);
  assert(problems(table.replace("does not bring it back", "brings it back")).length > 0);
});
