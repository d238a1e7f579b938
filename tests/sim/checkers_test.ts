/**
 * Checkers on trial: stories that must be convicted, each for the one thing that is wrong with it, and stories
 * that sound just as bad and must not be, because an honest cluster could have told them. Siblings and deletes have
 * a file of their own, `checkers/siblings_test.ts`, and so have endings, `checkers/ending_checkers_test.ts`.
 *
 * @module
 */

import { assertEquals, assertThrows } from "../../actors/runtime/testing/assert.ts";
import { check } from "./checkers.ts";
import { Story, verdict } from "./checkers/testing/story.ts";

const LOST = "an acknowledged write is lost";
const BACK = "a deleted value is back";

Deno.test("convicted: an acknowledged write that a read, or the last one, does not show", () => {
  verdict([LOST], (k) => {
    k.put("a");
    k.get([]);
    k.final(["a"]);
  });
  verdict([LOST], (k) => {
    k.put("a");
    k.final([]);
  });
  verdict([LOST], (k) => {
    k.put("a");
    k.put("b");
    k.final(["b"]); // both were written without a context
  });
});

Deno.test("convicted again: that one read missed a write does not explain why the next one does", () => {
  const story = new Story();
  story.put("a");
  story.put("b", { after: story.get([]) });
  story.final(["b"]);
  assertEquals(check(story.evidence()).map(({ checker }) => checker), [LOST, LOST]);
});

Deno.test("not convicted: a write that nobody acknowledged is there or not, or for a while", () => {
  for (const outcome of ["unknown", "failed"] as const) {
    verdict([], (k) => {
      k.put("a", { outcome });
      k.get([]);
      k.final([]);
    });
  }
  verdict([], (k) => {
    k.put("a", { outcome: "unknown" });
    k.get([]);
    k.get(["a"]);
    k.get([]); // one replica has it
    k.final(["a"]);
  });
  verdict([], (k) => {
    k.put("a", { outcome: "unknown" });
    k.get(["a"]);
    k.final([]); // and loses it when the power fails
  });
});

Deno.test("not convicted: a read that began before the acknowledgement", () => {
  verdict([], (k) => {
    k.put("a", { atMs: [0, 100] });
    k.get([], { atMs: [100, 200] });
    k.get([], { atMs: [50, 60] });
    k.get(["a"], { atMs: [50, 60] });
    k.final(["a"]);
  });
});

Deno.test("a read must know a write where their quorums overlap, and not where they do not", () => {
  const story = (w: number, r: number) => (k: Story) => {
    k.put("a", { quorum: w });
    k.get([], { quorum: r });
    k.final(["a"]);
  };
  verdict([], story(1, 1));
  verdict([], story(1, 2));
  verdict([], story(2, 1));
  verdict([LOST], story(2, 2));
  verdict([LOST], story(3, 1));
  verdict([LOST], story(1, 3));
  verdict([], story(2, 3), { n: 5 });
  verdict([LOST], story(3, 3), { n: 5 });
  // Two members keep two replicas: any two of one and two overlap.
  verdict([LOST], story(2, 1), { n: 3, members: 2 });
  verdict([], story(1, 1), { n: 3, members: 2 });
  verdict([LOST], story(3, 1), { n: 3, members: 2 });
});

Deno.test("a lost disk may take what one replica acknowledged, and nothing that two did", () => {
  const gone = (w: number) => (k: Story) => {
    k.put("a", { quorum: w });
    k.final([]);
  };
  verdict([LOST], gone(1));
  verdict([], gone(1), { losses: true });
  verdict([LOST], gone(2), { losses: true });
  const undone = (w: number) => (k: Story) => {
    k.put("a");
    k.del({ after: k.get(["a"]), quorum: w });
    k.final(["a"]);
  };
  verdict([BACK], undone(1));
  verdict([], undone(1), { losses: true });
  verdict([BACK], undone(2), { losses: true });
  verdict([LOST], gone(1), { n: 1 });
  verdict([], gone(2), { members: 1, losses: true }); // there was one replica
  const missed = (quorum: number) => (k: Story) => {
    k.put("a", { quorum: 3 });
    k.get([], { quorum }); // of a replica whose disk is an older copy, and nobody has told it yet
    k.final(["a"]);
  };
  verdict([LOST], missed(1), { losses: true });
  verdict([], missed(1), { losses: true, restores: true });
  verdict([LOST], missed(2), { losses: true, restores: true });
});

Deno.test("not convicted: what was replaced, at once or over many steps, or may have been deleted", () => {
  verdict([], (k) => {
    k.put("a");
    k.put("b", { after: k.get(["a"]) });
    k.get(["b"]);
    k.final(["b"]);
  });
  verdict([], (k) => {
    k.put("a");
    k.put("b", { after: k.get(["a"]), outcome: "unknown" });
    k.put("c", { after: k.get(["b"]), outcome: "unknown" });
    k.final(["c"]);
  });
  for (const last of [["a"], []]) {
    verdict([], (k) => {
      k.put("a");
      k.del({ after: k.get(["a"]), outcome: "unknown" });
      k.get([]);
      k.final(last);
    });
  }
  verdict([], (k) => {
    k.put("a");
    k.put("b", { after: k.get(["a"]), outcome: "unknown" });
    k.del({ after: k.get(["b"]), outcome: "unknown" });
    k.final([]);
  });
});

