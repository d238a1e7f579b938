/**
 * @module
 */

import { assertEquals } from "../actors/runtime/testing/assert.ts";
import { Progress } from "./progress.ts";

/** What is shown, at times of its own. */
function shown(watched: boolean, columns: number) {
  const said: string[] = [];
  const clock = { now: 0 };
  const progress = new Progress({ watched, columns, err: (text) => said.push(text) }, () => clock.now);
  return { progress, said, clock };
}

Deno.test("a person sees a bar that stays on its line and no wider, and is not flooded", () => {
  const { progress, said, clock } = shown(true, 40);
  progress.show(0.1, "at once");
  clock.now = 100;
  progress.show(0.5, "half");
  clock.now = 150;
  progress.show(0.6, "too soon");
  clock.now = 250;
  progress.show(1, "all of it, and then some more of it");
  progress.clear();
  assertEquals(said, [
    `\r\x1b[K${"█".repeat(15)}${"·".repeat(15)} half`,
    `\r\x1b[K${"█".repeat(30)} all of it`.slice(0, 43),
    "\r\x1b[K",
  ]);
});

Deno.test("elsewhere there is a line now and then", () => {
  const { progress, said, clock } = shown(false, 80);
  for (clock.now = 0; clock.now <= 31_000; clock.now += 1_000) progress.show(0.5, `${clock.now} ms`);
  progress.clear();
  assertEquals(said, ["15000 ms\n", "30000 ms\n"]);
});
