/**
 * The assertions of `@std/assert` with their types. The npm package that republishes the standard library
 * ships none, and without them `assert(x)` does not narrow.
 *
 * @module
 */

import * as std from "@std/assert";

type ErrorClass<E extends Error> = abstract new (...parameters: never[]) => E;

/** The shapes of what `@std/assert` exports, as far as it is used here. */
interface Assertions {
  assert(condition: unknown, message?: string): asserts condition;
  assertEquals<T>(actual: T, expected: T, message?: string): void;
  assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  assertStrictEquals<T>(actual: unknown, expected: T, message?: string): asserts actual is T;
  assertMatch(actual: string, expected: RegExp, message?: string): void;
  assertInstanceOf<T>(
    actual: unknown,
    expected: abstract new (...parameters: never[]) => T,
    message?: string,
  ): asserts actual is T;
  assertThrows<E extends Error = Error>(
    task: () => unknown,
    errorClass?: ErrorClass<E>,
    includes?: string,
    message?: string,
  ): E;
  assertRejects<E extends Error = Error>(
    task: () => PromiseLike<unknown>,
    errorClass?: ErrorClass<E>,
    includes?: string,
    message?: string,
  ): Promise<E>;
  fail(message?: string): never;
}

const typed: Assertions = std as unknown as Assertions;

/** Fail unless the condition is truthy; narrows it. */
export const assert: Assertions["assert"] = typed.assert;
/** Fail unless the two are deeply equal. */
export const assertEquals: Assertions["assertEquals"] = typed.assertEquals;
/** Fail if the two are deeply equal. */
export const assertNotEquals: Assertions["assertNotEquals"] = typed.assertNotEquals;
/** Fail unless the two are the same value (`Object.is`). */
export const assertStrictEquals: Assertions["assertStrictEquals"] = typed.assertStrictEquals;
/** Fail unless the text matches. */
export const assertMatch: Assertions["assertMatch"] = typed.assertMatch;
/** Fail unless the value is an instance of the class; narrows it. */
export const assertInstanceOf: Assertions["assertInstanceOf"] = typed.assertInstanceOf;
/** Fail unless the task throws (an error of the class, whose message includes the text); gives the error. */
export const assertThrows: Assertions["assertThrows"] = typed.assertThrows;
/** Fail unless the promise rejects (as {@link assertThrows}); gives the error. */
export const assertRejects: Assertions["assertRejects"] = typed.assertRejects;
/** Fail. */
export const fail: Assertions["fail"] = typed.fail;
