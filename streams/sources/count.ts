/**
 * What a look at a whole source tells: how many events it holds, and of when the newest is.
 *
 * @module
 */

import type { SourceRecord } from "./source.ts";

/**
 * Reads a source to its end, or to the `limit`-th event, and counts the events.
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

/** Time of the newest event of a source, milliseconds since the epoch; −∞ when it has none. */
export async function newestTime(source: AsyncIterable<SourceRecord>): Promise<number> {
  let newest = -Infinity;
  for await (const record of source) {
    if (record.kind === "event") newest = Math.max(newest, record.event.time);
  }
  return newest;
}
