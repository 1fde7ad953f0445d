/** A generation built from a log has what a deployment would have made of it. */

import assert from "node:assert/strict";
import type { Event } from "../../src/events/event.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { compareSamples, mayServe } from "../../streams/generations/comparison.ts";
import { OwnWrites } from "../../streams/generations/build/own_writes.ts";
import { Rebuild } from "../../streams/generations/build/rebuild.ts";
import { layered } from "../../streams/log/metered_log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import type { Log } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Service } from "../../streams/service/service.ts";
import { topicSpecs } from "../../streams/topics/topics.ts";
import { answersOn, OPTIONS, recordsOf, requestsOf, shopEvents, until } from "../service/deployment.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { withFolder, withoutIndex } from "../task/harness.ts";
import { build, built, digestOf, eventsAsShown, rebuildOptions, serve, topics } from "./built.ts";

/** The lists in the samples of a topic, with their outcomes. */
async function outcomesOn(log: Log, topic: string, partitions = 1): Promise<string[]> {
  const outcomes: string[] = [];
  for (let p = 0; p < partitions; p++) {
    for await (const { value } of readAll(log, topic, p)) {
      const { request, user, rows } = decodeSample(value!);
      outcomes.push(
        JSON.stringify([request, user, rows.map(({ item, label, position }) => [item, label, position])]),
      );
    }
  }
  return outcomes.sort();
}

for (const partitions of [1, 2]) {
  Deno.test(`Rebuild joins each list with the outcomes that the deployment gave it, in ${partitions} partitions`, async () => {
    await using log = new MemoryLog();
    await serve(log, { partitions });
    const outputs = async () => [
      await answersOn(log),
      await Array.fromAsync({ length: partitions }, (_, p) => log.bounds(topics.rejected, p)),
    ];
    const before = await outputs();
    await build(log, await rebuildOptions(log));
    assert.deepEqual(await outputs(), before, "nothing is answered or rejected again");
    const outcomes = await outcomesOn(log, built.samples, partitions);
    assert.ok(outcomes.length > 50, `${outcomes.length} samples`);
    assert.deepEqual(outcomes, await outcomesOn(log, topics.samples, partitions));
    const compared = await compareSamples(log, topics, built);
    assert.ok(compared.rows > 100 && compared.now.entropy !== null);
    assert.equal(mayServe(compared, { margin: Infinity }), true);
    assert.equal(mayServe({ ...compared, now: { auc: 0.5, entropy: 9 } }, { margin: 0.1 }), false);
  });
}

Deno.test("Rebuild makes the same samples from answered requests as from impressions", async () => {
  await using log = new MemoryLog();
  await serve(log);
  await build(log, await rebuildOptions(log));
  await using told = new MemoryLog();
  await told.createTopics(topicSpecs(topics, 1));
  await told.append(recordsOf(await eventsAsShown(log)));
  await build(told, await rebuildOptions(told));
  const [one, other] = [await digestOf(log), await digestOf(told)];
  assert.equal(one.samples, other.samples);
  assert.equal(one.checkpoints, other.checkpoints);
  const [states, others] = await Promise.all([log, told].map(statesOn));
  assert.equal(others!.size, states!.size);
  for (const [user, state] of states!) {
    const bytes = others!.get(user)!;
    assert.equal(bytes.length, state.length, user);
    const differing = state.flatMap((byte, at) => byte === bytes[at] ? [] : [`${byte}, ${bytes[at]}`]);
    // Flags of open lists: shown, and in the one deployment recommended.
    assert.ok(differing.every((pair) => pair === "5, 1"), `${user}: ${differing}`);
  }
});

/** The states that a generation has built, by user. */
async function statesOn(log: Log): Promise<Map<string, number[]>> {
  const states = new Map<string, number[]>();
  for await (const { key, value } of readAll(log, built.state, 0)) {
    if (value === null) states.delete(key!);
    else states.set(key!, [...value]);
  }
  return states;
}

for (const [partitions, roundEvents] of [[1, 40], [2, 40], [3, 7]] as const) {
  Deno.test(`Rebuild killed repeatedly ends with the same bytes, in ${partitions} partitions with rounds of ${roundEvents}`, async () => {
    const whole = await (async () => {
      await using log = new MemoryLog();
      await serve(log, { views: 60, partitions });
      const counting = new CrashingLog(log);
      await build(counting, await rebuildOptions(log, { roundEvents }));
      return { operations: counting.operations, digest: await digestOf(log) };
    })();
    await using log = new MemoryLog();
    await serve(log, { views: 60, partitions });
    const options = await rebuildOptions(log, { roundEvents });
    let kills = 0;
    // Each life is longer than the last, and at least one operation goes further than any before.
    for (let life = 7; kills < 60; life += 5) {
      try {
        await build(new CrashingLog(log, life), options);
        break;
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        kills++;
      }
    }
    assert.ok(kills >= 10, `${kills} kills in ${whole.operations} operations`);
    assert.deepEqual(await digestOf(log), whole.digest);
    await build(log, options);
    assert.deepEqual(
      await digestOf(log),
      whole.digest,
      "one that was killed at its very end has nothing to do",
    );
  });
}

