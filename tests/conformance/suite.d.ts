/** The test suite of `abstract-level`, which has no types of its own. */
export default function suite(options: {
  /** `tape`'s test function. */
  readonly test: unknown;
  /** Makes an isolated database. */
  readonly factory: (options?: object) => unknown;
}): void;
