import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import type { Explanation } from "../../actors/coordinator/protocol.ts";
import type { ClusterState, NodeStatus, RingView } from "../../actors/operator/protocol.ts";
import { paint, width } from "../paint.ts";
import { run } from "../run.ts";
import { World } from "../testing/world.ts";
import { showClusterState } from "./cluster_state.ts";
import { showExplanation } from "./explain.ts";
import { showRing } from "./ring.ts";
import { showStatus } from "./status.ts";

const plain = paint(false);
const members = [1, 2, 3].map((index) => ({
  id: String(index).repeat(32),
  address: `127.0.0.1:300${index}`,
  zone: "default",
  weight: 1,
}));

const STATE: ClusterState = {
  cluster: "shop",
  clusterId: "c".repeat(32),
  ring: { epoch: 3, checksum: 7 },
  quorum: { n: 3, r: 2, w: 2, sloppy: true },
  underReplicated: false,
  members: members.map((member, index) => ({
    ...member,
    liveness: (["alive", "suspect", "down"] as const)[index]!,
    owns: 256,
    incarnation: index,
    silentMs: [0, 800, 61_000][index]!,
  })),
};

const RING: RingView = {
  epoch: 3,
  checksum: 7,
  members,
  owners: Array.from({ length: 128 }, (_, partition) => [partition % 3, (partition + 1) % 3]),
};

const EXPLANATION: Explanation = {
  partition: 17,
  epoch: 3,
  replicas: members.map(({ id, address }, index) => ({
    node: id,
    address,
    liveness: index === 2 ? "down" : "alive",
    answer: index === 2 ? "silent" : "found",
    version: index === 2 ? [] : ["aaaaaaaa:2"],
    siblings: index === 2 ? [] : [{ dot: "aaaaaaaa:2", sizeBytes: 2048, tombstone: index === 1 }],
  })),
};

const STATUS: NodeStatus = {
  version: "0.1.0",
  node: "1".repeat(32),
  address: "127.0.0.1:3001",
  uptimeMs: 3_700_000,
  state: "serving",
  cluster: "shop",
  epoch: 3,
  members: 3,
  alive: 2,
  underReplicated: false,
  votes: false,
  moves: null,
  coordinator: {
    inFlight: 0,
    gets: 10,
    puts: 20,
    failures: { timeout: 2 },
    forwarded: 1,
    failovers: 0,
    readRepairs: 4,
    repairsLeft: 0,
    hinted: 3,
    sloppyPuts: 1,
  },
  hints: {
    count: 2,
    bytes: 2048,
    targets: [{ node: "3".repeat(32), count: 2, bytes: 2048 }],
    taken: 3,
    delivered: 1,
    outdated: 0,
    refused: 0,
    damage: 0,
    lossy: false,
    refusing: null,
    actorId: "4".repeat(32),
  },
  store: {
    engine: {
      engine: "memory",
      keys: 5,
      liveBytes: 2_000_000,
      diskBytes: 100,
      deadBytes: 40,
      files: 1,
      compactionDebtBytes: 60,
      writesPerSync: 3.25,
      refusing: "poisoned: a sync failed",
    },
    actorId: "a".repeat(32),
    notWhole: 0,
    awaited: 0,
    damage: 0,
    alarms: 1,
    overwritten: 0,
    trees: { unknown: 0, leaves: 9, wrong: 2 },
    suspects: 0,
    tombstones: { known: 7, collected: 3 },
  },
  collection: {
    announced: 5,
    closed: 5,
    sealed: 5,
    isSure: true,
    leader: "1".repeat(32),
    says: "waiting for members that are away, or not whole",
    waitedFor: ["3".repeat(32)],
  },
  repair: {
    partitions: 256,
    unknown: 1,
    oldestWholeMs: 61_000,
    exchanges: 3,
    failures: 4,
    keysRepaired: 5,
    bytesExchanged: 2048,
  },
  copies: { fetchedBytes: 0 },
  background: {
    mostBytesPerS: null,
    isPaused: false,
    bytesPerS: 64_000_000,
    spentBytes: 3_000_000,
    waiting: 0,
    p99Ms: 2.5,
  },
  messages: { deadLetters: 0, lostToPeers: 0 },
  connections: { clients: 1, peers: 2 },
  actors: [{ name: "coordinator", restarts: 1, waiting: 0, handled: 12345, refused: 0 }],
};

