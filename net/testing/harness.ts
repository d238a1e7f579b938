/**
 * Nodes for the tests of `net/`: real listener, peers and client in a simulation, with a coordinator, replica
 * store and operator that only remember and echo.
 *
 * @module
 */

import type {
  CoordinatorProtocol,
  GetOutcome,
  GetRequest,
  PutOutcome,
  PutRequest,
} from "../../actors/coordinator/protocol.ts";
import type { ReplicaStoreProtocol } from "../../actors/replica_store/protocol.ts";
import type { Ring } from "../../actors/ring_manager/ring.ts";
import type { Connection, Environment } from "../../actors/runtime/environment.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import type { Envelope, Handlers, Protocol, Transport } from "../../actors/runtime/protocol.ts";
import { bytes, integer, record } from "../../actors/runtime/shape.ts";
import { type ActorSpec, ActorSystem } from "../../actors/runtime/mod.ts";
import { Simulation } from "../../actors/simulated/simulation.ts";
import { Channel } from "../channel.ts";
import { Client } from "../client.ts";
import { ControlCodec, type ControlRegistry } from "../control_codec.ts";
import { greet } from "../greet.ts";
import type { NodeFacts } from "../handshake.ts";
import { listener, type ListenerOptions, type ListenerProtocol } from "../listener.ts";
import { type PeerEvent, peers, type PeersProtocol } from "../peers.ts";

/** Node `i`'s id. */
export function idOf(i: number): string {
  return i.toString(16).padStart(32, "0");
}

/** Where node `i` listens. */
export function addressOf(i: number): string {
  return `n${i}:3001`;
}

/** A ring of nodes 1 to `count`. */
export function ringOf(count: number): Ring {
  const members = Array.from({ length: count }, (_, i) => ({
    id: idOf(i + 1),
    address: addressOf(i + 1),
    zone: "",
    weight: 1,
  }));
  const cluster = { clusterId: "c".repeat(32), cluster: "test", epoch: 1, n: 3, partitions: 8 };
  return { ...cluster, members, owners: [], removed: [], change: null };
}

/** What a handler of a faked actor saw. */
export interface Seen {
  /** The actor and the kind of message. */
  readonly what: string;
  /** The body. */
  readonly body: unknown;
}

/** The echo actor: what control messages are tried on. */
export type EchoProtocol = {
  shout: [{ n: number }, void];
  echo: [{ n: number; bytes: Uint8Array }, { n: number; bytes: Uint8Array }];
  local: [Record<never, never>, void];
};

const ECHO = record({ n: integer(), bytes: bytes(1 << 20) });
/** What of {@link EchoProtocol} may come from outside. */
export const REGISTRY: ControlRegistry = {
  echo: { shout: { body: record({ n: integer() }) }, echo: { body: ECHO, reply: ECHO } },
  gossiper: { tell: { body: record({ n: integer() }) } },
  ring_manager: { tell: { body: record({ n: integer() }) } },
};

/** How a faked coordinator answers. */
export interface Answers {
  /** A read; null: never. */
  get(request: GetRequest): GetOutcome | null;
  /** A write; null: never. */
  put(request: PutRequest): PutOutcome | null;
}

/** One node. */
export class TestNode {
  readonly seen: Seen[] = [];
  readonly events: (readonly [node: string, event: PeerEvent, code: string | undefined])[] = [];
  readonly duplicates: string[] = [];
  readonly system: ActorSystem;
  /** Change it to answer otherwise. */
  answers: Answers = {
    get: () => ({ ok: true, values: [], context: new Uint8Array(0) }),
    put: () => ({ ok: true }),
  };

  constructor(
    readonly number: number,
    readonly environment: Environment,
    facts: Partial<NodeFacts> = {},
    readonly ring: Ring = ringOf(3),
    options: Partial<ListenerOptions> = {},
    readonly parts: { readonly coordinator: boolean; readonly mailbox?: number } = { coordinator: true },
  ) {
    const { clock } = environment;
    this.facts = {
      nodeId: idOf(number),
      bootId: environment.random.bytes(8).toHex(),
      life: 1,
      pastBootIds: [],
      address: addressOf(number),
      cluster: ring.cluster,
      clusterId: ring.clusterId,
      partitions: ring.partitions,
      n: ring.n,
      epoch: ring.epoch,
      lifeForgottenBy: () => null,
      isRemoved: () => false,
      isMember: (id) => ring.members.some((member) => member.id === id),
      ...facts,
    };
    this.control = new ControlCodec(REGISTRY, () => clock.now());
    this.system = new ActorSystem({ node: this.facts.nodeId, environment });
    this.#options = options;
  }

  readonly facts: NodeFacts;
  readonly control: ControlCodec;
  readonly #options: Partial<ListenerOptions>;
  #transport: Transport = { send: () => false };

