/**
 * The door: clients and peers come in here. Accepting, handshakes, and the end of it all; what clients then say
 * is for {@link module:net/client_session}, what peers say goes to the actor it is for.
 *
 * The naive accept loop ends at the first error, and "out of file descriptors" is one: the node is then alive
 * and deaf. Here that is a pause. What arrives before a handshake is over is owed next to nothing: frames are
 * small, time is short, and everything that is not denamo (a TLS hello, a browser) looks like a frame far over
 * the limit and is closed.
 *
 * @module
 */

import type { CoordinatorProtocol, OriginProtocol } from "../actors/coordinator/protocol.ts";
import type { OperatorProtocol } from "../actors/operator/protocol.ts";
import type { NodeId } from "../actors/replica_store/protocol.ts";
import type { ActorContext, ActorSpec } from "../actors/runtime/actor.ts";
import {
  type Connection,
  type Endpoint,
  type Listener,
  type Network,
  NetworkError,
} from "../actors/runtime/environment.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import type { Envelope, TellResult } from "../actors/runtime/protocol.ts";
import { formatAddress } from "./address.ts";
import { Arrivals } from "./arrivals.ts";
import { Channel, reasonOf } from "./channel.ts";
import { ClientSession, type Desk } from "./client_session.ts";
import { EnvelopeCodec } from "./codec.ts";
import type { ControlCodec } from "./control_codec.ts";
import type { Introduction } from "./lives.ts";
import { judgeHello, judgePeer, type NodeFacts, wireFacts } from "./handshake.ts";
import {
  type Facts,
  HELLO,
  type Hello,
  REFUSED,
  type Refused,
  type Version,
  WELCOME,
} from "./messages/handshake.ts";
import { readMessage } from "./messages/message.ts";
import { PeerSession } from "./peer_session.ts";
import { Tickets } from "./tickets.ts";

/** Who is connected now. */
export interface ListenerStatus {
  /** Clients. */
  readonly clients: number;
  /** Peers that have dialled this node. */
  readonly peers: number;
  /** Clients' requests not yet answered. */
  readonly inFlight: number;
}

/** Messages of the listener. */
export type ListenerProtocol = OriginProtocol & {
  /**
   * The node is stopping: accept nothing and nobody new. The reply says how many answers are still to be
   * given or sent; ask again until it is 0, when every client has been let go.
   */
  drain: [Record<never, never>, { waiting: number }];
  /** The coordinator has lost the requests it had under way. */
  abandoned: [Record<never, never>, void];
  /** Who is connected now. */
  describe: [Record<never, never>, ListenerStatus];
  /** Look for what is late, idle or removed. Own timer. */
  tick: [Record<never, never>, void];
  /** See {@link Arrivals}. Own timer. */
  beat: [Record<never, never>, void];
};

/** What the listener leaves to pure code; a test plants a bug by substituting it. */
export const LISTENER_CORE = {
  /** A sense of having been away. */
  arrivals: (): Arrivals => new Arrivals(),
};

/** See {@link LISTENER_CORE}. */
export type ListenerCore = typeof LISTENER_CORE;

/** What {@link listener} is made of. */
export interface ListenerOptions {
  /** Where to listen. Port 0 takes a free one, and keeps it through restarts of the actor. */
  readonly endpoint: Endpoint;
  /** For the first incarnation: the socket that is bound to `endpoint` already. */
  readonly socket?: Listener;
  /** This node. */
  readonly facts: NodeFacts;
  /** Control messages, shared with the peers. */
  readonly control: ControlCodec;
  /** Take in what a peer sent: `ActorSystem.deliver`. */
  readonly deliver: (envelope: Envelope) => TellResult;
  /** Send to a peer: `Transport.send`. */
  readonly send: (envelope: Envelope) => boolean;
  /** Hears where it listens, at every start. */
  readonly onListening?: (endpoint: Endpoint) => void;
  /** Remembers the life of a peer that is about to be let in. */
  readonly onIntroduced?: (peer: Introduction) => Promise<void>;
  /** Hears that a member has connected. */
  readonly onPeer?: (node: NodeId) => void;
  /** Hears that a node of another cluster of this name has come, and where that is reached. */
  readonly onOtherCluster?: (address: string) => void;
  /** Hears that two processes use one node id: someone copied a data directory. */
  readonly onDuplicate?: (node: NodeId, address: string) => void;
  /** Called at every start: how to learn for how long nothing was read from a member, in milliseconds. */
  readonly setHearing?: (silentMs: (node: NodeId) => number) => void;
  /** See {@link LISTENER_CORE}, the default. */
  readonly core?: ListenerCore;
}

