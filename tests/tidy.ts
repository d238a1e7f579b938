/**
 * What the source is held to, as pure functions: each takes sources or the import graph and returns what is
 * wrong. `tidy_test.ts` runs them over the repository, and over planted violations to show that they bite.
 *
 * @module
 */

/** One thing that is wrong, for people. */
export type Problem = string;

/** One import of a file, as `deno info` tells it. */
export interface Import {
  /** The imported file, as a path from the root of the repository. */
  readonly to: string;
  /** Whether it is gone when types are stripped. */
  readonly typeOnly: boolean;
}

/** Every file of the repository and what it imports of it. */
export type ImportGraph = ReadonlyMap<string, readonly Import[]>;

/** From the top down; a file imports its own layer and the ones below. */
const LAYERS = ["cli", "mod", "net", "actors", "storage", "actors/runtime"] as const;

/** Whether a file is test code, which may import across layers. */
export function isTest(path: string): boolean {
  return path.startsWith("tests/") || path.endsWith("_test.ts") || path.includes("/testing/");
}

/** The layer of a product file; undefined outside all layers. */
export function layerOf(path: string): (typeof LAYERS)[number] | undefined {
  if (path === "mod.ts") return "mod";
  return [...LAYERS].reverse().find((layer) => path.startsWith(`${layer}/`));
}

/** Product files that import a higher layer, tests, or (but for cli itself) cli. */
export function layeringProblems(graph: ImportGraph): Problem[] {
  const problems: Problem[] = [];
  for (const [path, imports] of graph) {
    for (const { to } of imports) {
      if (isTest(path)) {
        const own = path.startsWith("cli/") || path.startsWith("tests/");
        if (to.startsWith("cli/") && !own) problems.push(`${path} imports ${to}: nobody imports cli`);
        continue;
      }
      const [from, target] = [layerOf(path), layerOf(to)];
      if (isTest(to)) problems.push(`${path} imports ${to}: nobody imports tests`);
      else if (from && target && LAYERS.indexOf(target) < LAYERS.indexOf(from)) {
        problems.push(`${path} imports ${to}: ${from} may not know ${target} (${LAYERS.join(" -> ")})`);
      }
    }
  }
  return problems;
}

/** Pure files that import, other than types, a file that is not pure. */
export function purityProblems(graph: ImportGraph, isPure: (path: string) => boolean): Problem[] {
  const problems: Problem[] = [];
  for (const [path, imports] of graph) {
    if (!isPure(path)) continue;
    for (const { to, typeOnly } of imports) {
      if (!typeOnly && !to.endsWith(".json") && !isPure(to)) {
        problems.push(`${path} is pure and imports ${to}, which is not: move the decision or the effect`);
      }
    }
  }
  return problems;
}

/** Files that none of the roots reaches, types included. */
export function deadFiles(graph: ImportGraph, isRoot: (path: string) => boolean): Problem[] {
  const reached = new Set<string>();
  const waiting = [...graph.keys()].filter(isRoot);
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    waiting.push(...(graph.get(path) ?? []).map(({ to }) => to));
  }
  return [...graph.keys()].filter((path) => !reached.has(path)).map((path) => `${path}: nothing reaches it`);
}

const SEAM = "reach it through the Environment (actors/runtime/environment.ts): ";

/** Names that may not be used, with what to use instead. */
const BANNED_NAMES: Readonly<Record<string, string>> = {
  Deno: SEAM + "environment.disk, network or log",
  setTimeout: SEAM + "clock.after",
  setInterval: SEAM + "clock.after, again each time",
  setImmediate: SEAM + "clock.after(0, …), or queueMicrotask within a turn",
  Worker: "a worker escapes the simulator: work in slices by clock.after",
  WeakRef: "collection happens when it likes: hold what is needed, drop it where its life ends",
  FinalizationRegistry: "collection happens when it likes: close what was opened",
  fetch: SEAM + "network.connect",
  WebSocket: SEAM + "network.connect",
};

/** Members that may not be used, with what to use instead. */
const BANNED_MEMBERS: Readonly<Record<string, string>> = {
  "Date.now": SEAM + "clock.wall for people, clock.now for intervals",
  "performance.now": SEAM + "clock.now",
  "Math.random": SEAM + "random.next or random.integer",
  "process.nextTick": "queueMicrotask within a turn",
  "process.hrtime": SEAM + "clock.now",
  "process.env": SEAM + "what the process knows comes in with the options",
  "process.exit": "throw, and let the supervisor decide",
  "AbortSignal.timeout": SEAM + "clock.after and an AbortController",
  "crypto.randomUUID": SEAM + "random.bytes(16).toHex()",
  "crypto.getRandomValues": SEAM + "random.bytes",
  "crypto.subtle": "an awaited digest escapes the simulator: hash synchronously with node:crypto",
};

/** Modules that may not be imported, with what to use instead. */
const BANNED_MODULES: Readonly<Record<string, string>> = {
  "node:timers": SEAM + "clock.after",
  "node:timers/promises": SEAM + "clock.after",
  "node:worker_threads": BANNED_NAMES["Worker"]!,
  "node:fs": SEAM + "disk",
  "node:fs/promises": SEAM + "disk",
  "node:net": SEAM + "network",
  "node:dgram": SEAM + "network",
  "node:process": BANNED_MEMBERS["process.env"]!,
  "node:perf_hooks": SEAM + "clock.now",
};

