/**
 * The nemesis: plays a timetable of faults on a simulated cluster, and when it is over puts everything right.
 *
 * Faults overlap. Undoing one must not undo another, so nothing is ever undone: of all that is going on at a
 * moment it is worked out anew how every link, clock and disk must be, and that is what they are set to. A node is
 * down while any fault holds it down. One that ends by itself, or does not start (its disk is full), is started
 * again and again, as an init system would.
 *
 * @module
 */

import type { Clock } from "../runtime/environment.ts";
import { amountOf, clockFaults, cutsOf, diskFaults, linkFaults, type Way } from "./conditions.ts";
import type { DiskSnapshot } from "./disk.ts";
import { describeFault, type Fault, FAULTS, losersOf, MEMBERSHIP } from "./faults.ts";
import { SimulatedRandom } from "./random.ts";
import type { Simulation } from "./simulation.ts";

/** Who suffers: the nodes of a cluster, by index. */
export interface Victims {
  /** How many nodes there are, members or not. */
  readonly count: number;
  /** The machine of a node. */
  machine(index: number): string;
  /** Whether it runs, or is just starting. */
  isUp(index: number): boolean;
  /** `kill -9`, or a power cut. */
  kill(index: number, power: boolean): void;
  /** Stop it in order; resolves when its process is over, however it ended. */
  stop(index: number): Promise<void>;
  /** Start it; rejects when it does not start. */
  start(index: number): Promise<void>;
  /** Make an actor of it crash. */
  crash(index: number, actor: string): void;
  /** Have it ask for membership once; rejects when it is refused. */
  join(index: number): Promise<void>;
  /** What an operator does about members; each asks once, and rejects when it is refused. */
  readonly members: {
    /** Ask a member to leave. */
    leave(index: number): Promise<void>;
    /** Ask any other one to remove a member. */
    forceRemove(index: number): Promise<void>;
    /** Ask an empty node to take the place of a member. */
    replace(index: number, heir: number): Promise<void>;
    /** Ask a member to give up the change under way. */
    cancel(index: number): Promise<void>;
    /** Whether it ended because it is no member any more. */
    isRemoved(index: number): boolean;
  };
  /** The directory of its store, relative to its disk. */
  readonly store: string;
  /** The directory of what it keeps for others. */
  readonly hints: string;
  /** The directory of its own journal. */
  readonly journal: string;
}

/** Actors that crash. */
const ACTORS = [
  "ring_manager",
  "replica_store",
  "peers",
  "gossiper",
  "coordinator",
  "refiller",
  "mover",
  "operator",
  "listener",
];

/** Faults that hold their node down from beginning to end. */
const DOWN: ReadonlySet<string> = new Set([
  "stop",
  "kill",
  "power",
  "all-power",
  "wipe",
  "restore",
  "bit-rot",
]);
/** Faults that are met by a process that starts: the node is restarted at their beginning. */
const AT_START: ReadonlySet<string> = new Set(["read-error", "bit-flip", "misdirected-read"]);

/** Faults that their node does not recover from by itself: somebody restarts it when they are over. */
const RESTART_AFTER: ReadonlySet<string> = new Set(["sync-error", "write-error", "misdirected-write"]);

/** Faults that are rates: the network and the disks count each time they strike. */
const COUNTED_WHERE_INJECTED: ReadonlySet<string> = new Set([
  "loss",
  "delay",
  "duplicate",
  "reorder",
  "reset",
  "no-space",
  "sync-error",
  "write-error",
  "short-write",
  "read-error",
  "bit-flip",
  "misdirected-read",
  "misdirected-write",
]);

/** A node that does not run is started after so long, and again after so long. */
const RESTART_MS = 300;
/** A node that asked for membership in vain asks again after so long. */
const JOIN_MS = 700;

