/**
 * Every limit of the system, in one place, with the reason for each number. A limit is refused with one clear
 * error that names it; nothing in denamo grows without one.
 *
 * @module
 */

const KIB = 1024;
const MIB = 1024 * KIB;

/** Sizes and counts that nothing may exceed. Sizes are bytes, times are milliseconds. */
export const LIMITS = {
  /** A key. Keys live in memory with every engine, so they are kept short. At least 1 byte. */
  keyBytes: 1 * KIB,
  /** One value. */
  valueBytes: 8 * MIB,
  /** Siblings of one key, counted where a write mints a version; merging never refuses. */
  siblings: 100,
  /** One key's whole object (clock and all siblings), counted where a write mints a version. */
  objectBytes: 12 * MIB,
  /** Entries in one version vector: one per process life that ever coordinated a write of that key. */
  clockEntries: 4096,
  /** The same where a write mints a version: lower, so that what several coordinators minted can be merged. */
  mintClockEntries: 1024,
  /** Requests an object remembers to be replaced, to know a late retry of one. */
  replacedRequests: 64,
  /** Writes that a coordinator remembers having acknowledged, to know one that comes again; at most twice as many. */
  recentRequests: 4096,
  /** One frame on the wire, header included; the largest object that is minted fits, with its envelope. */
  frameBytes: 16 * MIB,
  /**
   * One message on the wire, in several frames; for what peers say and what clients are answered. What replicas
   * minted apart from each other fits merged, for merging never refuses.
   */
  messageBytes: 256 * MIB,
  /** A frame before the handshake is over: nobody is owed more memory than that yet. */
  handshakeBytes: 4 * KIB,
  /** Nesting of a decoded msgpack value. */
  msgpackDepth: 32,
  /** Values inside one decoded msgpack value; a byte each on the wire, some eight in memory. */
  msgpackItems: 1_048_576,
  /** UTF-8 of a cluster's name, a zone, a member's address. */
  nameBytes: 256,
  /** UTF-8 of a path on a node's machine, which an operator names; PATH_MAX of Linux. */
  pathBytes: 4 * KIB,
  /** Ring members and partitions; a ring travels in one frame. */
  members: 1024,
  /** Partitions Q of the key space. */
  partitions: 65536,
  /** Members times partitions: what a claim weighs at once (some 100 bytes each while it runs). */
  claimCells: 4_194_304,
  /** Ids of former members a ring remembers for ever; past it no member can be removed. */
  removedMembers: 65_536,
  /** Replicas N of a key. */
  replicas: 16,
  /** Messages waiting for one actor, unless its specification says otherwise. */
  mailbox: 65536,
  /** Messages an actor handles before the next one has its turn. */
  messagesPerSlice: 64,
  /** Messages a node handles before it lets the event loop look at sockets and timers. */
  messagesPerTurn: 10_000,
  /** Asks one node may have under way. */
  asks: 65536,
  /** Client connections of one node. */
  connections: 4096,
  /** Requests one connection may have under way; past it the node stops reading from it. */
  requestsPerConnection: 1024,
  /** The same on a new connection; two more with every answer, so that one small burst cannot ask for gigabytes. */
  firstRequests: 32,
  /** Bytes waiting to be read by one client; past it the node stops reading from it. */
  clientOutputBytes: 4 * MIB,
  /** The same, past which a read is answered `overloaded` instead of with its values. */
  clientOutputMaxBytes: 32 * MIB,
  /** Bytes waiting for one peer; past it messages to that peer are dropped and counted. */
  peerOutputBytes: 64 * MIB,
  /** Client requests one coordinator may have under way; past it a request is answered `overloaded`. */
  requestsInFlight: 16384,
  /** Changes of one atomic batch written to a store; three of the largest objects fit. */
  batchBytes: 48 * MIB,
  /** A segment of a journal is closed once it is so long: what an unclean start copies, and cleaning frees. */
  segmentBytes: 64 * MIB,
  /** Bytes waiting to be written to one journal; past it a write is answered `overloaded`. */
  journalBacklogBytes: 64 * MIB,
  /** Put aside for a full disk: what an unclean start copies of one segment, and room for the node's own journal. */
  reserveBytes: 72 * MIB,
  /** Hints kept for one member that is away; past it another is refused, and its write does not count here. */
  hintTargetBytes: 256 * MIB,
  /** Hints kept for all of them: four members that are away at once have their share. */
  hintBytes: 1024 * MIB,
  /** A disk that was full, or failed to read for the LSM engine, is tried again after this long. */
  fullProbeMs: 1_000,
  /** Space that was given up to a full disk is put aside again after so long. */
  reserveAgainMs: 60_000,
  /** Dead bytes that a store's log may always hold; past it, it is cleaned when they are more than half. */
  deadBytes: 16 * MIB,
  /** A store's log that could not be cleaned is tried again after this long. */
  cleaningPauseMs: 10_000,
  /** Bytes a second of work in the background, at most, unless an operator says otherwise; */
  backgroundBytesPerS: 64 * MIB,
  /** at least, however slow clients find the node; */
  backgroundLeastBytesPerS: MIB,
  /** and one client request of a hundred may take so long before it is given less (Dynamo, section 6.5). */
  backgroundTargetMs: 50,
  /** The longest time to live of a value, a hundred years. */
  ttlMs: 100 * 365 * 86_400_000,
  /** The longest deadline a request may ask for. */
  deadlineMs: 60_000,
  /** The deadline of a request that names none. */
  defaultDeadlineMs: 5_000,
  /** A connection that has not finished its handshake by then is closed. */
  handshakeMs: 5_000,
  /** A connection on which nothing was read for so long is closed (half-open peers). */
  idleMs: 300_000,
  /** Connecting to a node takes no longer, or has failed. */
  dialMs: 2_000,
  /** After a failed connection to a peer it is tried again so soon, and at last so seldom. */
  redialMinMs: 50,
  /** See `redialMinMs`. */
  redialMaxMs: 2_000,
  /** The end record of a journal that nothing more is written to is made durable after so long. */
  endSyncMs: 250,
  /** Peers are pinged this often, and idle connections looked at. */
  pingMs: 2_000,
  /** A connection to a peer that has said nothing for so long, not even to a ping, does not pass for one. */
  peerMuteMs: 5_000,
  /** A member that has left is still answered for so long. */
  partingMs: 5_000,
  /** A peer that has said nothing for so long, not even to a ping, is disconnected. */
  peerSilentMs: 10_000,
  /** Bytes of requests one client may have under way; past it the node stops reading from it. */
  requestBytesPerConnection: 32 * MIB,
  /** Out of file descriptors: the next connection is accepted after this pause. */
  acceptPauseMs: 100,
} as const;

