/**
 * What every {@linkcode Log} does with compact topics.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { LogRecord } from "../../streams/log/log.ts";
import { all, bytes, hasCode, type LogSuite, newPlace, record, texts } from "./log_suite.ts";

/** Registers the tests of compact topics. */
export function compactionContract(suite: LogSuite): void {
  suite.test(
    "compaction keeps the final value of every key for every reader, however far behind",
    async (log, topic) => {
      await log.createTopics([{ name: topic, partitions: 1, cleanup: "compact" }]);
      const keys = fc.constantFrom("a", "b", "c", "d");
      const change = fc.record({ key: keys, number: fc.option(fc.nat(99)) });
      const batches = fc.array(fc.array(change, { maxLength: 20 }), { maxLength: 10 });
      const expected = new Map<string, string>();
      const behind = new Map<string, string>();
      let position = 0;
      await fc.assert(
        fc.asyncProperty(batches, fc.boolean(), async (batches, readerWakes) => {
          for (const batch of batches) {
            const records = batch.map(({ key, number }) => ({
              topic,
              key,
              value: number === null ? null : bytes(`${number}`),
              time: 0,
            }));
            await log.append(records);
            for (const appended of records) fold(expected, appended);
          }
          const fresh = new Map<string, string>();
          const kept = await all(log, topic, 0);
          for (const one of kept) fold(fresh, one);
          if (kept[0] !== undefined) assert.ok((await log.bounds(topic, 0)).start <= kept[0].offset);
          assert.deepEqual(fresh, expected);
          if (!readerWakes) return;
          for (const one of await all(log, topic, 0, position)) fold(behind, one);
          position = (await log.bounds(topic, 0)).end;
          assert.deepEqual(behind, expected);
        }),
        { numRuns: suite.runs },
      );
    },
  );

  suite.testTrait("prompt compaction", "append() to a compact topic drops what it supersedes", async () => {
    const topic = newPlace();
    await using log = await suite.open({ place: topic });
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "compact" }]);
    for (let round = 0; round < 50; round++) {
      const text = `${round}`;
      await log.append(
        Array.from({ length: 100 }, (_, i) => ({ ...record(topic, 0, text), key: `${i % 20}` })),
      );
      const kept = await all(log, topic, 0);
      assert.deepEqual(kept.map(({ key }) => key), Array.from({ length: 20 }, (_, i) => `${i}`));
      assert.deepEqual(new Set(texts(kept)), new Set([text]));
      assert.equal((await log.bounds(topic, 0)).start, kept[0]?.offset);
    }
  });

  suite.testTrait("latest", "latest() gives the newest record of each key, as read() does", async () => {
    const topic = newPlace();
    await using log = await suite.open({ place: topic });
    const latest = (name: string, p: number, key: string) =>
      log.latest?.(name, p, key) ?? assert.fail("no latest()");
    await log.createTopics([
      { name: topic, partitions: 2, cleanup: "compact" },
      { name: `${topic}.delete`, partitions: 1, cleanup: "delete" },
    ]);
    const keys = ["a", "b\0c", "", "never"];
    const change = fc.record({ key: fc.constantFrom(...keys.slice(0, 3)), gone: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 100 }), fc.nat(1), async (changes, p) => {
        await log.append(changes.map(({ key, gone }, i) => ({
          ...record(topic, p, `${i}`),
          key,
          ...(gone ? { value: null } : {}),
        })));
        const records = await all(log, topic, p);
        for (const key of keys) {
          const expected = records.findLast((one) => one.key === key) ?? null;
          assert.deepEqual(await latest(topic, p, key), expected);
        }
      }),
      { numRuns: suite.runs },
    );
    await log.append([record(`${topic}.delete`, 0, "a")]);
    assert.equal(await latest(`${topic}.delete`, 0, "a"), null);
    await assert.rejects(latest(`${topic}.none`, 0, "a"), hasCode("unknown-topic"));
    await assert.rejects(latest(topic, 2, "a"), hasCode("unknown-partition"));
  });
}

function fold(state: Map<string, string>, { key, value }: Pick<LogRecord, "key" | "value">): void {
  if (key === null) return;
  if (value === null) state.delete(key);
  else state.set(key, new TextDecoder().decode(value));
}