/** One entry of the log. */
export interface Trouble {
  /** When, in true simulated milliseconds. */
  readonly atMs: number;
  /** Whom it befell, by index. */
  readonly nodes: readonly number[];
  /** What it was, for people. */
  readonly what: string;
  /** The fault, where it is one that begins. */
  readonly fault?: Fault;
}

/** See the module. */
export class Nemesis {
  /** What was done and when, for people. */
  readonly log: Trouble[] = [];
  readonly #world: Simulation;
  readonly #victims: Victims;
  readonly #clock: Clock;
  /** Machines that are nobody's node: those of clients. */
  readonly #guests: () => readonly string[];
  readonly #active = new Set<Fault>();
  readonly #starting = new Map<number, Promise<void>>();
  readonly #stopping = new Set<number>();
  /** Nodes whose machine is lost for good. */
  readonly #lost = new Set<number>();
  #restarts = 0;
  readonly #wanted = new Set<number>();
  /** Nodes that are members: a copy of what one was before is no backup of it. */
  readonly #members = new Set<number>();
  /** What each disk held when its node was first down as a member: an operator's backup. */
  readonly #backups = new Map<number, DiskSnapshot>();
  /** The journal of each node, from before anything went wrong. */
  readonly #journals = new Map<number, DiskSnapshot>();
  #cuts: ReadonlyMap<string, Way> = new Map();
  #over = false;

  /**
   * @param world where @param victims who @param clock times the faults @param guests machines of clients
   */
  constructor(world: Simulation, victims: Victims, clock: Clock, guests: () => readonly string[] = () => []) {
    this.#world = world;
    this.#victims = victims;
    this.#clock = clock;
    this.#guests = guests;
  }

