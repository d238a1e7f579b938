/**
 * `denamo demo`, behind `deno task demo`: the whole story in one run, every step checked.
 *
 * @module
 */

import { type Command, command, type Context, type Door, EXIT } from "../command.ts";
import { defaulted, type Flags, toggled } from "../flags.ts";
import * as kind from "../kinds.ts";
import { Load, type Tally } from "../load.ts";
import { freePorts, joinAll, LocalNode, settled, sleep } from "../local_node.ts";
import { type Paint, paint } from "../paint.ts";
import { shownFound } from "./get.ts";

/** Tell the story. */
export const demo: Command<Flags> = command({
  name: "demo",
  summary: "Tell the whole story in one run: join, siblings, a kill -9 under load, the return",
  details: "Exits 1 when anything is not as it must be.",
  examples: ["demo"],
  flags: {
    clients: defaulted(kind.integer(1, 64), 8, "Clients that write and read while a node is killed"),
    seconds: defaulted(kind.integer(1, 60), 2, "How long each phase of the load lasts"),
    logs: toggled(kind.toggle, "Show the nodes' logs too"),
  },
  async run(flags, context) {
    const directory = Deno.makeTempDirSync({ prefix: "denamo-demo-" });
    const colours = paint(context.terminal.coloured);
    const ports = freePorts(3, 3001);
    const recent: string[] = [];
    const start = (index: number) =>
      new LocalNode({
        name: `n${index + 1}`,
        port: ports[index]!,
        directory: `${directory}/n${index + 1}`,
        onLine: (line) => {
          const shown = `${colours.nth(index, `n${index + 1} │`)} ${line}\n`;
          if (flags.logs) context.terminal.out(shown);
          else if (recent.push(shown) > 200) recent.shift();
        },
      });
    const nodes = ports.map((_, index) => start(index));
    const story = new Story(context, colours);
    const stopped = new Promise<void>((resolve) => context.terminal.onStop(resolve));
    try {
      const told = (async () => {
        await story.beginning(nodes);
        await story.conflict(nodes);
        await story.crash(nodes, start, flags.clients, flags.seconds * 1000);
        return true;
      })();
      if (!await Promise.race([told, stopped])) return EXIT.failed;
      context.terminal.out(colours.green("\nThe end: everything was as it must be.\n"));
      return EXIT.done;
    } catch (error) {
      context.terminal.err(recent.join(""));
      context.terminal.err(
        `${colours.red("denamo demo:")} ${error instanceof Error ? error.message : error}\n`,
      );
      return EXIT.failed;
    } finally {
      await Promise.all(nodes.map((node) => node.stop()));
      Deno.removeSync(directory, { recursive: true });
    }
  },
});

/** The steps, each told as it is done. */
class Story {
  constructor(readonly context: Context, readonly paint: Paint) {}

  /** Three nodes find each other; a value goes in at one and comes out at another. */
  async beginning(nodes: readonly LocalNode[]): Promise<void> {
    this.#chapter("Three nodes");
    for (const node of nodes) await node.ready(this.context);
    this.#step("start", nodes.map((node) => node.address).join(", "));
    await joinAll(nodes, this.context);
    this.#step("join-cluster", "each of them sees three nodes alive");

    this.#chapter("Put at one, get at another");
    await this.#at(nodes[0]!, (door) => door.put(encode("foo"), encode("bar"), {}));
    this.#step(`put ${nodes[0]!.name} foo bar`, "Ok");
    const found = await this.#read(nodes[1]!, "foo");
    this.#step(`get ${nodes[1]!.name} foo`, JSON.stringify(found.values));
    expect("the values of foo", found.values, [{ value: "bar", crc32c: 179770161 }]);
  }

