/**
 * `host:port`, as configurations, rings and people write it.
 *
 * @module
 */

import type { Endpoint } from "../actors/runtime/environment.ts";

/**
 * The endpoint that `address` names. An IPv6 address stands in brackets. Null when it is none.
 *
 * @example
 * ```ts
 * import { parseAddress } from "./address.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseAddress("127.0.0.1:3001"), { host: "127.0.0.1", port: 3001 });
 * assertEquals(parseAddress("[::1]:3001"), { host: "::1", port: 3001 });
 * assertEquals(parseAddress("3001"), null);
 * ```
 */
export function parseAddress(address: string): Endpoint | null {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  return host === undefined || port > 65535 ? null : { host, port };
}

/** The opposite of {@link parseAddress}. */
export function formatAddress({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
