/**
 * What a node refuses: directories that are not its own or not usable, clusters it does not fit, strangers.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import { crc32c } from "../../actors/runtime/crc32c.ts";
import { Client } from "../../mod.ts";
import { denamo, denoRun, type Ended, Scratch, Server, Trio, until, VARIABLES } from "./harness.ts";
import { Workload } from "./workload.ts";

/** A start that must be refused: exit code 1, nothing on standard output, and this as the last line. */
function refused({ code, out, err }: Ended, last: RegExp): void {
  assertEquals([code, out], [1, ""], err);
  assertMatch(err.trimEnd().split("\n").at(-1)!, last);
}

function server(path: string, ...flags: string[]): Promise<Ended> {
  return denamo(["server", "--port", "0", "--storage-path", path, "--stop-with-input", ...flags]);
}

/** A directory that a node has used and left, with one key in it. */
async function usedDirectory(path: string): Promise<void> {
  await using node = new Server(["--port", "0", "--storage-path", path]);
  await using client = await Client.connect(`127.0.0.1:${await node.serving()}`);
  await client.put("foo", "bar");
  node.signal("SIGTERM");
  assertEquals(await node.ended, 0);
}

/** Every file below a directory, with its bytes. */
function contents(path: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const { name, isDirectory } of Deno.readDirSync(path)) {
    const inner = `${path}/${name}`;
    if (isDirectory) { for (const entry of contents(inner)) files.set(...entry); }
    else files.set(inner, Deno.readFileSync(inner).toHex());
  }
  return files;
}

/** Raise the format version in a segment's header; the checksums of both copies are right. */
function raiseFormat(path: string): void {
  const bytes = Deno.readFileSync(path);
  const view = new DataView(bytes.buffer);
  for (const copy of [0, 32]) {
    view.setUint32(copy + 8, view.getUint32(copy + 8) + 1);
    view.setUint32(copy + 28, crc32c(bytes.subarray(copy, copy + 28)));
  }
  Deno.writeFileSync(path, bytes);
}

Deno.test("FAULTS 46: two processes on one data directory: the second exits saying so, the first serves on", async () => {
  using scratch = new Scratch();
  const path = `${scratch.path}/data`;
  await using first = new Server(["--port", "0", "--storage-path", path]);
  const port = await first.serving();
  refused(await server(path), /^denamo server: .*\/data\/node.* (another|other) process/);
  await using client = await Client.connect(`127.0.0.1:${port}`);
  await client.put("foo", "bar");
  assertEquals((await client.get("foo")).texts(), ["bar"]);
});

Deno.test("FAULTS 47: a newer file format, of the node's journal or the store's, is refused, untouched", async () => {
  using scratch = new Scratch();
  await Promise.all(["node", "lsm/wal", "lsm/manifest"].map(async (part) => {
    const path = `${scratch.path}/${part.replace("/", "-")}`;
    await usedDirectory(path);
    raiseFormat(`${path}/${part}/0000000001.log`);
    const before = contents(`${path}/${part}`);
    refused(
      await server(path),
      new RegExp(
        `^denamo server: .*/${part}/0000000001\\.log has format 2, this release reads 1.*nothing was changed`,
      ),
    );
    assertEquals(contents(`${path}/${part}`), before);
  }));
});

Deno.test("FAULTS 48: a missing or broken configuration file is an error at the start that names it", async () => {
  using scratch = new Scratch();
  const broken = `${scratch.path}/broken.json`;
  Deno.writeTextFileSync(broken, `{"prot": 3001}`);
  const [missing, wrong] = await Promise.all([
    denamo(["server", "--config-path", `${scratch.path}/none.json`]),
    denamo(["server", "--config-path", broken]),
  ]);
  assertEquals([missing.code, missing.out], [2, ""]);
  assertMatch(missing.err, /^denamo server: .*\/none\.json: cannot be read: /);
  assertEquals([wrong.code, wrong.err], [
    2,
    `denamo server: ${broken}: prot: unknown field; did you mean port?\n`,
  ]);
});

