/** Scans a whole source for its number of events and its newest time. */

import type { SourceRecord } from "./source.ts";

/**
 * Counts the events of a source, up to `limit`.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { countEvents } from "./count.ts";
 * import { openSource } from "@meander/meander";
 *
 * const file = await Deno.makeTempFile({ suffix: ".jsonl" });
 * await Deno.writeTextFile(file, '{"type":"forget","user":"u1","time":1700000000000}\nbroken\n');
 * assert.equal(await countEvents(openSource("meander", file)), 1);
 * await Deno.remove(file);
 * ```
 */
export async function countEvents(source: AsyncIterable<SourceRecord>, limit = Infinity): Promise<number> {
  let events = 0;
  for await (const { kind } of source) {
    if (events >= limit) break;
    if (kind === "event") events++;
  }
  return events;
}

/** Time of the newest event of a source, in milliseconds since the epoch; −∞ without events. */
export async function newestTime(source: AsyncIterable<SourceRecord>): Promise<number> {
  let newest = -Infinity;
  for await (const record of source) {
    if (record.kind === "event") newest = Math.max(newest, record.event.time);
  }
  return newest;
}
