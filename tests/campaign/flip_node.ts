/**
 * The node's own journal.
 *
 * @module
 */

import { fromHex } from "../../actors/runtime/bytes.ts";
import { SimulatedRandom } from "../../actors/simulated/random.ts";
import type { Damage } from "../../storage/engine.ts";
import { openJournal } from "../../storage/journal.ts";
import { openNodeJournal } from "../../storage/node_journal.ts";
import { type Exhibit, largest, refused, type Seen, Truth } from "./flip_exhibit.ts";
import { type Files, MemoryDisk } from "./memory_disk.ts";
import { timeless } from "./timeless.ts";

const DIRECTORY = "node";

const FACTS = 40;

/** Make the exhibit; always the same. */
export async function nodeExhibit(name: string): Promise<Exhibit> {
  const disk = new MemoryDisk();
  const truth = new Truth();
  const random = new SimulatedRandom(name);
  const journal = await openNodeJournal(timeless(disk, DIRECTORY));
  truth.write([["identity", fromHex(journal.identity)!]]);
  for (let n = 0; n < 250; n++) {
    const fact = [`fact-${random.integer(FACTS)}`, random.bytes(100 + random.integer(200))] as const;
    await journal.set(...fact);
    truth.write([fact]);
  }
  await journal.close();
  const files = disk.snapshot();
  return { name, files, path: largest(files, /\.log$/), truth, look: lookAtJournal };
}

async function lookAtJournal(files: Files, truth: Truth): Promise<Seen> {
  let troubles = 0;
  try {
    const doubts = [["doubt", Uint8Array.of(1)]] as const;
    const place = timeless(new MemoryDisk(files), DIRECTORY, () => troubles++);
    const journal = await openNodeJournal({ ...place, doubts });
    const values = new Map([...truth.written.keys()].map((name) => [name, journal.get(name)]));
    values.set("identity", fromHex(journal.identity));
    const { damageAtOpen } = journal;
    await journal.close().catch(() => {});
    const damage = damageAtOpen.length > 0 ? [] : await verifyFacts(files);
    // Doubts are what a store's id is elsewhere: they tell that it is not what it was.
    const id = journal.get("doubt") ? null : journal.identity;
    return { refusal: null, id, damageAtOpen, values, damage, troubles };
  } catch (error) {
    return refused(error, troubles);
  }
}

/** The journal as a journal. */
async function verifyFacts(files: Files): Promise<readonly Damage[]> {
  const options = { ...timeless(new MemoryDisk(files), DIRECTORY), sync: "always" } as const;
  const journal = await openJournal(options, () => true);
  const damage = await journal.verify();
  await journal.close();
  return damage;
}
