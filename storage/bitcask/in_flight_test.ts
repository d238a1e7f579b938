import { assertEquals, assertStrictEquals } from "../../actors/runtime/testing/assert.ts";
import { InFlight } from "./in_flight.ts";

const record = (n: number) => Uint8Array.of(n);

Deno.test("in flight: kept until durable, told apart by number", async () => {
  const inFlight = new InFlight(10);
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const eleven = record(11);
  inFlight.add(first.promise, 11, eleven);
  inFlight.add(first.promise, 12, null);
  inFlight.add(second.promise, 13, record(13));
  assertStrictEquals(inFlight.find(11), eleven);
  assertEquals([12, 13, 14, 10].map((n) => inFlight.find(n)), [null, record(13), undefined, undefined]);
  first.resolve();
  await first.promise;
  assertEquals([11, 12, 13].map((n) => inFlight.find(n)), [undefined, undefined, record(13)]);
  second.resolve();
  await second.promise;
  assertEquals(inFlight.find(13), undefined);
});

Deno.test("36, 38: what did not become durable stays, until something later has", async () => {
  const inFlight = new InFlight(0);
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  inFlight.add(first.promise, 1, record(1));
  first.reject(new Error("full"));
  await first.promise.catch(() => {});
  await undefined;
  assertEquals(inFlight.find(1), record(1));
  inFlight.add(second.promise, 2, record(2));
  assertEquals(inFlight.find(1), record(1));
  second.resolve();
  await second.promise;
  assertEquals([inFlight.find(1), inFlight.find(2)], [undefined, undefined]);
});
