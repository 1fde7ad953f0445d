/** Whoever follows a topic goes on where it is still what was read, and says so. */

import assert from "node:assert/strict";
import type { TaskState } from "../../src/engine/task_state.ts";
import { MergedReader } from "../../streams/experiments/merged_reader.ts";
import { SourcePartition } from "../../streams/feeders/source_partition.ts";
import { BatchReader } from "../../streams/learning/batch_reader.ts";
import type { Log } from "../../streams/log/log.ts";
import { CatalogueReader } from "../../streams/task/catalogue_reader.ts";
import { EventReader } from "../../streams/task/inputs/event_reader.ts";
import { OthersReader } from "../../streams/task/inputs/others_reader.ts";
import type { Outbox } from "../../streams/task/outbox.ts";
import { hasCode } from "../contracts/log_suite.ts";
import { LosingLog } from "./losing_log.ts";
import { warnings } from "./warnings.ts";

/** Reads to the end. @returns the keys that it took */
type Follow = () => Promise<readonly string[]>;

const FOLLOWERS: Readonly<Record<string, (log: LosingLog) => Follow | Promise<Follow>>> = {
  catalogue(log) {
    const taken: string[] = [];
    const state: Pick<TaskState, "applyItem" | "removeItem"> = {
      applyItem: () => assert.fail("there are only removals"),
      removeItem: (item) => void taken.push(item),
    };
    const outbox: Pick<Outbox, "reject"> = { reject: () => assert.fail("nothing is wrong") };
    const reader = new CatalogueReader(log, "items", 0, { state, outbox });
    return async () => {
      do await reader.read(); while (!reader.isAtEnd);
      return taken.splice(0);
    };
  },
  async signals(log) {
    const reader = await OthersReader.open(log, "signals", { own: 1, partitions: 2, positions: new Map() });
    return async () => {
      const taken: string[] = [];
      for (let idle = 0; idle < 2; idle++) {
        reader.begin();
        await new Promise((resolve) => setTimeout(resolve));
        reader.take((record) => {
          taken.push(record.key!);
          idle = 0;
          return true;
        });
      }
      return taken;
    };
  },
  monitor(log) {
    const reader = new MergedReader(log as unknown as Log, [{ topic: "samples", partition: 0 }]);
    return async () => {
      const taken: string[] = [];
      await reader.take(Infinity, ({ key }) => void taken.push(key!));
      return taken;
    };
  },
  source(log) {
    const partition = new SourcePartition({
      log: log as unknown as Log,
      topic: "clicks",
      partition: 0,
      from: { next: 0 },
      waitMs: 0,
      maxBytes: 1 << 20,
      now: () => 0,
      clock: () => 0,
      headOf: (record, read) => ({ record, read, time: record.time, cameAt: 0 }),
      stuck: { since: new Map(), name: "clicks" },
    });
    return async () => {
      const taken: string[] = [];
      for (;;) {
        await partition.fill();
        if (partition.head === undefined) return taken;
        taken.push(partition.head.record.key!);
        partition.take();
      }
    };
  },
};

for (const [name, open] of Object.entries(FOLLOWERS)) {
  for (const more of [["x"], ["x", "y", "z", "w"]]) {
    const where = more.length === 1 ? "beyond the end" : "behind records that were replaced";
    Deno.test(`the follower of ${name} says that it goes back from ${where}, once`, async () => {
      const log = new LosingLog();
      log.append("a", "b", "c", "d", "e");
      const follow = await open(log);
      assert.deepEqual(await follow(), ["a", "b", "c", "d", "e"]);
      log.lose(3);
      log.append(...more);
      let taken: readonly string[] = [];
      const said = await warnings(async () => {
        taken = await follow();
      });
      assert.deepEqual(taken, more);
      assert.match(said.join(), /^\w+\/0 has lost what .* had read from 3 on/);
      assert.equal(said.length, 1);
      log.append("v");
      assert.deepEqual(await warnings(async () => assert.deepEqual(await follow(), ["v"])), []);
    });
  }
}

Deno.test("BatchReader goes back to the last batch that is whole, without the samples of the next one", async () => {
  const log = new LosingLog();
  log.append("a", "b", "c", "d", "e");
  const forgotten: string[] = [];
  const wentBack: (readonly number[])[] = [];
  const reader: BatchReader = new BatchReader(log, "samples", (batch) => {
    forgotten.push(...batch.forgotten);
    return Promise.resolve();
  }, {
    partitions: 1,
    batchRows: 8,
    model: "base",
    variant: undefined,
    handover: undefined,
    goBack(positions) {
      wentBack.push(positions);
      reader.seek(positions);
      return Promise.resolve();
    },
  });
  await reader.read(10);
  assert.deepEqual([reader.positions, reader.epochs], [[5], [0]]);
  for (const wait of [() => reader.read(10), () => reader.wait(10, 1, undefined)]) {
    log.lose(3);
    log.append("x", "y", "z", "w");
    assert.equal(await wait(), 0);
    assert.equal(await wait(), 4);
  }
  assert.deepEqual(wentBack, [[3], [3]]);
  assert.deepEqual(forgotten, ["a", "b", "c", "d", "e", "x", "y", "z", "w", "x", "y", "z", "w"]);
  assert.deepEqual([reader.positions, reader.epochs], [[7], [2]]);
});

Deno.test("EventReader stands still behind events that were replaced, however often it is asked", async () => {
  const log = new LosingLog();
  log.append("a", "b", "c", "d", "e");
  const reader = new EventReader(log, "events", 0, { next: 0 });
  await reader.read({ maxRecords: 4 });
  for (let passed = 0; passed < 4; passed++) reader.pass();
  log.lose(3);
  log.append("x", "y", "z");
  for (let times = 0; times < 2; times++) {
    await assert.rejects(reader.read({ maxRecords: 1 }), hasCode("beyond-end"));
  }
  assert.deepEqual([reader.next, reader.epoch], [4, 0]);
});