Deno.test("convicted: what no delete can explain", () => {
  verdict([LOST], (k) => {
    k.put("a");
    k.del({ after: k.get(["a"]), outcome: "failed" });
    k.final([]);
  });
  verdict([LOST], (k) => {
    k.put("a");
    k.del(); // without a context: it has seen nothing
    k.final([]);
  });
  verdict([LOST], (k) => {
    k.put("a");
    const seen = k.get(["a"]);
    k.get([]);
    k.del({ after: seen });
    k.final([]);
  });
  verdict([LOST], (k) => {
    k.put("a");
    const seen = k.get(["a"]);
    k.put("b");
    k.del({ after: seen });
    k.final([]); // the delete had not seen b
  });
});

Deno.test("convicted: values that nobody wrote, or not yet, or not at all, or only once", () => {
  verdict(["a value that nobody wrote"], (k) => {
    k.get(["x"]);
    k.final([]);
  });
  verdict(["a value from the future"], (k) => {
    k.get(["a"]);
    k.put("a");
    k.final(["a"]);
  });
  verdict(["a write that certainly failed happened"], (k) => {
    k.put("a", { outcome: "failed" });
    k.final(["a"]);
  });
  verdict(["a write shows as two siblings"], (k) => {
    k.put("a");
    k.get(["a", "a"]);
    k.final(["a"]);
  });
  verdict(["a value that nobody wrote"], (k) => {
    k.put("a", { key: "other" });
    k.get(["a"]);
    k.final(["a"], { key: "other" });
    k.final([]);
  });
});

Deno.test("not convicted: a value that is read while it is being written", () => {
  verdict([], (k) => {
    k.put("a", { atMs: [0, 100] });
    k.get(["a"], { atMs: [10, 20] });
    k.final(["a"]);
  });
});

Deno.test("convicted: after healing a value appears, or goes away", () => {
  for (const [first, then] of [[[], ["a"]], [["a"], []]] as const) {
    verdict(["final reads differ"], (k) => {
      k.put("a", { outcome: "unknown" });
      k.final(first);
      k.final(then);
    });
  }
  verdict([], (k) => {
    k.put("a");
    k.put("b");
    k.final(["a", "b"]);
    k.final(["b", "a"]);
  });
  verdict([], (k) => {
    k.put("a", { outcome: "unknown", atMs: [0, 100] });
    k.final([], { atMs: [50, 60] });
    k.final(["a"], { atMs: [70, 80] }); // it was still under way
  });
});

Deno.test("convicted: a key that cannot be read after healing, or that nobody read", () => {
  verdict(["unreadable after healing"], (k) => {
    k.final([]);
    k.final([], { outcome: "failed" });
  });
  verdict([], (k) => {
    k.final([], { outcome: "failed" }); // found damage, and repaired it
    k.final([]);
  });
  verdict(["never read after healing", "not 3 replicas"], (k) => {
    k.put("a");
  });
});

Deno.test("convicted: a call that outlived its deadline, or never ended", () => {
  verdict(["a request outlived its deadline"], (k) => {
    k.put("a", { outcome: "unknown", atMs: [0, 1_401] });
    k.final([]);
  });
  verdict([], (k) => {
    k.put("a", { outcome: "unknown", atMs: [0, 1_400] });
    k.final([]);
  });
  verdict(["a request never ended"], (k) => {
    k.put("a", { outcome: "open" });
    k.final(["a"]);
  });
});

Deno.test("keys are judged apart", () => {
  verdict([LOST], (k) => {
    k.put("a", { key: "one" });
    k.put("b", { key: "two" });
    k.final(["a"], { key: "one" });
    k.final([], { key: "two" });
  });
});

Deno.test("a history in which two writes put the same proves nothing, and is refused", () => {
  const story = new Story();
  story.put("a");
  story.put("a");
  assertThrows(() => check(story.evidence()), TypeError, "two writes of the same value");
});

Deno.test("convicted: a write after healing that does not reach every replica", () => {
  const evidence = (outcome: "ok" | "failed") => {
    const story = new Story();
    story.put("a", { outcome });
    story.final(outcome === "ok" ? ["a"] : []);
    const { operations, ...rest } = story.evidence();
    return { ...rest, operations: operations.map((one) => ({ ...one, isFinal: true })) };
  };
  const checkers = (outcome: "ok" | "failed") => check(evidence(outcome)).map(({ checker }) => checker);
  assertEquals(checkers("ok"), []);
  assertEquals(checkers("failed"), ["not writable after healing"]);
});
