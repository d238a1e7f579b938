/**
 * The operator: answers people's questions about the node and carries out what they ask of it.
 *
 * It holds no state of its own but how far a backup is, and may wait for other actors (nobody waits for it but doors),
 * so its handlers run side by side: a `status` is answered while a join is under way. Joins are in
 * `membership_change.ts`.
 *
 * @module
 */

import type { Collection } from "../replica_store/collection.ts";
import type { ConflictPolicy } from "../replica_store/conflicts.ts";
import type { Budget } from "../repair/budget.ts";
import type { ActorContext, ActorSpec } from "../runtime/mod.ts";
import type { CoordinatorProtocol, Explanation, ReplicaExplanation } from "../coordinator/protocol.ts";
import type { HintStoreProtocol } from "../handoff/protocol.ts";
import type { GossiperProtocol } from "../gossiper/protocol.ts";
import type { MemberView } from "../gossiper/membership.ts";
import { toHex } from "../runtime/bytes.ts";
import { AskError } from "../runtime/protocol.ts";
import type { NodeId, ReplicaStoreProtocol } from "../replica_store/protocol.ts";
import type { RingManagerProtocol } from "../ring_manager/protocol.ts";
import {
  effectiveQuorum,
  type Member,
  partitionOf,
  preferenceList,
  type Ring,
  underReplicated,
} from "../ring_manager/ring.ts";
import { ringDigest } from "../ring_manager/ring_codec.ts";
import { type BackUp, Backups } from "./backups.ts";
import { explainAnswer } from "./explain_answer.ts";
import {
  type Administer,
  admit,
  AGAIN_MS,
  askAgain,
  type Candidacy,
  EMPTY_ONLY,
  inquire,
  isCandidate,
  join,
  planToAsk,
  rejoin,
} from "./membership_change.ts";
import type { CollectorProtocol } from "../repair/collection_protocol.ts";
import type { AntiEntropyProtocol } from "../repair/anti_entropy.ts";
import type { RefillerProtocol } from "../repair/refiller.ts";
import { decodeDigest } from "../repair/hash_tree.ts";
import { NO_DIGESTS, TREE_ITEMS } from "../replica_store/tree_protocol.ts";
import { cancel, currentRing, forceRemove, isAway, leave, movesView, preview, refusal } from "./moving.ts";
import type {
  ActorStatus,
  ClusterState,
  NodeStatus,
  OperatorActorProtocol,
  PartitionState,
  PartitionsView,
  Preview,
  PreviewRequest,
  RingView,
} from "./protocol.ts";

/** What the operator learns from the node around it. */
export interface OperatorOptions {
  /** This node. */
  readonly node: NodeId;
  /** denamo's version. */
  readonly version: string;
  /** What becomes of concurrent writes. */
  readonly conflicts: ConflictPolicy;
  /** The collection epochs of this node. */
  readonly collection: Pick<Collection, "said" | "learnFrom">;
  /** Configured R and W. */
  readonly quorum: { readonly r: number; readonly w: number; readonly sloppy: boolean };
  /** This node as a member, its address resolved. */
  readonly member: Member;
  /** Whom to ask for admission while this node is alone: `host:port` each. */
  readonly seeds: readonly string[];
  /** Whom this node asked for membership without hearing what came of it; kept with its identity. */
  readonly asked: { load(): string | null; save(known: string | null): Promise<void> };
  /** Ask an operator elsewhere, by address, before this node is a member of its cluster. */
  readonly administer: Administer;
  /** Make a backup of this node. */
  readonly backUp: BackUp;
  /** What it does in the background goes by it. */
  readonly budget: Pick<Budget, "set" | "status">;
  /** See {@link NodeStatus.votes}. */
  mayVote(): boolean;
  /** Figures that no actor keeps: the actor system's and the sockets'. */
  runtime(): RuntimeFigures;
}

