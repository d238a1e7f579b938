/**
 * As much of `tape`'s interface as the suite of `abstract-level` uses, with every assertion counted.
 *
 * @module
 */

import { deepStrictEqual, doesNotThrow, throws } from "node:assert/strict";

/** A test that does not end within this long never will. */
const PATIENCE_MS = 60_000;

/** What a test is given. */
export interface Tape {
  /** So many assertions are made; the last of them ends the test. */
  plan(count: number): void;
  /** The test is over. */
  end(): void;
  /** Whether two values are one. */
  is(actual: unknown, expected: unknown, name?: string): void;
  /** Whether they are two. */
  isNot(actual: unknown, expected: unknown, name?: string): void;
  /** Whether a value is truthy. */
  ok(value: unknown, name?: string): void;
  /** Whether values are deeply equal. */
  same(actual: unknown, expected: unknown, name?: string): void;
  /** All is well. */
  pass(name?: string): void;
  /** It is not. */
  fail(reason?: unknown): void;
  /** Whether a task throws. */
  throws(task: () => void, expected: (error: unknown) => boolean, name?: string): void;
  /** Whether it does not. */
  doesNotThrow(task: () => void, name?: string): void;
}

/** A test: ends with its promise, with its plan, or when it says so. */
export type Body = (tape: Tape) => void | Promise<void>;

/** Collects tests, then runs them one after the other. */
export class Runner {
  readonly #tests: { readonly name: string; readonly body: Body }[] = [];
  /** Assertions made so far. */
  assertions = 0;
  /** Those that failed, and tests that did not end as they should. */
  readonly failures: string[] = [];

  /** `tape`'s test function. */
  readonly test = (name: string, body: Body): void => void this.#tests.push({ name, body });

  /** How many tests there are. */
  get tests(): number {
    return this.#tests.length;
  }

  /** Run them all, or until one fails. */
  async run({ untilFailure = false } = {}): Promise<void> {
    for (const { name, body } of this.#tests) {
      if (untilFailure && this.failures.length > 0) return;
      await this.#runOne(name, body);
    }
  }

  async #runOne(test: string, body: Body): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    let plan: number | undefined;
    let made = 0;
    const check = (name: string | undefined, task: () => void) => {
      made++;
      this.assertions++;
      try {
        task();
      } catch (error) {
        this.failures.push(`${test}: ${name ?? ""}: ${error instanceof Error ? error.message : error}`);
      }
      if (made === plan) resolve();
    };
    const demand = (condition: boolean, what: string) => {
      if (!condition) throw new Error(what);
    };
    const patience = setTimeout(() => {
      this.failures.push(`${test}: does not end`);
      resolve();
    }, PATIENCE_MS);
    try {
      const ending = body({
        plan: (count) => void (plan = count),
        end: resolve,
        is: (a, b, name) => check(name, () => demand(Object.is(a, b), `${shown(a)} is not ${shown(b)}`)),
        isNot: (a, b, name) => check(name, () => demand(!Object.is(a, b), `${shown(a)} is ${shown(b)}`)),
        ok: (value, name) => check(name, () => demand(Boolean(value), `${shown(value)} is not truthy`)),
        same: (a, b, name) => check(name, () => deepStrictEqual(a, b)),
        pass: (name) => check(name, () => {}),
        fail: (reason) => check(undefined, () => demand(false, String(reason))),
        throws: (task, expected, name) => check(name, () => throws(task, expected)),
        doesNotThrow: (task, name) => check(name, () => doesNotThrow(task)),
      });
      await (ending instanceof Promise ? ending : promise);
    } catch (error) {
      this.failures.push(`${test}: ${error instanceof Error ? error.stack : error}`);
    }
    clearTimeout(patience);
    if (plan !== undefined && made !== plan) this.failures.push(`${test}: ${made} assertions, not ${plan}`);
  }
}

function shown(value: unknown): string {
  return typeof value === "symbol" ? String(value) : Deno.inspect(value);
}
