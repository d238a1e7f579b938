/**
 * Reading a whole store, to find what is damaged.
 *
 * @module
 */

import type { Damage } from "../engine.ts";
import { type FoundDamage, type FoundRecord, type Journal, segmentPath } from "../journal.ts";
import { SEGMENT_HEADER_BYTES } from "../journal/format.ts";
import type { BitcaskCore } from "./core.ts";
import { HINT_HEADER_BYTES, HINT_SUFFIX, HintEncoder } from "./hint.ts";
import type { Hints } from "./hints.ts";
import type { Keydir } from "./keydir.ts";
import { visitRecord } from "./records.ts";

/** What is verified. */
export interface Store {
  /** Its journal. */
  readonly journal: Journal;
  /** Where that is. */
  readonly directory: string;
  /** The keys. */
  readonly keydir: Keydir;
  /** The hint files. */
  readonly hints: Hints;
  /** What decodes. */
  readonly core: BitcaskCore;
}

/** See `Engine.verify`. A hint file that is wrong is reported and made anew; one of a damaged segment is removed. */
export async function verifyStore(
  store: Store,
  onProgress: (fraction: number) => void,
): Promise<Damage[]> {
  const damage: Damage[] = [];
  let current: SegmentCheck | null = null;
  await store.journal.inspect(onProgress, (segment, found) => {
    if (current?.segment !== segment) {
      current?.finish();
      current = new SegmentCheck(store, segment, damage);
    }
    current.take(found);
  });
  (current as SegmentCheck | null)?.finish();
  return damage;
}

/** One segment, and the hint file beside it. */
class SegmentCheck {
  readonly segment: number;
  readonly #store: Store;
  readonly #damage: Damage[];
  /** Makes the hint file that should be there. */
  readonly #encoder = new HintEncoder(() => {});
  #end = SEGMENT_HEADER_BYTES;
  #isDamaged = false;

  constructor(store: Store, segment: number, damage: Damage[]) {
    this.segment = segment;
    this.#store = store;
    this.#damage = damage;
  }

  take(found: FoundRecord | FoundDamage): void {
    this.#end = found.end;
    if (found.kind === "damage") this.#report(found, found.detail);
    else if (!visitRecord(this.#store.core, found, this.#encoder)) {
      this.#report(found, "the record does not decode");
    }
  }

  finish(): void {
    const { journal, hints, directory } = this.#store;
    const { segment } = this;
    if (this.#isDamaged || !journal.isComplete(segment)) return;
    const identity = journal.identify(segment);
    const hint = hints.read(segment);
    if (hint === "absent" || identity === null) return;
    const { seed } = identity;
    const expected = this.#encoder.finish({ number: segment, seed, end: this.#end });
    const isRight = typeof hint !== "string" &&
      expected.every((byte, at) => at >= HINT_HEADER_BYTES || hint.bytes[at] === byte);
    if (isRight) return;
    const isStale = typeof hint !== "string" && (hint.seed !== seed || hint.end !== this.#end);
    const path = segmentPath(directory, segment, HINT_SUFFIX);
    const detail = "the hint file is not what its segment says";
    if (!isStale) this.#damage.push({ kind: "rebuilt", path, offset: 0, detail });
    hints.renew(segment);
  }

  #report({ offset, end }: { readonly offset: number; readonly end: number }, detail: string): void {
    const { keydir, hints, directory } = this.#store;
    this.#isDamaged = true;
    hints.distrust(this.segment);
    const path = segmentPath(directory, this.segment);
    const place = { kind: "corrupt" as const, path, offset, detail };
    const partitions = keydir.partitionsIn(this.segment, offset, end);
    if (partitions.length === 0) this.#damage.push(place);
    for (const partition of partitions) this.#damage.push({ ...place, partition });
  }
}