Deno.test("Rebuild commits more batches at once the more it has learnt, but at most a sixteenth of them", async () => {
  await using log = new MemoryLog();
  await serve(log);
  const { spec, ...options } = await rebuildOptions(log, { roundEvents: 400 });
  const learning = { ...spec.learning, batchRows: 4 };
  await using rebuild = await Rebuild.open(log, { ...options, spec: { ...spec, learning } });
  const rounds: number[] = [];
  for (let before = 1, isOpen = true; isOpen; before = rebuild.learning.version) {
    isOpen = await rebuild.step();
    const learnt = rebuild.learning.version - before;
    assert.ok(learnt <= Math.max(1, before / 16), `${learnt} after ${before}`);
    if (learnt > 0) rounds.push(learnt);
  }
  assert.equal(Math.max(...rounds), 2, rounds.join());
});

for (const [partitions, events] of [[1, 4096], [2, 2048], [5, 1024]] as const) {
  Deno.test(`Rebuild has rounds of ${events} events in ${partitions} partitions`, async () => {
    await using log = new MemoryLog();
    await log.createTopics(topicSpecs(topics, partitions));
    const clicks = Array.from({ length: events + 1 }, (_, n): Event => {
      const [time, item] = [Date.UTC(2026, 0, 1) + n, `i${n % 7}`];
      return { type: "interaction", id: `e${n}`, user: `u${n % 5}`, time, item, action: "click" };
    });
    await log.append(recordsOf(clicks).map((record) => ({ ...record, partition: 0 })));
    await using rebuild = await Rebuild.open(log, await rebuildOptions(log, { roundEvents: undefined }));
    await rebuild.step();
    assert.equal(rebuild.progress.done, events);
  });
}

Deno.test("Rebuild does not read back from the log what it has written", async () => {
  await using log = new MemoryLog();
  await serve(log, { partitions: 2 });
  const asked = new Map<string, number>();
  const count = (topic: string) => asked.set(topic, (asked.get(topic) ?? 0) + 1);
  const counted = layered(log, {
    read: (topic, ...place) => (count(topic), log.read(topic, ...place)),
    bounds: (topic, partition) => (count(topic), log.bounds(topic, partition)),
  });
  await build(counted, await rebuildOptions(log));
  assert.ok((await log.bounds(built.samples, 0)).end > 20);
  for (const topic of [built.samples, built.signals, built.parameters]) {
    assert.ok(asked.get(topic)! < 20, `${topic} is asked ${asked.get(topic)} times`);
  }
});

Deno.test("Rebuild does not read erasures again that it has taken over, on a log that cannot erase events", async () => {
  await using memory = new MemoryLog();
  await serve(memory, { views: 40 });
  let reads = 0;
  const kept = new Proxy(withoutIndex(memory), {
    get: (below, name) => name === "erase" || name === "scrub" ? undefined : Reflect.get(below, name),
  });
  const log = layered(kept, {
    read(topic, partition, from, options) {
      if (topic === topics.statistics) reads++;
      return memory.read(topic, partition, from, options);
    },
  });
  const options = await rebuildOptions(log);
  const lives = [];
  for (const rounds of [2, 2]) {
    reads = 0;
    await using rebuild = await Rebuild.open(log, options);
    lives.push(reads > 0);
    for (let round = 0; round < rounds; round++) await rebuild.step();
  }
  assert.deepEqual(lives, [true, false]);
});

Deno.test("Rebuild resumes from the snapshots of its tasks when the log has no index", async () => {
  await using memory = new MemoryLog();
  await serve(memory, { partitions: 2 });
  let records = 0;
  const log = layered(withoutIndex(memory), {
    async read(topic, ...place) {
      const read = await memory.read(topic, ...place);
      if (topic === built.state) records += read.records.length;
      return read;
    },
  });
  await withFolder(async (folder) => {
    const options = await rebuildOptions(log);
    const restored: number[] = [];
    for (const snapshots of [undefined, { folder }]) {
      await build(log, { ...options, snapshots });
      records = 0;
      await build(log, { ...options, snapshots });
      restored.push(records);
    }
    assert.ok(restored[0]! > 0);
    assert.equal(restored[1], 0, "nothing was written after them");
  });
});

Deno.test("OwnWrites reads the same records as the log, its own and older ones", async () => {
  await using log = new MemoryLog();
  const topic = { name: "own", partitions: 1, cleanup: "delete" } as const;
  await log.createTopics([topic]);
  const record = (text: string, bytes = 1) => {
    return { topic: "own", partition: 0, key: text, value: new Uint8Array(bytes).fill(7), time: 1 };
  };
  await log.append([record("before")]);
  const writes = new OwnWrites(log, new Set(["own"]), 8 << 20);
  const writer = await writes.log.writer("me");
  const keys = async (from: number) =>
    (await writes.log.read("own", 0, from, { maxRecords: 2 })).records.map(({ key }) => key);
  const commit = async (...records: ReturnType<typeof record>[]) =>
    await writer.commit({ records, group: "me", offsets: [] });
  await commit(record("a"), record("b"));
  assert.deepEqual(await Promise.all([0, 1, 2, 3].map(keys)), [["before", "a"], ["a", "b"], ["b"], []]);
  assert.deepEqual(await writes.log.bounds("own", 0), { start: 0, end: 3 });
  for (let n = 0; n < 9; n++) await commit(record(`large${n}`, 1 << 20));
  for (let from = 0; from < 12; from++) {
    const options = { maxRecords: 2 };
    assert.deepEqual(
      await writes.log.read("own", 0, from, options),
      await log.read("own", 0, from, options),
    );
  }
  await writes.log.trim("own", 0, 2);
  assert.deepEqual(await writes.log.bounds("own", 0), { start: 2, end: 12 });
});

