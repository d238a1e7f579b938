/**
 * `deno task check`: everything about the source that can be judged without running it. All steps run; the
 * exit code is 1 when any failed. Arguments (`--frozen`) go to the steps that resolve dependencies.
 *
 * @module
 */

import { PERMISSIONS } from "../cli/permissions.ts";

/** Each step: what people call it, and the arguments of `deno`. */
function steps(options: readonly string[]): [name: string, args: string[]][] {
  return [
    ["format", ["fmt", "--check"]],
    ["lint", ["lint"]],
    ["types", ["check", ...options, "."]],
    ["documentation", ["doc", "--lint", "mod.ts"]],
    ["publishable", ["publish", "--dry-run", "--allow-dirty"]],
    ["layering, banned calls, tidiness", ["test", ...options, ...PERMISSIONS, "tests/tidy_test.ts"]],
  ];
}

const failed: string[] = [];
for (const [name, args] of steps(Deno.args)) {
  const start = performance.now();
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    env: { DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  say(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)\n`);
  if (code === 0) continue;
  failed.push(name);
  Deno.stderr.writeSync(stdout);
  Deno.stderr.writeSync(stderr);
}
if (failed.length > 0) say(`check failed: ${failed.join("; ")}\n`);
Deno.exit(failed.length > 0 ? 1 : 0);

function say(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}
