/**
 * Putting a ring to the vote: the messages of one ballot. What they mean is in `proposal.ts`.
 *
 * @module
 */

import type { ActorContext } from "../runtime/mod.ts";
import type { Protocol } from "../runtime/protocol.ts";
import { type Ballot, ballotAbove } from "./commit.ts";
import { Proposal, type ProposalInput, type ProposalOutcome, type Step } from "./proposal.ts";
import type { RingManagerProtocol } from "./protocol.ts";
import type { Ring } from "./ring.ts";
import { encodeRing } from "./ring_codec.ts";

/** What a vote needs of the actor that calls for it. */
export type VoteContext = Pick<ActorContext<Protocol>, "ref" | "environment">;

/** A phase of a vote is given so long. */
export const PHASE_MS = 3_000;

/** One ballot among the members of `ring`, above another one. */
export function propose(
  context: VoteContext,
  input: Omit<ProposalInput, "ballot">,
  above: Ballot | null,
): Promise<ProposalOutcome> {
  const proposal = new Proposal({ ...input, ballot: ballotAbove(context.environment.random, above) });
  const { promise, resolve } = Promise.withResolvers<ProposalOutcome>();
  const managers = input.ring.members.map(({ id }) => ({
    id,
    manager: context.ref<RingManagerProtocol>({ node: id, actor: "ring_manager" }),
  }));
  const phase = { timeoutMs: PHASE_MS };
  const take = (step: Step): void => {
    if (step.kind === "done") {
      if (step.learn !== null) spread(context, input.ring, step.learn);
      resolve(step.outcome);
    } else if (step.kind === "accept") {
      const asked = managers.map(({ id, manager }) =>
        manager.ask("accept", step.request, phase).then(
          (reply) => take(proposal.onAcceptReply(id, reply)),
          () => {},
        )
      );
      Promise.all(asked).then(() => take(proposal.giveUp()));
    }
  };
  const asked = managers.map(({ id, manager }) =>
    manager.ask("prepare", proposal.request, phase).then(
      (reply) => take(proposal.onPrepareReply(id, reply)),
      () => {},
    )
  );
  // Where phase 2 has begun by then, its own replies decide.
  Promise.all(asked).then(() => proposal.isAccepting || take(proposal.giveUp()));
  return promise;
}

/** Tell everyone concerned, this node first; who is no member any more last. */
function spread(context: VoteContext, before: Ring, ring: Ring): void {
  const bytes = encodeRing(ring);
  context.ref<RingManagerProtocol>("ring_manager").tell("learn", { ring: bytes });
  const ids = new Set([...ring.members, ...before.members].map(({ id }) => id));
  for (const id of ids) {
    context.ref<RingManagerProtocol>({ node: id, actor: "ring_manager" }).tell("learn", { ring: bytes });
  }
}

/** Let time pass. */
export function pause({ environment }: VoteContext, ms: number): Promise<void> {
  return new Promise((resolve) => void environment.clock.after(ms, resolve));
}
