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
  /** Write text to standard output. */
  out(text: string): void;
  /** Write bytes to standard output. */
  outBytes(bytes: Uint8Array): void;
  /** Write text to standard error. */
  err(text: string): void;
  /** All of standard input. */
  readInput(): Promise<Uint8Array>;
  /** A file's text; throws when it cannot be read. */
  readFile(path: string): string;
  /** An environment variable. */
  variable(name: string): string | undefined;
  /** Call `task` at every SIGINT and SIGTERM until the returned function is called. */
  onStop(task: () => void): () => void;
  /** End the process at once. */
  exit(code: number): never;
}

/** Signals closer than this are one key press. */
const ONE_PRESS_MS = 300;

/** The terminal of this process. */
export class RealTerminal implements Terminal {
  readonly interactive: boolean = Deno.stdout.isTerminal();
  readonly watched: boolean = Deno.stderr.isTerminal();
  readonly coloured: boolean = this.interactive && !Deno.noColor;

  /** See {@link Terminal.columns}. */
  get columns(): number {
    return this.interactive ? Deno.consoleSize().columns : 80;
  }

  /** See {@link Terminal.out}. */
  out(text: string): void {
    writeAll(Deno.stdout, new TextEncoder().encode(text));
  }

  /** See {@link Terminal.outBytes}. */
  outBytes(bytes: Uint8Array): void {
    writeAll(Deno.stdout, bytes);
  }

  /** See {@link Terminal.err}. */
  err(text: string): void {
    writeAll(Deno.stderr, new TextEncoder().encode(text));
  }

  /** See {@link Terminal.readInput}. */
  async readInput(): Promise<Uint8Array> {
    return new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer());
  }

  /** See {@link Terminal.readFile}. */
  readFile(path: string): string {
    return Deno.readTextFileSync(path);
  }

  /** See {@link Terminal.variable}. */
  variable(name: string): string | undefined {
    return Deno.env.get(name);
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
    const signals = Deno.build.os === "windows" ? ["SIGINT"] as const : ["SIGINT", "SIGTERM"] as const;
    for (const signal of signals) Deno.addSignalListener(signal, handler);
    return () => signals.forEach((signal) => Deno.removeSignalListener(signal, handler));
  }

  /** See {@link Terminal.exit}. */
  exit(code: number): never {
    Deno.exit(code);
  }
}

/** A write may be short, and nobody may be reading any more (`denamo get … | head`): then stop quietly. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  try {
    for (let written = 0; written < bytes.length;) written += stream.writeSync(bytes.subarray(written));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