/** The actor that lets clients and peers in. Its start rejects with a clear error when the port is in use. */
export function listener(options: ListenerOptions): ActorSpec<ListenerProtocol> {
  let { endpoint, socket: bound } = options;
  return {
    name: "listener",
    async start(context) {
      const socket = bound ?? await listen(context.environment.network, endpoint);
      bound = undefined;
      endpoint = socket.endpoint;
      const door = new Door(context, options, socket);
      context.onStop(() => door.close("this node is stopping"));
      context.after(LIMITS.pingMs, "tick", {});
      const beat = () => context.after(door.arrivals.beat(context.environment.clock.now()), "beat", {});
      beat();
      door.acceptAll().catch(context.crash);
      options.onListening?.(endpoint);
      options.setHearing?.((node) => door.silentMs(node));
      return {
        answer: ({ ticket, outcome }) => door.tickets.answer(ticket, outcome),
        abandoned: () => door.tickets.abandon(),
        drain: () => ({ waiting: door.drain() }),
        describe: () => door.describe(),
        tick: () => {
          door.tick();
          context.after(LIMITS.pingMs, "tick", {});
        },
        beat: () => void beat(),
      };
    },
  };
}

/** Listen; rejects with an error for people that names the endpoint. */
export async function listen(network: Network, endpoint: Endpoint): Promise<Listener> {
  try {
    return await network.listen(endpoint);
  } catch (error) {
    const why = error instanceof NetworkError && error.code === "in-use"
      ? "the port is in use"
      : String(error);
    throw new Error(`cannot listen on ${formatAddress(endpoint)}: ${why}`, { cause: error });
  }
}

/** A node that has dialled this one. */
interface ConnectedPeer {
  readonly channel: Channel;
  /** What it said of itself. */
  readonly facts: Facts;
  /** It has left, and is heard once more. */
  isParting: boolean;
}

/** Everyone who has come in through one listening socket. */
class Door {
  readonly tickets: Tickets;
  readonly arrivals: Arrivals;
  readonly #context: ActorContext<ListenerProtocol>;
  readonly #options: ListenerOptions;
  readonly #socket: Listener;
  readonly #desk: Desk;
  readonly #codec: EnvelopeCodec;
  readonly #shaking = new Set<Channel>();
  readonly #clients = new Map<Channel, ClientSession>();
  readonly #peers = new Map<NodeId, ConnectedPeer>();
  #draining = false;

