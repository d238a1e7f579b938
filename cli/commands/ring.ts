/**
 * `denamo ring`
 *
 * @module
 */

import type { RingView } from "../../actors/operator/protocol.ts";
import { answer, type Command, command, EXIT, JSON_FLAG, WHERE, withDoor } from "../command.ts";
import type { Flags } from "../flags.ts";
import { bar, brief, type Paint, paint, table } from "../paint.ts";

/** Show who owns what. */
export const ring: Command<Flags> = command({
  name: "ring",
  summary: "Draw the ring: which node comes first for each partition, and each node's share",
  examples: ["ring -p 3001", "ring --json"],
  flags: { ...WHERE, ...JSON_FLAG },
  async run(flags, context) {
    const view = await withDoor(flags, context, (door) => door.admin("ring", {}));
    const { terminal } = context;
    if (flags.json || !terminal.interactive) answer(context, view);
    else terminal.out(showRing(view, paint(terminal.coloured), terminal.columns));
    return EXIT.done;
  },
});

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** The member's letter in the picture; past the alphabet they repeat. */
function letter(index: number): string {
  return LETTERS[index % LETTERS.length]!;
}

/**
 * The ring as people look at it: one letter per partition for the first of its preference list, each line
 * opening with the number of its first partition, and a legend with every member's share.
 */
export function showRing(view: RingView, paint: Paint, columns: number): string {
  const { members, owners } = view;
  const perLine = columns >= 72 ? 64 : 32;
  const digits = String(Math.max(0, owners.length - 1)).length;
  const lines: string[] = [];
  for (let first = 0; first < owners.length; first += perLine) {
    const cells = owners.slice(first, first + perLine).map((list) =>
      list.length === 0 ? paint.red("!") : paint.nth(list[0]!, letter(list[0]!))
    );
    lines.push(`${paint.dim(String(first).padStart(digits))} ${cells.join("")}`);
  }
  const firsts = count(members.length, owners.map((list) => list.slice(0, 1)));
  const replicas = count(members.length, owners);
  const most = Math.max(1, ...replicas);
  const rows = members.map((member, index) => [
    paint.nth(index, letter(index)),
    brief(member.id),
    member.address,
    member.zone,
    String(member.weight),
    String(firsts[index]),
    String(replicas[index]),
    paint.nth(index, bar(replicas[index]! / most, 16)),
  ]);
  const headings = ["", "node", "address", "zone", ">weight", ">first", ">replicas", ""];
  const heading = `ring epoch ${view.epoch}: ${owners.length} partitions, ${members.length} members`;
  return `${paint.bold(heading)}\n\n${lines.join("\n")}\n\n${table(paint, headings, rows)}`;
}

/** How often each member appears. */
function count(members: number, lists: readonly (readonly number[])[]): number[] {
  const counts = new Array<number>(members).fill(0);
  for (const index of lists.flat()) counts[index]! += 1;
  return counts;
}
