/**
 * What a node finds in its directory: its vote on the ring, whether it may still trust that, its store.
 *
 * @module
 */

import type { Pace } from "../storage/engine.ts";
import { type Acceptor, acceptorOf } from "../actors/ring_manager/commit.ts";
import type { OperatorOptions } from "../actors/operator/operator.ts";
import { decodeAcceptor, encodeAcceptor } from "../actors/ring_manager/commit_codec.ts";
import { createRing, type Ring } from "../actors/ring_manager/ring.ts";
import { decodeUtf8, encodeUtf8, equalBytes, fromHex, toHex } from "../actors/runtime/bytes.ts";
import type { Environment } from "../actors/runtime/environment.ts";
import type { Engine } from "../storage/engine.ts";
import { type EngineName, ENGINES, storeDirectory } from "../storage/engines.ts";
import { lookInto, openEngine } from "../storage/open.ts";
import { type Fact, type NodeJournal, openNodeJournal } from "../storage/node_journal.ts";
import { COLLECTION_DOUBTS, hasSuspects, saveSuspects, suspectsOf } from "./collection_memory.ts";
import type { Settings } from "./node_options.ts";

/** The facts of the node's journal that are this file's. */
const VOTE = "vote";
const STORE = "store";
const NOT_WHOLE = "not-whole";
const ABSTAINS = "abstains";
const ASKED = "asked";
const NO_BYTES = new Uint8Array(0);
const YES = Uint8Array.of(1);
/** What is remembered in the place of an id when the store forgets everything with its process. */
export const VOLATILE: Uint8Array = encodeUtf8("volatile");

/** The value of `not-whole` where nothing is missing but what a crash may have torn off. */
const TORN = Uint8Array.of(2);
/** What a journal says of which any fact may be older than it should be; once in doubt, a vote is always in doubt. */
const DOUBTS: readonly Fact[] = [[ABSTAINS, YES], [NOT_WHOLE, YES], ...COLLECTION_DOUBTS];

/** Where in its data directory a node keeps its own journal. */
export function journalDirectory(path: string): string {
  return `${path}/node`;
}

/** What a journal needs of its node's environment. */
type JournalEnvironment = Pick<Environment, "disk" | "clock" | "random" | "log">;

/** Open the node's own journal, in its part of the directory. */
export function openJournal(
  { path }: Pick<Settings, "path">,
  environment: JournalEnvironment,
): Promise<NodeJournal> {
  return openNodeJournal({
    ...environment,
    directory: journalDirectory(path),
    doubts: DOUBTS,
    vital: [VOTE],
  });
}

/** Whether this node still knows everything it promised. */
export function mayVote(journal: NodeJournal): boolean {
  return (journal.get(ABSTAINS)?.length ?? 0) === 0;
}

/**
 * Write into a copy of a node's directory that it may be older than what the node has promised and acknowledged since:
 * whoever starts on it fetches everything from the other members before its reads count, and does not vote.
 */
export async function castDoubt(path: string, environment: JournalEnvironment): Promise<void> {
  await withFacts(path, environment, DOUBTS);
}

/** Nobody lives who could remember what the copy does not know of: let who starts on it vote. */
export async function letVote(path: string, environment: JournalEnvironment): Promise<void> {
  await withFacts(path, environment, [[ABSTAINS, NO_BYTES]]);
}

async function withFacts(
  path: string,
  environment: JournalEnvironment,
  facts: readonly Fact[],
): Promise<void> {
  const journal = await openJournal({ path }, environment);
  try {
    for (const fact of facts) await journal.set(...fact);
  } finally {
    await journal.close();
  }
}

/** The node's vote as its journal has it. */
export function loadVote(journal: NodeJournal): Acceptor {
  const kept = journal.get(VOTE);
  if (kept === null) throw new Error("the node's journal has lost its ring");
  const decoded = decodeAcceptor(kept);
  if (!decoded.ok) throw new Error(`the ring in the node's journal: ${decoded.message}`);
  return decoded.acceptor;
}

