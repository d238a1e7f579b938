/**
 * Real denamo processes on this machine, started, signalled and asked as a user would.
 *
 * Whatever happens to a test, its processes end: each is given `--stop-with-input` and the writing end of its
 * standard input, which closes with the process that runs the tests.
 *
 * @module
 */

import { Client } from "../../mod.ts";
import { PERMISSIONS } from "../../cli/permissions.ts";

/** The root of the repository. */
export const ROOT = new URL("../../", import.meta.url);

/** A condition that does not come true within this long never will. */
const PATIENCE_MS = 60_000;

/** Resolves after `ms` milliseconds. For pacing only: what a test asserts it waits for with {@link until}. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What `probe` gives once that is neither false, null nor undefined; errors count as not yet. */
export async function until<T>(what: string, probe: () => T | Promise<T>): Promise<NonNullable<T>> {
  let last: unknown;
  for (const start = performance.now(); performance.now() - start < PATIENCE_MS; await sleep(20)) {
    try {
      last = await probe();
      if (last !== false && last !== null && last !== undefined) return last as NonNullable<T>;
    } catch (error) {
      last = error;
    }
  }
  throw new Error(`waited ${PATIENCE_MS} ms for ${what}; last: ${last}`);
}

/** A directory that is gone when the test is over. */
export class Scratch implements Disposable {
  /** Where it is. */
  readonly path = Deno.makeTempDirSync({ prefix: "denamo-outside-" });

  /** See {@link Scratch}. */
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/**
 * Ports nobody listens on, below those that the system gives to outgoing connections: a node must find its
 * port free again when it returns.
 */
export function freePorts(count: number): number[] {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      ports.add(port);
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  return [...ports];
}

/** The arguments of `deno` that run a program of the repository as `deno task denamo` runs the CLI. */
export function denoRun(program = "cli/main.ts"): string[] {
  const config = new URL("deno.json", ROOT).pathname;
  return ["run", "--quiet", "--config", config, ...PERMISSIONS, new URL(program, ROOT).pathname];
}

/** Variables of every process that is started. */
export const VARIABLES: Readonly<Record<string, string>> = {
  DENO_NO_UPDATE_CHECK: "1",
  NO_COLOR: "1",
  DENAMO_STORAGE_RESERVE: "0", // the directories are gone in a moment
};

/** How a command ended. */
export interface Ended {
  /** Its exit code. */
  readonly code: number;
  /** All of its standard output. */
  readonly out: string;
  /** All of its standard error. */
  readonly err: string;
}

/** Run `denamo` with these arguments to its end, with `input` as its standard input. */
export async function denamo(args: readonly string[], input = ""): Promise<Ended> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...denoRun(), ...args],
    env: VARIABLES,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(() => {}); // it need not read
  const { code, stdout, stderr } = await child.output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

/** What {@link Running} runs. */
export interface RunOptions {
  /** The executable; by default the Deno that runs the tests. */
  readonly program?: string;
  /** All of its arguments. */
  readonly args: readonly string[];
  /** Where it runs; by default here. */
  readonly cwd?: string | URL;
}

/** A process that runs until it is told otherwise. */
export class Running implements AsyncDisposable {
  /** Lines of standard output. */
  readonly out: string[] = [];
  /** Lines of standard error. */
  readonly err: string[] = [];
  /** Its exit code, once it and its output have ended; a signal counts as 128 and its number. */
  readonly ended: Promise<number>;
  /** Whether it runs. */
  alive = true;
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  /** Start it. */
  constructor({ program = Deno.execPath(), args, cwd }: RunOptions) {
    this.#process = new Deno.Command(program, {
      args: [...args],
      env: VARIABLES,
      ...(cwd !== undefined && { cwd }),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#input.closed.catch(() => {}); // the pipe breaks with the process
    const output = [collect(this.#process.stdout, this.out), collect(this.#process.stderr, this.err)];
    this.ended = this.#process.status.then(async ({ code }) => {
      this.alive = false;
      await Promise.all(output);
      await this.#input.close().catch(() => {});
      return code;
    });
  }

  /** Its process id. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Send a signal, unless it has ended. */
  signal(signal: Deno.Signal): void {
    if (this.alive) this.#process.kill(signal);
  }

  /** A line for its standard input. */
  async type(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
  }

