/**
 * What a store that is always writeable must still do when one node is gone: after everything has healed a node is
 * killed, and through another one every key is read and written, wherever N leaves a replica to spare.
 *
 * A checker of histories cannot tell a request that had to fail from one that did not: while faults go on, too much
 * may be in its way. Here there is one fault, and nothing is in the way.
 *
 * @module
 */

import { DenamoError } from "../../net/client_errors.ts";
import type { Cluster } from "../../net/cluster.ts";
import type { Violation } from "./checkers.ts";
import type { Plan } from "./plan.ts";
import { keysOf } from "./workload.ts";

/** Who is overloaded is asked again so often, after so long. */
const AGAIN = 20;
const AGAIN_MS = 100;

/** What failed while one of `members`, indexes of nodes, was down; it stays down. */
export async function withOneDown(
  plan: Plan,
  cluster: Cluster,
  members: readonly number[],
): Promise<Violation[]> {
  const { seed, quorum } = plan;
  const n = Math.min(quorum.n, members.length);
  const isSpared = (needed: number) => Math.min(needed, n) < n;
  if (!isSpared(quorum.r) && !isSpared(quorum.w)) return [];
  const down = members[seed % members.length]!;
  cluster.kill(down);
  const others = members.filter((index) => index !== down);
  const client = await cluster.connect({ to: [others[seed % others.length]!] });
  const failed: Violation[] = [];
  const attempt = async (what: string, key: string, call: () => Promise<unknown>) => {
    await patiently(cluster, call).catch((error: Error) => {
      failed.push({
        checker: `node${down + 1} is down, and a key cannot be ${what}`,
        detail: error.message,
        key,
      });
    });
  };
  for (const key of keysOf(plan)) {
    if (isSpared(quorum.r)) await attempt("read", key, () => client.get(key));
    if (isSpared(quorum.w)) await attempt("written", key, () => client.put(key, "one is down"));
  }
  await client.close();
  return failed;
}

/** As clients do: who is overloaded (a large object fills the small stores of a history) is asked again. */
async function patiently(cluster: Cluster, call: () => Promise<unknown>): Promise<void> {
  for (let left = AGAIN;; left--) {
    const error = await call().then(() => null, (error: unknown) => error);
    if (error === null) return;
    const isBusy = error instanceof DenamoError && error.code === "overloaded";
    if (!isBusy || left === 0) throw error;
    await cluster.sleep(AGAIN_MS);
  }
}