Deno.test("cluster-state at a glance", () => {
  assertEquals(
    showClusterState(STATE, plain),
    `shop  1 of 3 alive  N 3 R 2 W 2  ring epoch 3

           node      address         zone     partitions  incarnation  last heard
● alive    11111111  127.0.0.1:3001  default         256            0
◐ suspect  22222222  127.0.0.1:3002  default         256            1  800 ms
○ down     33333333  127.0.0.1:3003  default         256            2  1 min
`,
  );
});

Deno.test("ring: a picture of who comes first, and every member's share", () => {
  const lines = showRing(RING, plain, 80).split("\n");
  assertEquals(lines[2], `  0 ${"ABC".repeat(22).slice(0, 64)}`);
  assertEquals(lines[3], ` 64 ${"BCA".repeat(22).slice(0, 64)}`);
  const words = lines.at(-2)!.split(/ +/);
  assertEquals(words.slice(0, 7), ["C", "33333333", "127.0.0.1:3003", "default", "1", "42", "85"]);
  assertMatch(words[7]!, /^█{15,16}/);
  assert(showRing(RING, plain, 60).split("\n").every((line) => width(line) <= 84));
});

Deno.test("explain: each replica's answer in preference order", () => {
  const lines = showExplanation("a b", EXPLANATION, plain).split("\n");
  assertEquals(lines[0], `"a b"  partition 17  ring epoch 3`);
  const cells = lines.map((line) => line.split(/ {2,}/));
  assertEquals(cells[3]!.slice(3), ["● alive", "found", "aaaaaaaa:2", "aaaaaaaa:2 2.0 KiB"]);
  assertEquals(cells[4]!.at(-1), "aaaaaaaa:2 tombstone");
  assertEquals(cells[5]!.slice(3), ["○ down", "silent"]);
});

Deno.test("status names what needs a look", () => {
  const shown = showStatus(STATUS, plain);
  for (
    const part of [
      ...[
        "● serving",
        "2 of 3 alive",
        "does not vote",
        "up 1 h 1 min",
        "2 timeout",
        "memory, 5 keys",
        "poisoned",
        "1 alarm",
      ],
      ...[
        "255 of 256 partitions known to be whole, all within 1 min",
        "5 keys repaired",
        "2 wrong hash trees",
      ],
      "hints       2 held, 2.0 KiB (33333333 2, 2.0 KiB), 3 taken, 1 delivered",
      "disk        100 B in 1 file, 40 B dead, 60 B to be rewritten, 3.3 writes per sync",
    ]
  ) assert(shown.includes(part), part);
  assertEquals(shown.trimEnd().split("\n").at(-1)!.split(/ +/), ["coordinator", "12345", "0", "0", "1"]);
});

Deno.test("tables go to terminals, JSON elsewhere and on request; colours change no column", async () => {
  const admin = { status: STATUS, clusterState: STATE, ring: RING, explain: EXPLANATION };
  const json = { "status": STATUS, "cluster-state": STATE, "ring": RING, "explain": EXPLANATION };
  for (const [command, value] of Object.entries(json)) {
    const line = command === "explain" ? [command, "-k", "a"] : [command];
    for (const [interactive, more] of [[false, []], [true, ["--json"]]] as const) {
      const world = new World({ interactive, admin });
      assertEquals(await run([...line, ...more], world), 0);
      assertEquals(JSON.parse(world.stdout), value);
    }
    const world = new World({ interactive: true, admin });
    assertEquals(await run(line, world), 0);
    assert(!world.stdout.startsWith("{") && world.stdout.includes("epoch 3"));
  }
  const [coloured, bare] = [showClusterState(STATE, paint(true)), showClusterState(STATE, plain)];
  assert(coloured.includes("\x1b[32m"));
  assertEquals(coloured.split("\n").map(width), bare.split("\n").map(width));
});
