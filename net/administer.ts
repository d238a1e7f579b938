/**
 * Asking a node that is not (yet) a member of this node's cluster: as a client does.
 *
 * @module
 */

import type { Administer } from "../actors/operator/membership_change.ts";
import type { Environment } from "../actors/runtime/environment.ts";
import { Client } from "./client.ts";
import { DenamoError } from "./client_errors.ts";

/** The operator's way to operators elsewhere. */
export function administer(environment: Environment): Administer {
  const ask = async <T>(address: string, use: (client: Client) => Promise<T>): Promise<T> => {
    await using client = await Client.connect(address, { environment });
    return await use(client);
  };
  return {
    async admit(address, candidate, timeoutMs) {
      try {
        return await ask(address, (client) => client.admin("admit", candidate, { timeoutMs }));
      } catch (error) {
        if (!(error instanceof DenamoError)) throw error;
        if (error.code !== "connect") return null;
        return { ok: false, code: "unreachable", message: `${address}: ${error.message}` };
      }
    },
    preview: (address, change, timeoutMs) =>
      ask(address, (client) => client.admin("preview", change, { timeoutMs })),
    clusterState: (address, timeoutMs) =>
      ask(address, (client) => client.admin("clusterState", {}, { timeoutMs })),
  };
}
