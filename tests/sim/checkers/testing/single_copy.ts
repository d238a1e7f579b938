/**
 * A store that is trivially right: one copy of everything, in which each call takes effect at one moment between its
 * beginning and its end. A version is a write, and a context is the set of writes that a reader has seen.
 *
 * What no client can tell from a cluster it does too. A call may fail or be in doubt; a write in doubt happens, or
 * not, or later, and one that is tried twice may be made anew when the first has been replaced. A `loose` store, asked
 * with quorums of one, shows what was there a while ago; one whose disks are `lossy` forgets what one replica alone
 * has acknowledged.
 *
 * @module
 */

import type { Operation } from "../../history.ts";
import type { Evidence } from "../evidence.ts";
import { honestEnding } from "./story.ts";

/** One call of a script. */
export interface ScriptedCall {
  /** Of which client. */
  readonly client: number;
  /** What. */
  readonly kind: "get" | "put" | "del";
  /** Of which key. */
  readonly key: number;
  /** Whether a write takes the context of its client's last read of the key along. */
  readonly informed: boolean;
  /** How long its client waits before it. */
  readonly pauseMs: number;
  /** How long it takes. */
  readonly lastsMs: number;
  /** When in that time it takes effect, as a fraction. */
  readonly effect: number;
  /** What becomes of it; a read is answered or not. */
  readonly fate: "ok" | "is tried twice" | "failed" | "happens" | "does not happen" | "happens later";
  /** R or W. */
  readonly quorum: number;
  /** How old is what a loose store shows. */
  readonly staleMs: number;
}

/** What kind of store it is. */
export interface Temper {
  /** See the module. */
  readonly loose: boolean;
  /** See the module. */
  readonly lossy: boolean;
}

/** One key: the versions that nothing has replaced, null for a delete, and all that there ever were. */
export interface Copy {
  /** By the number of the version: that of its write, and a half where it is the second one. */
  readonly live: ReadonlyMap<number, string | null>;
  /** Numbers of versions. */
  readonly seen: ReadonlySet<number>;
}

/** What a write makes of a copy; a test plants a bug by substituting it. */
export type Apply = (copy: Copy, version: number, value: string | null, context: ReadonlySet<number>) => Copy;

/** A write replaces what its context has seen, and nothing else. */
export const applyWrite: Apply = ({ live, seen }, version, value, context) => ({
  live: new Map([...[...live].filter(([other]) => !context.has(other)), [version, value]]),
  seen: new Set([...seen, version]),
});

/** An operation that is being written down. */
type Draft = { -readonly [Name in keyof Operation]: Operation[Name] };

interface Scheduled {
  readonly operation: Draft;
  /** The read whose context it takes along. */
  readonly cause: Draft | null;
  /** When it takes effect, in order. */
  readonly effectsMs: readonly number[];
  /** How old is what it shows. */
  readonly staleMs: number;
}

const N = 3;
const TIMEOUT_MS = 1_000;
/** So long after its end a write in doubt may still happen. */
const LATER_MS = 500;
const FINAL_READS = 2;
const EMPTY: Copy = { live: new Map(), seen: new Set() };
const NOTHING: ReadonlySet<number> = new Set();

/** Play a script, and read every key in the end. */
export function play(script: readonly ScriptedCall[], temper: Temper, apply: Apply = applyWrite): Evidence {
  const scheduled = schedule(script, temper);
  const states = new Map<string, (readonly [fromMs: number, copy: Copy])[]>();
  const contexts = new Map<Draft, ReadonlySet<number>>();
  const at = (key: string, ms: number) => states.get(key)?.findLast(([fromMs]) => fromMs <= ms)?.[1] ?? EMPTY;
  const effects = scheduled.flatMap((one) => one.effectsMs.map((effectMs) => ({ ...one, effectMs })));
  for (const { operation, cause, effectMs, staleMs } of effects.sort((a, b) => a.effectMs - b.effectMs)) {
    const { id, kind, key, value } = operation;
    const copy = at(key, effectMs - staleMs);
    if (kind === "get") {
      contexts.set(operation, copy.seen);
      operation.values = [...copy.live.values()].filter((live) => live !== null);
    } else if (!copy.live.has(id)) {
      const version = copy.seen.has(id) ? id + 0.5 : id;
      const next = apply(copy, version, value, cause === null ? NOTHING : contexts.get(cause)!);
      states.set(key, [...states.get(key) ?? [], [effectMs, next]]);
    }
  }
  const operations = scheduled.map(({ operation }) => operation);
  const keys = new Set(operations.map(({ key }) => key));
  const held = new Map([...keys].map((key) => [key, [...at(key, Infinity).live.values()]]));
  return { n: N, losses: temper.lossy, starts: N, operations, ending: honestEnding(N, N, held) };
}

