/**
 * Kinds of values that people type: on the command line, in a `DENAMO_*` variable, in a configuration file.
 * A kind knows how to read its value from text and from JSON, and what to say it expected when it cannot.
 *
 * @module
 */

import { LIMITS } from "../actors/runtime/limits.ts";
import { didYouMean } from "./suggest.ts";

/** How to read one kind of value; `undefined` means that it is not one. */
export interface Kind<T> {
  /** Completes "expected …". */
  readonly expected: string;
  /** What help shows in the value's place, e.g. `PORT`; empty for a switch, which takes no value. */
  readonly placeholder: string;
  /** What follows an error about such a text, where it is known what was meant. */
  hint?(text: string): string;
  /** From a flag or a variable. */
  fromText(text: string): T | undefined;
  /** From a configuration file. */
  fromJson(value: unknown): T | undefined;
}

/** Any text, the empty one included. */
export function text(placeholder = "TEXT"): Kind<string> {
  return {
    expected: "text",
    placeholder,
    fromText: (text) => text,
    fromJson: (value) => typeof value === "string" ? value : undefined,
  };
}

/** Text as it goes into the ring: short, and fit for a line of a log. */
export function label(placeholder = "NAME"): Kind<string> {
  const fromText = (text: string) => {
    const sizeBytes = new TextEncoder().encode(text).length;
    const fits = sizeBytes >= 1 && sizeBytes <= LIMITS.nameBytes;
    return fits && text.isWellFormed() && !/\p{Cc}/u.test(text) ? text : undefined;
  };
  return {
    expected: `text of 1 to ${LIMITS.nameBytes} bytes without control characters`,
    placeholder,
    fromText,
    fromJson: (value) => typeof value === "string" ? fromText(value) : undefined,
  };
}

/** Text that is not empty. */
export function name(placeholder = "NAME"): Kind<string> {
  const fromText = (text: string) => text === "" ? undefined : text;
  return {
    expected: "text that is not empty",
    placeholder,
    fromText,
    fromJson: (value) => typeof value === "string" ? fromText(value) : undefined,
  };
}

/** An integer between two bounds, both included. */
export function integer(least: number, most: number, placeholder = "NUMBER"): Kind<number> {
  const fromJson = (value: unknown) =>
    typeof value === "number" && Number.isInteger(value) && value >= least && value <= most
      ? value
      : undefined;
  return {
    expected: `an integer from ${least} to ${most}`,
    placeholder,
    fromText: (text) => /^-?\d{1,15}$/.test(text) ? fromJson(Number(text)) : undefined,
    fromJson,
  };
}

/** A TCP port. Port 0, "any free one", only where something listens. */
export const port: Kind<number> = integer(1, 65535, "PORT");

/** A number greater than 0. */
export const positive: Kind<number> = {
  expected: "a number greater than 0",
  placeholder: "NUMBER",
  fromText: (text) => /^\d{1,9}(\.\d{1,9})?$/.test(text) ? positive.fromJson(Number(text)) : undefined,
  fromJson: (value) =>
    typeof value === "number" && value > 0 && value <= Number.MAX_SAFE_INTEGER ? value : undefined,
};

/** A node's weight; `actors/ring_manager/ring.ts` takes no other. */
export const weight: Kind<number> = {
  ...positive,
  expected: "a number from 0.001 to 1000",
  fromText: (text) => weight.fromJson(positive.fromText(text)),
  fromJson: (value) => typeof value === "number" && value >= 0.001 && value <= 1000 ? value : undefined,
};

/** Yes or no where a value has to be written (`storage.persist`). */
export const boolean: Kind<boolean> = {
  expected: "true or false",
  placeholder: "true|false",
  fromText: (text) => text === "true" ? true : text === "false" ? false : undefined,
  fromJson: (value) => typeof value === "boolean" ? value : undefined,
};

/** A flag that takes no value (`--json`). */
export const toggle: Kind<boolean> = { ...boolean, expected: "no value", placeholder: "" };

/** One of a few words. */
export function choice<const W extends string>(...words: readonly W[]): Kind<W> {
  const fromText = (text: string) => words.find((word) => word === text);
  return {
    expected: words.length === 1 ? `"${words[0]}"` : `one of ${words.map((word) => `"${word}"`).join(", ")}`,
    placeholder: words.join("|"),
    hint: (text) => didYouMean(text, words),
    fromText,
    fromJson: (value) => typeof value === "string" ? fromText(value) : undefined,
  };
}

/** A context as `get` prints it, bytes in hexadecimal: none for a key that is not there. */
export const context: Kind<Uint8Array> = {
  expected: "bytes in hexadecimal, an even number of digits 0-9 and a-f",
  placeholder: "HEX",
  fromText: (text) => /^([0-9a-f]{2})*$/i.test(text) ? Uint8Array.fromHex(text) : undefined,
  fromJson: (value) => typeof value === "string" ? context.fromText(value) : undefined,
};

/** `host:port`, an IPv6 host in brackets. */
export const address: Kind<string> = {
  expected: "host:port",
  placeholder: "HOST:PORT",
  fromText: (text) => {
    const parts = /^(\[[0-9a-f:.]+\]|[^:\s[\]]+):(\d{1,5})$/i.exec(text);
    return parts && port.fromText(parts[2]!) !== undefined ? text : undefined;
  },
  fromJson: (value) => typeof value === "string" ? address.fromText(value) : undefined,
};

/** An address that other nodes can use: no wildcard, which means "every address of mine". */
export const reachable: Kind<string> = {
  expected: "host:port of one host, no wildcard like 0.0.0.0 or [::]",
  placeholder: address.placeholder,
  fromText: (text) => {
    const host = address.fromText(text)?.replace(/:\d+$/, "");
    if (host === undefined || label().fromText(text) === undefined) return undefined;
    return /^([0.*]+|\[(::ffff:)?[0:.]+\])$/i.test(host) ? undefined : text;
  },
  fromJson: (value) => typeof value === "string" ? reachable.fromText(value) : undefined,
};

/** Several of a kind: an array in JSON, separated by commas in text. */
export function list<T>(item: Kind<T>): Kind<readonly T[]> {
  const whole = (items: (T | undefined)[]) =>
    items.some((item) => item === undefined) ? undefined : items as T[];
  const parts = (text: string) => text === "" ? [] : text.split(",").map((part) => part.trim());
  return {
    expected: `a list of ${item.expected}`,
    placeholder: `${item.placeholder},…`,
    hint: (text) => {
      const wrong = parts(text).find((part) => item.fromText(part) === undefined);
      return wrong === undefined ? "" : item.hint?.(wrong) ?? "";
    },
    fromText: (text) => whole(parts(text).map(item.fromText)),
    fromJson: (value) => Array.isArray(value) ? whole(value.map((part) => item.fromJson(part))) : undefined,
  };
}

/** When a write counts as durable: at once, never, or within so many milliseconds. */
export const sync: Kind<"always" | "never" | number> = {
  expected: '"always", "never", or milliseconds from 1 to 60000',
  placeholder: "always|never|MS",
  fromText: (text) => text === "always" || text === "never" ? text : intervalMs.fromText(text),
  fromJson: (value) => value === "always" || value === "never" ? value : intervalMs.fromJson(value),
};
const intervalMs = integer(1, 60_000);