  /** How often nodes were started again so far. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Play a timetable; resolves when it is over or {@link Nemesis.heal} was called. */
  async play(faults: readonly Fault[]): Promise<void> {
    const from = this.#clock.now();
    const ends: Promise<void>[] = [];
    for (let index = 0; index < this.#victims.count; index++) {
      if (!this.#wants(index)) continue;
      this.#members.add(index);
      this.#copyJournal(index);
    }
    for (const fault of faults) {
      const waitMs = from + fault.atMs - this.#clock.now();
      if (waitMs > 0) await this.#sleep(waitMs);
      if (this.#over) break;
      ends.push(this.#befall(fault));
    }
    await Promise.all(ends);
  }

  /** No more faults: links, clocks and disks are well; what is down stays down. */
  stop(): void {
    this.#over = true;
    this.#active.clear();
    this.#world.heal();
    this.#cuts = new Map();
  }

  /**
   * {@link Nemesis.stop}, and every node starts that should run, and who is lost is removed; false when that is not
   * done within `limitMs`. `tend` sees to nodes that run and cannot vote.
   */
  async heal(limitMs: number, tend: () => Promise<void> = () => Promise.resolve()): Promise<boolean> {
    this.stop();
    this.#say([], "everything heals");
    if (!await this.#untilUp(limitMs)) return false;
    for (const index of this.#lost) {
      for (let waitedMs = 0; !await this.#remove(index); waitedMs += JOIN_MS) {
        if (waitedMs >= limitMs) return false;
        await tend();
        await this.#sleep(JOIN_MS);
      }
    }
    return true;
  }

  /** Restart a node as an operator who heeds its last words; false when it does not start within `limitMs`. */
  async restart(index: number, limitMs: number): Promise<boolean> {
    this.#kill(index, false);
    return await this.#untilUp(limitMs);
  }

  /** Start whoever should run and does not; false when not all of them do within `limitMs`. */
  async #untilUp(limitMs: number): Promise<boolean> {
    const nodes = Array.from({ length: this.#victims.count }, (_, index) => index);
    const isMissing = (index: number) => this.#wants(index) && !this.#isServing(index);
    for (let waitedMs = 0; nodes.some(isMissing); waitedMs += RESTART_MS) {
      if (waitedMs >= limitMs) return false;
      for (const index of nodes) this.#see(index);
      await this.#sleep(RESTART_MS);
    }
    return true;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.after(ms, resolve));
  }

  #say(nodes: readonly number[], what: string, fault?: Fault): void {
    this.log.push({ atMs: this.#world.now(), nodes, what, ...(fault && { fault }) });
  }

  // --- one fault -------------------------------------------------------------------------------------------

  async #befall(fault: Fault): Promise<void> {
    const { kind, lastsMs } = fault;
    const random = new SimulatedRandom(`fault/${fault.draw}`);
    const nodes = kind === "all-power"
      ? this.#everyone()
      : fault.nodes.filter((n) => n < this.#victims.count);
    if (nodes.length === 0 && FAULTS[kind].on !== "all") return;
    // Who has not joined has nothing to lose; and no backup from which an operator could bring back who it is.
    if (FAULTS[kind].loses && !losersOf({ kind, nodes }).every((index) => this.#members.has(index))) return;
    if (kind === "ring" && this.#victims.count < 4) return; // everyone is everyone's neighbour
    this.#say(nodes, describeFault(fault), fault);
    if (!COUNTED_WHERE_INJECTED.has(kind)) this.#world.countFault(kind);
    if (kind === "crash") return this.#crash(nodes[0]!, random);
    if (MEMBERSHIP.has(kind)) return await this.#change(fault, nodes);
    this.#active.add(fault);
    this.#refresh();
    for (const index of nodes) {
      if (kind === "stop") this.#stop(index);
      else if (DOWN.has(kind) || AT_START.has(kind)) this.#kill(index, kind.endsWith("power"));
      this.#harm(kind, index, fault, random);
      if (kind === "pause") this.#world.pauseNode(this.#victims.machine(index));
      if (AT_START.has(kind)) this.#see(index);
    }
    await this.#sleep(lastsMs);
    this.#active.delete(fault);
    if (this.#over) return;
    this.#refresh();
    if (RESTART_AFTER.has(kind)) this.#kill(nodes[0]!, false);
    for (const index of nodes) if (!this.#isHeld(index)) this.#see(index);
  }

  #everyone(): number[] {
    return Array.from({ length: this.#victims.count }, (_, index) => index).filter((index) =>
      this.#wants(index)
    );
  }

  #crash(index: number, random: SimulatedRandom): void {
    const actor = random.pick(ACTORS);
    if (!this.#isServing(index)) return;
    this.#wanted.add(index); // the last of too many crashes ends the process
    this.#say([index], `${actor} crashes`);
    this.#victims.crash(index, actor);
  }

  /** A change of membership: asked for again and again until it is accepted. */
  async #change({ kind }: Fault, [index, heir]: readonly number[]): Promise<void> {
    const { members, join } = this.#victims;
    if (kind === "join") return await this.#join(index!, () => join(index!));
    if (kind === "cancel") {
      const cancelled = await members.cancel(index!).then(() => true, () => false);
      if (cancelled) this.#say([index!], "gives up the change of members");
      return;
    }
    if (kind === "succeed" && heir !== undefined) {
      return await this.#join(heir, () => members.replace(index!, heir));
    }
    if (kind === "leave") return await this.#insist(index!, "leaves", () => members.leave(index!));
    this.#wanted.delete(index!);
    this.#lost.add(index!);
    if (this.#victims.isUp(index!)) this.#victims.kill(index!, true);
    this.#starting.delete(index!);
    this.#stopping.delete(index!);
    if (kind === "replace" && heir !== undefined) {
      const take = () => members.replace(index!, heir);
      return await this.#join(heir, () =>
        take().catch(async (error) => {
          await this.#makeWay(error);
          throw error;
        }));
    }
    while (!this.#over && !await this.#remove(index!)) await this.#sleep(JOIN_MS);
  }

  async #insist(index: number, what: string, ask: () => Promise<void>): Promise<void> {
    while (!this.#over && !this.#victims.members.isRemoved(index)) {
      if (this.#isServing(index) && await ask().then(() => true, () => false)) {
        return this.#say([index], what);
      }
      await this.#sleep(JOIN_MS);
    }
  }

  /** Have a lost member removed; whatever change waits for it is given up. False: again later. */
  async #remove(index: number): Promise<boolean> {
    const { members } = this.#victims;
    const error = await members.forceRemove(index).then(() => null, (error: Error) => error);
    if (error === null) this.#say([index], "is removed");
    else await this.#makeWay(error);
    return error === null;
  }

  /** What an operator does who hears that another change is under way, and knows that it waits for what is lost. */
  async #makeWay(error: Error): Promise<void> {
    if (!error.message.includes("another membership change")) return;
    const other = this.#everyone().find((one) => this.#isServing(one));
    if (other !== undefined) await this.#victims.members.cancel(other).catch(() => {});
  }

  async #join(index: number, ask: () => Promise<void>): Promise<void> {
    this.#wanted.add(index);
    while (!this.#over && !this.#victims.members.isRemoved(index)) {
      this.#see(index);
      if (this.#isServing(index)) {
        const joined = await ask().then(() => true, () => false);
        if (joined) {
          this.#members.add(index);
          this.#copyJournal(index);
          return this.#say([index], "is a member");
        }
      }
      await this.#sleep(JOIN_MS);
    }
  }

  /** What happens to the disk of a node that is down. */
  #harm(kind: string, index: number, { amount }: Fault, random: SimulatedRandom): void {
    const disk = this.#world.disk(this.#victims.machine(index));
    const { store } = this.#victims;
    if (kind === "wipe") {
      this.#replace(index, store, new Map());
    } else if (kind === "restore") {
      const backup = this.#backups.get(index);
      if (backup !== undefined) disk.restore(backup);
    } else if (kind === "bit-rot") {
      const files = [...disk.snapshot()].filter(([path, bytes]) =>
        bytes !== null && path.startsWith(`${store}/`)
      );
      for (let flips = Math.round(amount); flips > 0 && files.length > 0; flips--) {
        const [path, bytes] = random.pick(files);
        if (bytes!.length > 0) disk.flipBit(path, random.integer(bytes!.length), random.integer(8));
      }
    }
  }

  #copyJournal(index: number): void {
    const { journal } = this.#victims;
    const files = this.#world.disk(this.#victims.machine(index)).snapshot();
    this.#journals.set(index, new Map([...files].filter(([path]) => `${path}/`.startsWith(`${journal}/`))));
  }

  /** What an operator does whose node does not start because its files are damaged: what its last words say. */
  #follow(index: number, words: string): void {
    if ([...this.#active].some(({ kind }) => AT_START.has(kind))) return; // it may read better
    if (words.includes("move it away")) return this.#moveStoreAway(index, words);
    if (words.includes("from a backup")) this.#putJournalBack(index);
  }

  #putJournalBack(index: number): void {
    const copy = this.#journals.get(index);
    if (copy === undefined) return;
    this.#say([index], "its journal is brought back from a backup");
    this.#replace(index, this.#victims.journal, copy);
  }

  #moveStoreAway(index: number, words: string): void {
    const { store, hints } = this.#victims;
    const isOfHints = words.includes(`${hints}/`);
    this.#say([index], isOfHints ? "its hints are moved away" : "its store is moved away");
    this.#replace(index, isOfHints ? hints : store, new Map());
  }

  /** Put other files in the place of a directory. */
  #replace(index: number, directory: string, files: DiskSnapshot): void {
    const disk = this.#world.disk(this.#victims.machine(index));
    const rest = [...disk.snapshot()].filter(([path]) => !`${path}/`.startsWith(`${directory}/`));
    disk.restore(new Map([...rest, ...files]));
  }

  // --- nodes that are down and up --------------------------------------------------------------------------

  /** Whether a node is to run at all: members, and those that asked to be. */
  #wants(index: number): boolean {
    if (this.#lost.has(index) || this.#victims.members.isRemoved(index)) return false;
    return this.#wanted.has(index) || this.#victims.isUp(index);
  }

  #isServing(index: number): boolean {
    return this.#victims.isUp(index) && !this.#starting.has(index) && !this.#stopping.has(index);
  }

  #isHeld(index: number): boolean {
    const isAll = (kind: string) => kind === "all-power";
    return [...this.#active].some(({ kind, nodes }) =>
      DOWN.has(kind) && (isAll(kind) || nodes.includes(index))
    );
  }