for (const maxBytes of [1 << 19, 8 << 20]) {
  Deno.test(`OwnWrites keeps ${maxBytes >> 10} KiB in all, keys and headers included, and copies nothing larger`, async () => {
    await using log = new MemoryLog();
    const partitions = 12;
    await log.createTopics([{ name: "own", partitions, cleanup: "delete" }]);
    let isAsked = false;
    const counted = layered(log, {
      read: (...place) => {
        isAsked = true;
        return log.read(...place);
      },
    });
    const writes = new OwnWrites(counted, new Set(["own"]), maxBytes);
    const writer = await writes.log.writer("me");
    const commit = async (
      partition: number,
      value: Uint8Array,
      of: { key?: string; header?: string } = {},
    ) => {
      const { key = "k", header = "" } = of;
      const record = { topic: "own", partition, key, value, time: 1, headers: { header } };
      await writer.commit({ records: [record], group: "me", offsets: [] });
    };
    const kept = async () => {
      let records = 0;
      for (let partition = 0; partition < partitions; partition++) {
        const { end } = await log.bounds("own", partition);
        for (let from = 0; from < end; from++) {
          isAsked = false;
          await writes.log.read("own", partition, from, { maxRecords: 1 });
          if (!isAsked) records++;
        }
      }
      return records;
    };
    for (let n = 0; n < 36; n++) await commit(n % partitions, new Uint8Array(maxBytes / 16));
    const values = await kept();
    assert.ok(values > 4 && values < 16, `${values} of 16`);
    const text = "x".repeat(maxBytes / 32);
    for (let n = 0; n < 36; n++) {
      await commit(n % partitions, new Uint8Array(1), n % 2 === 0 ? { key: text } : { header: text });
    }
    const texts = await kept();
    assert.ok(texts > 4 && texts < 16, `${texts} of 16`);
    let copies = 0;
    await commit(
      0,
      Object.assign(new Uint8Array(maxBytes * 5 / 8), { slice: () => (copies++, new Uint8Array(1)) }),
    );
    assert.equal(copies, 1, "only by the log");
    assert.ok(await kept() > 4, "the others stay");
  });
}

Deno.test("Rebuild does not take an empty read for the end of the log", async () => {
  const digests = [];
  for (const isLate of [false, true]) {
    await using log = new MemoryLog();
    await serve(log, { views: 60, partitions: 2 });
    let reads = 0;
    const late = layered(log, {
      read: async (topic, partition, from, options) =>
        isLate && topic === topics.events && reads++ % 3 < 2
          ? { records: [], next: from }
          : await log.read(topic, partition, from, options),
    });
    await build(late, await rebuildOptions(log));
    digests.push(await digestOf(log));
  }
  assert.deepEqual(digests[1], digests[0]);
});

Deno.test("a service continues with a built generation where the previous one stopped", async () => {
  await using log = new MemoryLog();
  await serve(log);
  const options = await rebuildOptions(log);
  await build(log, options);
  const answered = (await answersOn(log)).length;
  const more = shopEvents(200, 12).slice(options.until[0]);
  const requests = requestsOf(more);
  assert.ok(requests.length > 10);
  const { model, modelConfig, learner } = options.spec;
  {
    const { task } = options;
    await using service = await Service.start(log, {
      ...OPTIONS,
      generation: 2,
      model,
      modelConfig,
      task,
      learner,
    });
    await log.append(recordsOf(more).filter(({ topic }) => topic === topics.events));
    await until(async () => (await answersOn(log)).length >= answered + requests.length, "all are answered");
    assert.equal(service.serving.model, "dien");
    assert.ok(service.serving.version > 1);
  }
  const answers = await answersOn(log);
  assert.deepEqual(answers.slice(answered).map(({ request }) => request).sort(), requests.sort());
  assert.ok(answers.slice(answered).every(({ model }) => model === "dien"));
});

Deno.test("Rebuild.progress counts the events done up to their total", async () => {
  await using log = new MemoryLog();
  await serve(log, { views: 30 });
  await using rebuild = await Rebuild.open(log, await rebuildOptions(log));
  const { of } = rebuild.progress;
  assert.equal(rebuild.progress.done, 0);
  await rebuild.step();
  const { done } = rebuild.progress;
  assert.ok(done > 0 && done < of);
  while (await rebuild.step());
  assert.deepEqual(rebuild.progress, { done: of, of, remembered: [], archived: [] });
});
