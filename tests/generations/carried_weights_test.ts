/** A generation that starts from the weights of another one learns nothing twice and skips nothing. */

import assert from "node:assert/strict";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { compareSamples, type Comparison, mayServe } from "../../streams/generations/comparison.ts";
import type { RebuildOptions } from "../../streams/generations/build/options.ts";
import { Rebuild } from "../../streams/generations/build/rebuild.ts";
import { checkpointedSamples } from "../../streams/learning/learner_records.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { layered } from "../../streams/log/metered_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { openLearning } from "../../streams/service/jobs/learner_job.ts";
import { LEARNT } from "../../streams/topics/delivery.ts";
import { generationTopics, type Topics } from "../../streams/topics/topics.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { build, built, digestOf, rebuildOptions, serve, topics } from "./built.ts";

/** Topics of a generation that starts from the weights of {@linkcode built}. */
const third = generationTopics(topics, 3);

/** Options of a generation with one field more and one less than {@linkcode built}. @param tasks of it */
async function carryingOptions(log: Log, tasks?: number): Promise<RebuildOptions> {
  const before = await rebuildOptions(log);
  const schema = { ...before.spec.schema, contextFields: ["surface", "hour"], itemFields: ["band"] };
  const learner = { ...before.spec.learner, schema };
  const { until, task } = before;
  return {
    ...before,
    spec: { ...before.spec, schema, learner, topics: third },
    task: { ...task, schema },
    until: tasks === undefined ? until : Array.from({ length: tasks }, (_, n) => until[n % until.length]!),
    carries: before.spec,
  };
}

/** A sample by what makes it the same in both generations. */
interface Made {
  readonly key: string;
  readonly isLearnt: boolean;
}

/** The samples of a topic. @param isDone whether a sample counts as learnt */
async function samplesOn(
  log: Log,
  { samples }: Topics,
  isDone: (partition: number, offset: number, headers: Readonly<Record<string, string>>) => boolean,
): Promise<Made[]> {
  const made: Made[] = [];
  for (let partition = 0; partition < (await log.topics(samples)).get(samples)!.partitions; partition++) {
    for await (const { offset, value, headers } of readAll(log, samples, partition)) {
      const { user, request, time, next, preference, purpose } = decodeSample(value!);
      const kind = next !== undefined ? "next" : preference !== undefined ? "preference" : purpose ?? "";
      made.push({
        key: [user, request, time, kind].join("/"),
        isLearnt: isDone(partition, offset, headers),
      });
    }
  }
  return made.sort((a, b) => (a.key < b.key ? -1 : 1));
}

for (const [partitions, tasks] of [[1, 1], [2, 2], [2, 4]] as const) {
  Deno.test(`Rebuild learns the samples that its starting weights have not: ${tasks} tasks after ${partitions}`, async () => {
    await using log = new MemoryLog();
    await serve(log, { views: 400, partitions });
    const options = await rebuildOptions(log);
    {
      // Many samples have come since its only checkpoint.
      const learning = { ...options.spec.learning, checkpointBatches: 1000 };
      await using rebuild = await Rebuild.open(log, {
        ...options,
        spec: { ...options.spec, learning },
        until: options.until.map((end) => Math.floor(end * 0.7)),
      });
      while (await rebuild.step());
      rebuild.extend(options.until);
      while (await rebuild.step(true));
    }
    const learnt = (await checkpointedSamples(log, built, "dien"))!;
    const old = await samplesOn(log, built, (partition, offset) => offset < learnt[partition]!);
    assert.ok(old.some(({ isLearnt }) => isLearnt) && old.filter(({ isLearnt }) => !isLearnt).length > 10);
    const carrying = await carryingOptions(log, tasks);
    await build(log, carrying);
    const now = await samplesOn(log, third, (_partition, _offset, headers) => headers[LEARNT] !== undefined);
    if (tasks === partitions) assert.deepEqual(now, old);
    // Other tasks have other clocks, which close a list at another event, or not yet.
    const before = new Map(old.map(({ key, isLearnt }) => [key, isLearnt]));
    const differing = now.filter(({ key, isLearnt }) => before.get(key) !== isLearnt).length;
    assert.ok(differing + old.length - now.length < 8, `${differing} of ${now.length}`);

    const { rows, learnt: known } = await compareSamples(log, built, third);
    const back = await compareSamples(log, third, built);
    assert.deepEqual(
      [back.rows, back.learnt],
      [rows, undefined],
      "rows that favour the serving generation are left out",
    );
    assert.ok(rows > 20 && known!.rows > 20, `${rows} and ${known!.rows} rows`);
    await using learning = await openLearning(log, carrying.spec);
    assert.ok(learning.learner.steps > 0, "what is left is learnt");
    assert.ok(learning.validation.judged <= rows, `${learning.validation.judged} of ${rows} rows are judged`);
  });
}

