import fc from "fast-check";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { Histogram } from "./histogram.ts";

Deno.test("histogram: quantiles are those of a sorted list, to within one part in 128", () => {
  const latency = fc.oneof(
    fc.double({ min: 0, max: 5, noNaN: true }),
    fc.double({ min: 0, max: 1e6, noNaN: true }),
  );
  fc.assert(
    fc.property(
      fc.array(latency, { minLength: 1 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (all, q) => {
        const histogram = new Histogram();
        for (const ms of all) histogram.add(ms);
        const sorted = all.map((ms) => Math.round(ms * 1000) / 1000).sort((a, b) => a - b);
        const exact = sorted[Math.ceil(q * all.length) - 1]!;
        const found = histogram.quantile(q);
        assert(found >= exact - 1e-9 && found <= exact * (1 + 1 / 128) + 1e-9, `${found} for ${exact}`);
        assertEquals(histogram.count, all.length);
      },
    ),
  );
});

Deno.test("histogram: nothing has no latency; what is longer than half an hour counts as that", () => {
  const histogram = new Histogram();
  assertEquals(histogram.quantile(0.99), 0);
  histogram.add(1e12);
  assertEquals(histogram.quantile(1), (2 ** 31 - 1) / 1000);
});
