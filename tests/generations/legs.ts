/**
 * What a generation built alongside a service holds, and what it would hold if built at rest in the same legs.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { decodeGeneration } from "../../streams/topics/generations.ts";
import type { RebuildOptions } from "../../streams/generations/build/options.ts";
import { Rebuild } from "../../streams/generations/build/rebuild.ts";
import type { Commit, Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { readAll } from "../../streams/log/reading.ts";
import { SERVING_KEY, switchWriterId } from "../../streams/topics/serving.ts";
import { topicSpecs } from "../../streams/topics/topics.ts";
import { built, carryingOptions, digestOf, rebuildOptions, topics } from "./built.ts";

/**
 * The ends of the second generation's legs that are written to a log from now on, in order.
 *
 * @param atSwitch called when all legs are built, before the generation serves; the function that it returns, once it does
 */
export function legsOf(log: Log, atSwitch: () => Promise<() => void>): readonly (readonly number[])[] {
  const legs: (readonly number[])[] = [];
  const open = log.writer.bind(log);
  log.writer = async (id, places) => {
    const writer = await open(id, places);
    if (id !== switchWriterId(topics)) return writer;
    const commit = async (of: Commit) => {
      const switched = of.records.some(({ key }) => key === SERVING_KEY) ? await atSwitch() : undefined;
      const offsets = await writer.commit(of);
      switched?.();
      for (const { key, value } of of.records) {
        if (key === "2" && value !== null) legs.push(decodeGeneration(value).until!);
      }
      return offsets;
    };
    return { id, commit, [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose]() };
  };
  return legs;
}

/** Digests of everything but the learner's checkpoint, which may lag behind. */
export async function contentsOf(log: Log) {
  const { checkpoints: _, ...digests } = await digestOf(log);
  return digests;
}

/** Digests of a topic's newest records by key; states without their last event's offset, which follows the format. */
async function recordsBy(log: Log, topic: string, tasks: number) {
  const found = new Map<string, string>();
  for (let task = 0; task < tasks; task++) {
    for await (const { key, value } of readAll(log, topic, task)) {
      let at = topic === built.state ? 1 : -1;
      while (at > 0 && value![at]! >= 0x80) at++;
      found.set(`${task}/${key}`, createHash("sha256").update(value!.subarray(at + 1)).digest("hex"));
    }
  }
  return new Map([...found].sort());
}

/** What a generation with so many tasks holds, however the events are partitioned. */
export async function contentsBy(log: Log, tasks: number) {
  const { samples, signals, parameters } = await digestOf(log);
  const [states, statistics] = [
    await recordsBy(log, built.state, tasks),
    await recordsBy(log, built.statistics, tasks),
  ];
  // A task without users has only noted its position.
  const busy = new Set([...states.keys()].map((key) => key.split("/")[0]));
  for (const key of statistics.keys()) if (!busy.has(key.split("/")[0])) statistics.delete(key);
  return { samples, signals, parameters, states, statistics };
}

/**
 * What a generation holds when it is built at rest, in the same legs, from the events and answers of another log.
 *
 * @param carries whether it starts from the weights of the first one, whose learner is at rest
 */
export async function builtAtRest(log: Log, legs: readonly (readonly number[])[], carries = false) {
  await using copy = new MemoryLog();
  await buildAtRest(copy, log, legs, carries);
  return await contentsOf(copy);
}

/** Builds a generation on a log of its own from the events of another one, and the answers to what is in its legs. */
export async function buildAtRest(
  copy: Log,
  log: Log,
  legs: readonly (readonly number[])[],
  carries = false,
): Promise<void> {
  const { partitions } = (await log.topics(topics.events)).get(topics.events)!;
  await copy.createTopics(topicSpecs(topics, partitions));
  const learnt = carries ? [topics.samples, topics.checkpoints] : [];
  for (const topic of [topics.items, topics.events, topics.recommendations, ...learnt]) {
    for (let p = 0; p < (await log.topics(topic)).get(topic)!.partitions; p++) {
      for await (const record of readAll(log, topic, p)) {
        const [, event = 0] = /^\d+\/(\d+)\//.exec(record.headers["input"] ?? "") ?? [];
        if (Number(event) < legs.at(-1)![p]! || topic !== topics.recommendations) {
          await copy.append([{ ...record, partition: p }]);
        }
      }
    }
  }
  const made = await (carries ? carryingOptions(copy) : rebuildOptions(copy));
  const options: RebuildOptions = { ...made, until: legs[0]! };
  await using rebuild = await Rebuild.open(copy, options);
  for (const [n, leg] of legs.entries()) {
    rebuild.extend(leg);
    while (await rebuild.step(n === legs.length - 1));
  }
}

/** What a generation holds when it is built at rest on a log with one partition per task. */
export async function builtWhole(log: Log, legs: readonly (readonly number[])[]) {
  await using copy = new MemoryLog();
  const tasks = legs[0]!.length;
  const { partitions } = (await log.topics(topics.events)).get(topics.events)!;
  await copy.createTopics(topicSpecs(topics, tasks));
  for await (const record of readAll(log, topics.items, 0)) await copy.append([record]);
  const places = new Map<string, number>();
  const counts = legs.map((leg) => leg.map(() => 0));
  for (let p = 0; p < partitions; p++) {
    for await (const { partition, offset, ...record } of readAll(log, topics.events, p)) {
      const task = partitionOf(record.key!, tasks);
      const [place] = await copy.append([{ ...record, partition: task }]);
      places.set(`${partition}/${offset}`, place!);
      for (const [n, leg] of legs.entries()) if (offset < leg[task]!) counts[n]![task] = place! + 1;
    }
  }
  for (let p = 0; p < partitions; p++) {
    for await (const { key, value, time, headers } of readAll(log, topics.recommendations, p)) {
      const [, event, index] = /^\d+\/(\d+)\/(\d+)$/.exec(headers["input"]!)!;
      const partition = partitionOf(key!, tasks);
      const input = `${partition}/${places.get(`${p}/${event}`)}/${index}`;
      await copy.append([{ topic: topics.recommendations, partition, key, value, time, headers: { input } }]);
    }
  }
  const options: RebuildOptions = { ...await rebuildOptions(copy), until: counts[0]! };
  await using rebuild = await Rebuild.open(copy, options);
  for (const [n, leg] of counts.entries()) {
    rebuild.extend(leg);
    while (await rebuild.step(n === counts.length - 1));
  }
  return await contentsBy(copy, tasks);
}
