/**
 * Bugs in what a client makes of silence.
 *
 * @module
 */

import { CLIENT_CORE } from "../../../net/client_calls.ts";
import { type Bug, TORN } from "./bug.ts";

/** See the module. */
export const CLIENT_BUGS: readonly Bug[] = [
  {
    name: "a client takes silence for failure",
    breaks: "the client forgets a write that happens",
    plan: TORN,
    plant: () => ({ client: { core: { isDefinite: () => true } } }),
  },
  {
    name: "a client gives up long after the deadline",
    breaks: "whoever called waits for nothing",
    plan: TORN,
    plant: () => ({
      client: {
        core: { isOverdue: (deadline, sent, now) => CLIENT_CORE.isOverdue(deadline + 10_000, sent, now) },
      },
    }),
  },
];
