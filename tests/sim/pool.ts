/**
 * Processes that make histories, as many at once as there are cores. A history that takes its process along, or
 * never ends, costs that process and no more: it is a failure with its seed, and another process goes on.
 *
 * @module
 */

import { eachLine } from "../../cli/local_node.ts";
import { STOPS } from "../../cli/terminal.ts";
import type { Plan } from "./plan.ts";
import { brokenOff, VERDICT, type Verdict } from "./verdict.ts";

/** What a {@link Pool} is made of. */
export interface PoolOptions {
  /** How many processes. */
  readonly workers: number;
  /** So many real milliseconds a history may take. Default: two minutes, of which a history takes half a second. */
  readonly limitMs?: number;
  /** Arguments of `deno` for a process. Default: those for `worker.ts`. */
  readonly program?: readonly string[];
}

const LIMIT_MS = 120_000;
const PROGRAM = ["run", "--quiet", "--no-prompt", new URL("./worker.ts", import.meta.url).href];
/** Of what a process said on standard error the end is kept. */
const LAST_WORDS = 2_000;

/** See the module. */
export class Pool implements AsyncDisposable {
  readonly #options: PoolOptions;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  readonly #waiting: ((worker: Worker) => void)[] = [];

  /** @param options how many processes, and what they may do */
  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** How many histories are made at once. */
  get workers(): number {
    return this.#options.workers;
  }

  /** Make the history of a plan and judge it, when a process is free. */
  async run(plan: Plan): Promise<Verdict> {
    const worker = await this.#take();
    const verdict = await worker.run(plan, this.#options.limitMs ?? LIMIT_MS);
    if (!worker.isUp) this.#all.delete(worker);
    const next = this.#waiting.shift();
    if (next) next(worker.isUp ? worker : this.#start());
    else if (worker.isUp) this.#idle.push(worker);
    return worker.isStopped ? await this.run(plan) : verdict;
  }

  async #take(): Promise<Worker> {
    const idle = this.#idle.pop();
    if (idle) return idle;
    if (this.#all.size < this.#options.workers) return this.#start();
    return await new Promise((resolve) => this.#waiting.push(resolve));
  }

  #start(): Worker {
    const worker = new Worker(this.#options.program ?? PROGRAM);
    this.#all.add(worker);
    return worker;
  }

  /** End the processes, whatever they are doing. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.end()));
  }
}

/** One process. */
class Worker {
  /** Whether it can take another plan. */
  isUp = true;
  /** Whether somebody asked it to stop, before it could say no: that tells nothing about its history. */
  isStopped = false;
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #over: Promise<unknown>;
  #onVerdict: (verdict: Verdict) => void = () => {};
  #onOver = () => {};
  #lastWords = "";

  constructor(program: readonly string[]) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: [...program],
      env: { DENO_NO_UPDATE_CHECK: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    const outputs: Promise<void>[] = [
      eachLine(this.#process.stdout, (line) => {
        if (line.startsWith(VERDICT)) this.#onVerdict(JSON.parse(line.slice(VERDICT.length)));
        else Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`)); // somebody prints from within a node
      }),
      eachLine(this.#process.stderr, (line) => {
        this.#lastWords = `${this.#lastWords}${line}\n`.slice(-LAST_WORDS);
      }),
    ];
    this.#over = Promise.all([this.#process.status, ...outputs]).then(([{ code, signal }]) => {
      this.isStopped = signal !== null && STOPS.includes(signal);
      this.#lastWords += signal === null ? `exit code ${code}` : `ended by ${signal}`;
      this.#onOver();
    });
  }

  async run(plan: Plan, limitMs: number): Promise<Verdict> {
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    const fail = (checker: string, detail: string) => {
      this.isUp = false;
      resolve(brokenOff(plan, checker, detail));
    };
    this.#onVerdict = resolve;
    this.#onOver = () => fail("the history took its process along", this.#lastWords);
    const limit = setTimeout(
      () => fail("the history does not end", `no end within ${limitMs / 1_000} s of real time`),
      limitMs,
    );
    this.#input.write(new TextEncoder().encode(`${JSON.stringify(plan)}\n`)).catch(() => {}); // onOver tells
    const verdict = await promise;
    clearTimeout(limit);
    if (!this.isUp) await this.end();
    return verdict;
  }

  async end(): Promise<void> {
    this.isUp = false;
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#input.abort().catch(() => {});
    await this.#over;
  }
}
