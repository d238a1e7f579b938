/**
 * The configuration of a node, as one table.
 *
 * Each row is a field: its place in the file, its kind, its default and a line of help. The flag, the variable
 * and the README's row follow from it: `quorum.n` is `--quorum-n` and `DENAMO_QUORUM_N`. Flags beat variables,
 * which beat the file, which beats defaults. RLDB's files are accepted as they are.
 *
 * @module
 */

import { CONFLICT_POLICIES } from "../actors/replica_store/conflicts.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import { DEFAULT_ENGINE, type EngineName, ENGINES } from "../storage/engines.ts";
import { type Flag, optional } from "./flags.ts";
import * as kind from "./kinds.ts";
import { didYouMean } from "./suggest.ts";

/** One field of the configuration. */
export interface Field<T> {
  /** How its value is read. */
  readonly kind: kind.Kind<T>;
  /** What holds when nobody says otherwise. */
  readonly fallback: T;
  /** One line for help and the README. */
  readonly help: string;
  /** How the default is shown, when its value does not say it. */
  readonly shown?: string;
}

/** A mebibyte, in bytes. */
export const MIB = 1024 * 1024;

function field<T>(kind: kind.Kind<T>, fallback: T, help: string, shown?: string): Field<T> {
  return { kind, fallback, help, ...(shown !== undefined && { shown }) };
}

/** Every field a configuration may have, by its path in the file. */
export const FIELDS = {
  "port": field(kind.integer(0, 65535, "PORT"), 3001, "Port of the native protocol; 0 takes a free one"),
  "host": field(kind.name("HOST"), "127.0.0.1", "Address to listen on; only loopback for now"),
  "advertise": field<string | undefined>(
    kind.reachable,
    undefined,
    "Where others reach the node",
    "host:port",
  ),
  "cluster": field(kind.label(), "denamo", "Cluster name; nodes of another name are refused"),
  "seeds": field(
    kind.list(kind.address),
    [],
    "Members to join; the first listed is the founder, others take no writes before they are let in",
    "none",
  ),
  "zone": field(kind.label("ZONE"), "default", "Failure zone; replicas go to distinct zones"),
  "weight": field(kind.weight, 1, "Share of the partitions relative to other nodes"),
  "partitions": field(kind.integer(1, 65536), 256, "Partitions, fixed when the cluster is created"),
  "quorum.n": field(kind.integer(1, 16), 3, "Replicas of a key"),
  "quorum.r": field(kind.integer(1, 16), 2, "Replicas that must answer a read"),
  "quorum.w": field(kind.integer(1, 16), 2, "Replicas that must acknowledge a write"),
  "quorum.sloppy": field(
    kind.boolean,
    true,
    "Whether other nodes stand in for replicas that are away, where a request does not say",
  ),
  "conflicts": field(
    kind.choice(...CONFLICT_POLICIES),
    "siblings",
    "Concurrent writes: keep all, or lose all but the last; the same at every node",
  ),
  "heartbeat.fanout": field(kind.integer(1, 16), 2, "Peers gossiped to at each beat"),
  "heartbeat.interval": field(kind.integer(10, 60_000, "MS"), 500, "Milliseconds between beats"),
  "storage.engine": field<EngineName | undefined>(
    kind.choice(...ENGINES),
    undefined,
    "Where records rest: see Engines",
    DEFAULT_ENGINE,
  ),
  "storage.path": field<string | undefined>(
    kind.name("DIR"),
    undefined,
    "Data directory",
    "./denamo-data/PORT",
  ),
  "storage.sync": field(
    kind.sync,
    "always",
    "When a write counts as durable: synced, unsynced, or within MS",
  ),
  "storage.persist": field(
    kind.boolean,
    true,
    "False keeps nothing on disk (memory engine only): a restart begins empty",
  ),
  "storage.reserve": field(
    kind.integer(0, 1_048_576, "MIB"),
    LIMITS.reserveBytes / MIB,
    "Mebibytes put aside, for a full disk to restart and to vote with; 0 for none",
  ),
  "resp.port": field<number | undefined>(kind.port, undefined, "Reserved for RESP; not served yet", "off"),
  "http.port": field<number | undefined>(kind.port, undefined, "Reserved for HTTP; not served yet", "off"),
  "log.level": field(kind.choice("debug", "info", "warn", "error", "silent"), "info", "How much is logged"),
  "log.format": field(kind.choice("text", "json"), "text", "How log lines look on standard error"),
} satisfies Readonly<Record<string, Field<unknown>>>;

