import { getConfig, resetSync } from "@logtape/logtape";
import { assert, assertEquals, assertMatch } from "../testing/assert.ts";
import { logToStderr, RealLog } from "./log.ts";

/** What `task` logs in a process that has no LogTape configuration of its own. */
function linesOf(format: "text" | "json", task: () => void): string[] {
  const lines: string[] = [];
  assertEquals(getConfig(), null);
  try {
    logToStderr(format, (line) => lines.push(line));
    task();
  } finally {
    resetSync();
  }
  return lines;
}

Deno.test("log: a line of text has time, level, node, message and fields, and is one line", () => {
  const [line, ...more] = linesOf("text", () => {
    new RealLog("n1", "info").with({ peer: "n2" }).warn("suspected {peer}", {
      silentMs: 1200,
      cause: new Error("no\nanswer"),
      id: Uint8Array.of(1, 255),
      counter: 5n,
    });
  });
  assertEquals(more, []);
  assert(line);
  assertMatch(
    line,
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARN {2}n1 suspected \{peer\} peer=n2 silentMs=1200 /,
  );
  assertMatch(line, / cause="no\\nanswer" id=01ff counter=5\n$/);
});

Deno.test("log: a line of JSON can be parsed; a field cannot pose as the message", () => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const lines = linesOf("json", () => {
    new RealLog("n1", "debug").debug("started", { port: 3001, message: "forged", error: new Error("why") });
    new RealLog("n1", "debug").info("odd", { circular });
  });
  const { time, ...rest } = JSON.parse(lines[0]!);
  assertMatch(time, /Z$/);
  assertEquals(rest, { level: "debug", node: "n1", message: "started", port: 3001, error: "why" });
  assertEquals(JSON.parse(lines[1]!).message, "odd");
});

Deno.test("log: each node of a process keeps its own level", () => {
  const lines = linesOf("json", () => {
    for (
      const log of [new RealLog("loud", "debug"), new RealLog("calm", "error"), new RealLog("mute", "silent")]
    ) {
      log.debug("d");
      log.info("i");
      log.warn("w");
      log.error("e");
    }
  });
  const said = lines.map((line) => JSON.parse(line)).map(({ node, message }) => node + message).join(" ");
  assertEquals(said, "loudd loudi loudw loude calme");
});

Deno.test("log: an application's own LogTape configuration stays", () => {
  linesOf("text", () => {
    const before = getConfig();
    logToStderr("json");
    assertEquals(getConfig(), before);
  });
});