/** Names of node:crypto that draw chance. */
const BANNED_OF_CRYPTO = new Set([
  "randomUUID",
  "randomBytes",
  "randomInt",
  "randomFillSync",
  "getRandomValues",
]);

/** Whether a file is one of the few that may touch the world directly. */
export function mayTouchTheWorld(path: string): boolean {
  return ["actors/runtime/real/", "cli/", "tests/"].some((place) => path.startsWith(place));
}

/** Longest function that passes without mention, in lines. */
export const LONG_FUNCTION = 70;
/** Longest file that passes without mention, in lines. */
export const LONG_FILE = 300;

/** Reads names as references: not as properties, keys, types or what is imported under them. */
function isReference(node: Deno.lint.Identifier): boolean {
  const parent = node.parent as { type: string; property?: unknown; computed?: boolean; key?: unknown };
  switch (parent.type) {
    case "MemberExpression":
      return (parent as unknown as Deno.lint.MemberExpression).object.range[0] === node.range[0];
    case "Property": // shorthand: the key is the value
      return (parent as unknown as Deno.lint.Property).value.range[0] === node.range[0];
    case "MethodDefinition":
    case "PropertyDefinition":
    case "TSPropertySignature":
    case "TSMethodSignature":
    case "TSQualifiedName":
    case "TSTypeReference":
    case "ImportSpecifier":
    case "Identifier":
      return false;
    default:
      return true;
  }
}

/** The rules as a plugin of `deno lint`: `seam` for banned calls, `length` for long functions. */
const plugin: Deno.lint.Plugin = {
  name: "tidy",
  rules: {
    seam: {
      create: (context) => ({
        Identifier(node) {
          const why = Object.hasOwn(BANNED_NAMES, node.name) ? BANNED_NAMES[node.name] : undefined;
          if (why && isReference(node)) context.report({ node, message: `${node.name}: ${why}` });
        },
        MemberExpression(node) {
          const whole = context.sourceCode.getText(node);
          const text = whole.replace(/^globalThis\./, "");
          const banned = text === whole ? BANNED_MEMBERS : { ...BANNED_NAMES, ...BANNED_MEMBERS };
          if (Object.hasOwn(banned, text)) context.report({ node, message: `${text}: ${banned[text]}` });
        },
        NewExpression(node) {
          const text = context.sourceCode.getText(node);
          if (/^new Date(\(\s*\))?$/.test(text)) {
            context.report({ node, message: `new Date(): ${BANNED_MEMBERS["Date.now"]}` });
          }
        },
        ImportDeclaration(node) {
          const { value } = node.source;
          if (Object.hasOwn(BANNED_MODULES, value)) {
            context.report({ node, message: `${value}: ${BANNED_MODULES[value]}` });
          }
          for (const { local } of value === "node:crypto" ? node.specifiers : []) {
            if (!BANNED_OF_CRYPTO.has(local.name)) continue;
            context.report({ node, message: `node:crypto ${local.name}: ${SEAM}random.bytes` });
          }
        },
      }),
    },
    length: {
      create(context) {
        const measure = (node: Deno.lint.Node) => {
          const lines = context.sourceCode.getText(node).split("\n").length;
          if (lines > LONG_FUNCTION) context.report({ node, message: `a function of ${lines} lines` });
        };
        return {
          FunctionDeclaration: measure,
          FunctionExpression: measure,
          ArrowFunctionExpression: measure,
        };
      },
    },
  },
};

function lint(path: string, source: string, rule: "seam" | "length"): Problem[] {
  return Deno.lint.runPlugin(plugin, path, source)
    .filter((diagnostic) => diagnostic.id === `tidy/${rule}`)
    .map((diagnostic) => `${path}:${lineAt(source, diagnostic.range[0])}: ${diagnostic.message}`);
}

/** Uses of the world in a file that may not touch it. Tests may, but for its time: no real sleeps, no clocks. */
export function bannedCalls(path: string, source: string): Problem[] {
  if (mayTouchTheWorld(path)) return [];
  const problems = [...new Set(lint(path, source, "seam"))];
  return isTest(path) ? problems.filter((problem) => /clock\.(after|now|wall)/.test(problem)) : problems;
}

/** Functions past {@link LONG_FUNCTION}. */
export function longFunctions(path: string, source: string): Problem[] {
  return lint(path, source, "length");
}

/** `deno fmt` breaks code at 110 columns; text, which it cannot break, has ten more. A test's name may run on. */
const LINE_WIDTH = 120;

// Built from pieces, or this file would break its own rules.
const MARKS = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|")})\\b`);
const PLACES = new RegExp(
  ["registry\\." + "npmjs", "jsr\\." + "io", "np\\." + "jsr", "/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/"]
    .join("|"),
);

/** Lines that are too long, unfinished, or name a place that only one machine knows. */
export function textProblems(path: string, text: string): Problem[] {
  const problems: Problem[] = [];
  text.split("\n").forEach((line, index) => {
    const at = `${path}:${index + 1}`;
    if (path.endsWith(".ts") && [...line].length > LINE_WIDTH && !/^\s*(Deno\.)?test\(/.test(line)) {
      problems.push(`${at}: ${[...line].length} columns, more than ${LINE_WIDTH}`);
    }
    const mark = MARKS.exec(line);
    if (mark) problems.push(`${at}: ${mark[0]}: do it, or file an issue`);
    const place = PLACES.exec(line);
    if (place) problems.push(`${at}: ${place[0]} names a machine or a registry`);
  });
  return problems;
}

function lineAt(source: string, offset: number): number {
  return source.slice(0, offset).split("\n").length;
}