/** See {@link OperatorOptions.runtime}. */
export interface RuntimeFigures {
  /** Milliseconds since the node started. */
  readonly uptimeMs: number;
  /** Non-null while the node is not simply serving: `draining`, or why its own journal takes nothing. */
  readonly condition: string | null;
  /** See {@link NodeStatus.messages}. */
  readonly messages: NodeStatus["messages"];
  /** See {@link NodeStatus.actors}. */
  readonly actors: readonly ActorStatus[];
}

const ASK = { timeoutMs: 5_000 };

/** The actor `operator`. */
export function operator(options: OperatorOptions): ActorSpec<OperatorActorProtocol> {
  return {
    name: "operator",
    reentrant: true,
    async start(context) {
      const isSeeking = options.seeds.length > 0;
      const backups = new Backups(options.backUp);
      const [inDoubtWith = null, replaces = null] = options.asked.load()?.split(" ") ?? [];
      const candidacy: Candidacy = {
        isAsking: false,
        admitting: 0,
        inDoubtWith,
        replaces,
        willAsk: false,
        isSeeking,
      };
      if (inDoubtWith !== null) {
        const store = context.ref<ReplicaStoreProtocol>("replica_store");
        await store.ask("fence", { raised: true, ifEmpty: true }, ASK);
        planToAsk(context, candidacy, AGAIN_MS);
      } else {
        // An earlier incarnation may have crashed while it joined.
        context.ref<RingManagerProtocol>("ring_manager").tell("refence", {});
      }
      if (isSeeking) context.after(0, "seek", { waitMs: SEEK_MIN_MS });
      return {
        status: () => status(options, context, candidacy),
        clusterState: () => clusterState(options, context),
        ring: async () => ringView(await currentRing(context)),
        partitions: () => partitionsView(context),
        explain: ({ key, timeoutMs }) => explain(context, key, timeoutMs),
        join: ({ known }) => join(options, context, candidacy, known),
        replace: ({ known, old }) => join(options, context, candidacy, known, old),
        leave: () => leave(context, options.node),
        forceRemove: ({ id, alive = false }) => forceRemove(context, options.node, id, alive),
        cancel: () => cancel(context),
        preview: (request) => previewOf(options, context, request),
        admit: (candidate) => admit(options, context, candidacy, candidate),
        backup: ({ directory }) => backups.begin(directory),
        backupProgress: ({ number }) => backups.progress(number),
        background: ({ set }) => {
          if (set !== null) options.budget.set(set);
          return options.budget.status();
        },
        inquire: () => inquire(context),
        courted: ({ known }) => rejoin(options, context, candidacy, known),
        askAgain: ({ waitMs }) => askAgain(options, context, candidacy, waitMs),
        seek: ({ waitMs }) => seek(options, context, candidacy, waitMs),
      };
    },
  };
}

/** As much of the listener's and the peers' protocols (`net/`) as `status` needs. */
type DoorProtocol = { describe: [Record<never, never>, { clients: number }] };
type LinksProtocol = { describe: [Record<never, never>, readonly { connected: boolean }[]] };

type Context = ActorContext<OperatorActorProtocol>;

function memberNews(context: Context): Promise<readonly MemberView[]> {
  return context.ref<GossiperProtocol>("gossiper").ask("describe", {}, ASK);
}

