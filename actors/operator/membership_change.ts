/**
 * Membership changes, as the operator of one node carries them out: a joining node asks any member to admit
 * it; that member plans the next ring and puts it to the vote (`actors/ring_manager/commit.ts`).
 *
 * Where nobody holds data a join is one vote, taken with a fence that every member must promise. Else it is the
 * beginning of a change in which partitions move (`actors/ring_manager/moves.ts`). Either way the newcomer is empty:
 * what it held would be known to nobody.
 *
 * @module
 */

import type { ActorContext } from "../runtime/mod.ts";
import { type Ballot, unchanged } from "../ring_manager/commit.ts";
import { plan } from "../ring_manager/plan.ts";
import type { ProposalOutcome } from "../ring_manager/proposal.ts";
import type { RingManagerProtocol } from "../ring_manager/protocol.ts";
import { encodeRing } from "../ring_manager/ring_codec.ts";
import { pause, PHASE_MS, propose } from "../ring_manager/vote.ts";
import { HASH_NAME, type Ring } from "../ring_manager/ring.ts";
import { AskError } from "../runtime/protocol.ts";
import type { ReplicaStoreProtocol } from "../replica_store/protocol.ts";
import type { NodeId } from "../replica_store/protocol.ts";
import { agree, CHANGE_MS, currentRing, isAway, REBALLOT_MS, refusal, VOTELESS } from "./moving.ts";
import type { OperatorOptions } from "./operator.ts";
import type {
  AdmitOutcome,
  Candidate,
  ClusterState,
  JoinOutcome,
  OperatorActorProtocol,
  Preview,
  PreviewRequest,
  Refusal,
} from "./protocol.ts";

/** What this node may ask of another before both are members of one cluster. */
export interface Administer {
  /**
   * Ask the node at `address` (`host:port`) to admit a candidate. Null when it was asked and did not say what came
   * of it; a refusal when it could not be asked.
   */
  admit(address: string, candidate: Candidate, timeoutMs: number): Promise<AdmitOutcome | null>;
  /** Ask the node at `address` what a change would mean. Rejects when it cannot be reached. */
  preview(address: string, change: PreviewRequest, timeoutMs: number): Promise<Preview>;
  /** Ask the node at `address` about its cluster. Rejects when it cannot be reached. */
  clusterState(address: string, timeoutMs: number): Promise<ClusterState>;
}

type Context = ActorContext<OperatorActorProtocol>;

/** A node in doubt asks again after so long, */
export const AGAIN_MS = 1_000;
/** and in the end every so often. */
const AGAIN_MAX_MS = 15_000;
const ASK = { timeoutMs: 5_000 };

/**
 * Where this node stands with its own wish to be a member elsewhere. As long as it has one, it lets nobody in:
 * whoever joined it would be left behind in a cluster that it is about to leave.
 */
export interface Candidacy {
  /** A join is under way. */
  isAsking: boolean;
  /** How many others it is letting in just now; it asks nobody meanwhile. */
  admitting: number;
  /** Whom it asked without hearing the outcome: it may be a member there. Survives the process. */
  inDoubtWith: string | null;
  /** Whose place it asked for there; null: for one of its own. Survives the process. */
  replaces: NodeId | null;
  /** It will ask again by itself what came of that. */
  willAsk: boolean;
  /** It has seeds, and is no member yet. */
  isSeeking: boolean;
}

/** Whether the node waits for the outcome of its own wish. */
export function isCandidate({ isAsking, inDoubtWith, isSeeking }: Candidacy): boolean {
  return isAsking || inDoubtWith !== null || isSeeking;
}

/** Make this node a member of the cluster that the node at `known` belongs to. */
export async function join(
  options: OperatorOptions,
  context: Context,
  candidacy: Candidacy,
  known: string,
  replaces: NodeId | null = null,
): Promise<JoinOutcome> {
  if (known === options.member.address) return refusal("bad-address", `${known} is this node itself`);
  if (candidacy.isAsking) return refusal("busy", "this node is asking to be let in already");
  if (candidacy.admitting > 0) return refusal("busy", "this node is letting another one in; try again");
  candidacy.isAsking = true;
  try {
    const outcome = await joinAlone(options, context, candidacy, known, replaces);
    if (outcome.ok) candidacy.isSeeking = false;
    return outcome;
  } finally {
    candidacy.isAsking = false;
    // In doubt no writes are taken either: they might be made outside of the cluster that this node is in.
    if (candidacy.inDoubtWith !== null) planToAsk(context, candidacy, AGAIN_MS);
    if (!isCandidate(candidacy)) context.ref<RingManagerProtocol>("ring_manager").tell("refence", {});
  }
}

