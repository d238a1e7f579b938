/**
 * Shapes: what a decoded value must look like, and the type it then has.
 *
 * Bytes from a peer or a disk decode to `unknown`. A shape looks at every field before anyone uses it and
 * builds a fresh value of only what it knows, so that fields a newer version adds are left out and nothing of
 * the input's prototype survives. The first field that is wrong is named.
 *
 * @example
 * ```ts
 * import { hexId, integer, list, optional, record, type Shaped, shape, ShapeError, text } from "./shape.ts";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const member = record({ id: hexId(16), zone: optional(text(256)) });
 * const ring = record({ epoch: integer(1), members: list(member, 1024) });
 * type RingShape = Shaped<typeof ring>;
 *
 * const good: RingShape = shape(ring, { epoch: 1, members: [{ id: "00".repeat(16) }], later: true });
 * assertEquals(good, { epoch: 1, members: [{ id: "00".repeat(16) }] });
 * assertThrows(
 *   () => shape(ring, { epoch: 1, members: [{ id: "0x" }] }),
 *   ShapeError,
 *   "members[0].id: expected 32 lower-case hex digits, got text",
 * );
 * ```
 *
 * @module
 */

/** A value is not what was expected. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
  /**
   * @param path the field, such as `members[3].zone`; empty for the whole value
   * @param expected what should be there, for people
   * @param got what kind of value is there
   */
  constructor(readonly path: string, readonly expected: string, got: unknown) {
    super(`${path === "" ? "value" : path}: expected ${expected}, got ${kindOf(got)}`);
  }
}

/** Looks at a value found at `path`; gives it typed, or throws a {@link ShapeError}. */
export type Shape<T> = (value: unknown, path: string) => T;

/** The type of the values a shape lets through. */
export type Shaped<S> = S extends Shape<infer T> ? T : never;

/** A field that may be missing; made by {@link optional}. */
export interface OptionalField<T> {
  /** The shape it has when it is there. */
  readonly optional: Shape<T>;
}

/** The fields of a {@link record}. */
export type Fields = { readonly [name: string]: Shape<unknown> | OptionalField<unknown> };

/** The type of a record with such fields. */
export type RecordOf<F extends Fields> =
  & { readonly [K in keyof F as F[K] extends OptionalField<unknown> ? never : K]: Shaped<F[K]> }
  & { readonly [K in keyof F as F[K] extends OptionalField<unknown> ? K : never]?: OptionalOf<F[K]> };

/** The type an optional field has when it is there. */
export type OptionalOf<F> = F extends OptionalField<infer T> ? T : never;

/**
 * The value, typed, when it has the shape.
 *
 * @throws {ShapeError} naming the first field that is wrong.
 */
export function shape<T>(expected: Shape<T>, value: unknown): T {
  return expected(value, "");
}

/** A whole number from `least` to `most`. */
export function integer(
  least = Number.MIN_SAFE_INTEGER,
  most: number = Number.MAX_SAFE_INTEGER,
): Shape<number> {
  return (value, path) => {
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) {
      return value as number;
    }
    throw new ShapeError(path, `a whole number from ${least} to ${most}`, value);
  };
}

/** A finite number from `least` to `most`. */
export function real(least: number, most: number): Shape<number> {
  return (value, path) => {
    if (typeof value === "number" && value >= least && value <= most && Number.isFinite(value)) return value;
    throw new ShapeError(path, `a number from ${least} to ${most}`, value);
  };
}

/** True or false. */
export const flag: Shape<boolean> = (value, path) => {
  if (typeof value === "boolean") return value;
  throw new ShapeError(path, "true or false", value);
};

/** Text of at most `mostBytes` bytes of UTF-8; empty text only when `leastBytes` is 0. */
export function text(mostBytes: number, leastBytes = 0): Shape<string> {
  return (value, path) => {
    if (typeof value === "string" && value.length <= mostBytes) {
      const sizeBytes = utf8Bytes(value);
      if (sizeBytes >= leastBytes && sizeBytes <= mostBytes) return value;
    }
    throw new ShapeError(path, `text of ${leastBytes} to ${mostBytes} bytes`, value);
  };
}

