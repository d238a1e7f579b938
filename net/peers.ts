/**
 * The way to the other members: one connection to each, dialled from here, for everything this node says to
 * it. What it says comes in on the connection it dialled itself, at the listener.
 *
 * A connection is made when something is first sent to a member, and from then on kept: when it breaks it is
 * dialled again, after a delay that doubles and jitters so that a node that returns is not met by everyone at
 * once. While the first dial is under way messages wait; while the next one is being waited for they are
 * refused, so that a coordinator turns to another replica at once instead of at its deadline. Nothing is sent
 * twice: what was handed to a connection that broke is lost, and `onPeer` says so.
 *
 * One that has left still has requests under way, which it was asked before anybody knew that it was gone: it is
 * answered for a while, over the connection there is.
 *
 * @module
 */

import type { NodeId } from "../actors/replica_store/protocol.ts";
import type { Ring } from "../actors/ring_manager/ring.ts";
import type { ActorContext, ActorSpec } from "../actors/runtime/actor.ts";
import { type Connection, NetworkError, type Timer } from "../actors/runtime/environment.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import type { Envelope, Transport } from "../actors/runtime/protocol.ts";
import { parseAddress } from "./address.ts";
import { Channel, reasonOf } from "./channel.ts";
import type { ControlCodec } from "./control_codec.ts";
import { EnvelopeCodec } from "./codec.ts";
import type { Frame } from "./frame.ts";
import { FrameWriter } from "./frame_writer.ts";
import { greet, HandshakeRefused } from "./greet.ts";
import { judgePeer, type NodeFacts } from "./handshake.ts";
import type { ProcessLife } from "./lives.ts";
import { PING, PONG } from "./messages/handshake.ts";
import { readMessage } from "./messages/message.ts";

/** One member as `describe` shows it. */
export interface PeerStatus {
  /** The member. */
  readonly node: NodeId;
  /** Whether a connection is open and past its handshake. */
  readonly connected: boolean;
  /** Bytes waiting to be sent. */
  readonly queuedBytes: number;
  /** Messages handed to a connection since the actor started. */
  readonly sent: number;
  /** Messages refused, or handed to a dial that failed. */
  readonly lost: number;
}

/** Messages of the peers. */
export type PeersProtocol = {
  /** Who is a member, and where. */
  ring: [{ ring: Ring }, void];
  /** A member has just connected to this node: it is there, so dial it now rather than later. */
  heard: [{ node: NodeId }, void];
  /** Every member that was ever sent something. */
  describe: [Record<never, never>, readonly PeerStatus[]];
  /** Ping, and look for the silent. Own timer. */
  tick: [Record<never, never>, void];
};

/** What happened to the connection to a member; for `refused`, `code` is the wire's reason. */
export type PeerEvent = "connected" | "lost" | "refused";

/** Hears of it; `forgotten` is that of `HandshakeRefused`. */
export type OnPeer = (node: NodeId, event: PeerEvent, code?: string, forgotten?: ProcessLife | null) => void;

/** What {@link peers} is made of. */
export interface PeersOptions {
  /** This node. */
  readonly facts: NodeFacts;
  /** Control messages, shared with the listener. */
  readonly control: ControlCodec;
  /** Called at every start: how the actor system sends from now on. */
  readonly setTransport: (transport: Transport) => void;
  /** The ring at a start; what changes later comes as `ring` messages. */
  readonly currentRing?: () => Ring | Promise<Ring>;
  /** Hears at once what happened to a connection. Must not throw. */
  readonly onPeer?: OnPeer;
}

/** The actor that keeps the connections to the other members. */
export function peers(options: PeersOptions): ActorSpec<PeersProtocol> {
  return {
    name: "peers",
    async start(context) {
      const all = new Peers(context, options);
      if (options.currentRing) all.learn(await options.currentRing());
      options.setTransport(all);
      context.onStop(() => all.close());
      context.after(LIMITS.pingMs, "tick", {});
      return {
        ring: ({ ring }) => all.learn(ring),
        heard: ({ node }) => all.dial(node),
        describe: () => all.describe(),
        tick: () => {
          all.ping();
          context.after(LIMITS.pingMs, "tick", {});
        },
      };
    },
  };
}

