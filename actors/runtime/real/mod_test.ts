/**
 * What only the real environment can show; what it shares with the simulated one is tested in
 * `actors/simulated/conformance_test.ts`.
 *
 * @module
 */

import { DiskError, NetworkError } from "../environment.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../testing/assert.ts";
import { realEnvironment } from "./mod.ts";
import { macrotask } from "./turn.ts";

const environment = realEnvironment({ node: "test", logLevel: "silent" });
const { clock, disk, network } = environment;

async function inDirectory(test: (root: string) => Promise<void> | void): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    await test(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** Run TypeScript in a process of its own, at most `files` descriptors; what it prints. */
async function elsewhere(source: string, files = 1024): Promise<string> {
  const module = new URL("./mod.ts", import.meta.url).href;
  const code = `import { realEnvironment } from "${module}";
    const { clock, disk, network } = realEnvironment({ node: "elsewhere" });
    ${source}`;
  const evaluate = `ulimit -n ${files} && exec "$0" eval "$1"`;
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", evaluate, Deno.execPath(), code],
    stderr: "inherit",
  })
    .output();
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("real disk: a full disk says so", async () => {
  // Elsewhere, because devices take every permission, which these tests do not have.
  const printed = await elsewhere(`
    const full = disk.open("/dev/full", { write: true });
    try { full.write(Uint8Array.of(1), 0); } catch (e) { console.log(e.code); }`);
  assertEquals(printed, "no-space");
});

Deno.test("real disk: a symbolic link and a missing directory say so", () =>
  inDirectory((root) => {
    disk.open(`${root}/data`, { write: true, create: true }).close();
    Deno.symlinkSync(`${root}/data`, `${root}/link`);
    const error = assertThrows(() => disk.open(`${root}/link`, { write: true }), DiskError);
    assertEquals([error.code, error.path], ["denied", `${root}/link`]);
    assertEquals(assertThrows(() => disk.lock(`${root}/x/lock`), DiskError).code, "not-found");
  }));

Deno.test("real disk: a lock keeps another process out until its holder ends", () =>
  inDirectory(async (root) => {
    const attempt =
      `try { disk.lock("${root}/lock"); console.log("mine"); } catch (e) { console.log(e.code); }`;
    const lock = disk.lock(`${root}/lock`);
    assertEquals(await elsewhere(attempt), "locked");
    lock.release();
    assertEquals(await elsewhere(attempt), "mine"); // never released: the process just ended
    disk.lock(`${root}/lock`).release();
  }));

Deno.test("real disk: files are private", () =>
  inDirectory((root) => {
    disk.makeDirectory(`${root}/d`);
    disk.open(`${root}/d/f`, { write: true, create: true }).close();
    assertEquals([`${root}/d`, `${root}/d/f`].map((path) => Deno.statSync(path).mode! & 0o777), [
      0o700,
      0o600,
    ]);
  }));

Deno.test("real network: out of descriptors is `exhausted`, and accepting resumes", async () => {
  const printed = await elsewhere(
    `
    const listener = await network.listen({ host: "127.0.0.1", port: 0 });
    const files = [];
    const fill = () => { try { for (;;) files.push(disk.open("/dev/null")); } catch { /* full */ } };
    fill();
    const said = [];
    const note = (promise) => promise.then(() => said.push("ok"), (error) => said.push(error.code));
    await note(network.connect(listener.endpoint, 1000));
    files.pop().close();
    await note(network.connect(listener.endpoint, 1000));
    await note(listener.accept());
    files.pop().close();
    await note(listener.accept());
    console.log(said.join(" "));
    Deno.exit();`,
    64,
  );
  assertEquals(printed, "exhausted ok exhausted ok");
});

Deno.test("real network: whom nobody answers, connect gives up", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  const endpoint = { host: "127.0.0.1", port: listener.addr.port };
  const attempts = await Promise.allSettled([1, 2, 3, 4].map(() => network.connect(endpoint, 50)));
  const failures = attempts.filter((attempt) => attempt.status === "rejected").map(({ reason }) => reason);
  for (const attempt of attempts) if (attempt.status === "fulfilled") attempt.value.close();
  listener.close();
  assert(failures.length > 0, "a backlog of one takes four");
  assert(
    failures.every((error) => error instanceof NetworkError && error.code === "timeout"),
    String(failures),
  );
});

Deno.test("real network: an unknown name fails, at once or in time", async () => {
  const error = await assertRejects(
    () => network.connect({ host: "no.such.invalid", port: 1 }, 2000),
    NetworkError,
  );
  assert(error.code === "failed" || error.code === "timeout");
});

Deno.test("turn: a macrotask comes after every microtask, and before a millisecond's timer", async () => {
  const said: string[] = [];
  const timer = clock.after(1000, () => said.push("timer"));
  const chain = async () => {
    for (let i = 0; i < 100; i++) await Promise.resolve();
    said.push("microtasks");
  };
  chain();
  await macrotask();
  said.push("macrotask");
  timer.cancel();
  assertEquals(said, ["microtasks", "macrotask"]);
});
