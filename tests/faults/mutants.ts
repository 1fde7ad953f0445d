/**
 * Fixes that are taken out again: a simulation that finds nothing without them proves nothing.
 *
 * @module
 */

import type { Trial } from "./plan.ts";

/** A fix, and the code without it. */
export interface Mutant {
  /** The check that must find it. */
  readonly trial: Trial;
  /** A seed that finds it, in a short world. */
  readonly seed: number;
  /** All changes of code. */
  readonly edits: readonly Edit[];
}

/** A change in the code. */
export interface Edit {
  /** Path of the module, from the root. */
  readonly file: string;
  /** The original text, which occurs once, and its replacement. */
  readonly from: string;
  readonly to: string;
}

/** By the failure without the fix. */
export const MUTANTS: Readonly<Record<string, Mutant>> = {
  "clock-trusts-any-client": {
    trial: "clock-ahead",
    seed: 1456,
    edits: [{
      file: "src/users/event_clock.ts",
      from: "const time = Math.min(claimed, Math.max(arrival.time, this.#time));",
      to: "const time = claimed; arrival = { time, isSure: true };",
    }],
  },
  "silent-gap": {
    trial: "retention",
    seed: 1816,
    edits: [{
      file: "streams/task/round.ts",
      from: "if (lost === undefined) return mayBeMore;",
      to: "if (lost === undefined || this.#parts.partition >= 0) return mayBeMore;",
    }],
  },
  "position-from-the-group": {
    trial: "expiry",
    seed: 1456,
    edits: [{
      file: "streams/task/inputs/position.ts",
      from: "const { next } = own;",
      to: "if (committed === null) return { next: bounds.start, remark: null };\n  const { next } = own;",
    }],
  },
  "topic-by-name": {
    trial: "recreate",
    seed: 1456,
    edits: [
      { file: "streams/task/inputs/position.ts", from: "before.id !== null && now.id !== null", to: "false" },
      { file: "streams/task/inputs/position.ts", from: "if (next > bounds.end) {", to: "if (next < 0) {" },
      {
        file: "streams/task/inputs/position.ts",
        from: "if (committed === next) return { next, remark: null };",
        to: "return { next: Math.min(next, bounds.end), remark: null };",
      },
    ],
  },
  "stale-partitions": {
    trial: "grow",
    seed: 1379,
    edits: [{
      file: "streams/task/inputs/inputs.ts",
      from: "if (!now?.unread) continue;",
      to: "continue;",
    }],
  },
  "wal-without-a-known-end": {
    trial: "rotten-wal",
    seed: 1456,
    edits: [{
      file: "streams/log/sqlite/end/recovery.ts",
      from: "const { acknowledged, confirmed } = memory;",
      to: "if (boot !== 0) return null;\n  const { acknowledged, confirmed } = memory;",
    }],
  },
  "records-without-a-checksum": {
    trial: "rotten-file",
    seed: 1456,
    edits: [{
      file: "streams/log/sqlite/record_table.ts",
      from: "if (sum !== rowSum(",
      to: "if (offset < 0 && sum !== rowSum(",
    }],
  },
  "sync-once-a-minute": {
    trial: "power",
    seed: 109,
    edits: [{
      file: "streams/log/sqlite/end/log_end.ts",
      from: "      periodMs: syncMs,",
      to: "      periodMs: 60 * syncMs,",
    }],
  },
  "answer-before-the-sync": {
    trial: "power",
    seed: 124,
    edits: [{
      file: "streams/log/sqlite/sqlite_file.ts",
      from: 'durability === "power" ? "FULL" : "NORMAL"',
      to: '"NORMAL"',
    }],
  },
  "silent-power-cut": {
    trial: "power",
    seed: 102,
    edits: [{
      file: "streams/log/sqlite/end/recovery.ts",
      from: "if (hasRun || !(windowMs > 0)) return null;",
      to: "if (windowMs >= 0) return null;",
    }],
  },
  "restart-without-a-sync": {
    trial: "power",
    seed: 111,
    edits: [{
      file: "streams/log/sqlite/end/log_end.ts",
      from: "    syncFile(this.#wal); //",
      to: "    //",
    }],
  },
  "users-on-any-partition": {
    trial: "foreign-keys",
    seed: 1481,
    edits: [{
      file: "streams/task/event_applier.ts",
      from: "if (rightful === partition) return;",
      to: "if (rightful >= 0) return;",
    }],
  },
  "unchecked-record-time": {
    trial: "poison",
    seed: 1025,
    edits: [{
      file: "streams/task/outbox.ts",
      from: "time: isRecordTime(time) ? time : undefined,",
      to: "time,",
    }],
  },
};

/**
 * Copies of modules without a fix, as URLs by URL.
 *
 * @throws Error when a place is not there, or more than once
 */
export async function withoutFix(name: string, root: URL): Promise<Record<string, string>> {
  const mutant = MUTANTS[name];
  if (mutant === undefined) throw new Error(`Cannot take out ${name}: there is no such fix`);
  const texts = new Map<string, string>();
  for (const { file, from, to } of mutant.edits) {
    const parts = (texts.get(file) ?? await Deno.readTextFile(new URL(file, root))).split(from);
    if (parts.length !== 2) {
      throw new Error(
        `Cannot take out ${name}: its original text occurs ${parts.length - 1} times in ${file}`,
      );
    }
    texts.set(file, parts.join(to));
  }
  const copies: Record<string, string> = {};
  for (const [file, text] of texts) {
    const url = new URL(file, root);
    const absolute = text.replaceAll(
      /from "(\.\.?\/[^"]+)"/g,
      (_, path) => `from "${new URL(path, url).href}"`,
    );
    const copy = await Deno.makeTempFile({ prefix: "meander-mutant-", suffix: ".ts" });
    await Deno.writeTextFile(copy, absolute);
    copies[url.href] = new URL(`file://${copy}`).href;
  }
  return copies;
}
