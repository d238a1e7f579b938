/**
 * Invariants 2 and 3 on trial: what has to be a sibling, what must not be one, and what stays deleted.
 *
 * @module
 */

import { assertEquals } from "../../../actors/runtime/testing/assert.ts";
import { lateRetries } from "../checkers.ts";
import { Story, verdict } from "./testing/story.ts";

const LOST = "an acknowledged write is lost";
const SIBLING = "a replaced value is a sibling";
const BACK = "a deleted value is back";

Deno.test("convicted: a value beside the one that replaced it", () => {
  verdict([SIBLING], (k) => {
    k.put("a");
    k.put("b", { after: k.get(["a"]) });
    k.get(["a", "b"]);
    k.final(["b"]);
  });
  verdict([LOST, SIBLING], (k) => {
    k.put("a");
    k.put("b", { after: k.get(["a"]) });
    k.final(["a"]);
  });
  verdict([SIBLING], (k) => {
    k.put("a");
    k.put("b", { after: k.get(["a"]), outcome: "unknown" });
    k.final(["a", "b"]); // it happened, for it shows
  });
  verdict([SIBLING], (k) => {
    k.put("a", { quorum: 1 });
    k.put("b", { after: k.get(["a"], { quorum: 1 }) });
    k.final(["a", "b"]); // the read need not have known a, but showed it
  });
  verdict([SIBLING], (k) => {
    k.put("a", { quorum: 1 });
    k.put("b", { after: k.get(["a"], { quorum: 1 }), outcome: "unknown" });
    k.put("c", { after: k.get(["b"], { quorum: 1 }), outcome: "unknown" });
    k.final(["a", "c"]); // c replaced b, which had replaced a
  });
});

Deno.test("sloppy: a write that may have been tried twice is two versions until those who stood in gave it back (987004059)", () => {
  const told = (endMs: number, last: readonly string[]) => (k: Story) => {
    k.put("a", { atMs: [0, endMs] });
    k.put("b", { after: k.get(["a"], { quorum: 1 }) });
    k.get(["a", "b"], { quorum: 1 });
    k.final(last);
  };
  verdict([], told(500, ["b"]), { sloppy: true });
  verdict([SIBLING], told(500, ["b"]));
  verdict([SIBLING], told(2, ["b"]), { sloppy: true });
  verdict([SIBLING], told(500, ["a", "b"]), { sloppy: true });
});

Deno.test("convicted: a context that does not cover what was acknowledged before its read", () => {
  const story = (r: number) => (k: Story) => {
    k.put("a");
    k.del({ after: k.get(["a"]), outcome: "unknown" });
    k.put("b", { after: k.get([], { quorum: r }) });
    k.final(["a", "b"]);
  };
  // The read shows no a, for the delete has reached one of its replicas. It has seen it, and so has b.
  verdict([SIBLING], story(2));
  // One replica may have seen neither.
  verdict([], story(1));
});

Deno.test("not convicted: siblings of writes that had not seen each other", () => {
  verdict([], (k) => {
    k.put("a");
    const seen = k.get(["a"]);
    k.put("b", { after: seen });
    k.put("c", { after: seen });
    k.final(["c", "b"]);
  });
  verdict([LOST], (k) => {
    k.put("a");
    const seen = k.get(["a"]);
    k.put("b", { after: seen });
    k.put("c", { after: seen });
    k.final(["c"]); // two writes with one context do not replace each other
  });
  verdict([], (k) => {
    k.put("a", { quorum: 1 });
    k.put("b", { after: k.get(["a"], { quorum: 1 }), quorum: 1 });
    k.get(["a"], { quorum: 1 }); // of a replica that b has not reached
    k.final(["b"]);
  });
  verdict([], (k) => {
    k.put("a");
    k.put("b", { after: k.get(["a"]), outcome: "unknown" });
    k.get(["b"]);
    k.get(["a"]); // of replicas that b has not reached
    k.final(["a"]); // nor ever will
  });
});

Deno.test("convicted: a deleted value is back; not convicted: it was written again, or the delete is in doubt", () => {
  verdict([BACK], (k) => {
    k.put("a");
    k.del({ after: k.get(["a"]) });
    k.get(["a"]);
    k.final([]);
  });
  verdict([BACK, SIBLING], (k) => {
    k.put("a");
    k.del({ after: k.get(["a"]) });
    k.put("b", { after: k.get([]) });
    k.final(["a", "b"]);
  });
  verdict([], (k) => {
    k.put("a");
    k.del({ after: k.get(["a"]) });
    k.get([]);
    k.put("b");
    k.final(["b"]);
  });
  verdict([], (k) => {
    k.put("a");
    const seen = k.get(["a"]);
    k.put("b");
    k.del({ after: seen });
    k.final(["b"]); // it did not see b
  });
  verdict([], (k) => {
    k.put("a");
    k.del({ after: k.get(["a"]), atMs: [100, 300] });
    k.get(["a"], { atMs: [150, 200] }); // while it goes on
    k.get([], { atMs: [150, 200] });
    k.final([], { atMs: [400, 410] });
  });
});

Deno.test("a write that is replaced while it goes on may be made again by its retry; counted, not convicted", () => {
  const story = (outcome: "ok" | "unknown") => (k: Story) => {
    k.put("a", { atMs: [0, 500], outcome });
    k.del({ after: k.get(["a"], { atMs: [100, 110] }), atMs: [200, 210] });
    k.get(["a"], { atMs: [600, 610] });
    k.final(["a"], { atMs: [700, 710] });
  };
  verdict([], story("ok"));
  verdict([], story("unknown"));
  verdict([], (k) => {
    k.put("a", { outcome: "unknown" });
    k.put("b", { after: k.get(["a"]) });
    k.final(["a", "b"]); // whoever is in doubt about a may still be at it
  });
  verdict([BACK], (k) => {
    k.put("a", { atMs: [0, 50] });
    k.del({ after: k.get(["a"], { atMs: [100, 110] }), atMs: [200, 210] });
    k.get(["a"], { atMs: [600, 610] });
    k.final([], { atMs: [700, 710] });
  });
  const told = new Story();
  story("ok")(told);
  assertEquals(lateRetries(told.evidence()), 2);
});
