/**
 * The handshake from the side that connects, be it a peer or a client.
 *
 * @module
 */

import { NetworkError } from "../actors/runtime/environment.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import type { Channel } from "./channel.ts";
import { WireError } from "./frame.ts";
import { type NodeFacts, wireFacts } from "./handshake.ts";
import type { ProcessLife } from "./lives.ts";
import { type Facts, HELLO, PROTOCOL_VERSION, REFUSED, WELCOME } from "./messages/handshake.ts";
import { readMessage } from "./messages/message.ts";

/** The other side does not want this one, or this one not the other. */
export class HandshakeRefused extends WireError {
  /**
   * @param refusal the code, as in `RefusalCode`, or `wrong-node` @param message for people
   * @param forgotten the life of this node that the other side knows and this one does not; null without one
   */
  constructor(readonly refusal: string, message: string, readonly forgotten: ProcessLife | null = null) {
    super("refused", `${refusal}: ${message}`);
  }
}

/**
 * Say hello as a peer (with `own`) or as a client (null) and open the channel. Gives who answers.
 *
 * @throws {HandshakeRefused} when it is refused, a `WireError` or `NetworkError` when it fails otherwise.
 */
export async function greet(channel: Channel, own: NodeFacts | null): Promise<Facts> {
  const timer = channel.closeAfter(LIMITS.handshakeMs, "no answer to the handshake");
  try {
    const facts = own && wireFacts(own);
    channel.send(HELLO, { number: 0 }, { magic: true, version: PROTOCOL_VERSION, facts });
    const frame = await channel.receive();
    if (!frame) throw new NetworkError("reset", channel.closed ?? "hung up in the handshake");
    if (frame.message === REFUSED.number) {
      const { code, message, forgotten } = readMessage(REFUSED, frame);
      throw new HandshakeRefused(code, message, forgotten);
    }
    const { facts: theirs } = readMessage(WELCOME, frame);
    // A client is answered, and a peer told, objects of any size.
    channel.open(own ? { outBytes: LIMITS.messageBytes } : { inBytes: LIMITS.messageBytes });
    return theirs;
  } finally {
    timer.cancel();
  }
}