  #kill(index: number, power: boolean): void {
    if (!this.#wants(index)) return;
    this.#wanted.add(index);
    if (this.#victims.isUp(index)) this.#victims.kill(index, power);
    else if (power) this.#world.disk(this.#victims.machine(index)).crash();
    this.#starting.delete(index);
    this.#stopping.delete(index);
    if (!this.#members.has(index) || this.#backups.has(index)) return;
    this.#backups.set(index, this.#world.disk(this.#victims.machine(index)).snapshot());
  }

  #stop(index: number): void {
    if (!this.#isServing(index)) return;
    this.#wanted.add(index);
    this.#stopping.add(index);
    // It takes its time to end: the fault may be over before it is down.
    void this.#victims.stop(index).then(() => {
      if (!this.#stopping.delete(index)) return; // killed meanwhile
      if (!this.#over) this.#see(index);
    });
  }

  /** Start a node that should run and does not; look again until it does. */
  #see(index: number): void {
    if (
      !this.#wants(index) || this.#victims.isUp(index) || this.#isHeld(index) || this.#starting.has(index)
    ) return;
    const again = (error: unknown) => {
      if (this.#starting.get(index) !== attempt) return;
      this.#starting.delete(index);
      if (error !== null) {
        this.#say([index], `does not start: ${error instanceof Error ? error.message : error}`);
        this.#follow(index, `${error}`);
      }
      if (!this.#over) this.#clock.after(RESTART_MS, () => this.#see(index));
    };
    this.#restarts++;
    const attempt: Promise<void> = this.#victims.start(index).then(() => again(null), again);
    this.#starting.set(index, attempt);
    this.#refresh();
  }

  // --- how everything must be now ----------------------------------------------------------------------------

  #refresh(): void {
    const { network } = this.#world;
    Object.assign(network.faults, linkFaults([...this.#active]));
    this.#refreshCuts();
    for (let index = 0; index < this.#victims.count; index++) {
      const machine = this.#victims.machine(index);
      const own = [...this.#active].filter(({ nodes }) => nodes.includes(index));
      const disk = this.#world.disk(machine);
      Object.assign(disk.faults, diskFaults(own, disk.usedBytes, disk.faults.capacityBytes));
      const clock = this.#world.clock(machine);
      const { skewMs, rate } = clockFaults(own);
      clock.skewMs = skewMs;
      if (clock.rate !== rate) clock.rate = rate;
      this.#world.slowNode(machine, amountOf(own, "slow-node"));
      if (!own.some(({ kind }) => kind === "pause")) this.#world.resumeNode(machine);
    }
  }

  #refreshCuts(): void {
    const { network } = this.#world;
    const machines = Array.from({ length: this.#victims.count }, (_, index) => this.#victims.machine(index));
    const ways = [...this.#active].flatMap((fault) => cutsOf(fault, machines, this.#guests()));
    const cuts = new Map(ways.map((way) => [way.join(">"), way]));
    for (const [name, way] of cuts) if (!this.#cuts.has(name)) network.cut(...way);
    for (const [name, way] of this.#cuts) if (!cuts.has(name)) network.mend(...way);
    this.#cuts = cuts;
  }
}
