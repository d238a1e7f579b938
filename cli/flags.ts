/**
 * Command lines by table: one table of flags gives a command its parsing, its help and its errors.
 *
 * `@std/cli` splits the line. It guesses, though: `-v -5` would be an empty value and a flag named 5. So the
 * line is first put into one form in which nothing is left to guess, `--name=value`, and what the table does
 * not know is refused, never dropped.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import type { Kind } from "./kinds.ts";
import { didYouMean } from "./suggest.ts";

/** One flag of a command; its name is its key in the table. */
export interface Flag<T> {
  /** How its value is read. */
  readonly kind: Kind<T>;
  /** One letter. */
  readonly short?: string;
  /** One line for help. */
  readonly help: string;
  /** The value when the flag is not given; null when it must be. */
  readonly absent: { readonly value: T } | null;
}

/** A command's flags. */
export type Flags = Readonly<Record<string, Flag<unknown>>>;

/** What parsing a table gives. */
export type Values<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

/** A flag that must be given. */
export function required<T>(kind: Kind<T>, help: string, short?: string): Flag<T> {
  return { kind, help, absent: null, ...(short !== undefined && { short }) };
}

/** A flag that may be left out. */
export function optional<T>(kind: Kind<T>, help: string, short?: string): Flag<T | undefined> {
  return { kind, help, absent: { value: undefined }, ...(short !== undefined && { short }) };
}

/** A flag with a default, which help shows. */
export function defaulted<T>(kind: Kind<T>, value: T, help: string, short?: string): Flag<T> {
  return {
    kind,
    help: `${help} (default ${String(value)})`,
    absent: { value },
    ...(short !== undefined && { short }),
  };
}

/** A flag that is there or not. */
export function toggled(kind: Kind<boolean>, help: string, short?: string): Flag<boolean> {
  return { kind, help, absent: { value: false }, ...(short !== undefined && { short }) };
}

/** A line as its table understands it, or what is wrong with it, for people. */
export type Parsed<F extends Flags> =
  | { readonly ok: true; readonly values: Values<F>; readonly words: readonly string[] }
  | { readonly ok: false; readonly problem: string };

/**
 * Read a command line. `words` are the arguments that belong to no flag.
 *
 * @example
 * ```ts
 * import { defaulted, parseFlags, required } from "./flags.ts";
 * import { port, text } from "./kinds.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const flags = { port: defaulted(port, 3001, "The port", "p"), key: required(text(), "The key", "k") };
 * const parsed = parseFlags(["-k", "-5"], flags);
 * assertEquals(parsed, { ok: true, values: { port: 3001, key: "-5" }, words: [] });
 * ```
 */
export function parseFlags<F extends Flags>(line: readonly string[], flags: F): Parsed<F> {
  const canonical = canonicalise(line, flags);
  if (typeof canonical === "string") return { ok: false, problem: canonical };
  const names = Object.keys(flags);
  const switches = names.filter((name) => takesNoValue(flags[name]!));
  const valued = names.filter((name) => !switches.includes(name));
  let problem = "";
  const raw = parseArgs(canonical, {
    string: [...valued, "_"],
    boolean: switches,
    collect: valued,
    unknown: (argument: string) => {
      if (!/^-./.test(argument)) return true;
      const given = argument.split("=")[0]!;
      problem ||= `unknown flag ${given}${didYouMean(given, names.map((name) => `--${name}`))}`;
      return false;
    },
  }) as Record<string, unknown> & { _: string[] };
  if (problem !== "") return { ok: false, problem };

  const values: Record<string, unknown> = {};
  for (const name of names) {
    const flag = flags[name]!;
    if (switches.includes(name)) {
      values[name] = raw[name] === true;
      continue;
    }
    const given = raw[name] as string[] | undefined ?? [];
    if (given.length > 1) return { ok: false, problem: `${spelled(name, flag)} is given twice` };
    if (given.length === 0) {
      if (!flag.absent) return { ok: false, problem: `${spelled(name, flag)} is missing: ${flag.help}` };
      values[name] = flag.absent.value;
      continue;
    }
    const value = flag.kind.fromText(given[0]!);
    if (value === undefined) {
      const problem = `${spelled(name, flag)}: expected ${flag.kind.expected}, not "${given[0]}"`;
      return { ok: false, problem: problem + (flag.kind.hint?.(given[0]!) ?? "") };
    }
    values[name] = value;
  }
  return { ok: true, values: values as Values<F>, words: raw._ };
}

/** The line with every known flag as `--name` or `--name=value`; a text when it cannot be. */
function canonicalise(line: readonly string[], flags: Flags): string[] | string {
  const bySpelling = new Map<string, string>();
  for (const [name, flag] of Object.entries(flags)) {
    bySpelling.set(`--${name}`, name);
    if (flag.short !== undefined) bySpelling.set(`-${flag.short}`, name);
  }
  const canonical: string[] = [];
  for (let index = 0; index < line.length; index++) {
    const token = line[index]!;
    if (token === "--") return [...canonical, ...line.slice(index)];
    const [spelling, attached] = split(token, bySpelling);
    const name = bySpelling.get(spelling);
    if (name === undefined) {
      canonical.push(token);
      continue;
    }
    if (takesNoValue(flags[name]!)) {
      if (attached !== undefined) return `${spelling} takes no value`;
      canonical.push(`--${name}`);
      continue;
    }
    const value = attached ?? line[++index];
    if (value === undefined || (attached === undefined && bySpelling.has(value))) {
      const hint = value === undefined ? "" : ` (write ${spelling}=${value} if that is the value)`;
      return `${spelling} needs a value: expected ${flags[name]!.kind.expected}${hint}`;
    }
    canonical.push(`--${name}=${value}`);
  }
  return canonical;
}

/** `--name=value`, `-n=value` and `-nvalue` as spelling and value. */
function split(token: string, known: ReadonlyMap<string, string>): [string, string | undefined] {
  const equals = token.indexOf("=");
  if (token.startsWith("-") && equals > 0) return [token.slice(0, equals), token.slice(equals + 1)];
  if (/^-[a-z]./i.test(token) && known.has(token.slice(0, 2))) return [token.slice(0, 2), token.slice(2)];
  return [token, undefined];
}

function takesNoValue(flag: Flag<unknown>): boolean {
  return flag.kind.placeholder === "";
}

/** `-p, --port`, as errors and help name it. */
function spelled(name: string, flag: Flag<unknown>): string {
  return flag.short === undefined ? `--${name}` : `-${flag.short}, --${name}`;
}

/** The table as help shows it, two columns. */
export function describeFlags(flags: Flags): string {
  const rows = Object.entries(flags).map(([name, flag]) => {
    const short = flag.short === undefined ? "    " : `-${flag.short}, `;
    const value = takesNoValue(flag) ? "" : ` ${flag.kind.placeholder}`;
    return [`  ${short}--${name}${value}`, flag.help] as const;
  });
  const width = Math.min(34, Math.max(0, ...rows.map(([left]) => left.length)));
  return rows
    .map(([left, help]) =>
      left.length > width ? `${left}\n${" ".repeat(width)}  ${help}` : `${left.padEnd(width)}  ${help}`
    )
    .join("\n");
}
