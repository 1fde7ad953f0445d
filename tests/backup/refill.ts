/**
 * Checks that records are written at their original offsets.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { LogRecord } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { openLog, ownPrefix, type TestBroker } from "../log/kafka_broker.ts";

/** Refills partitions with every kind of gap, on a broker. */
export async function checkRefill(broker: TestBroker): Promise<void> {
  await using log = await openLog(broker);
  const value = new Uint8Array([1]);
  const cases = [
    { offsets: [0, 1, 2], start: 0, end: 3 },
    { offsets: [0, 1, 3, 5, 7, 8], start: 0, end: 9 },
    { offsets: [1, 3, 5], start: 0, end: 7 },
    { offsets: [1, 2, 3], start: 0, end: 5 },
    { offsets: [4, 40, 42, 60], start: 3, end: 61 },
    { offsets: [], start: 9, end: 9 },
    { offsets: [], start: 0, end: 1 },
    { offsets: [12_000, 37_001], start: 12_000, end: 37_004 },
  ];
  for (const cleanup of ["delete", "compact"] as const) {
    for (const [n, { offsets, start, end }] of cases.entries()) {
      const topic = `${ownPrefix(import.meta.url, cleanup)}${n}`;
      await log.createTopics([{ name: topic, partitions: 1, cleanup }]);
      const records = offsets.map((offset): LogRecord => ({
        topic,
        partition: 0,
        offset,
        key: `k${offset}`,
        value,
        time: 1000 + offset,
        headers: { a: `${n}` },
      }));
      const source = async function* () {
        yield* records;
      };
      await log.refill(topic, 0, source(), { start, end });
      await using fresh = await openLog(broker);
      const read = await Array.fromAsync(readAll(fresh, topic, 0));
      assert.deepEqual(
        read.map(({ value, ...rest }) => ({ ...rest, value: value && new Uint8Array(value) })),
        records.map((record) => ({ ...record })),
      );
      const bounds = await fresh.bounds(topic, 0);
      assert.ok(bounds.end === end || bounds.end === end + 1, `${topic}: ${bounds.end}, wanted ${end}`);
      if (cleanup === "delete") assert.equal(bounds.start, start);
    }
  }
}
