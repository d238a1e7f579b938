import fc from "fast-check";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { Latencies } from "./latencies.ts";

Deno.test("latencies: the fastest is chosen, one never asked first, the order given among equals", () => {
  const latencies = new Latencies();
  assertEquals(latencies.fastest([], 0), undefined);
  assertEquals(latencies.fastest(["b", "a"], 0), "b");
  latencies.observe("a", 5, 0);
  latencies.observe("b", 2, 0);
  assertEquals(latencies.fastest(["a", "b"], 0), "b");
  assertEquals(latencies.fastest(["a", "b", "c"], 0), "c");
});

Deno.test("latencies: a primary that was slow once is tried again, however fast the other is", () => {
  const latencies = new Latencies();
  latencies.observe("slow", 400, 0);
  let tried = 0;
  for (let now = 0; now < 120_000; now += 10) {
    if (latencies.fastest(["slow", "fast"], now) === "slow") {
      tried = now;
      break;
    }
    latencies.observe("fast", 1, now);
  }
  assert(tried > 20_000 && tried < 120_000, `${tried}`);
  // It is fast again: within a few requests it has its share; still slow: it is left alone as long again.
  latencies.observe("slow", 400, tried);
  assertEquals(latencies.fastest(["slow", "fast"], tried + 1_000), "fast");
});

Deno.test("latencies: a mean is never outside of what was measured, and fades", () => {
  const samples = fc.array(fc.tuple(fc.nat(1000), fc.nat(5000)), { minLength: 1 });
  fc.assert(fc.property(samples, (all) => {
    const latencies = new Latencies();
    let now = 0;
    for (const [elapsedMs, laterMs] of all) latencies.observe("a", elapsedMs, now += laterMs);
    const mean = latencies.of("a", now);
    assert(mean >= 0 && mean <= Math.max(...all.map(([elapsedMs]) => elapsedMs)));
    assert(Math.abs(latencies.of("a", now + 10_000) - mean / 2) < 1e-9);
  }));
});

Deno.test("latencies: who is no member any more is forgotten", () => {
  const latencies = new Latencies();
  for (const node of ["a", "b"]) latencies.observe(node, 8, 0);
  latencies.keepOnly(["b"]);
  assertEquals([latencies.of("a", 0), latencies.of("b", 0)], [0, 8]);
});
