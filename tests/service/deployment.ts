/**
 * A small deployment to test the service on: its options, its input, and what a reader of its outputs sees.
 *
 * @module
 */

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import type { ServiceOptions } from "../../streams/service/jobs/options.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { SCHEMA, WIDTH } from "../learner/batches.ts";
import { syntheticRecords } from "../sources/synthetic.ts";

/** Options of a service that commits often. */
export const OPTIONS: ServiceOptions<"base"> = {
  model: "base",
  modelConfig: {},
  task: { schema: SCHEMA, outcomeWindowMs: 300_000, allowedLatenessMs: 3_600_000 },
  learner: { schema: SCHEMA, embeddingWidth: WIDTH },
  learning: { batchRows: 32, checkpointBatches: 4, snapshotVersions: 3 },
  commitIntervalMs: 5,
  commitEvents: 16,
  pauseMs: 10,
};

/** The events of a small shop that shows our answers: no impressions, no faults, no erasures. */
export function shopEvents(views: number, users: number, seed = 3): Event[] {
  return syntheticRecords({ views, users, seed }).flatMap((record) => {
    if (record.kind !== "event") return [];
    const { event } = record;
    return event.type === "impression" || event.type === "forget" ? [] : [event];
  });
}

/** Events and the catalogue as records; the log places each by its key. */
export function recordsOf(events: readonly Event[], prefix?: string): NewRecord[] {
  const topics = topicNames(prefix);
  const items = syntheticRecords({ views: 0 }).flatMap((record) =>
    record.kind === "item" ? [record.item] : []
  );
  return [
    ...items.map((item) => ({
      topic: topics.items,
      key: item.item,
      value: encodeItem(item),
      time: item.time,
    })),
    ...events.map((event) => ({
      topic: topics.events,
      key: event.user,
      value: encodeEvent(event),
      time: event.time,
    })),
  ];
}

/** The requests among events, in order. */
export function requestsOf(events: readonly Event[]): string[] {
  return events.flatMap((event) => event.type === "request" ? [event.request] : []);
}

/** All answers on the log. */
export async function answersOn(log: Log, prefix?: string): Promise<Recommendation[]> {
  const records = await allOf(log, topicNames(prefix).recommendations);
  return records.map((value) => JSON.parse(new TextDecoder().decode(value)));
}

/** The requests of all samples on the log. */
export async function sampledRequestsOn(log: Log, prefix?: string): Promise<string[]> {
  const records = await allOf(log, topicNames(prefix).samples);
  return records.map((value) => decodeSample(value).request);
}

/** The number of rows of all samples on the log. */
export async function sampledRowsOn(log: Log): Promise<number> {
  const records = await allOf(log, topicNames().samples);
  return records.reduce((sum, value) => sum + decodeSample(value).rows.length, 0);
}

/** Share of the time of {@linkcode until} that its checks may take, as each costs the log as much as us. */
const LOOKING = 0.2;

/** Waits until a condition holds; fails after 120 seconds. */
export async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 120_000;
  for (let since = performance.now(); !await condition(); since = performance.now()) {
    assert.ok(performance.now() < deadline, `${what} within 120 seconds`);
    await delay(Math.max(10, (performance.now() - since) * (1 / LOOKING - 1)));
  }
}

/** Waits until tasks have committed all events. */
export async function untilCommitted(log: Log, prefix?: string): Promise<void> {
  await until(() => isCommitted(log, prefix), "all events are committed");
}

/** Whether tasks have committed all events. */
export async function isCommitted(log: Log, prefix?: string): Promise<boolean> {
  const { events } = topicNames(prefix);
  const partitions = (await log.topics(events)).get(events)?.partitions ?? 0;
  for (let p = 0; p < partitions; p++) {
    const { end } = await log.bounds(events, p);
    if ((await log.committed(`${events}-tasks`, events, p) ?? 0) < end) return false;
  }
  return true;
}

async function allOf(log: Log, topic: string): Promise<Uint8Array[]> {
  const partitions = (await log.topics(topic)).get(topic)?.partitions ?? 0;
  const values: Uint8Array[] = [];
  for (let p = 0; p < partitions; p++) {
    for await (const { value } of readAll(log, topic, p)) if (value !== null) values.push(value);
  }
  return values;
}