Deno.test("Rebuild with carried weights, killed repeatedly, ends with the same bytes and those item vectors", async () => {
  const whole = await (async () => {
    await using log = new MemoryLog();
    await serve(log);
    await build(log, await rebuildOptions(log));
    await build(log, await carryingOptions(log));
    return await digestOf(log, third);
  })();
  await using log = new MemoryLog();
  await serve(log);
  await build(log, await rebuildOptions(log));
  const options = await carryingOptions(log);
  let kills = 0;
  for (let life = 7; kills < 60; life += 5) {
    try {
      await build(new CrashingLog(log, life), options);
      break;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      kills++;
    }
  }
  assert.ok(kills > 3, `${kills} kills`);
  assert.deepEqual(await digestOf(log, third), whole);
  await using learning = await openLearning(log, options.spec);
  // The second version says that the model has proved itself.
  assert.deepEqual([learning.version, learning.learner.steps], [2, 0]);
  await using learnt = await openLearning(log, options.carries!);
  assert.equal(await learning.lag(), await learnt.lag(), "what does not fill a batch yet");
  const vectors = ({ learner }: typeof learnt) => learner.tables.get("item")?.encode();
  assert.deepEqual(vectors(learning), vectors(learnt));
});

Deno.test("Rebuild reads carried weights whole while their learner saves a checkpoint, and does not fence it", async () => {
  await using log = new MemoryLog();
  await serve(log);
  const before = await rebuildOptions(log);
  await build(log, before);
  await using running = await openLearning(log, before.spec);
  let isReplaced = false;
  const replacing = layered(log, {
    async read(topic, partition, from, options) {
      const result = await log.read(topic, partition, from, { ...options, maxRecords: 1 });
      if (topic === built.checkpoints && !isReplaced) {
        isReplaced = true;
        await running.checkpoint();
      }
      return result;
    },
  });
  await build(replacing, await carryingOptions(log));
  assert.ok(isReplaced);
  await running.checkpoint(); // nobody has fenced it
});

Deno.test("mayServe() judges carried weights on rows they had learnt, and on new ones that fill the window", () => {
  const [good, bad] = [{ auc: 0.7, entropy: 0.9 }, { auc: 0.5, entropy: 1.2 }];
  const judged = (rows: number, now: typeof good, learnt: typeof good): Comparison => ({
    rows,
    before: good,
    now,
    learnt: { rows: 5000, before: good, now: learnt },
  });
  const guard = { windowRows: 100 };
  assert.equal(mayServe(judged(0, good, good), guard), true);
  assert.equal(mayServe(judged(99, bad, good), guard), true, "too few rows to tell");
  assert.equal(mayServe(judged(100, bad, good), guard), false);
  assert.equal(mayServe(judged(0, good, bad), guard), false, "it has not kept what was learnt");
  assert.equal(mayServe(judged(100, bad, bad), null), true);
  assert.equal(mayServe({ rows: 3, before: good, now: bad }, guard), false);
});
