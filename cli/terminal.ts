/**
 * What a command may touch of the process it runs in. The real one is the only place where commands meet
 * standard input and output; tests hand in another.
 *
 * @module
 */

/** Standard streams, environment and files, as commands use them. */
export interface Terminal {
  /** Whether a person watches standard output: tables then, JSON otherwise. */
  readonly interactive: boolean;
  /** Whether a person watches standard error: progress is shown then. */
  readonly watched: boolean;
  /** Whether colours are wanted (a terminal, and no `NO_COLOR`). */
  readonly coloured: boolean;
  /** Characters in a line of the terminal. */
  readonly columns: number;
  /** Whether the reader of standard output has gone: whatever else is written there is for nobody. */
  readonly abandoned: boolean;
  /** Write text to standard output; where that fails, say so and end the process. */
  out(text: string): void;
  /** Write bytes to standard output, as {@link Terminal.out} does. */
  outBytes(bytes: Uint8Array): void;
  /** Write text to standard error, if that can be written to. */
  err(text: string): void;
  /** All of standard input. */
  readInput(): Promise<Uint8Array>;
  /** A file's text; throws when it cannot be read. */
  readFile(path: string): string;
  /** The environment variables. */
  variables(): Readonly<Record<string, string>>;
  /** Call `task` at every SIGINT and SIGTERM until the returned function is called. */
  onStop(task: () => void): () => void;
  /** End the process at once. */
  exit(code: number): never;
}

/** Signals that ask a process to stop; Windows has one of them. */
export const STOPS: readonly Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];

/** Signals closer than this are one key press. */
const ONE_PRESS_MS = 300;

/** A standard stream as far as it is written to. */
interface Stream {
  writeSync(bytes: Uint8Array): number;
}

/** The terminal of this process. */
export class RealTerminal implements Terminal {
  readonly interactive: boolean = Deno.stdout.isTerminal();
  readonly watched: boolean = Deno.stderr.isTerminal();
  readonly coloured: boolean = this.interactive && !Deno.noColor;
  #abandoned = false;

  /** Write to this process's streams, or others; `program` names itself where writing fails. */
  constructor(
    readonly stdout: Stream = Deno.stdout,
    readonly stderr: Stream = Deno.stderr,
    readonly program = "denamo",
  ) {}

  /** See {@link Terminal.columns}. */
  get columns(): number {
    return this.interactive ? Deno.consoleSize().columns : 80;
  }

  /** See {@link Terminal.abandoned}. */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  /** See {@link Terminal.out}. */
  out(text: string): void {
    this.outBytes(new TextEncoder().encode(text));
  }

  /** See {@link Terminal.outBytes}. */
  outBytes(bytes: Uint8Array): void {
    const error = writeAll(this.stdout, bytes);
    if (error === undefined) return;
    // That nobody reads any more (`denamo get … | head`) is not wrong: then stop quietly.
    this.#abandoned ||= error instanceof Deno.errors.BrokenPipe;
    if (this.#abandoned) return;
    const problem = error instanceof Error ? error.message : String(error);
    this.err(`${this.program}: cannot write to standard output: ${problem}\n`);
    this.exit(1);
  }

  /** See {@link Terminal.err}. */
  err(text: string): void {
    writeAll(this.stderr, new TextEncoder().encode(text)); // when that fails there is nobody left to tell
  }

  /** See {@link Terminal.readInput}. */
  async readInput(): Promise<Uint8Array> {
    return new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer());
  }

  /** See {@link Terminal.readFile}. */
  readFile(path: string): string {
    return Deno.readTextFileSync(path);
  }

  /** See {@link Terminal.variables}. */
  variables(): Readonly<Record<string, string>> {
    return Deno.env.toObject();
  }

  /** See {@link Terminal.onStop}. */
  onStop(task: () => void): () => void {
    let last = -Infinity;
    const handler = () => {
      // One Ctrl-C arrives twice under `deno task`: from the terminal, and passed on by the task runner.
      const now = performance.now();
      if (now - last < ONE_PRESS_MS) return;
      last = now;
      task();
    };
    for (const signal of STOPS) Deno.addSignalListener(signal, handler);
    return () => STOPS.forEach((signal) => Deno.removeSignalListener(signal, handler));
  }

  /** See {@link Terminal.exit}. */
  exit(code: number): never {
    Deno.exit(code);
  }
}

/** Write all of `bytes`, in as many writes as it takes; what was thrown, if anything. */
function writeAll(stream: Stream, bytes: Uint8Array): unknown {
  try {
    for (let written = 0; written < bytes.length;) written += stream.writeSync(bytes.subarray(written));
  } catch (error) {
    return error;
  }
  return undefined;
}
