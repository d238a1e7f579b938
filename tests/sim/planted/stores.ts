/**
 * Bugs in what a node makes durable, and in what it believes of a store that lost something.
 *
 * @module
 */

import { type Engine, EngineError, type EngineErrorCode } from "../../../storage/engine.ts";
import {
  decodeRecordHeader,
  encodeRecordHeader,
  RECORD_HEADER_BYTES,
  recordBytes,
  SEGMENT_HEADER_BYTES,
} from "../../../storage/journal/format.ts";
import { listSegments, readHeader, segmentPath } from "../../../storage/journal/segments.ts";
import { preferenceList } from "../../../actors/ring_manager/ring.ts";
import { crc32c } from "../../../actors/runtime/crc32c.ts";
import type { DiskFile } from "../../../actors/runtime/environment.ts";
import { NODE_MEMORY_CORE, type NodeMemoryCore } from "../../../net/node_memory.ts";
import { ALL_WRITE, type Bug, ONE_OF_TWO, type Plant, TWO_OF_THREE } from "./bug.ts";
import { rotten, wipedAlone, wipedBesideStale } from "./timetable.ts";

const { openEngine, mayHaveLost } = NODE_MEMORY_CORE;

/** In what every node knows of its own store. */
function memory(core: Partial<NodeMemoryCore>): Plant {
  return { cores: { memory: core } };
}

/** In the engine of every node. */
function engine(change: (engine: Engine) => Partial<Engine>): Plant {
  return memory({
    openEngine: async (name, options) => {
      const honest = await openEngine(name, options);
      const changes = change(honest);
      return new Proxy(honest, {
        get(target, name) {
          if (name in changes) return changes[name as keyof Engine];
          const value: unknown = Reflect.get(target, name);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  });
}

/** Acknowledges what the engine of any node refuses for this reason. */
function acknowledging(reason: EngineErrorCode): Plant {
  const pretend = (error: unknown) => {
    if (!(error instanceof EngineError && error.code === reason)) throw error;
  };
  return engine((honest) => ({
    write: (changes) => {
      try {
        return honest.write(changes).catch(pretend);
      } catch (error) {
        pretend(error);
        return Promise.resolve();
      }
    },
  }));
}

/** Give every record whose header verifies the checksum of the payload that it has by now. */
function forgeChecksums(file: DiskFile): void {
  const header = readHeader(file);
  if (header === null) return;
  const bytes = new Uint8Array(file.size());
  file.read(bytes, 0);
  for (let at = SEGMENT_HEADER_BYTES; at + RECORD_HEADER_BYTES <= bytes.length;) {
    const record = decodeRecordHeader(header.seed, at, bytes, at);
    if (record === null) return;
    const payload = bytes.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + record.payloadBytes);
    const forged = encodeRecordHeader(header.seed, at, { ...record, payloadCrc: crc32c(payload) });
    if (payload.length === record.payloadBytes) file.write(forged, at);
    at += recordBytes(record.payloadBytes);
  }
}

/** Opens a journal as if payloads had no checksums. */
const openUnverified: typeof openEngine = (name, options) => {
  const { disk, directory } = options;
  if (disk.exists(directory)) {
    for (const number of listSegments(disk, directory).numbers) {
      const file = disk.open(segmentPath(directory, number), { write: true });
      forgeChecksums(file);
      file.close();
    }
  }
  return openEngine(name, options);
};

/** See the module. */
export const STORE_BUGS: readonly Bug[] = [
  {
    name: "acknowledges before the sync",
    breaks: "a power cut takes what was acknowledged",
    plan: { faults: ["power", "all-power"] },
    plant: () =>
      memory({
        openEngine: (name, options) => openEngine(name, { ...options, sync: { intervalMs: 1_000 } }),
      }),
  },
  {
    name: "a failed sync is no reason not to acknowledge",
    breaks: "a replica that takes nothing any more counts towards W (PostgreSQL's fsyncgate)",
    plan: { faults: ["sync-error"], quorum: ONE_OF_TWO },
    plant: () => acknowledging("poisoned"),
  },
  {
    name: "a full disk acknowledges",
    breaks: "a replica that takes nothing just now counts towards W",
    plan: { faults: ["no-space"], quorum: ALL_WRITE },
    plant: () => acknowledging("full"),
  },
  {
    name: "checksums are not verified when a store is opened",
    breaks: "a flipped bit becomes a value, a version or a key (bitcask)",
    plan: { faults: [], ops: 60, adjust: rotten },
    plant: () => ({
      cores: { memory: { openEngine: openUnverified }, replicaStore: { verifyValues: () => true } },
    }),
  },
  {
    name: "an empty store under an old name is taken for whole",
    breaks: "a wiped store says that nothing is there (FAULTS 51)",
    plan: { faults: ["wipe"], quorum: ONE_OF_TWO },
    plant: () => memory({ mayHaveLost: (facts) => mayHaveLost({ ...facts, isTheSame: true }) }),
  },
  {
    name: "a restart forgets that a refill was not finished",
    breaks: "half a store counts as whole",
    plan: { faults: [], quorum: ONE_OF_TWO, adjust: wipedAlone },
    plant: () => memory({ mayHaveLost: (facts) => mayHaveLost({ ...facts, wasNotWhole: false }) }),
  },
  {
    name: "a refill asks one owner only",
    breaks: "an acknowledged write may be on another one",
    plan: { faults: [], quorum: TWO_OF_THREE, adjust: wipedBesideStale },
    plant: () => ({
      cores: {
        refiller: {
          sourcesOf: (ring, partition, node) =>
            preferenceList(ring, partition).map(({ id }) => id).filter((id) => id !== node).slice(0, 1),
        },
      },
    }),
  },
];
