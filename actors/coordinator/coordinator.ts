/**
 * The coordinator: every client request of this node, from the moment a door or another coordinator hands it
 * over until its origin has an answer.
 *
 * What a request does is in `get_request.ts` and `put_request.ts`, when it is satisfied in `read_quorum.ts`
 * and `write_quorum.ts`. This shell keeps the one table of requests under way, numbers them, carries messages
 * between them and the replicas, and sweeps out what has outlived its deadline. Nothing here waits: answers
 * arrive as messages (Dynamo, section 6.4, keeps a state machine per request in the same way).
 *
 * @module
 */

import type { ActorContext, ActorSpec } from "../runtime/mod.ts";
import { crc32c } from "../runtime/crc32c.ts";
import type { Address, Handlers, Ref } from "../runtime/protocol.ts";
import { LIMITS } from "../runtime/limits.ts";
import { Recent } from "../runtime/recent.ts";
import type {
  EncodedObject,
  Mint,
  NodeId,
  ReplicaRead,
  ReplicaStoreProtocol,
  ReplicaWrite,
  RequestId,
} from "../replica_store/protocol.ts";
import type { Ring } from "../ring_manager/ring.ts";
import { effectiveQuorum } from "../ring_manager/ring.ts";
import type { ConflictPolicy } from "../replica_store/conflicts.ts";
import type { Budget } from "../repair/budget.ts";
import type { RingManagerProtocol } from "../ring_manager/protocol.ts";
import type { CoordinatorCore } from "./core.ts";
import { type Delivery, type DeliveryDesk, DeliveryUnderWay } from "./delivery.ts";
import { Latencies } from "./latencies.ts";
import { type GetDesk, GetUnderWay } from "./get_request.ts";
import { type Forward, type HintMint, type PutDesk, PutUnderWay } from "./put_request.ts";
import type { GossiperProtocol } from "../gossiper/protocol.ts";
import type { HandoffProtocol, HintStoreProtocol } from "../handoff/protocol.ts";
import type {
  CoordinatorProtocol,
  Failure,
  GetOutcome,
  GetRequest,
  Liveness,
  OriginProtocol,
  PutOutcome,
  PutRequest,
} from "./protocol.ts";

/** What the coordinator is composed of. */
export interface CoordinatorOptions {
  /** This node. */
  readonly node: NodeId;
  /** R, W, and whether it is sloppy, of a request that says nothing of it; N is the ring's. */
  readonly quorum: { readonly r: number; readonly w: number; readonly sloppy: boolean };
  /** What becomes of concurrent writes. */
  readonly conflicts: ConflictPolicy;
  /** What time it is as most members have it; null while that is not known. */
  readonly wallMs: () => number | null;
  /** Told how long each request took; says whether a repair may be sent now. */
  readonly budget: Pick<Budget, "observe" | "trySpend">;
  /** Pure decisions, substitutable. */
  readonly core: CoordinatorCore;
}

/** How often deadlines are looked at while requests are under way. */
const SWEEP_MS = 50;

/** How long a read waits for its slower replicas after its answer, to repair them. */
const LINGER_MS = 250;

/** The actor `coordinator`. */
export function coordinator(options: CoordinatorOptions): ActorSpec<CoordinatorProtocol> {
  let lives = 0;
  return {
    name: "coordinator",
    async start(context) {
      const manager = context.ref<RingManagerProtocol>("ring_manager");
      const { ring } = await manager.ask("current", {}, { timeoutMs: 10_000 });
      const started = new Coordinator(options, context, ring);
      // Who is down was told to an earlier incarnation; where nobody says, it is found out.
      const gossiper = context.ref<GossiperProtocol>("gossiper");
      if (lives > 0) {
        const news = await gossiper.ask("describe", {}, { timeoutMs: 1_000 }).catch(() => []);
        for (const { node, liveness } of news) started.onLiveness(node, liveness);
      }
      // Requests die with the incarnation that kept them; whoever waits at a door hears of it now, not at its deadline.
      if (lives++ > 0) context.ref<DoorProtocol>("listener").tell("abandoned", {});
      return started.handlers();
    },
  };
}

