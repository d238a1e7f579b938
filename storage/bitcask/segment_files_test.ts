import { assertEquals, assertThrows } from "../../actors/runtime/testing/assert.ts";
import { DiskError } from "../../actors/runtime/environment.ts";
import { segmentPath } from "../journal.ts";
import { simulatedWorld } from "../testing/worlds.ts";
import { SegmentFiles } from "./segment_files.ts";

Deno.test("segment files: so many stay open, the one used least makes room", () => {
  const world = simulatedWorld(1);
  const { disk } = world.place();
  disk.makeDirectory("data");
  for (let n = 1; n <= 4; n++) {
    disk.open(segmentPath("data", n), { write: true, create: true }).write(Uint8Array.of(n), 0);
  }
  let opened = "";
  world.disk.beforeEach = (operation, path) => {
    if (operation === "open") opened += Number(path.slice(5, 15));
  };
  const files = new SegmentFiles(disk, "data", 3);
  const read = (n: number) => {
    const into = new Uint8Array(1);
    files.read(n, into, 0);
    assertEquals(into[0], n);
  };
  for (const n of [1, 2, 3, 1, 2, 3]) read(n);
  assertEquals(opened, "123");
  for (const n of [1, 4, 1, 3, 2]) read(n); // 4 takes the place of 2, and 2 that of 4
  assertEquals(opened, "12342");
  files.closeBefore(3);
  for (const n of [3, 1]) read(n);
  assertEquals(opened, "123421");
  files.close();
  disk.remove(segmentPath("data", 1));
  assertEquals(assertThrows(() => read(1), DiskError).code, "not-found");
});
