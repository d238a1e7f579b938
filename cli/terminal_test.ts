import { assert, assertEquals, assertMatch } from "../actors/runtime/testing/assert.ts";
import { RealTerminal } from "./terminal.ts";
import { Exited } from "./testing/world.ts";

/** A stream that takes so many bytes at once, and fails when it holds `space` of them. */
class Pipe {
  readonly bytes: number[] = [];
  constructor(readonly atOnce: number, readonly space: number, readonly failure: Error) {}

  writeSync(bytes: Uint8Array): number {
    if (this.bytes.length >= this.space) throw this.failure;
    this.bytes.push(...bytes.subarray(0, this.atOnce));
    return Math.min(bytes.length, this.atOnce);
  }

  get text(): string {
    return new TextDecoder().decode(Uint8Array.from(this.bytes));
  }
}

class Stage extends RealTerminal {
  override exit(code: number): never {
    throw new Exited(code);
  }
}

const FULL = new Error("No space left on device (os error 28)");

/** The exit code that `task` ends the process with, if it does. */
function exitOf(task: () => void): number | undefined {
  try {
    task();
    return undefined;
  } catch (error) {
    assert(error instanceof Exited);
    return error.code;
  }
}

Deno.test("terminal: short writes are continued", () => {
  const stdout = new Pipe(3, Infinity, FULL);
  new Stage(stdout, stdout).out("a long line\n");
  assertEquals(stdout.text, "a long line\n");
});

Deno.test("terminal: output that cannot be written is one line on standard error and exit 1", () => {
  for (const write of [(t: Stage) => t.out("text"), (t: Stage) => t.outBytes(Uint8Array.of(1, 2, 3))]) {
    const stderr = new Pipe(100, Infinity, FULL);
    assertEquals(exitOf(() => write(new Stage(new Pipe(1, 2, FULL), stderr))), 1);
    const line = "denamo: cannot write to standard output: No space left on device (os error 28)\n";
    assertEquals(stderr.text, line);
  }
});

Deno.test("terminal: whose output it is says the program that writes it", () => {
  const stderr = new Pipe(100, Infinity, FULL);
  assertEquals(exitOf(() => new Stage(new Pipe(1, 2, FULL), stderr, "sim").out("text")), 1);
  assertMatch(stderr.text, /^sim: cannot write to standard output: /);
});

Deno.test("terminal: a reader who has gone is no failure, nor is a standard error nobody reads", () => {
  const gone = new Pipe(1, 0, new Deno.errors.BrokenPipe());
  const left = new Stage(gone, gone);
  assertEquals(left.abandoned, false);
  assertEquals(exitOf(() => left.out("text")), undefined);
  assertEquals(left.abandoned, true);
  const full = new Pipe(1, 0, FULL);
  assertEquals(exitOf(() => new Stage(full, full).err("text")), undefined);
});
