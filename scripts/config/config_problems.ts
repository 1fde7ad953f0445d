/** Problems of a configuration, and their remedies. */

import { TASK_OPTIONS } from "../../src/engine/task_options.ts";
import { nearName } from "../../src/events/keys/near_name.ts";
import { Guard } from "../../src/learner/guard/guard.ts";
import { SequenceSlab } from "../../src/users/states/sequence.ts";
import type { Config } from "../../streams/config/config.ts";
import { remedyOfRemoved } from "../../streams/config/removed_fields.ts";
import { ConfigError, type ConfigFault } from "../../streams/settings/config_fault.ts";
import type { LogRemark } from "../../streams/log/log.ts";
import { SECRET_MESSAGE } from "../../streams/log/kafka/settings.ts";
import type { Problem } from "../../streams/service/problem.ts";
import { plainText } from "../flags/plain_text.ts";
import { type ConfigRow, configRows } from "../generate/configuration_page.ts";

const PAGE = "docs/reference/configuration.md";
const MAX_SHOWN = 60;
/** Flags that have no place in the file. */
const FLAGS = ["commit-interval", "log", "log-path", "memory", "model", "partitions", "prefix", "roles"];

/** The problems of a configuration that could not be read. @throws other errors */
export function problemsOf(error: unknown): readonly Problem[] {
  if (error instanceof ConfigError) {
    const rows = configRows();
    return error.faults.map((fault) => problemOf(error.file, fault, rows));
  }
  if (error instanceof Error && error.cause instanceof Deno.errors.NotFound) {
    return [{
      what: error.message,
      remedy: "name another file, or write a starting one: `meander init <file>`",
    }];
  }
  if (!(error instanceof SyntaxError)) throw error;
  return [{
    what: error.message,
    remedy: "fix the syntax: besides plain JSON, only comments and trailing commas are allowed",
  }];
}

/** Settings that fit the schema but contradict each other. @param file the file with the settings */
export function contradictionsOf(config: Config, file: string): readonly Problem[] {
  const trials: readonly (readonly [section: string, make: () => unknown])[] = [
    ["sequence", () => new SequenceSlab(config.sequence)],
    ["guard", () => config.guard === null ? null : new Guard(config.guard)],
  ];
  return trials.flatMap(([section, make]) => {
    try {
      make();
      return [];
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const remedy = `change ${section}.*; absent fields have their defaults: ${PAGE}`;
      return [{ what: `${file}: ${section}: ${error.message}`, remedy }];
    }
  });
}

/** Settings that have no effect, given the others. */
export function ineffectiveIn(
  { retrieval, ranking = TASK_OPTIONS.ranking.value }: Config,
): readonly LogRemark[] {
  if (!retrieval?.head || ranking === "auto") return [];
  return [{
    what: `retrieval.head has no effect while "ranking" is "${ranking}": only "auto" uses it`,
    remedy: 'remove one of the two: `"ranking": "auto"` is the default, and uses it',
    isProblem: false,
  }];
}

function problemOf(file: string, fault: ConfigFault, rows: readonly ConfigRow[]): Problem {
  const { path, line, variable, message, kind, value } = fault;
  const place = variable ?? (line === null ? file : `${file}, line ${line}`);
  const name = path.join(".") || "the whole file";
  if (kind === "unknown") {
    const remedy = remedyOfRemoved(path);
    return remedy === undefined
      ? { what: `${place}: ${name}: ${message}`, remedy: remedyOfUnknown(path, rows) }
      : { what: `${place}: ${name}: it is gone`, remedy };
  }
  if (kind === "twice") {
    return {
      what: `${place}: ${name}: ${message}`,
      remedy: "remove one of the two: the last one would win",
    };
  }
  if (message === SECRET_MESSAGE) return { what: `${place}: ${name}: it is a secret`, remedy: message };
  const row = rowOf(path, rows);
  // For a union, the schema only says that the value is none of its members.
  const wanted = message === "Invalid input" && row !== undefined
    ? `expected ${plainText(row.type)}`
    : message.replace(/^Invalid input: (expected .*), received .*$/s, "$1");
  const what = `${place}: ${name}: ${wanted}; current value is ${
    path.includes("keys") ? "hidden, because it may be a key" : shown(value)
  }`;
  if (row === undefined) return { what, remedy: `see ${PAGE}` };
  const absent = row.fallback === ""
    ? "there is no default"
    : `or leave it out for the default: ${row.fallback}`;
  const about = `${row.key}: ${row.about}; ${PAGE}`;
  return { what, remedy: plainText(`allowed: ${row.type}; ${absent} (${about})`) };
}

function remedyOfUnknown(path: readonly (string | number)[], rows: readonly ConfigRow[]): string {
  const before = path.slice(0, -1);
  const own = String(path.at(-1));
  const flag = own.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  if (before.length === 0 && FLAGS.includes(flag)) return `remove it: it is a flag, --${flag}`;
  const names = [...new Set(rows.flatMap(({ key }) => childOf(key, before)))];
  const near = nearName(own, names);
  const where = before.length === 0 ? "the top level" : before.join(".");
  const known = names.length === 0 ? "" : `; ${where} has ${names.join(", ")}`;
  if (near !== undefined) return `did you mean ${[...before, near].join(".")}?`;
  const [elsewhere, another] = rows.filter(({ key }) => partsOf(key).at(-1) === own);
  if (elsewhere === undefined || another !== undefined) return `remove it${known}`;
  return `move it: it is ${elsewhere.key}${elsewhere.key === own ? ", at the top" : ""}`;
}

/** The name that a key of the page has directly under a path, if it is under it. */
function childOf(key: string, path: readonly (string | number)[]): readonly string[] {
  const parts = partsOf(key);
  const child = parts[path.length];
  const isUnder = child !== undefined && path.every((part, i) => matches(parts[i], part));
  return isUnder && child !== "<name>" && child !== "[]" ? [child] : [];
}

function rowOf(path: readonly (string | number)[], rows: readonly ConfigRow[]): ConfigRow | undefined {
  // An element of a list is described with its list.
  for (let length = path.length; length > 0; length--) {
    const some = path.slice(0, length);
    const row = rows.find(({ key }) => {
      const parts = partsOf(key);
      return parts.length === some.length && some.every((part, i) => matches(parts[i], part));
    });
    if (row !== undefined) return row;
    if (typeof path[length - 1] !== "number") return undefined;
  }
  return undefined;
}

/** The parts of a key of the page: `http.keys[].name` has four. */
function partsOf(key: string): readonly string[] {
  return key.replaceAll("[]", ".[]").split(".");
}

function matches(part: string | undefined, own: string | number): boolean {
  return part === own || part === "<name>" || (part === "[]" && typeof own === "number");
}

function shown(value: unknown): string {
  const text = value === undefined ? "missing" : JSON.stringify(value).replaceAll(/:\/\/[^\s"]*@/g, "://…@");
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}...`;
}
