/**
 * `abstract-level`'s own test suite, over the engines.
 *
 * @module
 */

import suite from "abstract-level/test";
import { realEnvironment } from "../../actors/runtime/real/mod.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import type { Engine, ScanPage } from "../../storage/engine.ts";
import { ENGINES } from "../../storage/testing/engines.ts";
import type { Place } from "../../storage/testing/subject.ts";
import { MemoryDisk } from "../campaign/memory_disk.ts";
import { EngineLevel } from "./engine_level.ts";
import { Runner } from "./tape.ts";

/** The suite has so many assertions, at least. */
const MANY = 5_000;

/** Run the suite, every database in a directory of its own. */
async function judge(open: (place: Place) => Promise<Engine>, how = {}): Promise<Runner> {
  const environment = { ...realEnvironment({ node: "test", logLevel: "error" }), disk: new MemoryDisk() };
  const runner = new Runner();
  let count = 0;
  const factory = (options?: object) => {
    const directory = `databases/${++count}`;
    const home = {
      exists: () => environment.disk.exists(directory),
      open: () => open({ ...environment, directory }),
    };
    return new EngineLevel(home, options);
  };
  suite({ test: runner.test, factory });
  await runner.run(how);
  return runner;
}

for (const { name, open } of Object.values(ENGINES)) {
  Deno.test(`abstract-level's suite over ${name}`, async () => {
    const { tests, assertions, failures } = await judge(open);
    Deno.stderr.writeSync(new TextEncoder().encode(`\n  ${assertions} assertions in ${tests} tests\n`));
    assertEquals(failures, []);
    assert(assertions > MANY, `${assertions} assertions only`);
  });
}

Deno.test("planted: an engine that forgets the last entry of a page does not pass", async () => {
  const { failures } = await judge(async (place) => {
    const engine = await ENGINES.memory.open(place);
    const scan = engine.scan.bind(engine);
    engine.scan = (options) => {
      const page = scan(options) as ScanPage;
      return page.done && page.entries.length > 1 ? { ...page, entries: page.entries.slice(0, -1) } : page;
    };
    return engine;
  }, { untilFailure: true });
  assert(failures.length > 0);
});