async function joinAlone(
  options: OperatorOptions,
  context: Context,
  candidacy: Candidacy,
  known: string,
  replaces: NodeId | null,
): Promise<JoinOutcome> {
  const ring = await currentRing(context);
  const { inDoubtWith } = candidacy;
  if (ring.members.length > 1) {
    if (inDoubtWith !== null) await settle(options, candidacy);
    return await alreadyJoined(options, ring, known, replaces);
  }
  if (inDoubtWith !== null && inDoubtWith !== known && !await isMemberAt(options, known)) {
    return refusal("in-doubt", `this node may be a member where ${inDoubtWith} is; ask that again first`);
  }
  const asked = replaces === null ? known : `${known} ${replaces}`;
  const isKept = await options.asked.save(asked).then(() => true, () => false);
  if (!isKept) return refusal("disk", "this node cannot write down whom it asks; see its log");
  candidacy.inDoubtWith = known;
  candidacy.replaces = replaces;
  const outcome = await ask(options, context, ring, { known, replaces });
  if (outcome === null) return refusal("in-doubt", `${known} did not say what came of it; it is asked again`);
  // What is refused now says nothing of an earlier vote that may still come to an end.
  if (!outcome.ok && inDoubtWith !== null && !DECIDES.has(outcome.code)) return outcome;
  await settle(options, candidacy);
  return outcome;
}

/** It is known what came of this node's wish. */
async function settle({ asked }: OperatorOptions, candidacy: Candidacy): Promise<void> {
  candidacy.inDoubtWith = null;
  await asked.save(null).catch(() => {}); // then it is asked once more after the next start
}

/** Refusals that hold whatever came of earlier votes. */
const DECIDES: ReadonlySet<string> = new Set(["mismatch", "has-data", "removed", "already-joined"]);

/** An earlier wish of this node has no known outcome: ask until it has. */
export async function askAgain(
  options: OperatorOptions,
  context: Context,
  candidacy: Candidacy,
  waitMs: number,
): Promise<void> {
  const { inDoubtWith: known, isAsking } = candidacy;
  if (known !== null && !isAsking) {
    try {
      const outcome = await join(options, context, candidacy, known, candidacy.replaces);
      if (outcome.ok) context.log.info("joined after all", { known, epoch: outcome.epoch });
      else context.log.info("still not let in", { known, why: outcome.message });
    } catch (error) {
      if (!(error instanceof AskError)) throw error; // one of this node's own actors is on its way back
    }
  }
  candidacy.willAsk = false;
  if (candidacy.inDoubtWith !== null) planToAsk(context, candidacy, Math.min(2 * waitMs, AGAIN_MAX_MS));
}

/** Whether the node at `known` has this one as a member of its cluster. */
async function isMemberAt({ administer, member }: OperatorOptions, known: string): Promise<boolean> {
  const state = await administer.clusterState(known, ASK.timeoutMs).catch(() => null);
  return state !== null && state.members.some(({ id }) => id === member.id);
}

/**
 * A node of another cluster came to this one, which is alone. If it is a member there, then its directory is a copy
 * from before it was let in, or it never heard that it was, and whom it asked may have gone; it moves in.
 */
export async function rejoin(
  options: OperatorOptions,
  context: Context,
  candidacy: Candidacy,
  known: string,
): Promise<void> {
  if (candidacy.isAsking || candidacy.admitting > 0) return;
  candidacy.isAsking = true; // one at a time
  const isMember = await isMemberAt(options, known);
  candidacy.isAsking = false;
  if (!isMember) return;
  const outcome = await join(options, context, candidacy, known, candidacy.replaces);
  const what = "another cluster has this node as a member";
  if (outcome.ok) context.log.warn(`${what}: it moves there`, { known, epoch: outcome.epoch });
  else context.log.error(`${what}, and it cannot move there`, { known, why: outcome.message });
}

/** Have {@link askAgain} happen in so long, unless it will anyway. */
export function planToAsk(context: Context, candidacy: Candidacy, waitMs: number): void {
  if (candidacy.willAsk) return;
  candidacy.willAsk = true;
  context.after(waitMs, "askAgain", { waitMs });
}

/** Ask for admission and move in; null when the outcome is unknown. */
async function ask(
  { member, administer, conflicts, collection }: OperatorOptions,
  context: Context,
  { cluster, partitions, n }: Ring,
  { known, replaces }: { readonly known: string; readonly replaces: NodeId | null },
): Promise<JoinOutcome | null> {
  const store = context.ref<ReplicaStoreProtocol>("replica_store");
  // From here on no client writes here: it would be a member with data that its own cluster does not know of.
  const { holdsData } = await store.ask("fence", { raised: true, ifEmpty: true }, ASK);
  if (holdsData) {
    const { engine } = await store.ask("describe", {}, ASK);
    return refusal("has-data", `${member.address} holds ${engine.keys} keys; ${EMPTY_ONLY}`);
  }
  const candidate = { member, cluster, partitions, n, hash: HASH_NAME, holdsData, conflicts };
  const asked = replaces === null ? candidate : { ...candidate, replaces };
  const admitted = await administer.admit(known, asked, CHANGE_MS + PHASE_MS);
  if (admitted === null || !admitted.ok && admitted.code === "no-agreement") return null;
  if (!admitted.ok) return admitted;
  const manager = context.ref<RingManagerProtocol>("ring_manager");
  const installed = await manager.ask("install", { ring: admitted.ring }, ASK);
  if (!installed.ok) return installed;
  collection.learnFrom(admitted.collection);
  const joined = await currentRing(context);
  return { ok: true, epoch: joined.epoch, members: joined.members };
}

