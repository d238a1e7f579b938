/**
 * From a CPU profile (`deno run --cpu-prof`) to the functions that took the time.
 *
 * @module
 */

/** What of a `.cpuprofile` is used; times are microseconds. */
export interface Profile {
  /** The call tree. */
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  /** Which node of the tree was running, sample by sample. */
  readonly samples: readonly number[];
  /** How long before each sample the one before it was taken. */
  readonly timeDeltas: readonly number[];
}

/** The time each function took itself, as a share of all time that was not idle, largest first. */
export function selfTimes({ nodes, samples, timeDeltas }: Profile): { name: string; share: number }[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const times = new Map<string, number>();
  let total = 0;
  samples.forEach((id, index) => {
    const name = names.get(id)!;
    if (name === "(idle)") return;
    const us = Math.max(0, timeDeltas[index] ?? 0);
    times.set(name, (times.get(name) ?? 0) + us);
    total += us;
  });
  return [...times].map(([name, us]) => ({ name, share: us / total })).sort((a, b) => b.share - a.share);
}

function nameOf({ functionName, url, lineNumber }: Profile["nodes"][number]["callFrame"]): string {
  const file = url.split("/").slice(-2).join("/");
  return `${functionName || "(anonymous)"}${file === "" ? "" : ` ${file}:${lineNumber + 1}`}`;
}

/** The functions that took most of the time in the one profile in `directory`, one per line. */
export function hottest(directory: string, count = 40): string {
  const file = [...Deno.readDirSync(directory)].find(({ name }) => name.endsWith(".cpuprofile"));
  if (!file) return "there is no profile: the node did not end by itself\n";
  const profile: Profile = JSON.parse(Deno.readTextFileSync(`${directory}/${file.name}`));
  return selfTimes(profile).slice(0, count)
    .map(({ name, share }) => `${(share * 100).toFixed(1).padStart(5)} %  ${name}\n`).join("");
}