Deno.test("FAULTS 48: a symbolic link in the place of a data file is refused", async () => {
  using scratch = new Scratch();
  const path = `${scratch.path}/data`;
  await usedDirectory(path);
  const file = `${path}/lsm/wal/0000000001.log`;
  Deno.renameSync(file, `${scratch.path}/elsewhere.log`);
  Deno.symlinkSync(`${scratch.path}/elsewhere.log`, file);
  refused(await server(path), /^denamo server: .*0000000001\.log.*symbolic link/);
});

Deno.test("FAULTS 48: a directory that cannot be written, or is none, is an error at the start that names it", async () => {
  using scratch = new Scratch();
  const occupied = `${scratch.path}/occupied`;
  Deno.writeTextFileSync(occupied, "a file");
  refused(await server(occupied), /^denamo server: .*\/occupied\b/);

  const locked = `${scratch.path}/locked`;
  Deno.mkdirSync(locked);
  Deno.chmodSync(locked, 0o500);
  refused(
    await bound(["server", "--port", "0", "--storage-path", locked]),
    /^denamo server: .*\/locked\b.*denied/,
  );
});

/** Run `denamo` without the power of root to write where the mode forbids it. */
async function bound(args: readonly string[]): Promise<Ended> {
  const { stdout } = await new Deno.Command("id", { args: ["-u"] }).output();
  const [program, ...leading] = new TextDecoder().decode(stdout).trim() === "0"
    ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search", Deno.execPath()]
    : [Deno.execPath()];
  const output = await new Deno.Command(program!, {
    args: [...leading, ...denoRun(), ...args],
    env: VARIABLES,
  })
    .output();
  const decoder = new TextDecoder();
  return { code: output.code, out: decoder.decode(output.stdout), err: decoder.decode(output.stderr) };
}

Deno.test("a port in use is an error at the start that names it", async () => {
  using scratch = new Scratch();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  const flags = ["--port", String(port), "--storage-path", `${scratch.path}/data`];
  refused(
    await denamo(["server", ...flags]),
    new RegExp(`^denamo server: cannot listen on .*:${port}: the port is in use$`),
  );
});

Deno.test("FAULTS 52: a copied data directory: refused at another address; as a second of the same id, fenced with an alarm", async () => {
  await using trio = await Trio.start();
  using scratch = new Scratch();
  await using workload = Workload.at(trio.addresses(), 3);
  await workload.progress(100);
  const copies = await Promise.all(["elsewhere", "pretender"].map(async (name) => {
    const copy = `${scratch.path}/${name}`;
    const { code } = await new Deno.Command("cp", { args: ["-r", trio.directory(2), copy] }).output();
    assertEquals(code, 0);
    return copy;
  }));
  refused(
    await server(copies[0]!),
    new RegExp(`^denamo server: .*/elsewhere belongs to the member at ${trio.address(2)}`),
  );

  await using copy = new Server([
    ...["--port", "0", "--storage-path", copies[1]!, "--advertise", trio.address(2)],
  ]);
  // One of the two ends; the other keeps the name.
  const original = trio.servers[2]!;
  const fenced = await Promise.race([copy, original].map(async (process) => {
    assertEquals(await process.ended, 1, process.err.join("\n"));
    return process;
  }));
  assertMatch(
    fenced.err.at(-1)!,
    /^denamo server: gives up: another process lives under the id [0-9a-f]{32}/,
  );
  const other = fenced === copy ? original : copy;
  assert(other.alive, "only one of them ends");
  // The others, whichever it was, go on.
  const after = workload.failures.length;
  await workload.progress(100);
  await workload.stop();
  await until(
    "an alarm in a log",
    () =>
      [copy, ...trio.servers].flatMap(({ err }) => err).some((line) =>
        /two processes|another process/.test(line)
      ),
  );
  assertEquals(workload.failures.slice(after).filter(({ message }) => !/connect/.test(message)), []);
});

