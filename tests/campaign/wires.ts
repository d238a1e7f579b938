/**
 * The wires between real nodes, in the hands of a campaign: every node tells the others an address at which a proxy
 * stands, and what passes from one node to another can be held up in either direction.
 *
 * Held up is not refused: bytes stay where they are, as packets that are lost do, until the wire is whole again or
 * somebody gives up. Who a connection comes from is in its first bytes: a node's hello names its own address.
 *
 * @module
 */

/** A hello is not longer. */
const HELLO_BYTES = 4096;
const CHUNK_BYTES = 64 * 1024;

/** A node's place among the others, from 0. */
export type Place = number;

/** The proxies of some nodes. */
export class Wires implements Disposable {
  /** Where the proxy of each node is reached. */
  readonly addresses: readonly string[];
  readonly #listeners: readonly Deno.TcpListener[];
  readonly #targets: readonly number[];
  readonly #cut = new Set<string>();
  readonly #open = new Set<Deno.TcpConn>();
  #healed = Promise.withResolvers<void>();

  /** @param targets the ports at which the nodes listen */
  constructor(targets: readonly number[]) {
    this.#targets = targets;
    this.#listeners = targets.map(() => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
    this.addresses = this.#listeners.map(({ addr }) => `127.0.0.1:${addr.port}`);
    this.#listeners.forEach((listener, to) => void this.#accept(listener, to));
  }

  /** From now on nothing passes from one node to another. */
  cut(from: Place, to: Place): void {
    this.#cut.add(`${from}>${to}`);
  }

  /** Everything passes again. */
  heal(): void {
    this.#cut.clear();
    this.#healed.resolve();
    this.#healed = Promise.withResolvers();
  }

  /** Every connection ends. */
  [Symbol.dispose](): void {
    this.heal();
    for (const listener of this.#listeners) listener.close();
    for (const connection of [...this.#open]) this.#close(connection);
  }

  async #accept(listener: Deno.TcpListener, to: Place): Promise<void> {
    for await (const connection of listener) {
      this.#carry(connection, to).catch(() => this.#close(connection));
    }
  }

  async #carry(near: Deno.TcpConn, to: Place): Promise<void> {
    this.#open.add(near);
    const hello = new Uint8Array(HELLO_BYTES);
    const length = await near.read(hello);
    if (length === null) return this.#close(near);
    // A hello comes in one piece. A client's names nobody; nothing holds up clients.
    const text = new TextDecoder("latin1").decode(hello.subarray(0, length));
    const from = this.addresses.findIndex((address) => text.includes(address));
    const far = await Deno.connect({ hostname: "127.0.0.1", port: this.#targets[to]! });
    this.#open.add(far);
    near.setNoDelay(true);
    far.setNoDelay(true);
    await this.#passes(from, to);
    await writeAll(far, hello.subarray(0, length));
    await Promise.all([this.#pump(near, far, from, to), this.#pump(far, near, to, from)])
      .finally(() => [near, far].forEach((connection) => this.#close(connection)));
  }

  async #pump(source: Deno.TcpConn, sink: Deno.TcpConn, from: Place, to: Place): Promise<void> {
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (;;) {
      const count = await source.read(chunk);
      await this.#passes(from, to);
      if (count === null) return void await sink.closeWrite();
      await writeAll(sink, chunk.subarray(0, count));
    }
  }

  async #passes(from: Place, to: Place): Promise<void> {
    while (this.#cut.has(`${from}>${to}`)) await this.#healed.promise;
  }

  #close(connection: Deno.TcpConn): void {
    if (!this.#open.delete(connection)) return;
    try {
      connection.close();
    } catch {
      // It has closed itself.
    }
  }
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
