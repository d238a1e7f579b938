/**
 * A message in several frames. Merging never refuses, so an object may come to be larger than any frame; it
 * then travels in frames that follow each other, all but the last of them full (`PROTOCOL.md`, "Frame").
 *
 * A reader that took the whole size from the first frame would commit that much on the word of a few bytes.
 * Here every frame brings what it is charged for; the one buffer for all of it is made when the last has come.
 *
 * @module
 */

import { concatBytes } from "../actors/runtime/bytes.ts";
import { type Frame, WireError } from "./frame.ts";

/** What has come of a message so far. */
export class Parts {
  #bodies: Uint8Array[] = [];
  #sizeBytes = 0;
  #message = 0;
  #number = 0;
  #remainingMs = 0;
  #trace: Uint8Array | undefined = undefined;

  /** Bytes kept; 0 between messages. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * Take the next frame. True when it was the last: then it stands on the body of the whole message, under the
   * header of the first. Throws a {@link WireError} when it belongs to another message.
   */
  take(frame: Frame): boolean {
    if (this.#sizeBytes === 0) {
      this.#message = frame.message;
      this.#number = frame.number;
      this.#remainingMs = frame.remainingMs;
      this.#trace = frame.trace;
    } else if (frame.message !== this.#message || frame.number !== this.#number) {
      throw new WireError("unexpected-message", `number ${frame.message} within a message ${this.#message}`);
    } else if (frame.trace !== undefined) {
      throw new WireError("bad-flags", "a trace context within a message");
    }
    this.#sizeBytes += frame.left;
    this.#bodies.push(frame.rest());
    if (frame.more) return false;
    frame.openBody(concatBytes(...this.#bodies));
    frame.remainingMs = this.#remainingMs;
    frame.trace = this.#trace;
    this.#bodies = [];
    this.#sizeBytes = 0;
    return true;
  }
}
