import { assertEquals } from "../runtime/testing/assert.ts";
import { ClusterClock } from "./cluster_clock.ts";

const NOW = 5_000;
const TIME = 1_700_000_000_000;
const YEARS = 10 * 365 * 86_400_000;

function clockOf(members: Record<string, number>): ClusterClock {
  const clock = new ClusterClock("self");
  clock.setMembers(["self", ...Object.keys(members)]);
  for (const [node, wallMs] of Object.entries(members)) clock.hear(node, wallMs, NOW);
  return clock;
}

Deno.test("FAULTS 34: of three clocks any one may be ten years off, the own one too", () => {
  for (const wrong of [TIME - YEARS, TIME + YEARS]) {
    assertEquals(clockOf({ b: TIME, c: wrong }).wallMs(TIME, NOW), TIME);
    assertEquals(clockOf({ b: TIME, c: TIME }).wallMs(wrong, NOW), TIME);
  }
});

Deno.test("cluster clock: of two that differ the earlier is believed", () => {
  assertEquals(clockOf({ b: TIME + YEARS }).wallMs(TIME, NOW), TIME);
  assertEquals(clockOf({ b: TIME }).wallMs(TIME + YEARS, NOW), TIME);
});

Deno.test("cluster clock: it goes on with the monotonic clock, whatever the own one does meanwhile", () => {
  const clock = clockOf({ b: TIME, c: TIME });
  assertEquals(clock.wallMs(TIME + YEARS, NOW + 1_000), TIME + 1_000);
});

Deno.test("cluster clock: what was long under way counts only while nothing came quicker", () => {
  const clock = clockOf({ b: TIME - 30_000, c: TIME - 30_000 });
  clock.hear("b", TIME + 10, NOW + 10);
  clock.hear("c", TIME + 10, NOW + 10);
  assertEquals(clock.wallMs(TIME, NOW), TIME);
});

Deno.test("cluster clock: not known before most members were heard, and strangers are not", () => {
  const clock = new ClusterClock("self");
  clock.setMembers(["self", "b", "c", "d", "e"]);
  clock.hear("x", TIME, NOW);
  clock.hear("b", TIME, NOW);
  assertEquals(clock.wallMs(TIME, NOW), null);
  clock.hear("c", TIME, NOW);
  assertEquals(clock.wallMs(TIME, NOW), TIME);
  clock.setMembers(["self"]);
  assertEquals(clock.wallMs(TIME + 1, NOW), TIME + 1);
});