/** The {@link Transport} over one connection per member. */
class Peers implements Transport {
  readonly #context: ActorContext<PeersProtocol>;
  readonly #options: PeersOptions;
  readonly #codec: EnvelopeCodec;
  readonly #addresses = new Map<NodeId, string>();
  readonly #peers = new Map<NodeId, Peer>();

  constructor(context: ActorContext<PeersProtocol>, options: PeersOptions) {
    const { clock } = context.environment;
    this.#context = context;
    this.#options = options;
    this.#codec = new EnvelopeCodec(options.control, options.facts.nodeId, () => clock.now());
  }

  send(envelope: Envelope): boolean {
    const node = envelope.to.node;
    const peer = this.#peers.get(node) ?? this.#meet(node);
    return peer !== undefined && peer.send(envelope);
  }

  learn(ring: Ring): void {
    this.#addresses.clear();
    const { members, change } = ring;
    const isReplaced = (id: NodeId, at: string) =>
      change !== null && change.leaving === id && change.gone.includes(id) &&
      members.some((other) => other.id !== id && other.address === at);
    for (const { id, address } of members) {
      // Where the one is that takes its place, nobody goes by the id of one that is gone.
      if (id === this.#options.facts.nodeId || isReplaced(id, address)) continue;
      this.#addresses.set(id, address);
    }
    const isTaken = (address: string) => members.some((other) => other.address === address);
    for (const [node, peer] of this.#peers) {
      if (this.#addresses.get(node) === peer.address) continue;
      if (ring.removed.includes(node) && !isTaken(peer.address)) peer.part(() => this.#peers.delete(node));
      else {
        this.#peers.delete(node);
        peer.close();
      }
    }
  }

  dial(node: NodeId): void {
    (this.#peers.get(node) ?? this.#meet(node))?.dial();
  }

  ping(): void {
    for (const peer of this.#peers.values()) peer.ping();
  }

  describe(): readonly PeerStatus[] {
    return [...this.#peers.values()].map((peer) => peer.status());
  }

  close(): void {
    for (const peer of this.#peers.values()) peer.close();
    this.#peers.clear();
    this.#addresses.clear();
  }

  #meet(node: NodeId): Peer | undefined {
    const address = this.#addresses.get(node);
    if (address === undefined) return undefined;
    const peer = new Peer(node, address, this.#context, this.#options, this.#codec);
    this.#peers.set(node, peer);
    peer.dial();
    return peer;
  }
}

/** The connection to one member, through all its lives. */
class Peer {
  readonly #context: ActorContext<PeersProtocol>;
  readonly #options: PeersOptions;
  readonly #codec: EnvelopeCodec;
  /** Open and past the handshake. */
  #channel: Channel | null = null;
  /** What was sent while dialling; null when no dial is under way. */
  #early: FrameWriter | null = null;
  #earlyCount = 0;
  /** The channel in its handshake. */
  #shaking: Channel | null = null;
  #redial: Timer | null = null;
  /** It is no member any more, and answered until then. */
  #parting: Timer | null = null;
  #failures = 0;
  /** Why the last dial failed, as it was logged: the same reason is logged once. */
  #complaint = "";
  #closed = false;
  #sent = 0;
  #lost = 0;

  constructor(
    readonly node: NodeId,
    readonly address: string,
    context: ActorContext<PeersProtocol>,
    options: PeersOptions,
    codec: EnvelopeCodec,
  ) {
    this.#context = context;
    this.#options = options;
    this.#codec = codec;
  }

  send(envelope: Envelope): boolean {
    const taken = this.#channel ? this.#sendNow(this.#channel, envelope) : this.#sendEarly(envelope);
    if (taken) this.#sent++;
    else this.#lost++;
    return taken;
  }

  #sendNow(channel: Channel, envelope: Envelope): boolean {
    if (channel.queuedBytes >= LIMITS.peerOutputBytes || channel.closed !== null) return false;
    if (!this.#codec.encode(channel.writer, envelope)) return false;
    channel.flush();
    return true;
  }

  #sendEarly(envelope: Envelope): boolean {
    if (!this.#early || this.#early.sizeBytes >= LIMITS.peerOutputBytes) return false;
    const taken = this.#codec.encode(this.#early, envelope);
    if (taken) this.#earlyCount++;
    return taken;
  }

  /** Dial now, unless connected or dialling. */
  dial(): void {
    if (this.#channel || this.#early || this.#closed || this.#parting) return;
    this.#redial?.cancel();
    this.#redial = null;
    this.#early = new FrameWriter(LIMITS.frameBytes, LIMITS.messageBytes);
    this.#connect().catch((error) => this.#context.crash(error));
  }

  ping(): void {
    const channel = this.#channel;
    if (!channel) return;
    const silentMs = this.#silentMs(channel);
    if (silentMs > LIMITS.peerSilentMs) channel.close(`silent for ${Math.round(silentMs)} ms`);
    else channel.send(PING, { number: 0 }, null);
  }

  status(): PeerStatus {
    const queuedBytes = this.#channel?.queuedBytes ?? this.#early?.sizeBytes ?? 0;
    const { node } = this;
    const connected = this.#channel !== null && this.#silentMs(this.#channel) <= LIMITS.peerMuteMs;
    return { node, connected, queuedBytes, sent: this.#sent, lost: this.#lost };
  }

  #silentMs(channel: Channel): number {
    return this.#context.environment.clock.now() - channel.aliveAt;
  }

  /** It has left: close in a while, and do not dial it again. */
  part(then: () => void): void {
    this.#redial?.cancel();
    this.#parting ??= this.#context.environment.clock.after(LIMITS.partingMs, () => {
      this.close();
      then();
    });
  }

  close(): void {
    this.#closed = true;
    this.#redial?.cancel();
    this.#parting?.cancel();
    this.#shaking?.close("not wanted any more");
    this.#channel?.close("not wanted any more");
  }

  async #connect(): Promise<void> {
    const { log, environment: { network, clock } } = this.#context;
    const { node, address } = this;
    let connection: Connection | null = null;
    try {
      const endpoint = parseAddress(address);
      if (!endpoint) throw new NetworkError("failed", `${address} is not host:port`);
      connection = await network.connect(endpoint, LIMITS.dialMs);
      const channel = this.#shaking = new Channel(connection, clock);
      if (this.#closed) return;
      await this.#shake(channel);
      if (channel.closed !== null) throw new NetworkError("closed", channel.closed);
      this.#onConnected(channel);
      log.info("connected to peer", { peer: node, address });
      const reason = await channel.run(onFrame);
      this.#channel = null;
      if (!this.#closed) log.info("connection to peer lost", { peer: node, address, reason });
      this.#onLost("lost");
    } catch (error) {
      const reason = reasonOf(error);
      const refused = error instanceof HandshakeRefused;
      if (!this.#closed && reason !== this.#complaint) {
        if (refused) log.warn("a peer and this node do not match", { peer: node, address, reason });
        else log.info("cannot reach peer", { peer: node, address, reason });
      }
      this.#complaint = reason;
      if (refused) this.#onLost("refused", error.refusal, error.forgotten);
      else this.#onLost("lost");
    } finally {
      this.#shaking = null;
      connection?.close();
    }
  }

  async #shake(channel: Channel): Promise<void> {
    const { facts } = this.#options;
    const theirs = await greet(channel, facts);
    if (theirs.nodeId !== this.node) {
      throw new HandshakeRefused("wrong-node", `${theirs.nodeId} answers there`);
    }
    const refused = judgePeer(theirs, facts);
    if (refused) throw new HandshakeRefused(refused.code, refused.message);
  }

  #onConnected(channel: Channel): void {
    this.#failures = 0;
    this.#complaint = "";
    this.#channel = channel;
    channel.writer.append(this.#early?.take() ?? []);
    this.#early = null;
    this.#earlyCount = 0;
    channel.flush();
    this.#options.onPeer?.(this.node, "connected");
  }

  #onLost(event: PeerEvent, code?: string, forgotten?: ProcessLife | null): void {
    this.#lost += this.#earlyCount;
    this.#sent -= this.#earlyCount;
    this.#earlyCount = 0;
    this.#early = null;
    if (this.#closed || this.#parting) return;
    const { clock, random } = this.#context.environment;
    const longest = event === "refused"
      ? LIMITS.redialMaxMs
      : Math.min(LIMITS.redialMaxMs, LIMITS.redialMinMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 32);
    this.#redial = clock.after(longest * (0.5 + random.next() / 2), () => this.dial());
    this.#options.onPeer?.(this.node, event, code, forgotten);
  }
}

/** On a connection dialled from here the other side only answers pings. */
function onFrame(frame: Frame): void {
  readMessage(PONG, frame);
}
