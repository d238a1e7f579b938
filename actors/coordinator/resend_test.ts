import { assertEquals } from "../runtime/testing/assert.ts";
import { Resend } from "./resend.ts";

Deno.test("resend: once per time, and the times between double", () => {
  const resend = new Resend(1_000);
  const due: number[] = [];
  for (let now = 1_000; now < 6_000; now += 50) if (resend.isDue(now)) due.push(now);
  assertEquals(due, [1_250, 1_750, 2_750, 4_750]);
});

Deno.test("resend: what is large is given the time that it takes; planted: without that it piles up behind itself", () => {
  const times = (resend: Resend) => {
    const due: number[] = [];
    for (let now = 0; now < 5_000; now += 50) if (resend.isDue(now)) due.push(now);
    return due;
  };
  assertEquals(times(new Resend(0, 2 * 2 ** 20)), [2_250, 4_750]);
  const read = new Resend(0);
  read.expect(2 ** 20);
  read.expect(2 ** 10); // the largest counts
  assertEquals(times(read), [1_250, 2_750, 4_750]);
  assertEquals(
    times(new Resend(0)),
    [250, 750, 1_750, 3_750],
    "which is how an 8 MiB object was sent five times",
  );
});