// Relations the numbers must keep; a contradiction fails at import, not in production.
if (LIMITS.objectBytes + 64 * KIB > LIMITS.frameBytes) throw new Error("limits: an object must fit a frame");
if (LIMITS.replicas * LIMITS.objectBytes + 64 * KIB > LIMITS.messageBytes) {
  throw new Error("limits: what all replicas of a key minted must fit a message");
}
if (LIMITS.valueBytes >= LIMITS.objectBytes) throw new Error("limits: a value must fit an object");
if (LIMITS.mintClockEntries * 4 > LIMITS.clockEntries) throw new Error("limits: merged clocks must fit");
if (LIMITS.batchBytes < LIMITS.objectBytes + 64 * KIB) throw new Error("limits: an object must fit a batch");
if (LIMITS.journalBacklogBytes < LIMITS.batchBytes) throw new Error("limits: a batch must fit the backlog");
if (LIMITS.reserveBytes < LIMITS.segmentBytes + 4 * MIB) {
  throw new Error("limits: a segment must fit the reserve");
}
if (LIMITS.segmentBytes > 2 ** 27) throw new Error("limits: offsets in a segment are 24 bits, times 8");
if (LIMITS.hintTargetBytes > LIMITS.hintBytes) throw new Error("limits: one member's hints must fit");
if (LIMITS.hintTargetBytes < 2 * LIMITS.objectBytes) throw new Error("limits: an object must fit a hint");
if (LIMITS.defaultDeadlineMs > LIMITS.deadlineMs) throw new Error("limits: the default deadline is too long");
