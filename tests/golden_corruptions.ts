/**
 * Small corruptions of golden vectors, one array at a time, that a test of them must notice.
 *
 * @module
 */

import type { Json } from "./golden_vectors.ts";

/** One corruption of a file. */
export interface Corruption {
  /** Dotted path of the array. */
  readonly path: string;
  readonly kind: "changed" | "removed";
  /** The text of the corrupted file. */
  readonly corrupt: () => string;
}

/** Above the tolerances of 1e-5 and 1e-4 that tests grant to outputs and gradients. */
const OUTPUT = 4e-5;
const GRADIENT = 4e-4;
/** What is given is moved in every element: single ones may be masked, or in the dead part of an activation. */
const GIVEN = 0.01;

/** Paths of all arrays of numbers, and of numbers that stand alone. */
export function arraysOf(json: Json, path: readonly string[] = []): readonly string[][] {
  if (typeof json === "string") return [];
  if (isNumbers(json)) return [[...path]];
  return Object.entries(json as object).flatMap(([name, inner]) => arraysOf(inner as Json, [...path, name]));
}

/** Every array of a file, changed and removed. */
export function corruptions(text: string): readonly Corruption[] {
  return arraysOf(JSON.parse(text)).flatMap((path) => {
    const name = path.join(".");
    const edit = (change: (holder: Record<string, Json>, key: string) => void) => () => {
      const json = JSON.parse(text) as Json;
      const holder = path.slice(0, -1).reduce(
        (node, step) => (node as Record<string, Json>)[step] ?? null,
        json,
      );
      change(holder as Record<string, Json>, path.at(-1) ?? "");
      return JSON.stringify(json);
    };
    const changed = edit((holder, key) => holder[key] = moved(holder[key] ?? null, path));
    const removed = edit((holder, key) => delete holder[key]);
    return [
      { path: name, kind: "changed" as const, corrupt: changed },
      { path: name, kind: "removed" as const, corrupt: removed },
    ];
  });
}

function isNumbers(json: Json): boolean {
  if (json === null || typeof json === "number") return true;
  return Array.isArray(json) && json.every(isNumbers);
}

function flat(json: Json): number[] {
  return Array.isArray(json) ? json.flatMap(flat) : [json as number];
}

/** The array with other numbers: of what is computed one element, of labels, masks and ids one, else all. */
function moved(json: Json, path: readonly string[]): Json {
  if (json === null) return 0.5;
  const next = numbersFrom(path.join("."));
  if (path.includes("config")) return Number.isInteger(json) ? json as number + 1 : 1.5 * (json as number);
  const values = flat(json), at = Math.floor(next() * values.length);
  const scale = values.reduce((most, x) => Math.max(most, Math.abs(x)), 5e-3);
  const computed = path.includes("grads") ? GRADIENT : path.includes("outputs") ? OUTPUT : 0;
  const others = values.filter((x) => x !== values[at]);
  const discrete = others.length > 0 && values.every((x) => Number.isInteger(x));
  let i = 0;
  const rebuild = (inner: Json): Json => {
    if (Array.isArray(inner)) return inner.map(rebuild);
    const x = inner as number, here = i++ === at;
    if (computed > 0) return here ? x + computed * scale : x;
    if (discrete) return here ? others[Math.floor(next() * others.length)] ?? null : x;
    return x + (next() < 0.5 ? -1 : 1) * (0.5 + next() / 2) * GIVEN * scale;
  };
  return rebuild(json);
}

/** Numbers in [0, 1) from a text (FNV-1a, then a linear congruential generator). */
function numbersFrom(text: string): () => number {
  let state = 2166136261;
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 16777619);
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
