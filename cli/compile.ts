/**
 * `deno task compile`: one executable file, with the permissions denamo needs and no others.
 *
 * `deno compile` appends the program to a Deno runtime made for embedding (denort), which it downloads unless
 * the variable `DENORT_BIN` names one. Where neither is to be had this says so and fails.
 *
 * @module
 */

import { BINARY, PERMISSIONS } from "./permissions.ts";

/** Compile into `output`; the result is the exit code. `denort` is what `DENORT_BIN` says. */
export async function compile(
  output: string,
  denort: string | undefined,
  say: (text: string) => void,
): Promise<number> {
  if (denort !== undefined && denort !== "" && !exists(denort)) {
    say(`deno task compile: DENORT_BIN names ${denort}, and there is no such file\n`);
    return 1;
  }
  const root = new URL("../", import.meta.url);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["compile", ...PERMISSIONS, "--output", output, "cli/main.ts"],
    cwd: root,
    env: { DENO_NO_UPDATE_CHECK: "1", ...(denort !== undefined && { DENORT_BIN: denort }) },
    stdout: "inherit",
    stderr: "piped",
  }).spawn();
  let said = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stderr) {
    const text = decoder.decode(chunk, { stream: true });
    said += text;
    say(text);
  }
  const { code } = await child.status;
  if (code === 0) {
    say(`${output} is ready\n`);
    return 0;
  }
  if (downloadFailed(said)) {
    say(
      `\ndeno task compile: the runtime to embed could not be downloaded, so there is no ${output}.\n` +
        `It comes with each Deno release as denort-${Deno.build.target}.zip, for version ${Deno.version.deno}.\n` +
        "Unpack it on this machine and try again with DENORT_BIN=/path/to/denort, or compile on a machine\n" +
        "that reaches the internet.\n",
    );
  }
  return code;
}

/** Whether the message of a failed `deno compile` says that the runtime could not be fetched. */
export function downloadFailed(output: string): boolean {
  return /denort-\S+\.zip/.test(output); // the last thing it names before it fails
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

if (import.meta.main) {
  const encoder = new TextEncoder();
  const denort = Deno.env.get("DENORT_BIN");
  Deno.exit(await compile(BINARY, denort, (text) => void Deno.stderr.writeSync(encoder.encode(text))));
}
