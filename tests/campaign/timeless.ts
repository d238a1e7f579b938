/**
 * An environment in which no time passes and chance is the same every time: for looking at files.
 *
 * @module
 */

import type { Clock, Disk, Log } from "../../actors/runtime/environment.ts";
import { macrotask } from "../../actors/runtime/real/turn.ts";
import { SimulatedRandom } from "../../actors/simulated/random.ts";
import type { Place } from "../../storage/testing/subject.ts";

/** What waits for its turn has it at once, and what waits for a time a moment later. */
const clock: Clock = {
  now: () => 0,
  wall: () => 0,
  after(delayMs, task) {
    let isWanted = true;
    const run = () => isWanted && task();
    if (delayMs <= 0) queueMicrotask(run);
    else macrotask().then(run);
    return { cancel: () => void (isWanted = false) };
  },
};

/** A directory on a disk in such an environment. `onTrouble` hears of every warning and error that is logged. */
export function timeless(disk: Disk, directory: string, onTrouble: () => void = () => {}): Place {
  const log: Log = { debug() {}, info() {}, warn: onTrouble, error: onTrouble, with: () => log };
  // No engine opens a connection.
  return { clock, log, disk, directory, random: new SimulatedRandom("timeless") } as Omit<
    Place,
    "network"
  > as Place;
}
