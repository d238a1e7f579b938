import { EngineError } from "../../storage/engine.ts";
import { fake } from "../runtime/testing/fake.ts";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { CommitGroups } from "./commit_groups.ts";

const KEY = Uint8Array.of(1);
const RECORD = Uint8Array.of(2);

/** Groups whose fate the test decides: writes share a promise until it is settled. */
function open() {
  const heard: string[] = [];
  let group = Promise.withResolvers<void>();
  const engine = { write: () => group.promise };
  const groups = new CommitGroups(engine, fake().environment.log, ({ ticket }, answer) => {
    heard.push(`${ticket} ${answer.ok ? "ok" : answer.definite ? "refused" : "in doubt"}`);
  });
  return {
    heard,
    groups,
    write: (ticket: number) => groups.write(0, KEY, RECORD, { ticket, from: "n" }),
    join: (ticket: number) => groups.join({ ticket, from: "n" }),
    async settle(error?: EngineError) {
      const settling = group;
      group = Promise.withResolvers();
      if (error === undefined) settling.resolve();
      else settling.reject(error);
      for (let turn = 0; turn < 5; turn++) await undefined;
    },
  };
}

Deno.test("commit groups: writes of one group are acknowledged together, nobody for ticket 0", async () => {
  const { heard, groups, write, join, settle } = open();
  for (const ticket of [1, 0, 2]) assertEquals(write(ticket), null);
  assert(join(3));
  const first = groups.newest!;
  await settle();
  assert(first.isSettled);
  assertEquals(groups.newest, null);
  assertEquals(heard, ["1 ok", "2 ok", "3 ok"]);
  assert(join(4), "what is durable is acknowledged at once");
  assertEquals(heard.at(-1), "4 ok");
});

Deno.test("commit groups: after a failure nothing is joined before a group is durable again", async () => {
  const { heard, groups, write, join, settle } = open();
  write(1);
  await settle(new EngineError("full", "no space"));
  assert(!join(2) && !groups.isPoisoned);
  assertEquals(write(2), null);
  assert(!join(3));
  await settle();
  assert(join(4));
  assertEquals(heard, ["1 in doubt", "2 ok", "4 ok"]);
  write(5);
  await settle(new EngineError("poisoned", "a sync failed"));
  assert(groups.isPoisoned && !join(6));
});

Deno.test("commit groups: a write that the engine refuses is told apart: too much waits, or anything else", () => {
  const refusing = (code: "overloaded" | "full") => {
    const write = () => {
      throw new EngineError(code, "no");
    };
    const groups = new CommitGroups({ write }, fake().environment.log, () => {});
    return groups.write(0, KEY, RECORD, { ticket: 1, from: "n" });
  };
  assertEquals([refusing("overloaded"), refusing("full")], ["overloaded", "unavailable"]);
});
