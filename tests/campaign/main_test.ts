/**
 * The command line of the campaigns.
 *
 * @module
 */

import { assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import { World } from "../../cli/testing/world.ts";
import { naiveEngine } from "../../storage/testing/naive_engine.ts";
import { rangesOf } from "./flip_campaign.ts";
import { main } from "./main.ts";
import { storyCampaign } from "./story_campaign.ts";
import { mostCalls } from "./strace.ts";

async function run(line: string) {
  const world = new World();
  const code = await main(line.split(" "), world);
  return { code, out: world.stdout, err: world.stderr };
}

Deno.test("what makes no sense is said, with exit code 2", async () => {
  for (
    const [line, why] of [
      ["--kills 5", /say which: kill, flip, stories, sets, absence, grow/],
      ["burn", /say which: kill, flip, stories, sets, absence, grow/],
      ["kill flip", /say which: kill, flip, stories, sets, absence, grow/],
      ["kill --engine paper", /--engine: expected one of "memory", "bitcask", "lsm", "node", not "paper"/],
      ["flip --bits 0", /--bits: expected an integer from 1 to/],
    ] as const
  ) {
    const { code, err } = await run(line);
    assertEquals(code, 2, line);
    assertMatch(err, why);
  }
});

Deno.test("--help lists the campaigns and the flags", async () => {
  const { code, out } = await run("--help");
  assertEquals(code, 0);
  assertMatch(out, /deno task campaign kill .*\n.* flip .*\n.* stories [^]*--kills[^]*--bits/);
});

Deno.test("flip: a table of what noticed the flips, and exit code 0 when all is well", async () => {
  const { code, out } = await run("flip --engine node --bits 1024 --workers 1");
  assertMatch(out, /^file +flips +refused +open +cut tail +read +verify +log +unnoticed +wrong\n/);
  assertMatch(out, /\nnode: journal +1024 /);
  assertMatch(out, /\nall is well, in /);
  assertEquals(code, 0);
});

Deno.test("stories: how many ended well, and of one that did not the steps that matter", async () => {
  const { code, out } = await run("stories --engine memory --stories 5");
  assertMatch(out, /^memory: 5 stories from seed 1 ended well\nall is well, in /);
  assertEquals(code, 0);
  const subject = naiveEngine("forgets to write removals");
  const problem = await storyCampaign({ subject, stories: 300, seed: 1 });
  assertMatch(
    problem!,
    /^naive \(forgets .*\), seed 1, in world 0:\n {2}{"kind":"write".*}\n {2}{.*}\n.* shows /,
  );
});

Deno.test("bytes are said as ranges", () => {
  assertEquals(rangesOf([]), "");
  assertEquals(rangesOf([9, 3, 4, 5, 12, 11]), "3 to 5, 9, 11 to 12");
});

Deno.test("calls are counted by thread, whatever this machine's name for them", () => {
  const trace = [
    '10 renameat2(AT_FDCWD, "a", AT_FDCWD, "b", 0) = 0',
    '10 rename("a", "b") = 0',
    "11 fdatasync(3 <unfinished ...>",
    "10 fdatasync(4)                 = 0",
    "11 <... fdatasync resumed>)     = 0",
    "11 fdatasync(3)                 = 0",
    "12 openat(AT_FDCWD) = 3",
    "+++ exited with 0 +++",
  ].join("\n");
  assertEquals([...mostCalls(trace)], [["rename", 2], ["fdatasync", 2]]);
});
