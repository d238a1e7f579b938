/**
 * The simulated network: listeners, connections and partitions between machines.
 *
 * A kernel goes on where its process does not: connections to a paused process are made and bytes to it are
 * taken, they just go unanswered. Only a process that has ended refuses and resets.
 *
 * @module
 */

import {
  type Connection,
  type Endpoint,
  type Listener,
  type Network,
  NetworkError,
} from "../runtime/environment.ts";
import type { Events, Process } from "./events.ts";
import { type Lane, type LinkFaults, Links, NO_DETAIL, type SeenMessage } from "./links.ts";
import type { SimulatedRandom } from "./random.ts";
import { never, Stream } from "./stream.ts";

/** Connections made and not yet accepted, at most; more are not answered. */
const BACKLOG = 128;
const FIRST_EPHEMERAL_PORT = 49152;

/** Who waits for a connection. */
interface Acceptor {
  readonly resolve: (connection: Connection) => void;
  readonly reject: (error: NetworkError) => void;
}

/** The network between all machines of a simulation. */
export class SimulatedNetwork {
  /** What goes wrong everywhere. */
  readonly faults: LinkFaults;

  readonly #events: Events;
  readonly #links: Links;
  readonly #listeners = new Map<string, SimulatedListener>();
  /** Which machine an address was last heard of on. */
  readonly #homes = new Map<string, string>();
  readonly #streams = new Map<Process, Set<Stream>>();
  #connections = 0;
  #nextPort = FIRST_EPHEMERAL_PORT;

  /**
   * Make one.
   *
   * @param events where everything happens
   * @param random decides what
   * @param onMessage is told of everything that is sent
   */
  constructor(
    events: Events,
    random: SimulatedRandom,
    onMessage: ((message: SeenMessage) => void) | null = null,
  ) {
    this.#events = events;
    this.#links = new Links(events, random, onMessage);
    this.faults = this.#links.faults;
  }

  /** What goes wrong from one machine to another, apart from the rest from now on. */
  link(from: string, to: string): LinkFaults {
    return this.#links.own(from, to);
  }

  /** One way: nothing from `from` reaches `to` until mended. */
  cut(from: string, to: string): void {
    this.#links.cut(from, to);
  }

  /** The opposite of {@link SimulatedNetwork.cut}. */
  mend(from: string, to: string): void {
    this.#links.mend(from, to);
  }

  /** Both ways: nothing passes between the two groups. */
  partition(some: readonly string[], others: readonly string[]): void {
    for (const a of some) for (const b of others) this.#links.cut(a, b), this.#links.cut(b, a);
  }

  /** No partition, no fault, anywhere. */
  heal(): void {
    this.#links.heal();
  }

  /** The network as a process sees it. */
  forProcess(process: Process): Network {
    return {
      listen: (endpoint) => process.alive ? this.#listen(process, endpoint) : never(),
      connect: (endpoint, timeoutMs) => process.alive ? this.#connect(process, endpoint, timeoutMs) : never(),
    };
  }

  /** A process has ended: its listeners are gone, its connections are reset. */
  endProcess(process: Process): void {
    for (const [key, listener] of this.#listeners) {
      if (listener.process === process) this.#listeners.delete(key);
    }
    for (const stream of this.#streams.get(process) ?? []) stream.abort();
    this.#streams.delete(process);
  }

  #listen(process: Process, { host, port }: Endpoint): Promise<Listener> {
    const endpoint = { host, port: port === 0 ? this.#nextPort++ : port };
    const key = keyOf(endpoint);
    if (this.#listeners.has(key)) return Promise.reject(new NetworkError("in-use", `${key} is in use`));
    const listener = new SimulatedListener(
      process,
      endpoint,
      this.#events,
      () => this.#listeners.delete(key),
    );
    this.#listeners.set(key, listener);
    this.#homes.set(key, process.node);
    return Promise.resolve(listener);
  }

  #connect(process: Process, remote: Endpoint, timeoutMs: number): Promise<Connection> {
    const key = keyOf(remote);
    const id = ++this.#connections;
    const local = { host: process.node, port: this.#nextPort++ };
    const home = this.#homes.get(key) ?? key;
    const there: Lane = { connection: id, from: process.node, to: home, lastArrival: 0 };
    const back: Lane = { connection: id, from: home, to: process.node, lastArrival: 0 };
    return new Promise((resolve, reject) => {
      let over = false; // an answer came, or none in time
      const answer = (label: string, task: (late: boolean) => void) => {
        this.#events.wake(process, label, () => {
          task(over);
          over = true;
          timer.cancel();
        });
      };
      const timer = this.#events.schedule(timeoutMs, process, `#${id} connect timeout`, () => {
        over = true;
        reject(new NetworkError("timeout", `${key} did not answer in ${timeoutMs} ms`));
      });
      const arrive = () => {
        const listener = this.#listeners.get(key);
        if (!listener) {
          const refuse = () => reject(new NetworkError("refused", `${key} refused the connection`));
          return this.#links.travel(back, "refuse", () => answer("refused", refuse));
        }
        if (listener.full) return;
        const mine = this.#stream(process, remote, there);
        const theirs = this.#stream(listener.process, local, back);
        Stream.join(mine, theirs);
        listener.onConnection(theirs);
        this.#links.travel(back, "welcome", () => {
          if (!process.alive) mine.abort();
          answer("connected", (late) => late ? mine.abort() : resolve(mine));
        });
      };
      this.#links.travel(there, "connect", arrive, { ...NO_DETAIL, label: ` ${key}` });
    });
  }

  #stream(process: Process, remote: Endpoint, lane: Lane): Stream {
    const own = this.#streams.get(process) ?? new Set();
    this.#streams.set(process, own);
    const onEnd = (stream: Stream) => void own.delete(stream);
    const stream = new Stream({ process, remote, lane, links: this.#links, events: this.#events, onEnd });
    own.add(stream);
    return stream;
  }
}

/** One spelling for each address. */
function keyOf({ host, port }: Endpoint): string {
  return `${host === "localhost" ? "127.0.0.1" : host}:${port}`;
}

class SimulatedListener implements Listener {
  readonly #events: Events;
  readonly #onClose: () => void;
  readonly #backlog: Stream[] = [];
  readonly #acceptors: Acceptor[] = [];
  #closed = false;

  constructor(readonly process: Process, readonly endpoint: Endpoint, events: Events, onClose: () => void) {
    this.#events = events;
    this.#onClose = onClose;
  }

  /** Whether another connection would go unanswered. */
  get full(): boolean {
    return this.#backlog.length >= BACKLOG;
  }

  accept(): Promise<Connection> {
    if (!this.process.alive) return never();
    if (this.#closed) return Promise.reject(new NetworkError("closed", "the listener is closed"));
    return new Promise((resolve, reject) => {
      this.#acceptors.push({ resolve, reject });
      this.#serve();
    });
  }

  close(): void {
    if (this.#closed || !this.process.alive) return;
    this.#closed = true;
    this.#onClose();
    for (const stream of this.#backlog.splice(0)) stream.abort();
    const error = new NetworkError("closed", "the listener is closed");
    for (const { reject } of this.#acceptors.splice(0)) reject(error);
  }

  onConnection(stream: Stream): void {
    this.#backlog.push(stream);
    this.#events.wake(this.process, "accept", () => this.#serve());
  }

  #serve(): void {
    while (this.#backlog.length > 0 && this.#acceptors.length > 0) {
      this.#acceptors.shift()!.resolve(this.#backlog.shift()!);
    }
  }
}
