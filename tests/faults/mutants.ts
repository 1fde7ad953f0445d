/**
 * Fixes that are taken out again, each by a line: a simulation that finds nothing then proves nothing.
 *
 * @module
 */

import type { Trial } from "./plan.ts";

/** A fix, and how the code is without it. */
export interface Mutant {
  /** What must find it. */
  readonly trial: Trial;
  /** Path of the module, from the root. */
  readonly file: string;
  /** What stands there once, and what in its place. */
  readonly from: string;
  readonly to: string;
}

/** By what is wrong without the fix. */
export const MUTANTS: Readonly<Record<string, Mutant>> = {
  "clock-believes-anybody": {
    trial: "clock-ahead",
    file: "src/state/event_clock.ts",
    from: "const time = Math.min(claimed, Math.max(arrival.time, this.#time));",
    to: "const time = claimed; arrival = { time, isSure: true };",
  },
  "gap-without-a-word": {
    trial: "retention",
    file: "streams/task.ts",
    from: "  #lose(): void {\n",
    to: "  #lose(): void {\n    if (this.partition >= 0) return;\n",
  },
  "position-of-the-group": {
    trial: "expiry",
    file: "streams/task/position.ts",
    from: "const next = own.next ?? committed;",
    to:
      "if (committed === null) return { next: bounds.start, remark: null };\n  const next = own.next ?? committed;",
  },
  "users-anywhere": {
    trial: "foreign-keys",
    file: "streams/task.ts",
    from: "if (rightful === this.partition) return;",
    to: "if (rightful >= 0) return;",
  },
  "any-time-of-a-record": {
    trial: "poison",
    file: "streams/task/outbox.ts",
    from: "time: isRecordTime(time) ? time : undefined,",
    to: "time,",
  },
};

/** A copy of a module without its fix, as a URL. @throws Error when the line is not there, or more than once */
export async function withoutFix(name: string, root: URL): Promise<Record<string, string>> {
  const mutant = MUTANTS[name];
  if (mutant === undefined) throw new Error(`Cannot take out ${name}: it is none of the fixes`);
  const { file, from, to } = mutant;
  const url = new URL(file, root);
  const text = await Deno.readTextFile(url);
  const parts = text.split(from);
  if (parts.length !== 2) {
    throw new Error(`Cannot take out ${name}: what stood in ${file} is there ${parts.length - 1} times`);
  }
  const absolute = parts.join(to).replaceAll(
    /from "(\.\.?\/[^"]+)"/g,
    (_, path) => `from "${new URL(path, url).href}"`,
  );
  const copy = await Deno.makeTempFile({ prefix: "meander-mutant-", suffix: ".ts" });
  await Deno.writeTextFile(copy, absolute);
  return { [url.href]: new URL(`file://${copy}`).href };
}