/** A field's path. */
export type FieldPath = keyof typeof FIELDS;

/** A complete configuration, by field path. */
export type Config = {
  readonly [P in FieldPath]: (typeof FIELDS)[P] extends Field<infer T> ? T : never;
};

/** Values some source gives; the rest is for the next source to say. */
export type PartialConfig = { readonly [P in FieldPath]?: Config[P] | undefined };

/**
 * What RLDB's older files also say. denamo has one way of each, so the words are checked and have no effect.
 */
const RLDB_ONLY: Readonly<Record<string, kind.Kind<unknown>>> = {
  storage_engine: kind.choice("in_memory"),
  partitioning_scheme: kind.choice("consistent_hashing"),
};

/** What a source says and what is wrong with it, each problem one line for people. */
export interface Reading {
  /** The fields that are well. */
  readonly values: PartialConfig;
  /** Empty when all is well. */
  readonly problems: readonly string[];
}

const PATHS = Object.keys(FIELDS) as FieldPath[];
const GROUPS = new Set(PATHS.filter((path) => path.includes(".")).map((path) => path.split(".")[0]!));

/** The name of a field's flag: `heartbeat.interval` is `heartbeat-interval`. */
export function flagName(path: FieldPath): string {
  return path.replace(".", "-");
}

/** The name of a field's variable: `heartbeat.interval` is `DENAMO_HEARTBEAT_INTERVAL`. */
export function variableName(path: FieldPath): string {
  return `DENAMO_${path.replace(".", "_").toUpperCase()}`;
}

/** The fields as flags of `denamo server`. */
export function configFlags(): Readonly<Record<string, Flag<unknown>>> {
  return Object.fromEntries(PATHS.map((path) => {
    const { kind, help, ...row } = FIELDS[path] as Field<unknown>;
    const shown = "shown" in row ? row.shown : String(row.fallback);
    return [flagName(path), optional(kind, `${help} (default ${shown})`, path === "port" ? "p" : undefined)];
  }));
}

/** The fields that were given as flags. */
export function readFlags(values: Readonly<Record<string, unknown>>): PartialConfig {
  const given = PATHS.filter((path) => values[flagName(path)] !== undefined);
  return Object.fromEntries(given.map((path) => [path, values[flagName(path)]])) as PartialConfig;
}

/** The variable that names the configuration file. */
export const PATH_VARIABLE = "DENAMO_CONFIG_PATH";

/** The fields that are given as variables; an empty variable gives nothing, a `DENAMO_*` nobody knows is wrong. */
export function readVariables(variables: Readonly<Record<string, string>>): Reading {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  const known = [...PATHS.map(variableName), PATH_VARIABLE];
  for (const name of Object.keys(variables)) {
    if (!name.startsWith("DENAMO_") || known.includes(name)) continue;
    problems.push(`${name}: unknown variable${didYouMean(name, known)}`);
  }
  for (const path of PATHS) {
    const text = variables[variableName(path)];
    if (text === undefined || text === "") continue;
    values[path] = FIELDS[path].kind.fromText(text);
    if (values[path] === undefined) {
      problems.push(`${variableName(path)}: expected ${FIELDS[path].kind.expected}, not "${text}"`);
    }
  }
  return { values: values as PartialConfig, problems };
}

/**
 * The fields that a configuration file gives.
 *
 * @example
 * ```ts
 * import { readFile } from "./config.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(readFile(`{"port":3001,"quorum":{"n":3}}`), {
 *   values: { "port": 3001, "quorum.n": 3 },
 *   problems: [],
 * });
 * assertEquals(readFile(`{"prot":3001}`).problems, [`prot: unknown field; did you mean port?`]);
 * ```
 */
