/**
 * The one seam between denamo and the world: time, chance, disk, network and log.
 *
 * Every actor is handed an {@link Environment} when it starts and reaches the outside through it alone. The
 * real one (`actors/runtime/real/`) wraps Deno; the simulated one (`actors/simulated/`) runs a whole cluster
 * in one process from one seed. Nothing else in the product may read a clock, roll a die or open a file: a
 * test (`tests/tidy_test.ts`) reads the source and refuses.
 *
 * @module
 */

/** A pending timer. Cancelling one that has fired, or twice, does nothing. */
export interface Timer {
  /** Forget the task; it will not run. */
  cancel(): void;
}

/** Time as one node sees it. */
export interface Clock {
  /** Monotonic milliseconds from an arbitrary origin: for intervals and deadlines. Never jumps back. */
  now(): number;
  /** Milliseconds since the Unix epoch as this machine believes it: for people to read, never to order. */
  wall(): number;
  /** Run `task` once, `delayMs` milliseconds from now. A delay of 0 runs after everything already due. */
  after(delayMs: number, task: () => void): Timer;
}

/** Chance. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** An integer in [0, bound). */
  integer(bound: number): number;
  /** `sizeBytes` fresh random bytes (from the system's secure source in the real environment). */
  bytes(sizeBytes: number): Uint8Array<ArrayBuffer>;
}

/** How a {@link DiskFile} is opened. */
export interface OpenOptions {
  /** Allow writes. Default false. */
  readonly write?: boolean;
  /** Create the file when it is missing (needs `write`). Default false. */
  readonly create?: boolean;
  /** With `create`: fail with code `exists` when the file is already there. Default false. */
  readonly createNew?: boolean;
}

/** Why a disk call failed; everything else is `io`. */
export type DiskErrorCode = "not-found" | "exists" | "no-space" | "read-only" | "denied" | "locked" | "io";

/** What every {@link Disk} call throws or rejects with. */
export class DiskError extends Error {
  /** Always `DiskError`. */
  override readonly name = "DiskError";
  /** Make one. @param code what kind of failure @param path the file or directory @param detail for people */
  constructor(readonly code: DiskErrorCode, readonly path: string, detail: string) {
    super(`${path}: ${detail}`);
  }
}

/**
 * An open file. Reads and writes are synchronous (a system call costs about a microsecond, a promise forty
 * times that); only the sync, which waits for the device, is not.
 */
export interface DiskFile {
  /** The path it was opened with. */
  readonly path: string;
  /** Size in bytes. */
  size(): number;
  /** Fill `into` from byte `position`; returns the bytes read, fewer than asked only at the end of file. */
  read(into: Uint8Array, position: number): number;
  /** Write `bytes` at `position`; returns the bytes written, which may be fewer (a full disk, a signal). */
  write(bytes: Uint8Array, position: number): number;
  /** Cut or extend to `sizeBytes`. */
  truncate(sizeBytes: number): void;
  /** fdatasync: resolves when what was written before the call is on stable storage. */
  sync(): Promise<void>;
  /** Close; closing twice does nothing. */
  close(): void;
}

/** A lock held on a path until released or the process ends. */
export interface Lock {
  /** Let go. Releasing twice does nothing. */
  release(): void;
}

/** Files and directories. Paths use `/`. Every failure is a {@link DiskError}. */
export interface Disk {
  /** Open a file. */
  open(path: string, options?: OpenOptions): DiskFile;
  /** Names in a directory, sorted; `not-found` when it is missing. */
  list(directory: string): string[];
  /** Whether a file or directory is there. */
  exists(path: string): boolean;
  /**
   * When the file was made, in milliseconds since 1970 as the file system has it: the same however it is written or
   * renamed, another for whatever is made in its place, a copy of it too. Null where that is not remembered.
   */
  birthMs(path: string): number | null;
  /** Atomically give a file a new name, replacing what had it. */
  rename(from: string, to: string): void;
  /** Give a file a second name (a hard link); `exists` when the name is taken. */
  link(from: string, to: string): void;
  /** Remove a file or an empty directory. */
  remove(path: string): void;
  /** Make a directory and its parents; nothing happens when it is there. */
  makeDirectory(path: string): void;
  /** Make creations, renames and removals in `directory` survive a power cut. */
  syncDirectory(directory: string): Promise<void>;
  /** Hold `path` (created when missing) for this process until released; `locked` when another has it. */
  lock(path: string): Lock;
}

/** Where something listens or is reached. */
export interface Endpoint {
  /** A host name or address, e.g. `127.0.0.1`. */
  readonly host: string;
  /** A TCP port; 0 asks the system for a free one. */
  readonly port: number;
}

/** A byte stream in both directions. */
export interface Connection {
  /** The other side, for logs. */
  readonly remote: Endpoint;
  /** Read some bytes into `into`: how many, or null at the end of the stream. Rejects once broken. */
  read(into: Uint8Array): Promise<number | null>;
  /** Write some of `bytes`: how many, which may be fewer than given. Rejects once broken or closed. */
  write(bytes: Uint8Array): Promise<number>;
  /** Close both directions at once; one's own reads, pending or later, give null. Closing twice does nothing. */
  close(): void;
}

/** Something that accepts connections. */
export interface Listener {
  /** Where it listens, the port resolved. */
  readonly endpoint: Endpoint;
  /** The next connection; rejects with a {@link NetworkError} (`closed` after {@link Listener.close}). */
  accept(): Promise<Connection>;
  /** Stop accepting. */
  close(): void;
}

/** Why a network call failed. `exhausted`: out of file descriptors, try again later. */
export type NetworkErrorCode = "refused" | "timeout" | "in-use" | "closed" | "reset" | "exhausted" | "failed";

/** What every {@link Network} call rejects with. */
export class NetworkError extends Error {
  /** Always `NetworkError`. */
  override readonly name = "NetworkError";
  /** Make one. @param code what kind of failure @param detail for people */
  constructor(readonly code: NetworkErrorCode, detail: string) {
    super(detail);
  }
}

/** Byte streams between endpoints. */
export interface Network {
  /** Listen; rejects with `in-use` when the port is taken. */
  listen(endpoint: Endpoint): Promise<Listener>;
  /** Connect, giving up after `timeoutMs`. */
  connect(endpoint: Endpoint, timeoutMs: number): Promise<Connection>;
}

/** Named values beside a log message: anything JSON can show. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where a node says what it does. Logging never changes what the node does. */
export interface Log {
  /** Detail for someone chasing a bug. */
  debug(message: string, fields?: LogFields): void;
  /** A step in the node's life. */
  info(message: string, fields?: LogFields): void;
  /** Something an operator may have to look at. */
  warn(message: string, fields?: LogFields): void;
  /** Something an operator must look at. */
  error(message: string, fields?: LogFields): void;
  /** The same log with `fields` on every line. */
  with(fields: LogFields): Log;
}

/** Everything a node may touch outside its own memory. */
export interface Environment {
  /** Time. */
  readonly clock: Clock;
  /** Chance. */
  readonly random: Random;
  /** Files. */
  readonly disk: Disk;
  /** Sockets. */
  readonly network: Network;
  /** Words for people. */
  readonly log: Log;
}
