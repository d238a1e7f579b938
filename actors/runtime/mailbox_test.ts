import fc from "fast-check";
import { Mailbox } from "./mailbox.ts";
import { assertEquals, assertThrows } from "./testing/assert.ts";

/** Whatever is offered, forced and taken, the mailbox agrees with an array. */
function behavesLikeAnArray(make: (capacity: number) => Mailbox<number>): void {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.constant("offer" as const) },
    { weight: 1, arbitrary: fc.constant("force" as const) },
    { weight: 2, arbitrary: fc.constant("take" as const) },
  );
  const steps = fc.array(step, { maxLength: 200, size: "max" });
  fc.assert(fc.property(fc.integer({ min: 1, max: 80 }), steps, (capacity, steps) => {
    const mailbox = make(capacity);
    const twin: number[] = [];
    steps.forEach((step, message) => {
      if (step === "take") return assertEquals(mailbox.take(), twin.shift());
      if (step === "force") mailbox.force(message);
      else assertEquals(mailbox.offer(message), twin.length < capacity);
      if (step === "force" || twin.length < capacity) twin.push(message);
      assertEquals(mailbox.length, twin.length);
    });
    while (twin.length > 0) assertEquals(mailbox.take(), twin.shift());
    assertEquals(mailbox.take(), undefined);
  }));
}

Deno.test("a mailbox behaves like an array with a limit", () => {
  behavesLikeAnArray((capacity) => new Mailbox(capacity));
});

Deno.test("planted: a mailbox that lets a message overtake is caught", () => {
  class Overtaking extends Mailbox<number> {
    override take(): number | undefined {
      const first = super.take();
      if (this.length !== 3) return first;
      const second = super.take();
      if (first !== undefined) this.force(first);
      return second;
    }
  }
  assertThrows(() => behavesLikeAnArray((capacity) => new Overtaking(capacity)));
});

Deno.test("planted: a mailbox that forgets its limit is caught", () => {
  assertThrows(() => behavesLikeAnArray(() => new Mailbox(Infinity)));
});

Deno.test("a mailbox without room for one message is refused", () => {
  for (const capacity of [0, -1, NaN]) assertThrows(() => new Mailbox(capacity), RangeError);
});