async function status(
  options: OperatorOptions,
  context: Context,
  candidacy: Candidacy,
): Promise<NodeStatus> {
  const [
    { ring, isFenced },
    store,
    repair,
    copies,
    coordinator,
    hints,
    news,
    door,
    links,
    moves,
    collection,
  ] = await Promise.all(
    [
      context.ref<RingManagerProtocol>("ring_manager").ask("current", {}, ASK),
      context.ref<ReplicaStoreProtocol>("replica_store").ask("describe", {}, ASK),
      context.ref<AntiEntropyProtocol>("anti_entropy").ask("describe", {}, ASK),
      context.ref<RefillerProtocol>("refiller").ask("describe", {}, ASK),
      context.ref<CoordinatorProtocol>("coordinator").ask("describe", {}, ASK),
      context.ref<HintStoreProtocol>("hint_store").ask("describe", {}, ASK),
      memberNews(context),
      context.ref<DoorProtocol>("listener").ask("describe", {}, ASK),
      context.ref<LinksProtocol>("peers").ask("describe", {}, ASK),
      movesView(context),
      context.ref<CollectorProtocol>("collector").ask("describe", {}, ASK),
    ],
  );
  const { condition, ...runtime } = options.runtime();
  const scarce = underReplicated(ring);
  const away = news.filter(({ liveness }) => liveness !== "alive").map(({ node }) => node);
  const state = condition ?? store.engine.refusing ?? hints.refusing ??
    (isCandidate(candidacy)
      ? "joining"
      : isFenced
      ? "ring-changing"
      : store.notWhole > 0
      ? "not-whole"
      : moves !== null
      ? "moving"
      : scarce
      ? "under-replicated"
      : "serving");
  return {
    version: options.version,
    node: options.node,
    address: options.member.address,
    state,
    cluster: ring.cluster,
    epoch: ring.epoch,
    members: ring.members.length,
    alive: news.filter((member) => member.liveness === "alive").length,
    underReplicated: scarce,
    votes: options.mayVote(),
    moves,
    coordinator,
    store,
    background: options.budget.status(),
    repair,
    copies,
    collection: { ...collection, waitedFor: [...new Set([...collection.waitedFor, ...away])] },
    hints,
    connections: { clients: door.clients, peers: links.filter(({ connected }) => connected).length },
    ...runtime,
  };
}

/** A node that is no member yet asks one. */
async function previewOf(
  { node, member, administer, budget }: OperatorOptions,
  context: Context,
  request: PreviewRequest,
): Promise<Preview> {
  const { kind, known } = request;
  const asked = { ...request, known: null };
  if (known !== null) {
    const ring = await currentRing(context);
    const { partitions } = await context.ref<ReplicaStoreProtocol>("replica_store").ask("weigh", {}, ASK);
    if (ring.members.length === 1 && partitions.length > 0) return refusal("has-data", EMPTY_ONLY);
    const withSelf = { ...asked, member: asked.member ?? member };
    return await administer.preview(known, withSelf, ASK.timeoutMs)
      .catch((error) => refusal("unreachable", `${known}: ${error}`));
  }
  const id = asked.id ?? node;
  const newcomer = asked.member ?? member;
  const { bytesPerS } = budget.status();
  if (kind === "join") return await preview(context, { kind, member: newcomer }, bytesPerS);
  if (kind !== "replace") return await preview(context, { kind, id }, bytesPerS);
  const isGone = await isAway(context, id);
  return await preview(context, { kind, id, member: newcomer, isGone }, bytesPerS);
}

async function clusterState(options: OperatorOptions, context: Context): Promise<ClusterState> {
  const [ring, news] = await Promise.all([currentRing(context), memberNews(context)]);
  const { n, r, w } = effectiveQuorum(ring, ring.n, options.quorum.r, options.quorum.w);
  const owns = ring.members.map(() => 0);
  for (const owners of ring.owners) for (const index of owners) owns[index] = (owns[index] ?? 0) + 1;
  return {
    cluster: ring.cluster,
    clusterId: ring.clusterId,
    ring: ringDigest(ring),
    quorum: { n, r, w, sloppy: options.quorum.sloppy },
    underReplicated: underReplicated(ring),
    members: ring.members.map((member, index) => {
      const known = news.find((one) => one.node === member.id);
      return {
        ...member,
        owns: owns[index] ?? 0,
        liveness: known?.liveness ?? "suspect",
        incarnation: known?.incarnation ?? 0,
        silentMs: Math.round(known?.silentMs ?? 0),
      };
    }),
  };
}

function ringView(ring: Ring): RingView {
  return { ...ringDigest(ring), members: ring.members, owners: ring.owners };
}