  constructor(context: ActorContext<ListenerProtocol>, options: ListenerOptions, socket: Listener) {
    const { clock, random } = context.environment;
    this.#context = context;
    this.#options = options;
    this.#socket = socket;
    this.tickets = new Tickets(random.integer(2 ** 31) * 2 ** 20);
    this.arrivals = (options.core ?? LISTENER_CORE).arrivals();
    this.#codec = new EnvelopeCodec(options.control, options.facts.nodeId, () => clock.now());
    this.#desk = {
      self: context.self.address,
      coordinator: context.ref<CoordinatorProtocol>("coordinator"),
      operator: context.ref<OperatorProtocol>("operator"),
      tickets: this.tickets,
      clock,
      log: context.log,
      crash: (error) => context.crash(error),
      draining: () => this.#draining,
    };
  }

  /** Accept until the socket is closed. */
  async acceptAll(): Promise<void> {
    const { clock } = this.#context.environment;
    let troubled = false;
    for (;;) {
      try {
        const connection = await this.#socket.accept();
        troubled = false;
        this.#serve(connection).catch((error) => this.#context.crash(error));
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error;
        if (error.code === "closed") return;
        if (!troubled) this.#context.log.warn("cannot accept connections now", { reason: error.message });
        troubled = true;
        await new Promise<void>((resolve) => clock.after(LIMITS.acceptPauseMs, resolve));
      }
    }
  }

  describe(): ListenerStatus {
    return { clients: this.#clients.size, peers: this.#peers.size, inFlight: this.#inFlight() };
  }

  /** For how long nothing was read from a node; infinite when it is not connected. */
  silentMs(node: NodeId): number {
    const peer = this.#peers.get(node);
    return peer ? this.#context.environment.clock.now() - peer.channel.lastReadAt : Infinity;
  }

  /** See {@link ListenerProtocol}. */
  drain(): number {
    this.#draining = true;
    this.#socket.close();
    let waiting = this.#inFlight();
    for (const [channel, session] of this.#clients) {
      if (session.inFlight === 0 && channel.queuedBytes > 0) waiting++;
    }
    if (waiting === 0) { for (const channel of this.#clients.keys()) channel.close("this node is stopping"); }
    return waiting;
  }

  tick(): void {
    const now = this.#context.environment.clock.now();
    this.tickets.sweep(now);
    for (const channel of this.#clients.keys()) {
      if (now - channel.lastReadAt > LIMITS.idleMs) channel.close("idle");
    }
    for (const peer of this.#peers.values()) {
      const { channel, facts, isParting } = peer;
      if (now - channel.lastReadAt > LIMITS.peerSilentMs) channel.close("silent");
      const refused = judgePeer(facts, this.#options.facts);
      // Requests of clients that it has under way come to their end until the next tick.
      peer.isParting = refused?.code === "removed";
      if (refused && (isParting || !peer.isParting)) channel.close(refused.message);
    }
  }

  close(reason: string): void {
    this.#socket.close();
    for (const channel of this.#shaking) channel.close(reason);
    for (const channel of this.#clients.keys()) channel.close(reason);
    for (const { channel } of this.#peers.values()) channel.close(reason);
  }

  #inFlight(): number {
    let inFlight = 0;
    for (const session of this.#clients.values()) inFlight += session.inFlight;
    return inFlight;
  }

  /** A connection, from its first byte to its last. */
  async #serve(connection: Connection): Promise<void> {
    if (this.#shaking.size >= LIMITS.connections) return connection.close();
    const { clock } = this.#context.environment;
    const channel = new Channel(connection, clock, (now) => this.arrivals.earliest(now));
    const timer = channel.closeAfter(LIMITS.handshakeMs, "no handshake in time");
    this.#shaking.add(channel);
    try {
      const frame = await channel.receive();
      if (!frame) return;
      const hello = readMessage(HELLO, frame);
      const verdict = this.#judge(hello);
      if ("code" in verdict) return await this.#refuse(channel, verdict);
      const facts = hello.magic ? hello.facts : null;
      if (facts) await this.#options.onIntroduced?.(facts);
      // What this node was is nothing to clients.
      const own = wireFacts(this.#options.facts);
      channel.send(WELCOME, { number: 0 }, {
        version: verdict,
        facts: facts ? own : { ...own, pastBootIds: [] },
      });
      // What a client asks fits a frame; what it is answered, and what peers say, is as large as objects are.
      channel.open(facts ? { inBytes: LIMITS.messageBytes } : { outBytes: LIMITS.messageBytes });
      timer.cancel();
      this.#shaking.delete(channel);
      await (facts ? this.#servePeer(channel, facts) : this.#serveClient(channel));
    } catch (error) {
      this.#context.log.debug("a connection failed", { remote: channel.remote, reason: reasonOf(error) });
    } finally {
      timer.cancel();
      this.#shaking.delete(channel);
      channel.close("over");
    }
  }

  #judge(hello: Hello): Refused | Version {
    const verdict = judgeHello(hello, this.#options.facts);
    if ("code" in verdict) {
      if (!hello.magic || !hello.facts) return verdict;
      if (verdict.code === "duplicate-id") this.#alarm(hello.facts);
      if (verdict.code === "cluster-id") this.#options.onOtherCluster?.(hello.facts.address);
      // Who is alive elsewhere has nothing to make good.
      return verdict.code === "forgotten-life" ? this.#judgeTwin(hello.facts) ?? verdict : verdict;
    }
    if (this.#draining) return { code: "draining", message: "this node is stopping" };
    const facts = hello.magic ? hello.facts : null;
    if (facts) return this.#judgeTwin(facts) ?? this.#judgeStranger(facts) ?? verdict;
    if (this.#clients.size < LIMITS.connections) return verdict;
    return {
      code: "too-many-connections",
      message: `this node has its limit of ${LIMITS.connections} clients`,
    };
  }

  /**
   * A node has one process. A connection under its id from another one that was heard of just now (peers ping)
   * means two are alive; one that has gone silent was left behind by a machine that lost its power.
   */
  #judgeTwin({ nodeId, bootId, address }: Facts): Refused | null {
    const known = this.#peers.get(nodeId);
    if (!known || known.facts.bootId === bootId) return null;
    const silentMs = this.#context.environment.clock.now() - known.channel.lastReadAt;
    if (silentMs > 2 * LIMITS.pingMs) return null;
    this.#alarm({ nodeId, address });
    return {
      code: "duplicate-id",
      message: `node ${nodeId} is connected from ${known.channel.remote} already`,
    };
  }

  /** Members are few; of others there may be any number, and what they claim cannot be checked. */
  #judgeStranger({ nodeId }: Facts): Refused | null {
    if (this.#peers.size < LIMITS.members || this.#options.facts.isMember(nodeId)) return null;
    return { code: "too-many-connections", message: `this node has its limit of ${LIMITS.members} peers` };
  }

  #alarm({ nodeId, address }: Pick<Facts, "nodeId" | "address">): void {
    this.#context.log.error("two processes use one node id", { peer: nodeId, address });
    this.#options.onDuplicate?.(nodeId, address);
  }

  async #refuse(channel: Channel, refused: Refused): Promise<void> {
    this.#context.log.info("refused a connection", { remote: channel.remote, ...refused });
    channel.send(REFUSED, { number: 0 }, refused);
    await channel.flushed();
  }

  async #serveClient(channel: Channel): Promise<void> {
    const session = new ClientSession(channel, this.#desk);
    this.#clients.set(channel, session);
    try {
      const reason = await channel.run((frame) => session.onFrame(frame), () => session.pause());
      this.#context.log.debug("a client left", { remote: channel.remote, reason });
    } finally {
      this.#clients.delete(channel);
      session.onClose();
    }
  }

  async #servePeer(channel: Channel, facts: Facts): Promise<void> {
    const { nodeId, address } = facts;
    this.#peers.get(nodeId)?.channel.close("dialled again");
    this.#peers.set(nodeId, { channel, facts, isParting: false });
    const session = new PeerSession(channel, nodeId, this.#codec, this.#options, this.#context.log);
    this.#options.onPeer?.(nodeId);
    try {
      const reason = await channel.run((frame) => session.onFrame(frame), () => session.pause());
      this.#context.log.debug("a peer left", { peer: nodeId, address, reason });
    } finally {
      if (this.#peers.get(nodeId)?.channel === channel) this.#peers.delete(nodeId);
    }
  }
}