/** Why a node with data is not let in. */
export const EMPTY_ONLY = "a node must be empty to become a member";

async function alreadyJoined(
  { node, administer }: OperatorOptions,
  { clusterId, epoch, members, change, removed }: Ring,
  known: string,
  replaces: NodeId | null,
): Promise<JoinOutcome> {
  const state = await administer.clusterState(known, ASK.timeoutMs).catch(String);
  if (typeof state === "string") return refusal("unreachable", `${known}: ${state}`);
  if (state.clusterId !== clusterId) {
    return refusal("already-joined", `this node is one of ${members.length} members of another cluster`);
  }
  const isReplacing = change?.joining === node && change.leaving === replaces;
  if (replaces !== null && !isReplacing && !removed.includes(replaces)) {
    return refusal("already-member", "this node is a member already; an empty one can take another's place");
  }
  return { ok: true, epoch, members };
}

/** Let a candidate into this node's cluster; done already when it is a member. */
export async function admit(
  options: OperatorOptions,
  context: Context,
  candidacy: Candidacy,
  candidate: Candidate,
): Promise<AdmitOutcome> {
  if (isCandidate(candidacy)) {
    return refusal("busy", "that node is asking to be let into a cluster itself; ask a member of it");
  }
  candidacy.admitting++;
  try {
    return await letIn(options, context, candidate);
  } finally {
    candidacy.admitting--;
  }
}

async function letIn(
  { conflicts, collection }: OperatorOptions,
  context: Context,
  candidate: Candidate,
): Promise<AdmitOutcome> {
  const { member, replaces = null } = candidate;
  const isDone = ({ members, change }: Ring) =>
    members.some(({ id, address }) => id === member.id && address === member.address) &&
    (change === null || change.joining !== member.id || replaces === null || change.leaving === replaces);
  const isGone = replaces !== null && await isAway(context, replaces);
  const store = context.ref<ReplicaStoreProtocol>("replica_store");
  // Where there is data here there is no sense in asking the others whether nobody has any.
  const { partitions } = await store.ask("weigh", {}, ASK);
  let mayBeEmpty = replaces === null && partitions.length === 0;
  const onOutcome = (ring: Ring, outcome: ProposalOutcome, fence: boolean) => {
    if (fence && outcome.kind === "holds-data") mayBeEmpty = false;
    return refusalOf(ring, outcome, fence);
  };
  const agreed = await agree(context, isDone, (ring) => {
    const mismatch = differs({ ...ring, conflicts }, candidate);
    if (mismatch !== null) return mismatch;
    const planned = plan(
      ring,
      replaces === null ? { kind: "join", member } : { kind: "replace", id: replaces, member, isGone },
    );
    if (!planned.ok) {
      return planned.code === "change-under-way" ? "later" : refusal(planned.code, planned.message);
    }
    return mayBeEmpty ? { next: planned.next, fence: true } : { next: planned.begun, fence: false };
  }, onOutcome);
  return agreed.ok ? { ok: true, ring: encodeRing(agreed.ring), collection: collection.said() } : agreed;
}

/** Why a candidate can never be a member of this cluster, null when it can. */
function differs(ring: Ring & Pick<OperatorOptions, "conflicts">, candidate: Candidate): Refusal | null {
  const pairs = [
    ["cluster name", ring.cluster, candidate.cluster],
    ["partition count", ring.partitions, candidate.partitions],
    ["N", ring.n, candidate.n],
    ["conflicts", ring.conflicts, candidate.conflicts],
    ["key hash", HASH_NAME, candidate.hash],
  ] as const;
  for (const [what, here, there] of pairs) {
    if (here !== there) {
      return refusal("mismatch", `${what}: ${here} in the cluster, ${there} at ${candidate.member.address}`);
    }
  }
  if (candidate.holdsData) {
    return refusal("has-data", `${candidate.member.address} holds data; ${EMPTY_ONLY}`);
  }
  return null;
}

/** Why there is no sense in another ballot, null when there is. */
function refusalOf(ring: Ring, outcome: ProposalOutcome, fence: boolean): Refusal | null {
  if (outcome.kind !== "unreachable") return null;
  const silent = outcome.missing.map((id) => ring.members.find((member) => member.id === id)?.address ?? id);
  const who = fence
    ? "every member must agree to a join while the cluster is empty"
    : "most members must agree";
  return refusal("unreachable", `${who}; these do not: ${silent.join(", ")} (away, or ${VOTELESS})`);
}

/** A vote has held up writes for long: end it, with the ring somebody may have accepted or with the one there is. */
export async function inquire(context: Context): Promise<void> {
  const { clock, random } = context.environment;
  const until = clock.now() + CHANGE_MS;
  for (let outbid: Ballot | null = null; clock.now() < until;) {
    const ring = await currentRing(context);
    const outcome: ProposalOutcome = await propose(
      context,
      { ring, next: unchanged(ring), fence: false },
      outbid,
    );
    if (outcome.kind !== "outbid") return;
    outbid = outcome.promised;
    await pause(context, random.integer(REBALLOT_MS));
  }
}
