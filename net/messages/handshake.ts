/**
 * The first words on a connection, and the two that keep it. Layouts: `PROTOCOL.md`, "Handshake".
 *
 * @module
 */

import { equalBytes } from "../../actors/runtime/bytes.ts";
import type { NodeId } from "../../actors/replica_store/protocol.ts";
import type { Frame } from "../frame.ts";
import type { FrameWriter } from "../frame_writer.ts";
import { flags, type Message, ordinal, word } from "./message.ts";
import { shortUtf8 } from "./requests.ts";

/** The protocol spoken here: another major number is refused, of two minor ones the lower is spoken. */
export const PROTOCOL_VERSION: Version = { major: 1, minor: 0 };

/** `DNMO`: what a hello begins with. */
export const MAGIC: Uint8Array = Uint8Array.of(0x44, 0x4e, 0x4d, 0x4f);

/** A protocol version. */
export interface Version {
  /** Raised when old and new cannot talk. */
  readonly major: number;
  /** Raised when something was added. */
  readonly minor: number;
}

/** What both sides of a peer connection must agree on, and who they are. */
export interface Facts {
  /** The node. */
  readonly nodeId: NodeId;
  /** 8 random bytes of this process, as 16 hex digits. */
  readonly bootId: string;
  /** The durable number of this process's start. */
  readonly life: number;
  /** The boot ids of the node's earlier lives, the latest first; at most 255. */
  readonly pastBootIds: readonly string[];
  /** Where it is reached, `host:port`. */
  readonly address: string;
  /** The cluster's name. */
  readonly cluster: string;
  /** The cluster's id, 32 hex digits. */
  readonly clusterId: string;
  /** Partitions Q. */
  readonly partitions: number;
  /** Replicas N. */
  readonly n: number;
  /** The key hash. */
  readonly hash: string;
  /** The epoch of its ring. */
  readonly epoch: number;
}

/** Why a handshake was refused; append-only, the wire numbers them. */
export const REFUSAL_CODES = [
  "bad-magic",
  "version",
  "cluster",
  "cluster-id",
  "partitions",
  "n",
  "hash",
  "removed",
  "duplicate-id",
  "too-many-connections",
  "draining",
  "not-a-member",
  "forgotten-life",
] as const;

/** See {@link REFUSAL_CODES}. */
export type RefusalCode = typeof REFUSAL_CODES[number];

/** A refused handshake. */
export interface Refused {
  /** Why. */
  readonly code: RefusalCode;
  /** For `forgotten-life`: a life of the refused node, known here, that is not among those it named. */
  readonly forgotten?: { readonly life: number; readonly bootId: string };
  /** For people. */
  readonly message: string;
}

/** The first frame on a connection. `facts` is null for a client. Nothing is read past a wrong magic. */
export type Hello =
  | { readonly magic: true; readonly version: Version; readonly facts: Facts | null }
  | { readonly magic: false };

function encodeVersion(writer: FrameWriter, { major, minor }: Version): void {
  writer.u16(major);
  writer.u16(minor);
}

function encodeFacts(writer: FrameWriter, facts: Facts): void {
  writer.hex(facts.nodeId);
  writer.hex(facts.bootId);
  writer.u32(facts.life);
  writer.u8(facts.pastBootIds.length);
  for (const bootId of facts.pastBootIds) writer.hex(bootId);
  writer.hex(facts.clusterId);
  writer.u32(facts.partitions);
  writer.u8(facts.n);
  writer.u64(facts.epoch);
  writer.name(facts.hash);
  writer.name(facts.cluster);
  writer.name(facts.address);
}

function decodeFacts(frame: Frame): Facts {
  return {
    nodeId: frame.hex(16),
    bootId: frame.hex(8),
    life: frame.u32(),
    pastBootIds: Array.from({ length: frame.u8() }, () => frame.hex(8)),
    clusterId: frame.hex(16),
    partitions: frame.u32(),
    n: frame.u8(),
    epoch: frame.u64(),
    hash: frame.text(frame.u16()),
    cluster: frame.text(frame.u16()),
    address: frame.text(frame.u16()),
  };
}

const PEER = 1;

/** What the side that connected says first. */
export const HELLO: Message<Hello> = {
  number: 1,
  name: "hello",
  encode(writer, hello) {
    if (!hello.magic) throw new RangeError("a hello is sent with its magic");
    writer.bytes(MAGIC);
    encodeVersion(writer, hello.version);
    writer.u8(hello.facts ? PEER : 0);
    if (hello.facts) encodeFacts(writer, hello.facts);
  },
  decode(frame) {
    const magic = frame.left >= MAGIC.length && equalBytes(frame.bytes(MAGIC.length), MAGIC);
    if (!magic) {
      frame.rest();
      return { magic };
    }
    const version = { major: frame.u16(), minor: frame.u16() };
    if (version.major !== PROTOCOL_VERSION.major) {
      frame.rest();
      return { magic, version, facts: null };
    }
    const facts = flags(frame, PEER) & PEER ? decodeFacts(frame) : null;
    if (version.minor > PROTOCOL_VERSION.minor) frame.rest(); // what a newer one added
    return { magic, version, facts };
  },
};

/** The version both will speak, and who answers. */
export const WELCOME: Message<{ readonly version: Version; readonly facts: Facts }> = {
  number: 2,
  name: "welcome",
  encode(writer, { version, facts }) {
    encodeVersion(writer, version);
    encodeFacts(writer, facts);
  },
  decode: (frame) => ({ version: { major: frame.u16(), minor: frame.u16() }, facts: decodeFacts(frame) }),
};

/** The connection is closed after this. */
export const REFUSED: Message<Refused> = {
  number: 3,
  name: "refused",
  encode(writer, { code, forgotten, message }) {
    writer.u8(ordinal(REFUSAL_CODES, code));
    if (code === "forgotten-life") {
      writer.u32(forgotten!.life);
      writer.hex(forgotten!.bootId);
    }
    writer.bytes(shortUtf8(message));
  },
  decode: (frame) => {
    const code = word(REFUSAL_CODES, frame.u8());
    const forgotten = code === "forgotten-life" && { life: frame.u32(), bootId: frame.hex(8) };
    return { code, ...(forgotten && { forgotten }), message: frame.text(frame.left) };
  },
};

/** Is anyone there? */
export const PING: Message<null> = { number: 4, name: "ping", encode() {}, decode: () => null };

/** Yes. With the ping's number. */
export const PONG: Message<null> = { number: 5, name: "pong", encode() {}, decode: () => null };
