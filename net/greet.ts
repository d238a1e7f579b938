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
import { type Facts, HELLO, PROTOCOL_VERSION, REFUSED, WELCOME } from "./messages/handshake.ts";
import { readMessage } from "./messages/message.ts";

/** The other side does not want this one, or this one not the other. */
export class HandshakeRefused extends WireError {
  /**
   * @param refusal the code, as in `RefusalCode`, or `wrong-node` @param message for people
   * @param life the number of the later life of this node that the other side knows of; 0 where that is not the reason
   */
  constructor(readonly refusal: string, message: string, readonly life = 0) {
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
      const { code, message, life } = readMessage(REFUSED, frame);
      throw new HandshakeRefused(code, message, life);
    }
    const { facts: theirs } = readMessage(WELCOME, frame);
    // A client is answered, and a peer told, objects of any size.
    channel.open(own ? { outBytes: LIMITS.messageBytes } : { inBytes: LIMITS.messageBytes });
    return theirs;
  } finally {
    timer.cancel();
  }
}
