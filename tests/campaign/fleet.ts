/**
 * A cluster of real processes that gets larger and smaller by the commands that an operator would type.
 *
 * @module
 */

import type { NodeStatus, PartitionsView, Preview } from "../../actors/operator/protocol.ts";
import { Client } from "../../mod.ts";
import { denamo, freePorts, joined, Scratch, Server, sleep, until } from "../outside/harness.ts";

/** A node's place among the others, from 0; one that returns has the same. */
export type Place = number;

/** A command gets so long to see a condition come true before it is tried again. */
const AGAIN_MS = 300;
/** So often a command that the others are not ready for is typed. */
const TRIES = 20;

/** See the module. */
export class Fleet implements AsyncDisposable {
  readonly #flags: readonly string[];
  readonly #ports: readonly number[];
  readonly #servers = new Map<Place, Server>();
  readonly #doors = new Map<Place, Client>();
  readonly #scratch = new Scratch();

  private constructor(most: number, flags: readonly string[]) {
    this.#ports = freePorts(most);
    this.#flags = flags;
  }

  /** Start and join `nodes` nodes, of at most `most` that there will ever be, with more flags of each. */
  static async start(nodes: number, most: number, flags: readonly string[]): Promise<Fleet> {
    const fleet = new Fleet(most, flags);
    try {
      await Promise.all(Array.from({ length: nodes }, (_, place) => fleet.boot(place)));
      for (let place = 1; place < nodes; place++) {
        await joined(await fleet.door(place), fleet.address(0));
      }
      // Writes wait while the last vote is on its way to all.
      await until("nodes that serve, and know that all live", async () => {
        const all = await Promise.all(fleet.places.map((place) => fleet.status(place)));
        return all.every((status) => status?.alive === nodes && /serving|under-repl/.test(status.state));
      });
      return fleet;
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The places of the nodes that run. */
  get places(): Place[] {
    return [...this.#servers].filter(([, server]) => server.alive).map(([place]) => place).sort();
  }

  /** Where the nodes that run are reached. */
  get addresses(): string[] {
    return this.places.map((place) => this.address(place));
  }

  /** Where a node is reached. */
  address(place: Place): string {
    return `127.0.0.1:${this.#ports[place]}`;
  }

  /** The process of a node, the latest one. */
  server(place: Place): Server {
    return this.#servers.get(place)!;
  }

  /** Start a node on its directory; resolves when it serves. */
  async boot(place: Place): Promise<void> {
    const where = ["--port", String(this.#ports[place]), "--storage-path", this.#directory(place)];
    const server = new Server([...where, "--log-level", "warn", ...this.#flags]);
    this.#servers.set(place, server);
    await server.serving();
  }

  /** `kill -9`. */
  async kill(place: Place): Promise<void> {
    await this.server(place).kill();
    await this.#hangUp(place);
  }

  /** What a new disk has: nothing. */
  wipe(place: Place): void {
    Deno.removeSync(this.#directory(place), { recursive: true });
  }

  /** `denamo` with these arguments, at a node; rejects when it does not come to be done. */
  async command(place: Place, words: readonly string[]): Promise<string> {
    let said = "";
    for (let tries = 0; tries < TRIES; tries++) {
      const { code, out, err } = await denamo([...words, "-p", String(this.#ports[place])]);
      if (code === 0) return out;
      said = err;
      await sleep(AGAIN_MS); // the others may not have heard yet that somebody is there, or has gone
    }
    throw new Error(`denamo ${words.join(" ")}: ${said}`);
  }

  /** What a change would mean, as `--plan` says it. */
  async plan(place: Place, words: readonly string[]): Promise<Extract<Preview, { ok: true }>> {
    return JSON.parse(await this.command(place, [...words, "--plan"]));
  }

  /** A node's status; null when it does not answer. */
  async status(place: Place): Promise<NodeStatus | null> {
    return await this.#ask(place, (door) => door.admin("status", {}, { timeoutMs: 10_000 }));
  }

  /** What a node holds of each of its partitions; null when it does not answer. */
  async partitions(place: Place): Promise<PartitionsView | null> {
    return await this.#ask(place, (door) => door.admin("partitions", {}, { timeoutMs: 10_000 }));
  }

  /** A client of one node, for questions about it. */
  async door(place: Place): Promise<Client> {
    const known = this.#doors.get(place);
    if (known !== undefined) return known;
    const door = await Client.connect(this.address(place));
    this.#doors.set(place, door);
    return door;
  }

  async #ask<T>(place: Place, question: (door: Client) => Promise<T>): Promise<T | null> {
    try {
      return await question(await this.door(place));
    } catch {
      await this.#hangUp(place);
      return null;
    }
  }

  async #hangUp(place: Place): Promise<void> {
    await this.#doors.get(place)?.close();
    this.#doors.delete(place);
  }

  #directory(place: Place): string {
    return `${this.#scratch.path}/n${place + 1}`;
  }

  /** Kill what runs and remove everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const place of [...this.#doors.keys()]) await this.#hangUp(place);
    await Promise.all(this.#servers.values().map((server) => server.kill()));
    this.#scratch[Symbol.dispose]();
  }
}
