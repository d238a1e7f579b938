import { assertEquals } from "../actors/runtime/testing/assert.ts";
import { invocation } from "./local_node.ts";

Deno.test("invocation: the form that works where this one did", () => {
  const npx = `npx -y deno@${Deno.version.deno} task denamo`;
  assertEquals(invocation("", "/usr/bin/deno", false), "deno task denamo");
  assertEquals(invocation("run-script", "/usr/bin/deno", false), "deno task denamo");
  assertEquals(invocation("exec", "/usr/lib/node_modules/deno/deno", false), npx);
  assertEquals(invocation("", "/srv/_npx/1/node_modules/deno/deno", false), npx);
  assertEquals(invocation("exec", "/usr/bin/denamo", true), "denamo");
});
