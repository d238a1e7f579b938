/**
 * Votes as bytes for the journal, and the shapes that a peer's messages of the vote must have.
 *
 * @module
 */

import { LIMITS } from "../runtime/limits.ts";
import { decodeMsgpack, encodeMsgpack, MsgpackError } from "../runtime/msgpack.ts";
import {
  bytes,
  flag,
  hexId,
  integer,
  nullable,
  record,
  type Shape,
  shape,
  ShapeError,
  tagged,
  text,
} from "../runtime/shape.ts";
import type { Acceptor, AcceptReply, AcceptRequest, Ballot, PrepareReply, PrepareRequest } from "./commit.ts";
import type { Ring } from "./ring.ts";
import { decodeRing, encodeRing } from "./ring_codec.ts";

const ballot: Shape<Ballot> = record({ round: integer(1), proposal: hexId(16) });
const ringBytes = bytes(LIMITS.frameBytes);
const accepted = nullable(record({ ballot, ring: ringBytes }));
const noVote = {
  outbid: { promised: ballot },
  "newer-ring": { ring: ringBytes },
  refused: { message: text(1024) },
};

/** The shape of {@link PrepareRequest}. */
export const prepareRequest: Shape<PrepareRequest> = record({ ballot, ring: ringBytes, fence: flag });
/** The shape of {@link PrepareReply}. */
export const prepareReply: Shape<PrepareReply> = tagged("kind", {
  promise: { ballot, accepted, holdsData: flag },
  ...noVote,
});
/** The shape of {@link AcceptRequest}. */
export const acceptRequest: Shape<AcceptRequest> = record({ ballot, ring: ringBytes });
/** The shape of {@link AcceptReply}. */
export const acceptReply: Shape<AcceptReply> = tagged("kind", { accepted: { ballot }, ...noVote });

const stored = record({
  ring: ringBytes,
  promised: nullable(ballot),
  accepted,
  fenced: nullable(ballot),
});

/** The bytes of a member's vote; whoever stores them adds a checksum. */
export function encodeAcceptor({ ring, promised, accepted, fenced }: Acceptor): Uint8Array {
  const vote = accepted && { ballot: accepted.ballot, ring: encodeRing(accepted.ring) };
  return encodeMsgpack({ ring: encodeRing(ring), promised, accepted: vote, fenced });
}

/** Outcome of {@link decodeAcceptor}. */
export type DecodedAcceptor =
  | { readonly ok: true; readonly acceptor: Acceptor }
  | { readonly ok: false; readonly message: string };

/** The vote that bytes hold; never throws, whatever they are. */
export function decodeAcceptor(bytes: Uint8Array): DecodedAcceptor {
  try {
    const { ring, promised, accepted, fenced } = shape(stored, decodeMsgpack(bytes));
    const vote = accepted && { ballot: accepted.ballot, ring: soundRing(accepted.ring) };
    return { ok: true, acceptor: { ring: soundRing(ring), promised, accepted: vote, fenced } };
  } catch (error) {
    if (error instanceof MsgpackError || error instanceof ShapeError) {
      return { ok: false, message: error.message };
    }
    throw error;
  }
}

function soundRing(bytes: Uint8Array): Ring {
  const decoded = decodeRing(bytes);
  if (!decoded.ok) throw new ShapeError("ring", decoded.message, bytes);
  return decoded.ring;
}
