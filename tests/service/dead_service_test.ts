/** A process whose service has failed for good, while a part of it still waits for the log. */

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { SAMPLE_FORMATS } from "../../src/samples/sample_codec.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { INPUT } from "../../streams/topics/delivery.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { openLog, ownPrefix, testBroker } from "../log/kafka_broker.ts";
import { recordsOf, shopEvents, until } from "./deployment.ts";
import { startService } from "./task_command.ts";

const broker = await testBroker();
/** Far more than it takes, and half of how long a write waits for a topic that is gone. */
const PATIENCE_MS = 60_000;

Deno.test({
  name: "run: a process whose service has failed for good exits though its learner still waits for the log",
  ignore: broker === undefined,
  async fn({ name }) {
    if (broker === undefined) return;
    const prefix = ownPrefix(import.meta.url, name);
    const topics = topicNames(prefix);
    const { parameters, rejected, generations, samples } = topics;
    await using log = await openLog(broker);
    const child = await startService([
      "--log",
      "kafka",
      "--brokers",
      broker.address,
      "--prefix",
      prefix,
      "--partitions",
      "1",
      "--model",
      "base",
      "--no-snapshots",
    ]);
    const over = new AbortController();
    const ended = child.status.finally(() => over.abort());
    await until(async () => (await log.topics(rejected)).has(rejected), "the topics are there");
    const published = async () => (await log.bounds(parameters, 0)).end;
    await until(async () => await published() > 0, "the first version is there");
    const first = await published();
    // So that the learner always has something to publish.
    const feeding = feed(log, recordsOf(shopEvents(6000, 50), prefix), over.signal);
    await until(async () => await published() > first, "it learns");
    const admin = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const registry = new ExperimentRegistry(log, topics, { models: ["base"], now: Date.now });
    await registry.start({ name: "e", variants: [{ name: "A" }, { name: "B" }] });
    // No topic is created again while that of generations is missing, so the learner waits.
    await admin.deleteTopics({ topics: [parameters, generations] });
    await admin.disconnect();
    const value = Uint8Array.of(SAMPLE_FORMATS.newest + 1);
    await log.append([{
      topic: samples,
      key: "ann",
      value,
      time: Date.now(),
      headers: { [INPUT]: "0/1/2" },
    }]);
    const outcome = await Promise.race([
      ended,
      delay(PATIENCE_MS, null, { ref: false, signal: over.signal })
        .catch(() => ended),
    ]);
    if (outcome === null) child.kill("SIGKILL");
    await Promise.all([ended, feeding]);
    assert.equal(outcome?.code, 1, `it ends within ${PATIENCE_MS} ms, and says that it failed`);
  },
});

/** Appends records a few at a time. */
async function feed(log: Log, records: readonly NewRecord[], signal: AbortSignal): Promise<void> {
  for (let at = 0; at < records.length && !signal.aborted; at += 100) {
    await log.append(records.slice(at, at + 100));
    await delay(20);
  }
}
