/**
 * `deno run -A tests/sim/replay.ts SEED [OPTIONS] [--log]`: one run again, told in full, with what its nodes log;
 * OPTIONS is JSON as a failing run prints it. The last line is the trace hash.
 *
 * @module
 */

import type { LogLine } from "../../actors/simulated/log.ts";
import { explainRun, type ScenarioOptions, simulate } from "./scenario.ts";

if (import.meta.main) {
  const [seed = "1", json = "{}"] = Deno.args.filter((argument) => argument !== "--log");
  const options: ScenarioOptions = JSON.parse(json);
  const print = (text: string) => void Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
  const onLog = Deno.args.includes("--log")
    ? ({ at, node, level, message, fields }: LogLine) =>
      print(`${at.toFixed(1)} ${node} ${level} ${message} ${JSON.stringify(fields)}`)
    : undefined;
  const report = await simulate(Number(seed), { ...options, ...(onLog && { onLog }) });
  print(explainRun(report));
  print(`${report.operations.length} calls, ${report.events} events, ${report.simulatedMs.toFixed(0)} ms`);
  print(`trace ${report.traceHash}`);
  if (report.violations.length > 0) Deno.exit(1);
}
