/**
 * Supervisors: they start their children in order, watch them, restart them, and stop them in reverse.
 *
 * The naive answer to an error deep in a long-running program is to catch it where it happens and carry on; but
 * nobody knows which state it left behind, and the catch is code that never runs in tests. The idea that
 * carried Erlang's switches is the opposite: let the actor crash, and let another one, whose only job it is,
 * put a fresh one in its place. Supervisors watch supervisors, so a fault that a restart does not cure climbs
 * to where more is restarted, and in the end to the process (J. Armstrong, "Making reliable distributed systems
 * in the presence of software errors", 2003, chapters 4 and 5).
 *
 * What to do is decided in `restart_policy.ts`; this file does it. Restarts that could touch the same child are
 * done one after the other, in lanes: a lane per child for one-for-one, one lane for all otherwise.
 *
 * @module
 */

import type { AnyActorSpec } from "./actor.ts";
import type { Environment, Log } from "./environment.ts";
import {
  type Backoff,
  decide,
  DEFAULT_BACKOFF,
  type Intensity,
  type RestartHistory,
  type RestartPolicy,
  type Strategy,
} from "./restart_policy.ts";

/** A supervisor and what it supervises; children are actors or further supervisors. */
export interface SupervisorSpec {
  /** For logs and for the reason of an escalation. */
  readonly name: string;
  /** Who is restarted when one child crashes. */
  readonly strategy: Strategy;
  /** When to give up. */
  readonly intensity: Intensity;
  /** How long restarts wait; default {@link DEFAULT_BACKOFF}. */
  readonly backoff?: Backoff;
  /** Started in this order, stopped in reverse. */
  readonly children: readonly (AnyActorSpec | SupervisorSpec)[];
}

/** What a supervisor needs of a child. */
export interface Child {
  /** For logs. */
  readonly name: string;
  /** Begin; rejects when that fails. Afterwards `onCrash` is called, at most once, if it crashes. */
  start(onCrash: (error: unknown) => void): Promise<void>;
  /**
   * End, whatever state it is in, starting included, even twice; resolves when nothing of it is left.
   * `forGood`: it will not be started again.
   */
  stop(forGood: boolean): Promise<void>;
}

/** A thrown value's message. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Why a start did not succeed. */
interface FailedStart {
  readonly index: number;
  readonly error: unknown;
}

/** One supervisor at work. */
export class Supervisor implements Child {
  /** See {@link SupervisorSpec.name}. */
  readonly name: string;
  readonly #policy: RestartPolicy;
  readonly #children: readonly Child[];
  /** Times each child was started: a crash reported by an earlier start is no news. */
  readonly #starts: number[];
  readonly #environment: Pick<Environment, "clock" | "random">;
  readonly #log: Log;
  readonly #decide: typeof decide;
  /** Wake-up calls of restarts that wait. */
  readonly #waits = new Set<() => void>();
  #lanes: Promise<unknown>[] = [];
  #history: RestartHistory = [];
  #stopping = true;
  #onCrash: (error: unknown) => void = () => {};

  /**
   * @param spec name and rules; its `children` are not looked at
   * @param children in the order they start
   * @param decideRestart the decision, for tests that plant a wrong one
   */
  constructor(
    spec: Omit<SupervisorSpec, "children">,
    children: readonly Child[],
    environment: Pick<Environment, "clock" | "random" | "log">,
    decideRestart: typeof decide = decide,
  ) {
    this.name = spec.name;
    this.#policy = {
      strategy: spec.strategy,
      intensity: spec.intensity,
      backoff: spec.backoff ?? DEFAULT_BACKOFF,
    };
    this.#children = children;
    this.#starts = children.map(() => 0);
    this.#environment = environment;
    this.#log = environment.log.with({ supervisor: spec.name });
    this.#decide = decideRestart;
  }

  /** See {@link Child.start}: when one child cannot start, those before it are stopped again. */
  async start(onCrash: (error: unknown) => void): Promise<void> {
    this.#stopping = false;
    this.#history = [];
    this.#onCrash = onCrash;
    const starting = this.#startRange(0, this.#children.length);
    this.#lanes = this.#children.map(() => starting);
    const failed = await starting;
    if (failed === undefined) return;
    await this.stop(false);
    throw failed.error;
  }

  /** See {@link Child.stop}. */
  async stop(forGood: boolean): Promise<void> {
    this.#stopping = true;
    for (const wake of this.#waits) wake();
    await this.#stopRange(0, this.#children.length, forGood);
    await Promise.all(this.#lanes);
  }

  #onChildCrash(index: number, start: number, error: unknown): void {
    const lane = this.#policy.strategy === "one-for-one" ? index : 0;
    const before = this.#lanes[lane] ?? Promise.resolve();
    this.#lanes[lane] = before.then(async () => {
      if (this.#starts[index] === start) await this.#restart({ index, error });
    });
  }

  /** Restart until everything is up again, or give up. */
  async #restart(crash: FailedStart): Promise<void> {
    for (let failed: FailedStart | undefined = crash; failed !== undefined;) {
      if (this.#stopping) return;
      const { clock, random } = this.#environment;
      const decision = this.#decide(this.#policy, this.#history, {
        child: failed.index,
        children: this.#children.length,
        nowMs: clock.now(),
        chance: random.next(),
      });
      if (decision.action === "escalate") return this.#escalate(failed);
      const { first, end, delayMs } = decision;
      this.#history = decision.history;
      await this.#stopRange(first, end, false);
      await this.#wait(delayMs);
      failed = await this.#startRange(first, end);
      const restarted = this.#children.slice(first, end).map((child) => child.name);
      if (failed === undefined) this.#log.info("restarted", { children: restarted });
    }
  }

  #escalate({ index, error }: FailedStart): void {
    const { restarts, withinMs } = this.#policy.intensity;
    const child = this.#children[index]?.name;
    const reason = `supervisor ${this.name} gave up: ${child} failed, and ${restarts} restarts within ` +
      `${withinMs} ms are allowed; last error: ${errorMessage(error)}`;
    this.#stopping = true; // the other lanes rest; the parent stops the children
    this.#log.error(reason);
    this.#onCrash(new Error(reason, { cause: error }));
  }

  /** Start [first, end) in order; resolves with the one that failed, where it ends, or with nothing. */
  async #startRange(first: number, end: number): Promise<FailedStart | undefined> {
    for (let index = first; index < end; index++) {
      if (this.#stopping) return { index, error: new Error(`supervisor ${this.name} was stopped`) };
      const start = (this.#starts[index] ?? 0) + 1;
      this.#starts[index] = start;
      try {
        await this.#children[index]?.start((error) => this.#onChildCrash(index, start, error));
      } catch (error) {
        if (!this.#stopping) {
          this.#log.error("start failed", { child: this.#children[index]?.name, error: errorMessage(error) });
        }
        return { index, error };
      }
    }
    return undefined;
  }

  async #stopRange(first: number, end: number, forGood: boolean): Promise<void> {
    for (let index = end - 1; index >= first; index--) await this.#children[index]?.stop(forGood);
  }

  /** Let time pass, or the supervisor be stopped. */
  async #wait(delayMs: number): Promise<void> {
    if (this.#stopping) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#environment.clock.after(delayMs, resolve);
    this.#waits.add(resolve);
    await promise;
    this.#waits.delete(resolve);
    timer.cancel();
  }
}
