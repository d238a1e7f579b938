/**
 * Bits flipped in a file of every kind, a sample of them; and stores that do not notice.
 *
 * @module
 */

import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { Bench, rangesOf } from "./flip_campaign.ts";
import { type Exhibit, type Seen, Truth } from "./flip_exhibit.ts";
import { EXHIBITS } from "./flip_exhibits.ts";
import type { Files } from "./memory_disk.ts";

const FLIPS = 250;

for (const name of EXHIBITS) {
  Deno.test(`40, 41: ${FLIPS} bits flipped in turn are all noticed, and nothing wrong is shown: ${name}`, async () => {
    const bench = await Bench.prepare(name);
    const { unnoticed, wrong } = await bench.flip(bench.sample(FLIPS, 1));
    assertEquals(wrong, []);
    assertEquals(rangesOf(unnoticed), "", "bytes in which it was not noticed");
  });
}

/** A store of one file, 4 bytes of value after 4 bytes of value; `isChecked` says which of them have a checksum. */
function trusting(isChecked: (index: number) => boolean): Exhibit {
  const bytes = Uint8Array.from({ length: 64 }, (_, i) => i * 37);
  const truth = new Truth();
  for (let i = 0; i < 16; i++) truth.write([[`value ${i}`, bytes.slice(4 * i, 4 * i + 4)]]);
  const look = (files: Files): Promise<Seen> => {
    const found = files.get("file")!;
    const values = new Map(
      Array.from({ length: 16 }, (_, i) => [`value ${i}`, found.slice(4 * i, 4 * i + 4)]),
    );
    const isBad = found.some((byte, at) => byte !== bytes[at] && isChecked(at >> 2));
    const damage = isBad ? [{ kind: "corrupt" as const, path: "file", offset: 0, detail: "" }] : [];
    return Promise.resolve({ refusal: null, id: "id", damageAtOpen: damage, values, damage, troubles: 0 });
  };
  return { name: "trusting", files: new Map([["file", bytes]]), path: "file", truth, look };
}

Deno.test("planted: a store that trusts its file shows what was never written, and does not notice", async () => {
  const bench = await Bench.of(trusting((index) => index !== 7));
  const { flips, notices, unnoticed, wrong } = await bench.flip(Array(bench.bits).keys());
  assertEquals([flips, notices.open, notices.unnoticed], [512, 480, 32]);
  assertEquals(rangesOf(unnoticed), "28 to 31");
  assert(wrong.length > 0 && wrong.every(({ what }) => /shows what was never written/.test(what)));
});

Deno.test("planted: damage that is reported does not excuse a value that was never written", async () => {
  const bench = await Bench.of(trusting(() => true));
  const { unnoticed, wrong } = await bench.flip([100]);
  assertEquals(unnoticed, []);
  assertEquals(wrong.map(({ bit }) => bit), [100]);
});

Deno.test("planted: a store that shows an older value and says nothing is noticed", async () => {
  const [old, recent] = [Uint8Array.of(1), Uint8Array.of(2)];
  const truth = new Truth();
  truth.write([["value", old]]);
  truth.write([["value", recent]]);
  const look = (files: Files): Promise<Seen> => {
    const values = new Map([["value", files.get("file")![0] === 0 ? recent : old]]);
    return Promise.resolve({ refusal: null, id: "id", damageAtOpen: [], values, damage: [], troubles: 0 });
  };
  const files = new Map([["file", new Uint8Array(1)]]);
  const bench = await Bench.of({ name: "forgetful", files, path: "file", truth, look });
  const { notices, wrong } = await bench.flip([0]);
  assertEquals(notices.unnoticed, 1);
  assertEquals(wrong.map(({ what }) => what), ["value is not what it was (unnoticed)"]);
});