const NOBODY: readonly NodeId[] = [];

/** What a door is told when the coordinator has lost its requests. */
type DoorProtocol = { abandoned: [Record<never, never>, void] };

type UnderWay = GetUnderWay | PutUnderWay | DeliveryUnderWay;

/** Of a write's key and value. */
function checksumOf({ key, crc32c: ofValue }: PutRequest): number {
  return crc32c(key, ofValue);
}

class Coordinator implements GetDesk, PutDesk, DeliveryDesk {
  readonly core: CoordinatorCore;
  readonly self: NodeId;
  readonly conflicts: ConflictPolicy;
  ring: Ring;
  readonly #context: ActorContext<CoordinatorProtocol>;
  readonly #options: CoordinatorOptions;
  readonly #underWay = new Map<number, UnderWay>();
  /** Reads that are answered and only kept for repair, oldest first; they are under way too. */
  readonly #lingering = new Map<number, GetUnderWay>();
  /** The replicas of each partition, as far as they were looked up under the present ring. */
  #replicas: (readonly NodeId[] | undefined)[];
  /** The same of those that may keep hints for them, and of those that may be given some. */
  #fallbacks: (readonly NodeId[] | undefined)[];
  #keepers: (readonly NodeId[] | undefined)[] = [];
  #zones = new Map<NodeId, string>();
  readonly #down = new Set<NodeId>();
  readonly #stores = new Map<NodeId, Ref<ReplicaStoreProtocol>>();
  readonly #hintStores = new Map<NodeId, Ref<HintStoreProtocol>>();
  readonly #origins = new Map<string, Ref<OriginProtocol>>();
  readonly #latencies = new Latencies();
  /**
   * Writes acknowledged last, and checksums of what they wrote: one that comes again after others have replaced it is
   * not made again. Another one under its id is.
   */
  readonly #acknowledged = new Recent<RequestId, number>(LIMITS.recentRequests);
  /** Writes that were sent on to here last, and the tickets under which: what comes twice is taken once. */
  readonly #sentOn = new Recent<RequestId, number>(LIMITS.recentRequests);
  readonly #failures: Record<string, number> = {};
  #nextTicket: number;
  #sweeping = false;
  #gets = 0;
  #puts = 0;
  #forwarded = 0;
  #failovers = 0;
  #readRepairs = 0;
  #repairsLeft = 0;
  #hinted = 0;
  #sloppyPuts = 0;

  constructor(options: CoordinatorOptions, context: ActorContext<CoordinatorProtocol>, ring: Ring) {
    this.#options = options;
    this.#context = context;
    this.core = options.core;
    this.self = options.node;
    this.conflicts = options.conflicts;
    this.ring = ring;
    this.#replicas = new Array(ring.partitions);
    this.#fallbacks = new Array(ring.partitions);
    this.#takeZones(ring);
    // Answers to an earlier incarnation may still be on their way: its tickets must not be met again.
    this.#nextTicket = 1 + context.environment.random.integer(2 ** 20) * 2 ** 32;
  }