/** Remember a vote; resolves when it is durable. */
export async function saveVote(journal: NodeJournal, vote: Uint8Array): Promise<void> {
  const before = loadVote(journal).ring;
  await journal.set(VOTE, vote);
  const { clusterId, epoch } = loadVote(journal).ring;
  // Damage to the new ring must not bring back the old one, in which this node may have been alone.
  if (clusterId !== before.clusterId || epoch !== before.epoch) await journal.forgetReplaced();
}

/** Whom this node asked for membership, while it does not know what came of it. */
export function askedOf(journal: NodeJournal): OperatorOptions["asked"] {
  return {
    load: () => {
      const known = journal.get(ASKED);
      return known === null || known.length === 0 ? null : decodeUtf8(known);
    },
    save: (known) => journal.set(ASKED, known === null ? NO_BYTES : encodeUtf8(known)),
  };
}

/** The ring this node belongs to: from its journal, or a new one with itself as the only member. */
export async function ringOf(
  settings: Settings,
  environment: Environment,
  journal: NodeJournal,
  address: string,
): Promise<Ring> {
  if (journal.get(VOTE) !== null) {
    const vote = loadVote(journal);
    const ring = checkKept(vote.ring, settings, journal, address);
    if (ring !== vote.ring) await saveVote(journal, encodeAcceptor(acceptorOf(ring)));
    return ring;
  }
  const ring = createRing({
    clusterId: toHex(environment.random.bytes(16)),
    cluster: settings.cluster,
    n: settings.quorum.n,
    partitions: settings.partitions,
    member: { id: journal.identity, address, zone: settings.zone, weight: settings.weight },
  });
  await journal.set(VOTE, encodeAcceptor(acceptorOf(ring)));
  return ring;
}

/** A cluster's name, N and Q are what they were when it was created; a node's address is what its ring says. */
function checkKept(ring: Ring, settings: Settings, journal: NodeJournal, address: string): Ring {
  const differs = (what: string, configured: unknown, was: unknown) =>
    new Error(
      `${settings.path} belongs to a cluster created with ${what} ${was}, but the configuration says ${configured}`,
    );
  if (ring.cluster !== settings.cluster) throw differs("the name", settings.cluster, ring.cluster);
  if (ring.n !== settings.quorum.n) throw differs("N =", settings.quorum.n, ring.n);
  if (ring.partitions !== settings.partitions) {
    throw differs("partitions =", settings.partitions, ring.partitions);
  }
  const self = ring.members.find((member) => member.id === journal.identity);
  if (self === undefined || self.address === address) return ring;
  if (ring.members.length > 1) {
    throw new Error(
      `${settings.path} belongs to the member at ${self.address}, but this process would be at ${address}; ` +
        `start it there, or with \`advertise\` set to ${self.address}`,
    );
  }
  // Nobody else knows the old address yet.
  return { ...ring, epoch: ring.epoch + 1, members: [{ ...self, address }] };
}

/** The decisions about a node's memory that are pure functions; a test plants a bug by substituting one. */
export const NODE_MEMORY_CORE = { openEngine, mayHaveLost };

/** See {@link NODE_MEMORY_CORE}. */
export type NodeMemoryCore = typeof NODE_MEMORY_CORE;

/** What is known of a store that was opened. */
interface StoreFacts {
  /** Something in it was damaged, or torn by a crash. */
  readonly isDamaged: boolean;
  /** What was lost before has not all been fetched back. */
  readonly wasNotWhole: boolean;
  /** This node had a store before. */
  readonly hadStore: boolean;
  /** This is that store. */
  readonly isTheSame: boolean;
}

/** Whether a store may lack what was once acknowledged from it. */
function mayHaveLost({ isDamaged, wasNotWhole, hadStore, isTheSame }: StoreFacts): boolean {
  return isDamaged || wasNotWhole || (hadStore && !isTheSame);
}

/**
 * Open the store, and tell whether it may have lost what it once acknowledged: it is damaged, it is not the store
 * that this node's data was in the last time, or what was lost before has not all been fetched back.
 */