async function partitionsView(context: Context): Promise<PartitionsView> {
  const { epoch } = await currentRing(context);
  const health = await context.ref<AntiEntropyProtocol>("anti_entropy").ask("partitions", {}, ASK);
  const store = context.ref<ReplicaStoreProtocol>("replica_store");
  const partitions: PartitionState[] = [];
  for (let first = 0; first < health.length; first += TREE_ITEMS) {
    const some = health.slice(first, first + TREE_ITEMS);
    const asked = { epoch, partitions: some.map(({ partition }) => partition) };
    const { digests } = await store.ask("treeRoots", asked, ASK).catch(() => NO_DIGESTS);
    partitions.push(...some.map((one, i) => {
      const root = digests[i] ?? null;
      return { ...one, keys: root && decodeDigest(root).keys, digest: root && toHex(root) };
    }));
  }
  return { epoch, partitions };
}

async function explain(context: Context, key: Uint8Array, timeoutMs: number): Promise<Explanation> {
  const [ring, news] = await Promise.all([currentRing(context), memberNews(context)]);
  const partition = partitionOf(key, ring.partitions);
  const replicas = preferenceList(ring, partition).map(async (member): Promise<ReplicaExplanation> => {
    const liveness = news.find((one) => one.node === member.id)?.liveness ?? "suspect";
    const store = context.ref<ReplicaStoreProtocol>({ node: member.id, actor: "replica_store" });
    const answer = await store.ask("inspect", { key, partition }, { timeoutMs }).catch(() => null);
    return { node: member.id, address: member.address, liveness, ...explainAnswer(answer) };
  });
  return { partition, epoch: ring.epoch, replicas: await Promise.all(replicas) };
}

/** How long a lone node waits before it asks its seeds again: first, and at most. */
const SEEK_MIN_MS = 500;
const SEEK_MAX_MS = 15_000;

/**
 * Ask one seed after the other until this node is a member. Until then it takes no writes: they would be
 * acknowledged by a cluster of one, which can join no other any more. The first of the seeds is the founder: when
 * none of the others belongs to a cluster yet, it stays where it is and they come to it.
 */
async function seek(
  options: OperatorOptions,
  context: Context,
  candidacy: Candidacy,
  waitMs: number,
): Promise<void> {
  const { seeds, member: { address } } = options;
  try {
    const isSettled = (await currentRing(context)).members.length > 1;
    if (isSettled || await foundOrJoin(options, context, candidacy)) {
      candidacy.isSeeking = false;
      context.ref<RingManagerProtocol>("ring_manager").tell("refence", {});
      return;
    }
    context.log.warn("no seed has let this node in yet; it takes no writes until then", { address, seeds });
  } catch (error) {
    // One of this node's own actors is on its way back.
    if (!(error instanceof AskError)) throw error;
  }
  const jitter = 0.5 + context.environment.random.next() / 2;
  context.after(waitMs * jitter, "seek", { waitMs: Math.min(2 * waitMs, SEEK_MAX_MS) });
}

async function foundOrJoin(
  options: OperatorOptions,
  context: Context,
  candidacy: Candidacy,
): Promise<boolean> {
  const { seeds, member: { address }, administer } = options;
  const isFounder = seeds[0] === address;
  let isAlone = true;
  const store = context.ref<ReplicaStoreProtocol>("replica_store");
  await store.ask("fence", { raised: true, ifEmpty: true }, ASK);
  for (const known of seeds) {
    if (known === address) continue;
    const state = await administer.clusterState(known, ASK.timeoutMs).catch(() => null);
    const isCluster = state !== null && state.members.length > 1;
    if (state === null || isFounder && !isCluster) continue;
    if (isCluster) isAlone = false;
    const outcome = await join(options, context, candidacy, known);
    if (outcome.ok) {
      context.log.info("joined through a seed", { known, epoch: outcome.epoch });
      return true;
    }
    context.log.info("a seed did not let this node in", { known, why: outcome.message });
  }
  return isFounder && isAlone;
}