Deno.test("FAULTS 53: a node with another N, partition count or cluster name may not join; the refusal names the field", async () => {
  using scratch = new Scratch();
  const start = async (name: string, ...flags: string[]) => {
    const node = new Server(["--port", "0", "--storage-path", `${scratch.path}/${name}`, ...flags]);
    return { node, port: String(await node.serving()) };
  };
  const cases = [
    { flags: ["--quorum-n", "5"], names: /N: 3 in the cluster, 5 at / },
    { flags: ["--partitions", "64"], names: /partition count: 256 in the cluster, 64 at / },
    { flags: ["--cluster", "other"], names: /cluster name: denamo in the cluster, other at / },
  ];
  await using stack = new AsyncDisposableStack();
  const { node, port } = await start("host");
  stack.use(node);
  await Promise.all(cases.map(async ({ flags, names }, index) => {
    const candidate = await start(`candidate${index}`, ...flags);
    stack.use(candidate.node);
    const joined = await denamo([
      ...["join-cluster", "-p", candidate.port, "--known-cluster-node", `127.0.0.1:${port}`],
    ]);
    assertEquals([joined.code, joined.out], [1, ""]);
    const { error } = JSON.parse(joined.err) as { error: { code: string; message: string } };
    assertEquals(error.code, "mismatch");
    assertMatch(error.message, names);
  }));
  const state = await denamo(["cluster-state", "-p", port]);
  assertEquals((JSON.parse(state.out) as { members: unknown[] }).members.length, 1);
});

Deno.test("a node whose directory belongs to a cluster with another N, partition count or name does not start", async () => {
  using scratch = new Scratch();
  const path = `${scratch.path}/data`;
  await usedDirectory(path);
  refused(
    await server(path, "--quorum-n", "2", "--quorum-r", "1"),
    /created with N = 3, but the configuration says 2$/,
  );
  refused(
    await server(path, "--partitions", "8"),
    /created with partitions = 256, but the configuration says 8$/,
  );
  refused(
    await server(path, "--cluster", "other"),
    /created with the name denamo, but the configuration says other$/,
  );
});

/** A hello as PROTOCOL.md has it, of a client that speaks this version. */
function hello(major: number, minor: number): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(8 + 14 + 9);
  const view = new DataView(frame.buffer);
  view.setUint32(0, frame.length - 8);
  frame[8] = 1; // hello; flags, number and remaining time stay 0
  frame.set(new TextEncoder().encode("DNMO"), 22);
  view.setUint16(26, major);
  view.setUint16(28, minor);
  view.setUint32(4, crc32c(frame.subarray(8)));
  return frame;
}

/** Send bytes to a port and give what comes back until the other side closes, or after `enough` bytes. */
async function exchange(
  port: number,
  bytes: Uint8Array<ArrayBuffer>,
  enough = Infinity,
): Promise<Uint8Array> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  const answer: number[] = [];
  const piece = new Uint8Array(4096);
  while (answer.length < enough) {
    const count = await connection.read(piece).catch(() => null); // a reset is an end too
    if (count === null) break;
    answer.push(...piece.subarray(0, count));
  }
  return Uint8Array.from(answer);
}

Deno.test("FAULTS 16, 54: an unknown protocol major is refused by name, a newer minor is welcome, garbage is closed", async () => {
  using scratch = new Scratch();
  await using node = new Server(["--port", "0", "--storage-path", `${scratch.path}/data`]);
  const port = await node.serving();
  const refusal = await exchange(port, hello(2, 0)); // to its end: the node hangs up
  assertEquals([refusal[8], refusal[22]], [3, 1], "refused, for the version");
  assertEquals(new TextDecoder().decode(refusal.subarray(23)), "protocol 2.0 is not spoken here, 1.0 is");

  const welcome = await exchange(port, hello(1, 7), 26);
  assertEquals([welcome[8], ...welcome.subarray(22, 26)], [2, 0, 1, 0, 0], "welcome, and 1.0 will be spoken");

  const tls = Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03);
  const http = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  for (const garbage of [tls, http, new Uint8Array(64).fill(0xff), new Uint8Array(64)]) {
    assertEquals(await exchange(port, garbage), new Uint8Array(0), "closed without an answer");
  }
  await using client = await Client.connect(`127.0.0.1:${port}`);
  await client.ping();
});