  handlers(): Handlers<CoordinatorProtocol> {
    return {
      get: (request) => this.#onGet(request),
      put: (request) => this.#onPut(request),
      replicaRead: ({ ticket, replica, answer }) => {
        const request = this.#underWay.get(ticket);
        if (request === undefined) return;
        request.onReplicaRead(replica, answer);
        this.#settle(request);
      },
      replicaWrote: ({ ticket, replica, answer }) => {
        const request = this.#underWay.get(ticket);
        if (request === undefined || request instanceof GetUnderWay) return;
        request.onReplicaWrote(replica, answer);
        this.#settle(request);
      },
      minted: ({ ticket, answer }) => {
        const request = this.#underWay.get(ticket);
        if (!(request instanceof PutUnderWay)) return;
        request.onMinted(answer);
        this.#settle(request);
      },
      answer: ({ ticket, outcome }, from) => {
        const request = this.#underWay.get(ticket);
        if (!(request instanceof PutUnderWay) || from === undefined) return;
        request.onForwarded(from.node, outcome as PutOutcome);
        this.#settle(request);
      },
      ring: ({ ring }) => this.#onRing(ring),
      deliver: (delivery) => this.#begin(new DeliveryUnderWay(delivery, this.#nextTicket++, this)),
      liveness: ({ node, liveness }) => this.onLiveness(node, liveness),
      peerLost: ({ node }) => {
        for (const request of [...this.#underWay.values()]) {
          request.onPeerLost(node);
          this.#settle(request);
        }
      },
      sweep: () => this.#onSweep(),
      describe: () => ({
        inFlight: this.#underWay.size,
        gets: this.#gets,
        puts: this.#puts,
        failures: { ...this.#failures },
        forwarded: this.#forwarded,
        failovers: this.#failovers,
        readRepairs: this.#readRepairs - this.#repairsLeft,
        repairsLeft: this.#repairsLeft,
        hinted: this.#hinted,
        sloppyPuts: this.#sloppyPuts,
      }),
    };
  }

  // --- requests --------------------------------------------------------------------------------------------

  #onGet(request: GetRequest): void {
    const { n, r } = effectiveQuorum(this.ring, this.ring.n, this.#options.quorum.r, this.#options.quorum.w);
    const needed = request.r === 0 ? r : request.r;
    const refusal = this.#refusal(request, "R", needed, n);
    if (refusal !== null) return this.answer(request, refusal);
    const terms = { needed, sloppy: request.sloppy ?? this.#options.quorum.sloppy };
    this.#begin(new GetUnderWay(request, terms, this.#nextTicket++, this));
  }

  #onPut(request: PutRequest): void {
    const { requestId, forwarded, ticket } = request;
    if (forwarded) {
      if (this.#sentOn.get(requestId) === ticket) return;
      this.#sentOn.set(requestId, ticket);
    }
    const known = this.#acknowledged.get(requestId);
    if (known !== undefined && known === checksumOf(request)) return this.answer(request, { ok: true });
    const { n, w } = effectiveQuorum(this.ring, this.ring.n, this.#options.quorum.r, this.#options.quorum.w);
    const needed = request.w === 0 ? w : request.w;
    const refusal = this.#refusal(request, "W", needed, n);
    if (refusal !== null) return this.answer(request, refusal);
    const terms = { needed, sloppy: request.sloppy ?? this.#options.quorum.sloppy };
    this.#begin(new PutUnderWay(request, terms, this.#nextTicket++, this));
  }

  /** Why a request is not even begun, null when it is. */
  #refusal({ deadline }: GetRequest | PutRequest, name: string, needed: number, n: number): Failure | null {
    if (this.now() >= deadline) {
      return {
        ok: false,
        code: "timeout",
        message: "the deadline passed before anything was done",
        definite: true,
      };
    }
    if (!(needed >= 1)) {
      return { ok: false, code: "bad-request", message: `${name} must be at least 1`, definite: true };
    }
    if (needed > n) {
      const size = n < this.ring.n ? ` (the cluster has ${this.ring.members.length} members)` : "";
      const message = `${name} = ${needed} is more than the ${n} replicas a key has here${size}`;
      return { ok: false, code: "bad-request", message, definite: true };
    }
    if (this.#underWay.size < LIMITS.requestsInFlight || this.#dropLingering()) return null;
    const message = `${LIMITS.requestsInFlight} requests are under way; try again`;
    return { ok: false, code: "overloaded", message, definite: true };
  }

  #begin(request: UnderWay): void {
    if (!(request instanceof DeliveryUnderWay)) request.begunAt = this.now();
    this.#underWay.set(request.ticket, request);
    request.start();
    this.#settle(request);
    this.#armSweep();
  }

  #settle(request: UnderWay): void {
    if (request.outdated && this.ring.epoch > request.epoch) {
      // What replicas still say to the attempt under the old ring must not be taken for an answer to this one.
      this.#underWay.delete(request.ticket);
      request.ticket = this.#nextTicket++;
      this.#underWay.set(request.ticket, request);
      request.start();
    }
    if (!request.answered) return;
    this.#observe(request);
    if (request.settled) {
      if (request instanceof GetUnderWay) this.#readRepairs += request.repair();
      this.#forget(request);
    } else if (request instanceof GetUnderWay) this.#lingering.set(request.ticket, request);
  }

  /** What clients feel: once for each request. */
  #observe(request: UnderWay): void {
    if (request instanceof DeliveryUnderWay || request.begunAt === null) return;
    this.#options.budget.observe(this.now() - request.begunAt);
    request.begunAt = null;
  }

  #forget(request: UnderWay): void {
    this.#observe(request);
    const { ticket } = request;
    this.#underWay.delete(ticket);
    this.#lingering.delete(ticket);
  }

  /** Room for a new request: the oldest read that is only kept for repair is let go. */
  #dropLingering(): boolean {
    for (const request of this.#lingering.values()) {
      this.#forget(request);
      return true;
    }
    return false;
  }

