import { assert, assertEquals, assertMatch } from "../actors/runtime/testing/assert.ts";
import { compile, downloadFailed } from "./compile.ts";

Deno.test("compile: the whole program is embedded, given any executable as the runtime", async () => {
  const directory = Deno.makeTempDirSync();
  try {
    let said = "";
    const code = await compile(`${directory}/denamo`, "/bin/sh", (text) => said += text);
    assertEquals(code, 0, said);
    assert(Deno.statSync(`${directory}/denamo`).size > Deno.statSync("/bin/sh").size);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("compile: a DENORT_BIN that is not there is said plainly", async () => {
  let said = "";
  assertEquals(await compile("nowhere/denamo", "/no/such/denort", (text) => said += text), 1);
  assertMatch(said, /DENORT_BIN names \/no\/such\/denort, and there is no such file/);
});

Deno.test("compile: a failed download is told from a program that does not compile", () => {
  assert(
    downloadFailed("Download https://example.org/denort-x86_64-unknown-linux-gnu.zip\nerror: dns error"),
  );
  assert(!downloadFailed("TS2307 [ERROR]: Cannot find module"));
});