/** An id of `sizeBytes` bytes shown as lower-case hex. */
export function hexId(sizeBytes: number): Shape<string> {
  const pattern = new RegExp(`^[0-9a-f]{${2 * sizeBytes}}$`);
  return (value, path) => {
    if (typeof value === "string" && pattern.test(value)) return value;
    throw new ShapeError(path, `${2 * sizeBytes} lower-case hex digits`, value);
  };
}

/** Bytes, `leastBytes` to `mostBytes` of them; by reference. */
export function bytes(mostBytes: number, leastBytes = 0): Shape<Uint8Array> {
  return (value, path) => {
    if (value instanceof Uint8Array && value.length >= leastBytes && value.length <= mostBytes) return value;
    throw new ShapeError(path, `${leastBytes} to ${mostBytes} bytes`, value);
  };
}

/** One of a few texts. */
export function oneOf<const T extends string>(...choices: readonly T[]): Shape<T> {
  return (value, path) => {
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    throw new ShapeError(path, `one of ${choices.join(", ")}`, value);
  };
}

/** Null, or what the other shape wants. */
export function nullable<T>(inner: Shape<T>): Shape<T | null> {
  return (value, path) => value === null ? null : inner(value, path);
}

/** A list of at most `most` such values. */
export function list<T>(inner: Shape<T>, most: number): Shape<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length > most) {
      throw new ShapeError(path, `a list of at most ${most}`, value);
    }
    return Array.from(value, (item, i) => inner(item, `${path}[${i}]`));
  };
}

/** A field of a {@link record} that may be missing. */
export function optional<T>(inner: Shape<T>): OptionalField<T> {
  return { optional: inner };
}

/** A plain object with these fields; others are left out. */
export function record<const F extends Fields>(fields: F): Shape<RecordOf<F>> {
  const names = Object.entries(fields);
  return (value, path) => {
    if (!isPlain(value)) throw new ShapeError(path, "a record", value);
    const known: Record<string, unknown> = {};
    for (const [name, field] of names) {
      const inner = Object.hasOwn(value, name) ? value[name] : undefined;
      if (typeof field !== "function" && inner === undefined) continue;
      const expected = typeof field === "function" ? field : field.optional;
      known[name] = expected(inner, path === "" ? name : `${path}.${name}`);
    }
    return known as RecordOf<F>;
  };
}

/** A {@link record} with no other fields: for what people write, where a slip of the pen must not pass unseen. */
export function exact<const F extends Fields>(fields: F): Shape<RecordOf<F>> {
  const known = record(fields);
  return (value, path) => {
    for (const [name, stranger] of Object.entries(isPlain(value) ? value : {})) {
      if (Object.hasOwn(fields, name)) continue;
      const expected = `no field but ${Object.keys(fields).join(", ")}`;
      throw new ShapeError(path === "" ? name : `${path}.${name}`, expected, stranger);
    }
    return known(value, path);
  };
}

/** One of several records, told apart by the text in field `tag`, which stays in the value. */
export function tagged<const K extends string, const C extends { readonly [tag: string]: Fields }>(
  tag: K,
  cases: C,
): Shape<{ [T in keyof C & string]: { readonly [P in K]: T } & RecordOf<C[T]> }[keyof C & string]> {
  type Union = { [T in keyof C & string]: { readonly [P in K]: T } & RecordOf<C[T]> }[keyof C & string];
  const shapes = new Map(Object.entries(cases).map(([name, fields]) => [name, record(fields)]));
  const names = oneOf(...shapes.keys());
  return (value, path) => {
    if (!isPlain(value)) throw new ShapeError(path, "a record", value);
    const name = names(
      Object.hasOwn(value, tag) ? value[tag] : undefined,
      path === "" ? tag : `${path}.${tag}`,
    );
    return { [tag]: name, ...shapes.get(name)!(value, path) } as unknown as Union;
  };
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "string" ? "text" : `a ${typeof value}`;
}

/** The size of a text in UTF-8, without making the bytes. */
function utf8Bytes(text: string): number {
  let sizeBytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // Each half of a surrogate pair counts for two of the pair's four bytes.
    sizeBytes += unit < 0x80 ? 1 : unit < 0x800 || (unit & 0xf800) === 0xd800 ? 2 : 3;
  }
  return sizeBytes;
}
