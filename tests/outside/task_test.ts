/**
 * The tasks that the README begins with, as they are typed, and the compiled program.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import { denamo, ROOT, Running, Scratch, until, VARIABLES } from "./harness.ts";

/** `deno task` with these arguments, and more variables. */
async function task(args: string[], variables: Record<string, string> = {}) {
  const { DENORT_BIN: _, ...inherited } = Deno.env.toObject();
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["task", ...args],
    cwd: ROOT,
    env: { ...inherited, ...VARIABLES, ...variables },
    clearEnv: true,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code: output.code, said: decoder.decode(output.stdout) + decoder.decode(output.stderr) };
}

/** How many processes there are whose command line names the directory. */
async function processesOf(directory: string): Promise<number> {
  // By way of a shell: Deno itself reads /proc only with every permission. The name comes as input, or the
  // search would find itself.
  const search = new Deno.Command("sh", {
    args: ["-c", "grep -lsF -f - /proc/[0-9]*/cmdline"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = search.stdin.getWriter();
  await input.write(new TextEncoder().encode(`${directory}/\n`));
  await input.close();
  const { stdout } = await search.output();
  return new TextDecoder().decode(stdout).split("\n").length - 1;
}

Deno.test("deno task cluster: three nodes that serve; Ctrl-C ends them all and it exits 0", async () => {
  await using cluster = new Running({ args: ["task", "cluster"], cwd: ROOT });
  await cluster.said(/3 nodes are ready/);
  const ports = await until("the nodes' addresses", () => {
    const found = cluster.out.map((line) => /^ {2}n\d {2}127\.0\.0\.1:(\d+)$/.exec(line)?.[1]);
    const known = found.filter((port) => port !== undefined);
    return known.length === 3 ? known : null;
  });
  const [, directory] = await cluster.said(/data in (\S+), removed when they stop/);
  assertEquals((await denamo(["put", "-p", ports[0]!, "-k", "foo", "-v", "bar"])).code, 0);
  assertEquals((await denamo(["get", "-p", ports[2]!, "-k", "foo", "--raw"])).out, "bar");
  await cluster.said(/^n2 │ /); // logs carry the node's name
  assertEquals(await processesOf(directory!), 3);

  cluster.signal("SIGINT");
  assertEquals(await cluster.ended, 0, cluster.err.join("\n"));
  assertEquals(await processesOf(directory!), 0);
  await until("the data to be gone", () => {
    try {
      Deno.statSync(directory!);
      return false;
    } catch (error) {
      return error instanceof Deno.errors.NotFound;
    }
  });
});

Deno.test("deno task demo tells the whole story and exits 0", async () => {
  const { code, said } = await task(["demo", "--seconds", "1", "--clients", "4"]);
  assertEquals(code, 0, said);
  for (
    const told of [/1383588930.*1093081014|1093081014.*1383588930/, /3289643150/, / 0 missing/, /The end/]
  ) {
    assertMatch(said, told);
  }
});

Deno.test("deno task compile: where the runtime cannot be fetched it fails and says plainly what to do", async () => {
  // A cache without runtimes, and no way out.
  using scratch = new Scratch();
  const info = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"], cwd: ROOT }).output();
  const { denoDir } = JSON.parse(new TextDecoder().decode(info.stdout)) as { denoDir: string };
  for (const { name } of Deno.readDirSync(denoDir)) {
    if (name !== "dl") Deno.symlinkSync(`${denoDir}/${name}`, `${scratch.path}/${name}`);
  }
  const nowhere = "http://127.0.0.1:9";
  const variables = { HTTP_PROXY: nowhere, HTTPS_PROXY: nowhere, https_proxy: nowhere, NO_PROXY: "" };
  const { code, said } = await task(["compile"], { ...variables, DENO_DIR: scratch.path });
  assert(code !== 0);
  assertMatch(said, /the runtime to embed could not be downloaded, so there is no dist\/denamo/);
  assertMatch(said, /DENORT_BIN=\/path\/to\/denort/);
});