  /** Start the actors. */
  async start(): Promise<this> {
    await this.system.start({
      name: "node",
      strategy: "one-for-one",
      intensity: { restarts: 10, withinMs: 1000 },
      children: [
        ...this.parts.coordinator ? [this.#coordinator()] : [],
        this.#replicaStore(),
        this.#echo(),
        this.#operator(),
        ...this.#net(),
      ],
    });
    return this;
  }

  /** Send as an actor of this node would. */
  send(to: number, actor: string, kind: string, body: unknown): boolean {
    const from = { node: this.facts.nodeId, actor: "coordinator" };
    return this.#transport.send({ to: { node: idOf(to), actor }, from, kind, body });
  }

  /** The bodies of what an actor here was told. */
  heard(what: string): unknown[] {
    return this.seen.filter((seen) => seen.what === what).map(({ body }) => body);
  }

  /** The listener. */
  get door() {
    return this.system.ref<ListenerProtocol>("listener");
  }

  /** The peers. */
  get peers() {
    return this.system.ref<PeersProtocol>("peers");
  }

  #net() {
    return [
      peers({
        facts: this.facts,
        control: this.control,
        setTransport: (transport) => {
          this.#transport = transport;
          this.system.setTransport(transport);
        },
        currentRing: () => this.ring,
        onPeer: (node, event, code) => void this.events.push([node, event, code]),
      }),
      listener({
        endpoint: { host: `n${this.number}`, port: 3001 },
        facts: this.facts,
        control: this.control,
        deliver: (envelope: Envelope) => this.system.deliver(envelope),
        send: (envelope) => this.#transport.send(envelope),
        onPeer: (node) => void this.system.ref<PeersProtocol>("peers").tell("heard", { node }),
        onDuplicate: (node) => void this.duplicates.push(node),
        ...this.#options,
      }),
    ];
  }

  #see(what: string, body: unknown): void {
    this.seen.push({ what, body });
  }

  #coordinator(): ActorSpec<CoordinatorProtocol> {
    return {
      name: "coordinator",
      mailboxCapacity: this.parts.mailbox ?? LIMITS.mailbox,
      start: (context) => {
        const other = (kind: string) => (body: unknown) => this.#see(`coordinator.${kind}`, body);
        const answer = (
          { origin, ticket }: GetRequest | PutRequest,
          outcome: GetOutcome | PutOutcome | null,
        ) => {
          if (outcome) context.ref<CoordinatorProtocol>(origin).tell("answer", { ticket, outcome });
        };
        const handlers: Partial<Handlers<CoordinatorProtocol>> = {
          get: (request) => {
            this.#see("coordinator.get", request);
            answer(request, this.answers.get(request));
          },
          put: (request) => {
            this.#see("coordinator.put", request);
            answer(request, this.answers.put(request));
          },
          answer: other("answer"),
          replicaRead: other("replicaRead"),
          replicaWrote: other("replicaWrote"),
        };
        return handlers as Handlers<CoordinatorProtocol>;
      },
    };
  }

  #replicaStore(): ActorSpec<ReplicaStoreProtocol> {
    return {
      name: "replica_store",
      start: () => {
        const handlers: Partial<Handlers<ReplicaStoreProtocol>> = {
          read: (body) => this.#see("replica_store.read", body),
          write: (body) => this.#see("replica_store.write", body),
        };
        return handlers as Handlers<ReplicaStoreProtocol>;
      },
    };
  }

  #echo(): ActorSpec<EchoProtocol> {
    return {
      name: "echo",
      start: () => ({
        shout: (body) => this.#see("echo.shout", body),
        echo: (body) => body,
        local: (body) => this.#see("echo.local", body),
      }),
    };
  }

  #operator(): ActorSpec<Protocol> {
    return {
      name: "operator",
      start: () => ({
        status: () => ({ state: "serving" }),
        explain: (body: unknown) => body,
        join: () => new Promise(() => {}),
      }),
    };
  }
}

/** Nodes 1 to `count`, started, in one simulation. */
export async function cluster(
  count: number,
  simulation: Simulation = new Simulation({ seed: 1 }),
): Promise<{ simulation: Simulation; nodes: TestNode[] }> {
  const nodes: TestNode[] = [];
  for (let i = 1; i <= count; i++) {
    nodes.push(await simulation.complete(new TestNode(i, simulation.environment(`n${i}`)).start()));
  }
  return { simulation, nodes };
}

/** A client on machine `c` of nodes by number. */
export function clientOf(simulation: Simulation, ...nodes: number[]): Promise<Client> {
  return simulation.complete(
    Client.connect(nodes.map(addressOf), { environment: simulation.environment("c") }),
  );
}

/** A bare connection from machine `c` to node `i`. */
export function dial(simulation: Simulation, i: number): Promise<Connection> {
  return simulation.complete(
    simulation.environment("c").network.connect({ host: `n${i}`, port: 3001 }, 1000),
  );
}

/** A connection from machine `c` to node `i` past its handshake as a client. */
export async function shaken(simulation: Simulation, i: number): Promise<Channel> {
  const channel = new Channel(await dial(simulation, i), simulation.environment("c").clock);
  await simulation.complete(greet(channel, null));
  return channel;
}

/** Write bytes as they are, however many calls it takes. */
export async function writeAll(connection: Connection, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Everything that comes until the other side hangs up. */
export async function readAll(connection: Connection): Promise<Uint8Array> {
  const chunks: number[] = [];
  const buffer = new Uint8Array(65536);
  try {
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) break;
      chunks.push(...buffer.subarray(0, count));
    }
  } catch {
    // Reset: what came before it counts.
  }
  return Uint8Array.from(chunks);
}
