/**
 * Asking a node that is not (yet) a member of this node's cluster: as a client does.
 *
 * @module
 */

import type { Administer } from "../actors/operator/membership_change.ts";
import type { Environment } from "../actors/runtime/environment.ts";
import { Client } from "./client.ts";

/** The operator's way to operators elsewhere. */
export function administer(environment: Environment): Administer {
  const ask = async <T>(address: string, use: (client: Client) => Promise<T>): Promise<T> => {
    await using client = await Client.connect(address, { environment });
    return await use(client);
  };
  return {
    admit: (address, candidate, timeoutMs) =>
      ask(address, (client) => client.admin("admit", candidate, { timeoutMs })),
    clusterState: (address, timeoutMs) =>
      ask(address, (client) => client.admin("clusterState", {}, { timeoutMs })),
  };
}
