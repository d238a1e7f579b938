import fc from "fast-check";
import type { ReadAnswer } from "../replica_store/protocol.ts";
import { mint } from "../replica_store/object.ts";
import { encodeObject } from "../replica_store/object_codec.ts";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { explainAnswer } from "./explain_answer.ts";

const dot = { actor: "a0".repeat(16), counter: 3 };
const outcome = mint(null, {
  ...{ context: [], value: new Uint8Array(5), crc32c: 0, requestId: "0f".repeat(16), wallMs: 1, dot },
});
assert(outcome.ok);
const OBJECT = encodeObject(outcome.object);

Deno.test("explain: what a replica holds, its words for what it cannot say", () => {
  const siblings = [{ dot: "a0a0a0a0:3", sizeBytes: 5, tombstone: false }];
  const held = { answer: "found", version: ["a0a0a0a0:3"], siblings };
  const nothing = { version: [], siblings: [] };
  assertEquals(explainAnswer({ ok: true, object: OBJECT }), held as ReturnType<typeof explainAnswer>);
  assertEquals(explainAnswer({ ok: false, code: "not-whole", object: OBJECT }).answer, "not-whole");
  assertEquals(explainAnswer({ ok: true, object: null }), { answer: "missing", ...nothing });
  assertEquals(explainAnswer({ ok: false, code: "overloaded" }), { answer: "unavailable", ...nothing });
  assertEquals(explainAnswer(null), { answer: "silent", ...nothing });
});

Deno.test("explain: bytes of another node that are no object are unreadable, and crash nobody", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), fc.boolean(), (object, ok) => {
    const answer: ReadAnswer = ok ? { ok, object } : { ok, code: "not-whole", object };
    assertEquals(explainAnswer(answer), { answer: "unreadable", version: [], siblings: [] });
  }));
  const cut = explainAnswer({ ok: true, object: OBJECT.slice(0, -1) });
  assertEquals(cut.answer, "unreadable");
});
