/**
 * Stories that ended badly once (`deno task campaign stories`), cut down to the steps that mattered, in the worlds in
 * which they did.
 *
 * @module
 */

import { ENGINES } from "./testing/engines.ts";
import type { Operation } from "./testing/operation.ts";
import { play } from "./testing/stories.ts";
import { simulatedWorld } from "./testing/worlds.ts";

Deno.test("lsm: an edit that was cut off for want of space came back after a power cut (1640261893)", () =>
  play(ENGINES.lsm, simulatedWorld(1640261893), [
    write([0, 0]),
    { kind: "compact" },
    write([0, 0], [0, 239]),
    { kind: "fill", room: 95 },
    { kind: "reopen" },
    { kind: "kill" },
    { kind: "afflict", affliction: "shortWriteRate", rate: 0.3 },
    write([0, 0]),
    { kind: "power", change: 3 },
    { kind: "pause" },
  ]));

Deno.test("lsm: an edit that was cut off after a failed sync came back after a power cut (2147483635)", () =>
  play(ENGINES.lsm, simulatedWorld(2147483635), [
    write([0, 146]),
    { kind: "copy" },
    write([7, null], [10, 206]),
    write([0, 0], [0, null]),
    { kind: "heal" },
    write([1, 171], [11, 129]),
    { kind: "pause" },
    { kind: "afflict", affliction: "syncErrorRate", rate: 0.3 },
    { kind: "fill", room: 0 },
    { kind: "reopen" },
    { kind: "power", change: 45 },
    write([0, 0]),
    { kind: "pause" },
  ]));

/** Changes of partition 0: keys and sizes of records. */
function write(...changes: readonly [k: number, size: number | null][]): Operation {
  return { kind: "write", changes: changes.map(([k, size]) => ({ p: 0, k, size })) };
}
