/**
 * What a client's calls reject with.
 *
 * @module
 */

import type { Failure, FailureCode } from "../actors/coordinator/protocol.ts";
import type { AskErrorCode } from "../actors/runtime/protocol.ts";

/** Why a call failed: what nodes answer, and what a client finds out by itself. */
export type ClientErrorCode =
  | FailureCode
  | AskErrorCode
  /** No node could be reached in time, or all refused. */
  | "connect"
  /** The connection broke and the question cannot be asked twice. */
  | "lost"
  /** The caller's signal. */
  | "aborted"
  /** A value arrived that does not match its CRC-32C: it is not given out. */
  | "corrupt"
  /** The client was closed. */
  | "closed";

/** A failed call as a value. */
export type ClientFailure = Omit<Failure, "code"> & { readonly code: ClientErrorCode };

/** A failed call, thrown. */
export class DenamoError extends Error {
  /** `DenamoError`. */
  override readonly name = "DenamoError";
  /** Why. */
  readonly code: ClientErrorCode;
  /** Whether what was asked for certainly did not happen. Reads are always definite. */
  readonly definite: boolean;
  /** Replicas that answered well, where a quorum was not met. */
  readonly answered?: number;
  /** Replicas that had to. */
  readonly needed?: number;

  /** The error that tells of a failure. */
  constructor({ code, definite, message, answered, needed }: ClientFailure) {
    super(`${code}: ${message}`);
    this.code = code;
    this.definite = definite;
    if (answered !== undefined) this.answered = answered;
    if (needed !== undefined) this.needed = needed;
  }
}

/** A failure that certainly changed nothing. */
export function definitely(code: ClientErrorCode, message: string): ClientFailure {
  return { ok: false, code, message, definite: true };
}
