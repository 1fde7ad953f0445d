/** Summarises the `rejected` topic: counts by code, with a few examples. */

import { countOf, decodeRejection, placeOf } from "../../src/events/rejection.ts";
import type { Log } from "../log/log.ts";
import { unreadable } from "../log/unreadable.ts";
import { printable } from "../report/format.ts";
import type { RejectedExample, RejectedGroup } from "../report/report_data.ts";

const EXAMPLES = 3;
const EXAMPLE_CHARACTERS = 200;

/**
 * Counts the rejections on the log by code.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { MemoryLog, openSource, PROFILES, replay } from "@meander/meander";
 *
 * const task = PROFILES.meander;
 * await using log = new MemoryLog();
 * const { rejections } = await replay(log, openSource("meander", "fixtures/shop"), {
 *   model: "base", modelConfig: {}, task, learner: { schema: task.schema },
 *   limit: 100, manifest: "{}",
 * });
 * assert.equal(rejections.count, 0);
 * ```
 */
export class RejectionSummary {
  readonly #groups = new Map<string, { count: number; examples: RejectedExample[] }>();
  #next = 0;

  /** Number of rejections read. */
  get count(): number {
    return [...this.#groups.values()].reduce((sum, group) => sum + group.count, 0);
  }

  /** The groups, largest first. */
  get groups(): RejectedGroup[] {
    return [...this.#groups].map(([code, group]) => ({ code, ...group }))
      .sort((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1));
  }

  /** @internal Reads new records of the topic; `trim` deletes them afterwards. */
  async update(log: Log, topic: string, trim: boolean): Promise<void> {
    for (;;) {
      const { records, next } = await log.read(topic, 0, this.#next);
      for (const record of records) {
        if (record.value === null) continue;
        try {
          this.#add(record.value);
        } catch (cause) {
          unreadable.leaveOut(record, cause, "it is not counted");
        }
      }
      this.#next = next;
      if (records.length === 0) break;
    }
    if (trim) await log.trim(topic, 0, this.#next);
  }

  #add(value: Uint8Array): void {
    const rejection = decodeRejection(value);
    let group = this.#groups.get(rejection.code);
    if (group === undefined) this.#groups.set(rejection.code, group = { count: 0, examples: [] });
    group.count += countOf(rejection);
    if (group.examples.length >= EXAMPLES) return;
    const bytes = Uint8Array.from(
      atob(rejection.bytes.slice(0, 4 * EXAMPLE_CHARACTERS)),
      (c) => c.charCodeAt(0),
    );
    group.examples.push({
      where: placeOf(rejection),
      reason: rejection.reason,
      text: printable(new TextDecoder().decode(bytes), EXAMPLE_CHARACTERS),
    });
  }
}