/** Who calls when, and what becomes of it: all but what reads show. */
function schedule(script: readonly ScriptedCall[], temper: Temper): Scheduled[] {
  const scheduled: Scheduled[] = [];
  const freeMs = new Map<number, number>();
  const lastRead = new Map<string, Draft>();
  let overMs = 0;
  for (const [index, call] of script.entries()) {
    const startMs = (freeMs.get(call.client) ?? 0) + call.pauseMs;
    const operation = draftOf(call, startMs, `v${index}`, temper);
    const { client, key, endMs } = operation;
    const effectsMs = effectsOf(call, operation, temper);
    freeMs.set(call.client, endMs);
    overMs = Math.max(overMs, endMs, ...effectsMs);
    const isRead = call.kind === "get";
    const cause = call.informed && !isRead ? lastRead.get(`${client}/${key}`) ?? null : null;
    if (isRead && operation.outcome === "ok") lastRead.set(`${client}/${key}`, operation);
    scheduled.push({ operation, cause, effectsMs, staleMs: isRead && temper.loose ? call.staleMs : 0 });
  }
  for (const key of new Set(script.map(({ key }) => key))) {
    for (let read = 1; read <= FINAL_READS; read++) {
      const call = { ...FINAL_CALL, key };
      const operation = { ...draftOf(call, overMs += 10, "", temper), quorum: N, isFinal: true };
      scheduled.push({ operation, cause: null, effectsMs: [overMs + 1], staleMs: 0 });
    }
  }
  scheduled.sort((a, b) => a.operation.startMs - b.operation.startMs);
  for (const [id, { operation }] of scheduled.entries()) operation.id = id;
  for (const { operation, cause } of scheduled) operation.context = cause?.id ?? null;
  return scheduled;
}

const FINAL_CALL: ScriptedCall = {
  client: -1,
  kind: "get",
  key: 0,
  informed: false,
  pauseMs: 0,
  lastsMs: 5,
  effect: 0,
  fate: "ok",
  quorum: N,
  staleMs: 0,
};

function draftOf(
  { client, kind, key, lastsMs, fate, quorum }: ScriptedCall,
  startMs: number,
  value: string,
  { loose }: Temper,
): Draft {
  const inDoubt = kind === "get" ? "failed" : "unknown";
  return {
    id: 0,
    client: `c${client}`,
    kind,
    key: `key${key}`,
    value: kind === "put" ? value : null,
    context: null,
    quorum: loose ? 1 : quorum,
    timeoutMs: TIMEOUT_MS,
    startMs,
    endMs: startMs + lastsMs,
    outcome: fate === "is tried twice" ? "ok" : fate === "ok" || fate === "failed" ? fate : inDoubt,
    values: [],
    error: null,
    isFinal: false,
  };
}

/** When a call takes effect. */
function effectsOf(
  { kind, lastsMs, effect, fate }: ScriptedCall,
  operation: Draft,
  { lossy }: Temper,
): number[] {
  const { startMs, endMs, outcome, quorum } = operation;
  const inTimeMs = startMs + effect * lastsMs;
  if (kind === "get") return outcome === "ok" ? [inTimeMs] : [];
  const isForgotten = lossy && quorum === 1 && effect < 0.5;
  if (isForgotten || fate === "failed" || fate === "does not happen") return [];
  if (fate === "is tried twice") return [inTimeMs, endMs];
  return [fate === "happens later" ? endMs + effect * LATER_MS : inTimeMs];
}
