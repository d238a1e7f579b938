/**
 * Bugs, put in by substituting a method while a check runs.
 *
 * @module
 */

/** Run `task` while a method is another one. */
export async function planted<T>(
  prototype: T,
  method: keyof T,
  broken: (this: T, ...parameters: never[]) => unknown,
  task: () => void | Promise<void>,
): Promise<void> {
  const whole = Object.getOwnPropertyDescriptor(prototype, method)!;
  Object.defineProperty(prototype, method, { ...whole, value: broken });
  try {
    await task();
  } finally {
    Object.defineProperty(prototype, method, whole);
  }
}
