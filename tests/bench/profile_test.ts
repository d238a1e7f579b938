import { assertEquals } from "../../actors/runtime/testing/assert.ts";
import { selfTimes } from "./profile.ts";

Deno.test("profile: self time is summed per function, idle time left out", () => {
  const frame = (functionName: string, url = "") => ({ functionName, url, lineNumber: 4 });
  const nodes = [
    { id: 1, callFrame: frame("(idle)") },
    { id: 2, callFrame: frame("crc32c", "file:///denamo/actors/runtime/crc32c.ts") },
    { id: 3, callFrame: frame("") },
    { id: 4, callFrame: frame("crc32c", "file:///denamo/actors/runtime/crc32c.ts") },
  ];
  const profile = { nodes, samples: [1, 2, 3, 4, 1], timeDeltas: [100, 5, 5, 10, 100] };
  assertEquals(selfTimes(profile), [
    { name: "crc32c runtime/crc32c.ts:5", share: 0.75 },
    { name: "(anonymous)", share: 0.25 },
  ]);
});