  /** Three writers who have not seen each other; one who has seen all. */
  async conflict(nodes: readonly LocalNode[]): Promise<void> {
    this.#chapter("Three concurrent writes become siblings");
    await Promise.all(
      nodes.map((node, index) =>
        this.#at(node, (door) => door.put(encode("foo2"), encode(`bar${index + 1}`), {}))
      ),
    );
    this.#step("put foo2 at all three at once", "bar1, bar2, bar3");
    const siblings = await this.#read(nodes[0]!, "foo2");
    this.#step(`get ${nodes[0]!.name} foo2`, JSON.stringify(siblings.values));
    expect("the siblings of foo2, in any order", siblings.values.toSorted(byCrc), [
      { value: "bar2", crc32c: 1093081014 },
      { value: "bar1", crc32c: 1383588930 },
      { value: "bar3", crc32c: 3008140469 },
    ]);

    this.#chapter("Their context resolves them");
    this.#step("context", `${siblings.context.toHex().slice(0, 48)}… (${siblings.context.length} bytes)`);
    await this.#at(
      nodes[1]!,
      (door) => door.put(encode("foo2"), encode("conflicts_resolved"), { context: siblings.context }),
    );
    this.#step(`put ${nodes[1]!.name} foo2 conflicts_resolved -c …`, "Ok");
    const resolved = await this.#read(nodes[2]!, "foo2");
    this.#step(`get ${nodes[2]!.name} foo2`, JSON.stringify(resolved.values));
    expect("the values of foo2", resolved.values, [{ value: "conflicts_resolved", crc32c: 3289643150 }]);
  }

  /** One node dies under load and comes back. */
  async crash(
    nodes: LocalNode[],
    start: (index: number) => LocalNode,
    clients: number,
    phaseMs: number,
  ): Promise<void> {
    const [survivors, victim] = [nodes.slice(0, 2), nodes[2]!];
    this.#chapter(`kill -9 ${victim.name} while ${clients} clients write and read at the others`);
    const load = new Load(this.context, clients, survivors.map((node) => node.address));
    await sleep(phaseMs);
    this.#tell("before", load.take());

    await victim.kill();
    await sleep(1000);
    this.#tell(`the second after the kill`, load.take());
    await sleep(phaseMs);
    const without = load.take();
    this.#tell(`without ${victim.name}`, without);
    expect(`failed requests later than a second after the kill`, without.failed, 0);

    nodes[2] = start(2);
    await nodes[2].ready(this.context);
    for (const node of nodes) await settled(node, nodes.length, this.context);
    await sleep(phaseMs);
    const back = load.take();
    this.#tell(`${victim.name} returns`, back);
    expect(`failed requests while ${victim.name} returned`, back.failed, 0);
    await load.stop();

    const wrong = await this.#at(nodes[2], (door) => load.verify(door));
    this.#step(
      `read all back at ${victim.name}`,
      `${load.acknowledged} acknowledged, ${wrong.length} missing`,
    );
    if (wrong.length > 0) throw new Error(wrong.slice(0, 5).join("\n"));
  }

  #chapter(title: string): void {
    this.context.terminal.out(`\n${this.paint.bold(title)}\n`);
  }

  #step(what: string, outcome: string): void {
    this.context.terminal.out(`  ${what.padEnd(40)} ${this.paint.dim("→")} ${outcome}\n`);
  }

  #tell(phase: string, tally: Tally): void {
    const perSecond = (count: number) => Math.round(count / (tally.ms / 1000)).toLocaleString("en");
    const failed = tally.failed === 0
      ? "none failed"
      : this.paint.yellow(`${tally.failed} failed within ${Math.round(tally.failingMs)} ms`);
    this.#step(
      phase,
      `${perSecond(tally.puts)} puts/s, ${perSecond(tally.gets)} gets/s, ` +
        `slowest ${Math.round(tally.slowestMs)} ms, ${failed}`,
    );
  }

  async #read(node: LocalNode, key: string): Promise<{ values: unknown[]; context: Uint8Array }> {
    const found = await this.#at(node, (door) => door.get(encode(key), {}));
    return { values: shownFound(found).values, context: found.context };
  }

  async #at<T>(node: LocalNode, task: (door: Door) => Promise<T>): Promise<T> {
    const door = await this.context.connect(node.address);
    try {
      return await task(door);
    } finally {
      await door.close();
    }
  }
}

/** Throws unless the two look the same as JSON. */
function expect(what: string, actual: unknown, expected: unknown): void {
  const [is, must] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== must) throw new Error(`${what}: expected ${must}, found ${is}`);
}

function byCrc(a: unknown, b: unknown): number {
  return (a as { crc32c: number }).crc32c - (b as { crc32c: number }).crc32c;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
