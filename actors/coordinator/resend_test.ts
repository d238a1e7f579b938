import { assertEquals } from "../runtime/testing/assert.ts";
import { Resend } from "./resend.ts";

Deno.test("resend: once per time, and the times between double", () => {
  const resend = new Resend(1_000);
  const due: number[] = [];
  for (let now = 1_000; now < 6_000; now += 50) if (resend.isDue(now)) due.push(now);
  assertEquals(due, [1_250, 1_750, 2_750, 4_750]);
});