  #onRing(ring: Ring): void {
    if (ring.clusterId === this.ring.clusterId && ring.epoch <= this.ring.epoch) return;
    this.ring = ring;
    this.#replicas = new Array(ring.partitions);
    this.#fallbacks = new Array(ring.partitions);
    this.#keepers = [];
    this.#takeZones(ring);
    this.#latencies.keepOnly(ring.members.map(({ id }) => id));
    for (const request of [...this.#underWay.values()]) {
      if (!request.outdated) continue;
      this.#settle(request);
    }
  }

  #takeZones({ members }: Ring): void {
    this.#zones = new Map(members.map(({ id, zone }) => [id, zone]));
    for (const node of this.#down) if (!this.#zones.has(node)) this.#down.delete(node);
  }

  /** What the gossiper holds of a member. */
  onLiveness(node: NodeId, liveness: Liveness): void {
    if (liveness === "down" && node !== this.self) this.#down.add(node);
    else this.#down.delete(node);
  }

  // --- time ------------------------------------------------------------------------------------------------

  #armSweep(): void {
    if (this.#sweeping || this.#underWay.size === 0) return;
    this.#sweeping = true;
    this.#context.after(SWEEP_MS, "sweep", {});
  }

  #onSweep(): void {
    this.#sweeping = false;
    const now = this.now();
    for (const request of this.#underWay.values()) {
      request.onSweep(now);
      if (request instanceof GetUnderWay && request.answered && now >= request.answeredAt + LINGER_MS) {
        this.#readRepairs += request.repair();
        this.#forget(request);
        continue;
      }
      if (now < request.request.deadline) continue;
      request.expire();
      this.#forget(request);
    }
    this.#armSweep();
  }

  // --- the desk: what requests use -------------------------------------------------------------------------

  now(): number {
    return this.#context.environment.clock.now();
  }

  replicasOf(partition: number): readonly NodeId[] {
    return this.#replicas[partition] ??= this.core.preferenceList(this.ring, partition).map(({ id }) => id);
  }

  wallMs(): number | null {
    return this.#options.wallMs();
  }

  fallbacksOf(partition: number): readonly NodeId[] {
    return this.#fallbacks[partition] ??= this.core.fallbacksOf(this.ring, partition);
  }

  keepersOf(partition: number): readonly NodeId[] {
    return this.#keepers[partition] ??= this.core.keepersOf(this.ring, partition);
  }

  isDown(node: NodeId): boolean {
    return this.#down.has(node);
  }

  zoneOf(node: NodeId): string {
    return this.#zones.get(node) ?? "";
  }

  othersOf(partition: number): readonly NodeId[] {
    if (this.ring.change === null) return NOBODY;
    return this.core.othersOf(this.ring, partition).map(({ id }) => id);
  }

  teach(node: NodeId): void {
    this.#context.ref<RingManagerProtocol>("ring_manager").tell("teach", { node });
  }

  fastestOf(nodes: readonly NodeId[]): NodeId | undefined {
    return this.#latencies.fastest(nodes, this.now());
  }

  observe(primary: NodeId, elapsedMs: number): void {
    this.#latencies.observe(primary, elapsedMs, this.now());
  }

  countSloppy(): void {
    this.#sloppyPuts++;
  }

  countFailover(): void {
    this.#failovers++;
  }

  sendRead(replica: NodeId, read: ReplicaRead): boolean {
    return this.#store(replica).tell("read", read) === "sent";
  }

  sendWrite(replica: NodeId, write: ReplicaWrite): boolean {
    return this.#store(replica).tell("write", write) === "sent";
  }

  sendRepair(replica: NodeId, partition: number, key: Uint8Array, object: EncodedObject): void {
    // Clients come first; whoever reads it next finds it stale again, and so does anti-entropy.
    if (!this.#options.budget.trySpend(object.length)) return void this.#repairsLeft++;
    const { epoch } = this.ring;
    this.sendWrite(replica, { key, object, partition, epoch, ticket: 0, from: this.self });
  }

  sendHintRead(fallback: NodeId, read: ReplicaRead): boolean {
    return this.#hintStore(fallback).tell("read", read) === "sent";
  }

  sendHint(fallback: NodeId, target: NodeId, write: ReplicaWrite): boolean {
    const isSent = this.#hintStore(fallback).tell("keep", { ...write, target }) === "sent";
    if (isSent) this.#hinted++;
    return isSent;
  }

  sendMint(request: PutRequest, ticket: number, partition: number, caughtUp: boolean): boolean {
    return this.#store(this.self).tell("mint", this.#mint(request, { ticket, partition, caughtUp })) ===
      "sent";
  }

  sendHintMint({ request, target, ...placed }: HintMint): boolean {
    const mint = { ...this.#mint(request, placed), target };
    const isSent = this.#hintStore(this.self).tell("mint", mint) === "sent";
    if (isSent) this.#hinted++;
    return isSent;
  }

  #mint(
    { key, value, crc32c, context, requestId, deadline, ttlMs }: PutRequest,
    placed: Pick<Mint, "ticket" | "partition" | "caughtUp">,
  ): Mint {
    const body = { key, value, crc32c, context, requestId, deadline, epoch: this.ring.epoch, ...placed };
    return ttlMs === undefined ? body : { ...body, ttlMs };
  }

  sendForward(node: NodeId, { ticket, needed, sloppy, fallback }: Forward, request: PutRequest): boolean {
    const to = this.#context.ref<CoordinatorProtocol>({ node, actor: "coordinator" });
    const origin = this.#context.self.address;
    const body = { ...request, w: needed, sloppy, fallback, origin, ticket, forwarded: true };
    const sent = to.tell("put", body) === "sent";
    if (sent) this.#forwarded++;
    return sent;
  }

  delivered({ ticket }: Delivery, ok: boolean): void {
    this.#context.ref<HandoffProtocol>("handoff").tell("delivered", { ticket, ok });
  }

  answer(request: GetRequest | PutRequest, outcome: GetOutcome | PutOutcome): void {
    if (!outcome.ok) this.#failures[outcome.code] = (this.#failures[outcome.code] ?? 0) + 1;
    else if ("values" in outcome) this.#gets++;
    else {
      this.#puts++;
      if ("requestId" in request) this.#acknowledged.set(request.requestId, checksumOf(request));
    }
    this.#origin(request.origin).tell("answer", { ticket: request.ticket, outcome });
  }

  #store(node: NodeId): Ref<ReplicaStoreProtocol> {
    let ref = this.#stores.get(node);
    if (ref === undefined) {
      ref = this.#context.ref<ReplicaStoreProtocol>({ node, actor: "replica_store" });
      this.#stores.set(node, ref);
    }
    return ref;
  }

  #hintStore(node: NodeId): Ref<HintStoreProtocol> {
    let ref = this.#hintStores.get(node);
    if (ref === undefined) {
      ref = this.#context.ref<HintStoreProtocol>({ node, actor: "hint_store" });
      this.#hintStores.set(node, ref);
    }
    return ref;
  }

  #origin(address: Address): Ref<OriginProtocol> {
    const key = address.node === this.self ? address.actor : address.node;
    let ref = this.#origins.get(key);
    if (ref === undefined) {
      ref = this.#context.ref<OriginProtocol>(address);
      this.#origins.set(key, ref);
    }
    return ref;
  }
}