export async function openStore(
  settings: Settings,
  environment: Environment & { readonly pace?: Pace },
  journal: NodeJournal,
  core: NodeMemoryCore,
): Promise<{ engine: Engine; lossy: boolean; isSerious: boolean; suspects: readonly number[] }> {
  const { sync, persist } = settings;
  await refuseOtherStores(settings, environment);
  const directory = storeDirectory(settings.path, settings.engine);
  const options = { ...environment, directory, sync, persist, reserveBytes: 0 }; // the node's own is for all
  const engine = await core.openEngine(settings.engine, options);
  try {
    if (journal.get(STORE) === null && engine.partitions().length > 0) {
      throw new Error(
        `${directory} holds data, but ${
          journalDirectory(settings.path)
        } has lost whose: bring that directory back from a backup, ` +
          `or move both away to start an empty node`,
      );
    }
    return { engine, ...await noteStore(engine, journal, core) };
  } catch (error) {
    await engine.close().catch(() => {});
    throw error;
  }
}

/** A node that was told to use another engine than before would start empty, with its data beside it. */
export async function refuseOtherStores(
  { path, engine }: Pick<Settings, "path" | "engine">,
  environment: Environment,
): Promise<void> {
  for (const other of ENGINES) {
    if (other === engine || !await mayHoldKeys(path, other, environment)) continue;
    throw new Error(
      `${
        storeDirectory(path, other)
      } holds data of the ${other} engine, but the configuration says ${engine}: ` +
        `start with storage.engine ${other}, or move that directory away to start without what is in it`,
    );
  }
}

/** Whether there is a store of an engine, and it may hold anything. */
async function mayHoldKeys(path: string, engine: EngineName, environment: Environment): Promise<boolean> {
  const directory = storeDirectory(path, engine);
  if (!environment.disk.exists(directory)) return false;
  const store = await lookInto(engine, { ...environment, directory, sync: "always" });
  try {
    return store.partitions().length > 0 || store.damageAtOpen.some(({ kind }) => kind === "corrupt");
  } finally {
    await store.close();
  }
}

async function noteStore(
  engine: Engine,
  journal: NodeJournal,
  core: NodeMemoryCore,
): Promise<{ lossy: boolean; isSerious: boolean; suspects: readonly number[] }> {
  const { storeId, damageAtOpen } = engine;
  const id = storeId === null ? VOLATILE : fromHex(storeId)!;
  const known = journal.get(STORE);
  const isTheSame = storeId !== null && known !== null && equalBytes(known, id);
  // A torn tail too: what a crash leaves of writes that nobody was told of looks like damage to the last that somebody
  // was. Who has others asks them.
  const isDamaged = damageAtOpen.some(({ kind }) => kind !== "rebuilt");
  const wasNotWhole = !isWhole(journal);
  const lossy = core.mayHaveLost({ isDamaged, wasNotWhole, hadStore: known !== null, isTheSame });
  const isCorrupt = damageAtOpen.some(({ kind }) => kind === "corrupt") || known !== null && !isTheSame;
  const isSerious = lossy && (isCorrupt || journal.get(NOT_WHOLE)?.[0] === YES[0]);
  const suspects = suspectsOf(journal, engine, isCorrupt);
  // Remembered until everything has been fetched back, and before the new id is: a crash between the two must not
  // leave an empty store that is known. Set even if it was: `markWhole` may be about to take it away.
  if (lossy) await journal.set(NOT_WHOLE, isSerious ? YES : TORN);
  if (hasSuspects(journal) || suspects.length > 0) await saveSuspects(journal, suspects);
  if (!isTheSame) await journal.set(STORE, id);
  return { lossy, isSerious, suspects };
}

/** Whether nothing that was lost has still to be fetched back. */
export function isWhole(journal: NodeJournal): boolean {
  return (journal.get(NOT_WHOLE)?.length ?? 0) === 0;
}

/** Everything that may have been lost has been fetched back. */
export function markWhole(journal: NodeJournal): void {
  // Nobody waits for it: where it cannot be remembered, the next start fetches once more than it need.
  journal.set(NOT_WHOLE, NO_BYTES).catch(() => {});
}

/** Something may be lost that has to be fetched back, at the latest by the next start. */
export function markNotWhole(journal: NodeJournal): Promise<void> {
  return journal.set(NOT_WHOLE, YES);
}
