/**
 * Nodes as processes of their own on this machine, for `cluster` and `demo`.
 *
 * @module
 */

import type { Context } from "./command.ts";
import { PERMISSIONS } from "./permissions.ts";

/** How to start one. */
export interface LocalNodeOptions {
  /** What people call it, `n1`. */
  readonly name: string;
  /** Its port on 127.0.0.1. */
  readonly port: number;
  /** Its data directory. */
  readonly directory: string;
  /** More flags of `denamo server`. */
  readonly flags?: readonly string[];
  /** Flags of the Deno that runs it, when it is run from source. */
  readonly runtimeFlags?: readonly string[];
  /** Gets every line that it prints. */
  readonly onLine: (line: string) => void;
}

/** A running `denamo server`. It stops when this process ends, however that ends. */
export class LocalNode {
  /** Its name. */
  readonly name: string;
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** Its exit code, once it has ended. */
  readonly ended: Promise<number>;
  readonly #process: Deno.ChildProcess;
  readonly #output: Promise<unknown>;
  #running = true;

  /** Start the process; {@link LocalNode.ready} tells when it serves. */
  constructor(options: LocalNodeOptions) {
    const { program, leading } = self(options.runtimeFlags ?? []);
    this.name = options.name;
    this.address = `127.0.0.1:${options.port}`;
    const where = [
      "--port",
      String(options.port),
      "--storage-path",
      options.directory,
      "--storage-reserve",
      "0",
    ];
    this.#process = new Deno.Command(program, {
      args: [...leading, "server", "--stop-with-input", ...where, ...options.flags ?? []],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#output = Promise.all([
      eachLine(this.#process.stdout, options.onLine),
      eachLine(this.#process.stderr, options.onLine),
    ]);
    this.ended = this.#process.status.then(async ({ code }) => {
      this.#running = false;
      await this.#output;
      await this.#process.stdin.close().catch(() => {}); // the pipe broke with the process
      return code;
    });
  }

  /** Resolves when the node answers; rejects when it ends first, or after `timeoutMs`. */
  async ready(context: Context, timeoutMs = 20_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (true) {
      if (!this.#running) {
        throw new Error(`${this.name} ended with code ${await this.ended}; see its log above`);
      }
      try {
        const door = await context.connect(this.address);
        try {
          return void await door.ping();
        } finally {
          await door.close();
        }
      } catch (error) {
        if (performance.now() > deadline) {
          throw new Error(`${this.name} does not answer at ${this.address}`, { cause: error });
        }
        await sleep(50);
      }
    }
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    if (this.#running) this.#process.kill("SIGKILL");
    await this.ended;
  }

  /** SIGTERM, and SIGKILL when that does not end it within ten seconds. */
  async stop(): Promise<void> {
    if (this.#running) this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.#running && this.#process.kill("SIGKILL"), 10_000);
    await this.ended;
    clearTimeout(timer);
  }
}

/** How to run denamo again: the compiled binary by itself, the source by way of the Deno that runs it. */
function self(runtimeFlags: readonly string[]): { program: string; leading: string[] } {
  const program = Deno.execPath();
  if (Deno.build.standalone) return { program, leading: [] };
  const main = new URL("./main.ts", import.meta.url);
  return { program, leading: ["run", "--quiet", ...runtimeFlags, ...PERMISSIONS, main.href] };
}

/** What people type to run denamo the way this process was run; the rest is for tests. */
export function invocation(
  npmCommand: string | undefined = Deno.env.get("npm_command"),
  program: string = Deno.execPath(),
  standalone: boolean = Deno.build.standalone,
): string {
  if (standalone) return "denamo";
  // Where npx finds the package installed it runs that one, so the path does not tell; its variable does.
  const npx = npmCommand === "exec" || /[\\/]_npx[\\/]/.test(program);
  return npx ? `npx -y deno@${Deno.version.deno} task denamo` : "deno task denamo";
}

/** So many ports of 127.0.0.1 that nobody listens on, from `first` upwards. */
export function freePorts(count: number, first: number): number[] {
  const ports: number[] = [];
  for (let port = first; ports.length < count; port++) {
    if (port > 65535) throw new Error(`fewer than ${count} free ports from ${first} upwards`);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      ports.push(port);
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  return ports;
}

/** Resolves after `ms` milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Call `onLine` with each line of a stream as it comes. */
export async function eachLine(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
): Promise<void> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    lines.forEach(onLine);
  }
  if (rest !== "") onLine(rest);
}

/** Refusals of a join after which another try may do better, and for how long. */
const MAY_PASS: ReadonlySet<string> = new Set(["unreachable", "no-agreement", "in-doubt", "busy"]);
const JOIN_PATIENCE_MS = 60_000;

/**
 * Make every node a member of the first one's cluster, one after the other, and wait until each sees all.
 * Nodes that a former run has joined are left as they are.
 */
export async function joinAll(nodes: readonly LocalNode[], context: Context): Promise<void> {
  const known = nodes[0]!.address;
  for (const node of nodes) {
    const door = await context.connect(node.address);
    try {
      const { members } = await door.admin("clusterState", {});
      if (node === nodes[0] || members.some((member) => member.address === known)) continue;
      // On a busy machine members may not have met yet, and all of them must agree.
      for (const until = performance.now() + JOIN_PATIENCE_MS;;) {
        const outcome = await door.admin("join", { known });
        if (outcome.ok) break;
        const mayPass = MAY_PASS.has(outcome.code) && performance.now() < until;
        if (!mayPass) throw new Error(`${node.name} cannot join: ${outcome.message}`);
        await sleep(500);
      }
    } finally {
      await door.close();
    }
  }
  for (const node of nodes) await settled(node, nodes.length, context);
}

/** Resolves when the node sees so many members alive. */
export async function settled(
  node: LocalNode,
  alive: number,
  context: Context,
  timeoutMs = 20_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  const door = await context.connect(node.address);
  try {
    while (true) {
      const { members } = await door.admin("clusterState", {});
      if (members.filter((member) => member.liveness === "alive").length >= alive) return;
      if (performance.now() > deadline) throw new Error(`${node.name} does not see ${alive} nodes alive`);
      await sleep(50);
    }
  } finally {
    await door.close();
  }
}
