/**
 * An actor system over the fake environment, and an actor that does what a test tells it to.
 *
 * @module
 */

import type { ActorContext, ActorSpec, AnyActorSpec } from "../actor.ts";
import type { Address, AskErrorCode } from "../protocol.ts";
import { AskError } from "../protocol.ts";
import type { SupervisorSpec } from "../supervisor.ts";
import { ActorSystem } from "../system.ts";
import { assertInstanceOf, fail } from "./assert.ts";
import { type Fake, fake } from "./fake.ts";

/** Messages of the {@link puppet}. */
export type PuppetProtocol = {
  /** Noted in the diary. */
  note: [string, void];
  /** Answered with the text and the incarnation's number. */
  echo: [string, string];
  /** Whatever the test wants done, in the handler. */
  act: [(context: ActorContext<PuppetProtocol>, from: Address | undefined) => unknown, unknown];
};

/** An actor that notes what it is told as `name incarnation text`, starts and `onStop` included. */
export function puppet(
  name: string,
  diary: string[],
  more: Partial<Pick<ActorSpec<PuppetProtocol>, "mailboxCapacity" | "reentrant">> & {
    /** Runs in `start`; what it returns is awaited. */
    begin?: (context: ActorContext<PuppetProtocol>, incarnation: number) => unknown;
  } = {},
): ActorSpec<PuppetProtocol> {
  let starts = 0;
  const { begin, ...spec } = more;
  return {
    name,
    ...spec,
    async start(context) {
      const incarnation = ++starts;
      await begin?.(context, incarnation);
      diary.push(`${name} ${incarnation} up`);
      context.onStop(() => void diary.push(`${name} ${incarnation} down`));
      return {
        note: (text) => void diary.push(`${name} ${incarnation} ${text}`),
        echo: (text) => `${text} ${incarnation}`,
        act: (task, from) => task(context, from),
      };
    },
  };
}

/** A system under test. */
export interface Stage extends Fake {
  /** The system, started. */
  readonly system: ActorSystem;
}

/** One-for-one over `children`, five restarts a second. */
export function oneForOne(...children: (AnyActorSpec | SupervisorSpec)[]): SupervisorSpec {
  return { name: "root", strategy: "one-for-one", intensity: { restarts: 5, withinMs: 1000 }, children };
}

/** Start a system with this tree. */
export async function stage(tree: SupervisorSpec, node = "n1"): Promise<Stage> {
  const world = fake();
  const system = new ActorSystem({ node, environment: world.environment });
  await system.start(tree);
  return { ...world, system };
}

/** How an ask ended: its reply, or `!code`. */
export async function outcome(ask: Promise<unknown>): Promise<unknown> {
  try {
    return await ask;
  } catch (error) {
    assertInstanceOf(error, AskError);
    return `!${error.code satisfies AskErrorCode}`;
  }
}

/** Throw an expected error. */
export function boom(): never {
  return fail("boom");
}
