/** What a real broker still has of an erased user, byte for byte, against what the receipt says. */

import assert from "node:assert/strict";
import { encodeEvent } from "../../src/events/codec.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import type { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import type { LogRecord } from "../../streams/log/log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Service } from "../../streams/service/service.ts";
import { type ErasureView, viewErasure } from "../../streams/service/erasure/erasure_view.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { openLog, ownPrefix, testBroker } from "../log/kafka_broker.ts";
import { OPTIONS, recordsOf, until, untilCommitted } from "./deployment.ts";
import { badRecords, formsIn, formsInRecord, formsOn, GONE, shop } from "./forms.ts";

const broker = await testBroker();
const PREFIX = ownPrefix(import.meta.url, "erased");
const PARTITIONS = 2;
const topics = topicNames(PREFIX);
const YEARS = 100 * 365 * 86_400_000;

/** Compacted topics that would still have the user after compaction and without tombstones. */
async function compacted(log: KafkaLog): Promise<string[]> {
  const found: string[] = [];
  for (const [topic, { partitions, cleanup }] of await log.topics(PREFIX)) {
    const newest = new Map<string, LogRecord>();
    for (let partition = 0; cleanup === "compact" && partition < partitions; partition++) {
      for await (const record of readAll(log, topic, partition)) {
        if (record.value === null) newest.delete(`${partition}/${record.key}`);
        else newest.set(`${partition}/${record.key}`, record);
      }
    }
    if ([...newest.values()].some((record) => formsInRecord(record).length > 0)) found.push(topic);
  }
  return found;
}

/** Files of a folder that have the user. */
async function filesWith(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(...await filesWith(path));
    // One may be removed or rewritten at this moment.
    else if (formsIn(await Deno.readFile(path).catch(() => new Uint8Array(0))).length > 0) found.push(path);
  }
  return found;
}

if (broker !== undefined) {
  Deno.test("Service on Kafka leaves of an erased user what the receipt says, and nothing else", async () => {
    await using log = await openLog(broker);
    {
      await using keeping = await openLog(broker, { topicConfig: { "retention.ms": `${YEARS}` } });
      const keeps = [topics.samples, topics.signals];
      await keeping.createTopics(topicSpecs(topics, PARTITIONS).filter(({ name }) => keeps.includes(name)));
    }
    const folder = await Deno.makeTempDir();
    await using cleaning = new AsyncDisposableStack();
    cleaning.defer(() => Deno.remove(folder, { recursive: true }));
    await using service = await Service.start(log, {
      ...OPTIONS,
      snapshots: { folder, intervalMs: 100 },
      prefix: PREFIX,
      partitions: PARTITIONS,
      learning: { ...OPTIONS.learning, checkpointIntervalMs: 50 },
    });
    const registry = new ExperimentRegistry(log, topics, { models: [], now: () => 0 });
    await registry.start({ name: "half", layer: "a", traffic: 1, variants: [{ name: "A" }, { name: "B" }] });
    const events = shop(150);
    const time = events.at(-1)?.time ?? 0;
    await log.append([...recordsOf(events, PREFIX), ...badRecords(topics, time)]);
    await untilCommitted(log, PREFIX);
    const named = ["state", "parameters", "checkpoints", "figures", "signals", "statistics"] as const;
    await until(async () => {
      const found = await formsOn(log, PREFIX);
      return named.every((name) => found[topics[name]] !== undefined);
    }, "all of them have the user");

    await until(async () => (await filesWith(folder)).length > 0, "local snapshots have the user");
    const partition = partitionOf(GONE, PARTITIONS);
    const [offset = -1] = await log.append([
      { topic: topics.events, key: GONE, value: encodeEvent({ type: "forget", user: GONE, time }), time },
    ]);
    const look = async (): Promise<ErasureView> => {
      const place = { partition, offset };
      return await viewErasure({ log, topics }, place, await service.erasure(partition, offset), Date.now());
    };
    assert.equal((await look()).state, "under way");
    await until(async () => (await look()).state === "kept", "all that is ours is rewritten");

    const receipt = await look();
    const remaining = receipt.topics.filter(({ remains }) => !/^$|no reader sees them/.test(remains ?? ""));
    const names = (all: readonly { readonly topic: string }[]) => all.map(({ topic }) => topic).toSorted();
    assert.deepEqual(await compacted(log), [], "nothing is left once the broker has compacted");
    assert.deepEqual(Object.keys(await formsOn(log, PREFIX)).toSorted(), names(remaining));
    await until(async () => (await filesWith(folder)).length === 0, "local snapshots are rewritten");
    const dated = remaining.filter(({ until }) => until !== null);
    assert.deepEqual(names(dated), [topics.samples, topics.signals]);
    for (const { until, topic } of dated) assert.ok(until! > YEARS, topic);
  });
}
