/**
 * Killing a process instead of its so-many-th call of some system call.
 *
 * `strace` stops the process as it enters the call and delivers the signal, so that the call does not take place. It
 * counts the calls of each thread on its own.
 *
 * @module
 */

/**
 * The system calls by which Deno changes files, and `write`, by which the victim says what it has done; under the
 * names they have on this and that machine.
 */
export const CALLS: Readonly<Record<string, string>> = {
  pwrite: "?pwrite64",
  fdatasync: "?fdatasync",
  fsync: "?fsync",
  rename: "?rename,?renameat,?renameat2",
  unlink: "?unlink,?unlinkat",
  ftruncate: "?ftruncate",
  write: "?write",
};

/** A name in {@link CALLS}. */
export type Call = keyof typeof CALLS;

/** Whether a process can be traced here: null if so, else why not. `isMissing`: there is no `strace`. */
export async function whyNotTraced(): Promise<{ readonly isMissing: boolean; readonly why: string } | null> {
  try {
    const strace = new Deno.Command("strace", { args: ["-f", "-qq", "-e", "trace=fsync", "true"] });
    const { success, stderr } = await strace.output();
    if (success) return null;
    return { isMissing: false, why: `tracing is forbidden: ${new TextDecoder().decode(stderr).trim()}` };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { isMissing: true, why: "there is no strace: apt-get install strace" };
  }
}

/** The command line that runs `command` and kills it instead of its `n`-th `call`. */
export function killing(call: Call, n: number, command: readonly string[]): string[] {
  const calls = CALLS[call]!;
  const inject = `inject=${calls}:signal=SIGKILL:when=${n}`;
  return ["-f", "-qq", "-o", "/dev/null", "-e", `trace=${calls}`, "-e", inject, ...command];
}

/** How often one thread makes each call at most, in what a trace of {@link counting} says. */
export function mostCalls(trace: string): Map<Call, number> {
  const most = new Map<Call, number>();
  const counts = new Map<string, number>();
  for (const line of trace.split("\n")) {
    const [, thread, name] = /^(\d+)\s+(\w+)\(/.exec(line) ?? [];
    const call = Object.keys(CALLS).find((call) => name && CALLS[call]!.split(",").includes(`?${name}`));
    if (!call) continue;
    const count = (counts.get(`${thread} ${call}`) ?? 0) + 1;
    counts.set(`${thread} ${call}`, count);
    most.set(call, Math.max(most.get(call) ?? 0, count));
  }
  return most;
}

/** The command line that runs `command` and writes down its calls in `file`. */
export function counting(file: string, command: readonly string[]): string[] {
  return ["-f", "-qq", "-o", file, "-e", `trace=${Object.values(CALLS)}`, ...command];
}