  /** `kill -9`; resolves when it is gone. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }

  /** The first line of standard output that matches; rejects when the process ends without one. */
  async said(pattern: RegExp): Promise<RegExpExecArray> {
    return await until(`${pattern} from ${this.#process.pid}`, () => {
      for (const line of this.out) {
        const match = pattern.exec(line);
        if (match) return match;
      }
      return this.alive ? null : new RegExpMiss();
    }).then((found) => {
      if (found instanceof RegExpMiss) throw new Error(`it ended without ${pattern}: ${this.err.join("\n")}`);
      return found;
    });
  }

  /** See {@link Running.kill}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** The process has ended and the line can no longer come. */
class RegExpMiss {}

async function collect(stream: ReadableStream<Uint8Array>, lines: string[]): Promise<void> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    lines.push(...parts);
  }
  if (rest !== "") lines.push(rest);
}

/** A node as a process. */
export class Server extends Running {
  /** Start `denamo server` with these flags, or `program`, which takes the same. */
  constructor(flags: readonly string[], { program, cwd }: { program?: string; cwd?: string } = {}) {
    // A program of our own reads its standard input itself.
    const stop = program === undefined ? ["--stop-with-input"] : [];
    super({ args: [...denoRun(program), "server", ...stop, ...flags], ...(cwd !== undefined && { cwd }) });
  }

  /** Resolves with the port once it serves. */
  async serving(): Promise<number> {
    return Number((await this.said(/^denamo: serving on 127\.0\.0\.1:(\d+)$/))[1]);
  }
}

/** Resolves when a node has joined; on a busy machine members may not have met each other yet, and all must agree. */
export async function joined(client: Client, known: string): Promise<void> {
  await until(`a node that may join ${known}`, async () => {
    const outcome = await client.admin("join", { known }, { timeoutMs: 30_000 });
    if (!outcome.ok) throw new Error(outcome.message);
    return true;
  });
}

/** How a {@link Trio} is started. */
export interface TrioOptions {
  /** More flags of every node. */
  readonly flags?: readonly string[];
  /** Another program than the CLI, with the same arguments. */
  readonly program?: string;
}

/** Three nodes, joined, each with a directory of its own. */
export class Trio implements AsyncDisposable {
  /** The processes, by node; a node that returns has a new one. */
  readonly servers: Server[] = [];
  /** Their ports. */
  readonly ports: readonly number[] = freePorts(3);
  readonly #options: TrioOptions;
  readonly #scratch = new Scratch();

  private constructor(options: TrioOptions) {
    this.#options = options;
  }

  /** Start and join them; resolves when each sees three alive. */
  static async start(options: TrioOptions = {}): Promise<Trio> {
    const trio = new Trio(options);
    try {
      await Promise.all([0, 1, 2].map((index) => trio.restart(index)));
      for (const index of [1, 2]) {
        await using client = await Client.connect(trio.address(index));
        await joined(client, trio.address(0));
      }
      await trio.whole();
      return trio;
    } catch (error) {
      await trio[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where a node is reached. */
  address(index: number): string {
    return `127.0.0.1:${this.ports[index]}`;
  }

  /** Where the nodes are reached, without the `absent` one. */
  addresses(absent?: number): string[] {
    return [0, 1, 2].filter((index) => index !== absent).map((index) => this.address(index));
  }

  /** The data directory of a node. */
  directory(index: number): string {
    return `${this.#scratch.path}/n${index + 1}`;
  }

  /** Start a node on its directory; resolves when it serves. */
  async restart(index: number): Promise<Server> {
    const where = ["--port", String(this.ports[index]), "--storage-path", this.directory(index)];
    const { flags = [], program } = this.#options;
    const server = new Server([...where, ...flags], { ...(program !== undefined && { program }) });
    this.servers[index] = server;
    await server.serving();
    return server;
  }

  /** Resolves when every node knows the latest life of every node, and that it lives. */
  async whole(): Promise<void> {
    await until("three nodes that agree that all live", async () => {
      const states = await Promise.all(
        this.addresses().map(async (address) => {
          await using client = await Client.connect(address);
          const { members } = await client.admin("clusterState", {});
          return members.map(({ id, liveness, incarnation }) => `${id} ${liveness} ${incarnation}`).sort();
        }),
      );
      const [first] = states;
      return first?.length === 3 && first.every((line) => line.includes(" alive ")) &&
        new Set(states.map(String)).size === 1;
    });
  }

  /** Kill what runs and remove everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map((server) => server.kill()));
    this.#scratch[Symbol.dispose]();
  }
}
