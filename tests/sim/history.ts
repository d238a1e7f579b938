/**
 * A history: what clients asked and what they were told, and nothing else. Checkers judge histories, so that
 * what is promised is checked from where it was promised.
 *
 * @module
 */

/** How a call ended, as its client saw it. */
export type Outcome =
  /** It happened. */
  | "ok"
  /** It certainly did not (`definite: true`). */
  | "failed"
  /** It may have happened or not, or may yet. */
  | "unknown"
  /** Nobody has answered. */
  | "open";

/** One call of one client. Times are true simulated milliseconds. */
export interface Operation {
  /** Its place in the history. */
  readonly id: number;
  /** Who called. */
  readonly client: string;
  /** What. */
  readonly kind: "get" | "put" | "del";
  /** Of which key. */
  readonly key: string;
  /** What was put; no two puts of a history put the same. */
  readonly value: string | null;
  /** The read whose context was sent along; null for none. */
  readonly context: number | null;
  /** Replicas that had to answer or acknowledge: its R or W. */
  readonly quorum: number;
  /** What the client allowed for it. */
  readonly timeoutMs: number;
  /** When it was called. */
  readonly startMs: number;
  /** When it ended; Infinity while it has not. */
  endMs: number;
  /** How it ended. */
  outcome: Outcome;
  /** What a read answered. */
  values: readonly string[];
  /** How it failed, for people. */
  error: string | null;
  /** Whether it was made of every replica, after everything had healed. */
  readonly isFinal: boolean;
}

/** What is known of a call before it is made. */
export type Call =
  & Pick<Operation, "client" | "kind" | "key" | "quorum" | "timeoutMs">
  & Partial<Pick<Operation, "value" | "context" | "isFinal">>;

/** Records operations as they begin and end. */
export class History {
  /** In the order they began. */
  readonly operations: Operation[] = [];
  readonly #now: () => number;

  /** @param now true time */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** A call begins. */
  begin(call: Call): Operation {
    const operation: Operation = {
      value: null,
      context: null,
      isFinal: false,
      ...call,
      id: this.operations.length,
      startMs: this.#now(),
      endMs: Infinity,
      outcome: "open",
      values: [],
      error: null,
    };
    this.operations.push(operation);
    return operation;
  }

  /** It ended well. */
  succeed(operation: Operation, values: readonly string[] = []): void {
    operation.endMs = this.#now();
    operation.outcome = "ok";
    operation.values = values;
  }

  /** It did not. */
  fail(operation: Operation, error: { readonly definite: boolean; readonly message: string }): void {
    operation.endMs = this.#now();
    operation.outcome = error.definite ? "failed" : "unknown";
    operation.error = error.message;
  }
}

/** One line for people. */
export function describe(operation: Operation): string {
  const { id, client, kind, key, value, context, startMs, endMs, outcome, values, error } = operation;
  const what = kind === "put" ? `put ${key} = ${brief(value ?? "")}` : `${kind} ${key}`;
  const seen = context === null ? "" : ` (having read #${context})`;
  const result = kind === "get" && outcome === "ok" ? `[${values.map(brief).join(", ")}]` : error ?? outcome;
  return `#${id} ${startMs.toFixed(1)}..${endMs.toFixed(1)} ${client}: ${what}${seen} -> ${result}`;
}

const BRIEF_LENGTH = 24;

/** Large values are told apart by how they begin. */
function brief(value: string): string {
  return value.length <= BRIEF_LENGTH ? value : `${value.slice(0, 8)}… (${value.length} characters)`;
}