export function readFile(source: string): Reading {
  let file: unknown;
  try {
    file = JSON.parse(source);
  } catch (error) {
    return { values: {}, problems: [`not JSON: ${error instanceof Error ? error.message : error}`] };
  }
  if (!isRecord(file)) return { values: {}, problems: [`expected an object, not ${shown(file)}`] };
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, value] of Object.entries(file)) readEntry(name, value, "", values, problems);
  return { values: values as PartialConfig, problems };
}

function readEntry(
  name: string,
  value: unknown,
  group: string,
  values: Record<string, unknown>,
  problems: string[],
): void {
  const path = group + name;
  const isField = Object.hasOwn(FIELDS, path);
  if (group === "" && GROUPS.has(name)) {
    if (!isRecord(value)) problems.push(`${name}: expected an object, not ${shown(value)}`);
    else {for (const [key, inner] of Object.entries(value)) {
        readEntry(key, inner, `${name}.`, values, problems);
      }}
    return;
  }
  const kind = isField
    ? FIELDS[path as FieldPath].kind
    : Object.hasOwn(RLDB_ONLY, path)
    ? RLDB_ONLY[path]!
    : null;
  if (!kind) {
    const known = group === ""
      ? [...PATHS.filter((path) => !path.includes(".")), ...GROUPS]
      : PATHS.filter((path) => path.startsWith(group));
    problems.push(`${path}: unknown field${didYouMean(path, known)}`);
    return;
  }
  const read = kind.fromJson(value);
  if (read === undefined) problems.push(`${path}: expected ${kind.expected}, not ${shown(value)}`);
  else if (isField) values[path] = read;
}

/** A complete configuration and what to warn of, or everything that is wrong. */
export type Resolution =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Lay the sources over each other, the strongest first, and check what no single field can tell. */
export function resolve(...sources: readonly PartialConfig[]): Resolution {
  const merged: Record<string, unknown> = {};
  for (const path of PATHS) {
    const source = sources.find((source) => source[path] !== undefined);
    merged[path] = source ? source[path] : FIELDS[path].fallback;
  }
  const config = merged as Config;
  const problems: string[] = [];
  for (const part of ["r", "w"] as const) {
    const count = config[`quorum.${part}`];
    if (count > config["quorum.n"]) {
      problems.push(`quorum.${part}: expected at most quorum.n, ${config["quorum.n"]}, not ${count}`);
    }
  }
  const engine = config["storage.engine"];
  if (!config["storage.persist"] && engine !== undefined && engine !== "memory") {
    problems.push(`storage.persist: only the memory engine can do without files, ${engine} cannot`);
  }
  if (!isLoopback(config.host)) {
    problems.push(
      `host: expected a loopback address, not "${config.host}": ` +
        "other machines may not reach a node before it can tell friend from stranger",
    );
  }
  if (problems.length > 0) return { ok: false, problems };
  const unserved = (["resp.port", "http.port"] as const).filter((path) => config[path] !== undefined);
  return {
    ok: true,
    config,
    warnings: unserved.map((path) => `${path}: reserved, nothing listens there yet`),
  };
}

/** Where the node keeps its data: one directory per port, so that nodes started side by side do not meet. */
export function dataDirectory(config: Config): string {
  return config["storage.path"] ?? `./denamo-data/${config.port}`;
}

/** Whether only this machine reaches the host. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** The README's table of the configuration. */
export function configTable(): string {
  const rows = PATHS.map((path) => {
    const { kind, fallback, help, shown } = FIELDS[path] as Field<unknown>;
    const value = kind.expected.replaceAll("|", "\\|");
    return `| \`${path}\` | ${value} | ${shown ?? String(fallback)} | ${help} |`;
  });
  return ["| field | value | default | what it is |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  return json.length > 60 ? `${json.slice(0, 57)}…` : json;
}
