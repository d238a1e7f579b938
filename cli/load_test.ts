import { assert, assertEquals, assertMatch } from "../actors/runtime/testing/assert.ts";
import { Load } from "./load.ts";
import { Refused, World } from "./testing/world.ts";

/** Let promises run for a while. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
}

async function loaded(world: World): Promise<Load> {
  const load = new Load(world, 2, ["a:1", "b:2"]);
  await turns(500);
  await load.stop();
  assertEquals([world.addresses, world.open], [["a:1", "b:2"], 0]);
  return load;
}

Deno.test("load: everything acknowledged is found again", async () => {
  const world = new World();
  const load = await loaded(world);
  const tally = load.take();
  assert(tally.puts > 10 && tally.gets > 10 && tally.failed === 0);
  assertEquals(load.acknowledged, tally.puts);
  assertEquals(await load.verify(await world.connect("a:1")), []);
});

Deno.test("load: planted: a value that is lost, one that is old, and siblings are found out", async () => {
  const world = new World();
  const load = await loaded(world);
  const [first, second, third] = [...world.store.keys()];
  world.store.delete(first!);
  world.store.set(second!, [new TextEncoder().encode("old")]);
  world.store.get(third!)!.push(new Uint8Array());
  const wrong = await load.verify(await world.connect("a:1"));
  assertEquals(wrong.length, 3);
  assertMatch(wrong[0]!, /^load-\d-0: acknowledged "value 0 of client \d", found \[\]$/);
});

Deno.test("load: failures are counted and not acknowledged", async () => {
  const world = new World();
  const connect = world.connect.bind(world);
  world.connect = async (addresses) => {
    const door = await connect(addresses);
    return { ...door, put: () => Promise.reject(new Refused("timeout", false)) };
  };
  const load = await loaded(world);
  assertEquals([load.take().failed > 0, load.acknowledged], [true, 0]);
});
