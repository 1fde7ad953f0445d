/**
 * A backup drill: a deployment is backed up under load, destroyed, restored and continued. It must end as if nothing had
 * happened.
 *
 * @module
 */

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { ignore } from "../../streams/log/ignore.ts";
import type { Log, LogRecord, NewRecord } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Service } from "../../streams/service/service.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import type { Deployment } from "../chaos/deployment.ts";
import { startExperiments } from "../chaos/experiments.ts";
import { unlearnt } from "../chaos/notes.ts";
import { catalogue, START, traffic } from "../chaos/traffic.ts";
import { verify } from "../chaos/verify.ts";
import { isCommitted, OPTIONS, until, untilCommitted } from "../service/deployment.ts";

/** How a kind of log is backed up and restored. */
export interface Drill {
  readonly prefix: string;
  /** Prefix under which it is restored. @default {the same} */
  readonly restoredPrefix?: string;
  readonly partitions: number;
  readonly open: () => Promise<Log>;
  /** Takes a backup while the log is open. */
  readonly backUp: () => Promise<void>;
  /** Destroys the log, which is closed. */
  readonly destroy: () => Promise<void>;
  readonly restore: () => Promise<void>;
}

/** Runs a drill. @returns Numbers of events before and after the point of the backup */
export async function runDrill(drill: Drill): Promise<{ readonly before: number; readonly after: number }> {
  const { prefix, partitions } = drill;
  const topics = topicNames(prefix);
  const deployment: Deployment<"base"> = {
    ...OPTIONS,
    prefix,
    task: { ...OPTIONS.task, outcomeWindowMs: 60_000, allowedLatenessMs: 180_000 },
    learning: {
      // An indexed log keeps one record of the order of samples: a checkpoint cuts it, and the verifier needs it whole.
      batchRows: 32,
      checkpointBatches: 1e6,
      checkpointIntervalMs: 1e9,
      snapshotVersions: null,
      publishIntervalMs: 0,
      guard: null,
    },
    serveVersion: 1,
  };
  const people = { seed: 1, events: 1000, users: 60, partitions, items: 60 };
  const events = [...traffic(topics, people)];
  const original = new Map<string, readonly LogRecord[]>();
  {
    await using log = await drill.open();
    await log.createTopics(topicSpecs(topics, partitions));
    await startExperiments(log, topics, { model: "base", time: START });
    await log.append([...catalogue(topics, people), ...events.slice(0, 500)]);
    await using service = await Service.start(log, { ...OPTIONS, ...deployment });
    await until(async () => ((await service.status()).learner?.version ?? 0) > 3, "something is learnt");
    let isDone = false;
    const backup = drill.backUp().finally(() => isDone = true);
    ignore(backup, "it is awaited below");
    for (let at = 500; at < events.length; at += 20) {
      await log.append(events.slice(at, at + 20));
      if (!isDone) await delay(60);
      // However long it takes, some events come after it.
      while (!isDone && at >= events.length - 250) await delay(20);
    }
    await backup;
    await untilCommitted(log, prefix);
    await service.stop();
    await service.ended;
    for (const topic of [topics.events, topics.recommendations, topics.samples, topics.parameters]) {
      original.set(topic, await recordsOf(log, topic));
    }
  }
  await drill.destroy();
  await drill.restore();
  const own = drill.restoredPrefix ?? prefix;
  const now = topicNames(own);
  const moved = (topic: string) => own + topic.slice(prefix.length);
  await using log = await drill.open();
  for (const [topic, all] of original) {
    const restored = await recordsOf(log, moved(topic));
    assert.ok(restored.length > 0, topic);
    const places = new Map(all.map((record) => [`${record.partition}@${record.offset}`, record]));
    for (const record of restored) {
      const same = places.get(`${record.partition}@${record.offset}`);
      assert.deepEqual({ ...record, topic }, same, topic);
    }
  }
  const rest: NewRecord[] = [];
  for (const record of original.get(topics.events) ?? []) {
    const { end } = await log.bounds(now.events, record.partition);
    if (record.offset >= end) rest.push({ ...record, topic: now.events });
  }
  const all = original.get(topics.events)?.length ?? 0;
  const serving = { ...OPTIONS, ...deployment, prefix: own };
  await using service = await Service.start(log, serving);
  await log.append(rest);
  await untilCommitted(log, own);
  await until(async () => ((await service.status()).learner?.lag ?? 99) < 16, "samples are learnt");
  await until(
    async () => ((await service.status()).monitor?.lag ?? 99) < 2 * partitions,
    "experiments are watched",
  );
  await until(async () => {
    const lags = Array.from(
      { length: partitions },
      (_, partition) => unlearnt(log, now.signals, { partition, partitions }),
    );
    return (await Promise.all(lags)).every((lag) => lag === 0);
  }, "tasks have learnt from each other");
  await service.stop();
  await service.ended;
  // The monitor may change an experiment up to the end, and each change is an event.
  while (!await isCommitted(log, own)) {
    await using again = await Service.start(log, serving);
    await untilCommitted(log, own);
    await again.stop();
    await again.ended;
  }
  const { problems, figures } = await verify(log, { ...deployment, prefix: own });
  assert.deepEqual(problems, []);
  assert.ok(
    (figures["recommendations"] ?? 0) > 240 && (figures["rows learnt"] ?? 0) > 300,
    JSON.stringify(figures),
  );
  return { before: all - rest.length, after: rest.length };
}

async function recordsOf(log: Log, topic: string): Promise<LogRecord[]> {
  const { partitions = 0 } = (await log.topics(topic)).get(topic) ?? {};
  const records: LogRecord[] = [];
  for (let p = 0; p < partitions; p++) records.push(...await Array.fromAsync(readAll(log, topic, p)));
  return records;
}
