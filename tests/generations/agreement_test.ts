/** A changed configuration is detected before anything is read or written with it. */

import assert from "node:assert/strict";
import { TASK_KEY } from "../../src/engine/task_codec.ts";
import { decodeVersion, encodeVersion } from "../../src/serving/version.ts";
import { blueprintChanges, blueprintOf } from "../../streams/config/blueprint.ts";
import type { Config } from "../../streams/config/config.ts";
import { withKeptDefaults } from "../../streams/config/kept_defaults.ts";
import { agree, compareWith, GenerationError } from "../../streams/generations/agreement.ts";
import { LogError } from "../../streams/log/log.ts";
import { generationRecord, generationsOf } from "../../streams/topics/generations.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { layered } from "../../streams/log/metered_log.ts";
import { dropGeneration } from "../../streams/service/erasure/drop_generation.ts";
import { Service } from "../../streams/service/service.ts";
import { servingRecord } from "../../streams/topics/serving.ts";
import { generationTopics, topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { makeLearner } from "../learner/batches.ts";
import { OPTIONS, until } from "../service/deployment.ts";

const topics = topicNames();
const FLAGS = { model: "base", variants: [], partitions: 1, seed: 0 } as const;
const NOW = Date.UTC(2026, 10, 28);

const options = (config: Config, flags: Partial<typeof FLAGS> = {}, sizes = { dense: 1, head: 1 }) => ({
  blueprint: blueprintOf(config, { ...FLAGS, ...flags }),
  changesOf: blueprintChanges,
  weights: () => sizes,
});

Deno.test("agree() records the blueprint at the first start, and writes nothing while it stays the same", async () => {
  await using log = new MemoryLog();
  const first = await agree(log, topics, options({}), NOW);
  assert.deepEqual([first.recorded, first.changes, first.isThere], [null, [], false]);
  const again = await agree(log, topics, options({}), NOW + 1);
  assert.deepEqual(again.changes, []);
  assert.deepEqual(again.recorded, {
    number: 1,
    blueprint: blueprintOf({}, FLAGS),
    since: NOW,
    isAdopted: false,
  });
  assert.equal((await log.bounds(topics.generations, 0)).end, 1);
});

/** A log on which tasks of generation 2 have worked, without a record of which generation serves. */
async function withoutRecord(): Promise<MemoryLog> {
  const log = new MemoryLog();
  const { statistics } = generationTopics(topics, 2);
  await log.createTopics(topicSpecs(generationTopics(topics, 2), 2));
  await log.append([{ topic: statistics, partition: 1, key: TASK_KEY, value: new Uint8Array(1), time: NOW }]);
  return log;
}

const LOST =
  /Cannot tell which generation serves: meander\.generations does not say, .* of generation 2, .*"serving"/;

Deno.test("agree() refuses to start as generation 1 when there is another one and the serving record is lost", async () => {
  await using log = await withoutRecord();
  await assert.rejects(agree(log, topics, options({}), NOW), LOST);
  const { blueprint } = options({});
  await log.append([generationRecord(topics, { number: 3, blueprint, since: NOW, isAdopted: false }, NOW)]);
  await assert.rejects(
    agree(log, topics, options({}), NOW),
    LOST,
    "a record of one that is being built does not help",
  );
  await log.append([servingRecord(topics, 2, NOW)]);
  assert.equal((await agree(log, topics, options({}), NOW)).number, 2);
});

Deno.test("agree() starts as generation 1 when every other generation has a record or was dropped", async () => {
  const { blueprint } = options({});
  await using begun = await withoutRecord();
  await begun.append([generationRecord(topics, { number: 2, blueprint, since: NOW, isAdopted: false }, NOW)]);
  assert.equal((await agree(begun, topics, options({}), NOW)).number, 1);
  await using dropped = await withoutRecord();
  await dropGeneration(dropped, topics, 2, NOW);
  // Tombstones do not stay.
  const { end } = await dropped.bounds(topics.generations, 0);
  await dropped.erase(topics.generations, 0, Array.from({ length: end }, (_, offset) => offset));
  assert.equal((await agree(dropped, topics, options({}), NOW)).number, 1);
});

Deno.test("dropGeneration() fails when a lagging broker answers, and can be retried", async () => {
  await using log = await withoutRecord();
  const { statistics } = generationTopics(topics, 2);
  const lagging = layered(log, {
    read: async (topic, partition, from, options) =>
      topic === statistics ? { records: [], next: from } : await log.read(topic, partition, from, options),
  });
  await assert.rejects(dropGeneration(lagging, topics, 2, NOW), { name: "LogError", code: "closed" });
  assert.ok(await dropGeneration(log, topics, 2, NOW) > 0);
});

Deno.test("withKeptDefaults() and compareWith() see the blueprint that another process records meanwhile", async () => {
  const begin = async () => {
    const log = new MemoryLog();
    const own = topicSpecs(topics, 1);
    await log.createTopics([...own, { name: topics.generations, partitions: 1, cleanup: "compact" }]);
    let hasBegun = false;
    /** Records how the deployment is made before it writes anything else. */
    const other = async () => {
      if (hasBegun) return;
      hasBegun = true;
      const { blueprint } = options({});
      await log.append([
        generationRecord(topics, { number: 1, blueprint, since: NOW, isAdopted: false }, NOW),
        { topic: topics.statistics, partition: 0, key: TASK_KEY, value: new Uint8Array(1), time: NOW },
        {
          topic: topics.parameters,
          partition: 0,
          key: "base",
          value: encodeVersion(makeLearner("base").version("full", 1)),
          time: NOW,
        },
      ]);
    };
    return { log, other };
  };
  const kept = await begin();
  const looking = layered(kept.log, {
    topics: async () => {
      await kept.other();
      return await kept.log.topics();
    },
  });
  assert.deepEqual(await withKeptDefaults(looking, topics, {}), {}, "no old defaults");
  const compared = await begin();
  const reading = layered(compared.log, {
    identify: async (topic) => {
      if (topic === topics.parameters) await compared.other();
      return await compared.log.identify(topic);
    },
  });
  const { recorded, changes } = await compareWith(reading, topics, options({}));
  assert.deepEqual([recorded?.isAdopted, changes], [false, []]);
});

Deno.test("agree() lets the first of two processes that start at once decide, and refuses the other", async () => {
  const [own, others] = [options({ features: { itemFields: ["brand"] } }), options({})];
  for (const moment of ["before it opens its writer", "before it commits"]) {
    await using log = new MemoryLog();
    const begun = () => agree(log, topics, others, NOW);
    const meanwhile = layered(log, {
      async writer(id) {
        if (moment === "before it opens its writer") await begun();
        const writer = await log.writer(id);
        const commit: typeof writer.commit = async (what) => {
          if (moment === "before it commits") await begun();
          return await writer.commit(what);
        };
        return { id, commit, [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose]() };
      },
    });
    const isSeen = (error: unknown) =>
      moment === "before it commits"
        ? error instanceof LogError && error.code === "fenced"
        : error instanceof GenerationError;
    await assert.rejects(agree(meanwhile, topics, own, NOW), isSeen, moment);
    await assert.rejects(agree(log, topics, own, NOW), GenerationError, moment);
    assert.deepEqual((await generationsOf(log, topics)).get(1)?.blueprint, others.blueprint, moment);
  }
});

Deno.test("agree() adopts changes that need no rebuild, and reports them once", async () => {
  await using log = new MemoryLog();
  await agree(log, topics, options({}), NOW);
  const changed = options({ outcomeWindowMs: 1000, policy: { name: "epsilon", epsilon: 0.1 } });
  const { changes } = await agree(log, topics, changed, NOW + 1);
  assert.deepEqual(changes.map(({ name, reach }) => [name, reach]), [
    ["outcomeWindowMs", "onward"],
    ["policy.epsilon", "at-once"],
    ["policy.name", "at-once"],
  ]);
  assert.deepEqual((await agree(log, topics, changed, NOW + 2)).changes, []);
  assert.equal((await generationsOf(log, topics)).get(1)?.since, NOW);
});

Deno.test("agree() refuses changes that need a rebuild, names each of them, and writes nothing", async () => {
  await using log = new MemoryLog();
  await agree(log, topics, options({}), NOW);
  const other = options({ features: { itemFields: ["brand"] }, batchRows: 3 }, { partitions: 2 as never });
  await assert.rejects(agree(log, topics, other, NOW + 1), (error: unknown) => {
    assert.ok(error instanceof GenerationError);
    assert.deepEqual(error.changes.map(({ name }) => name), ["features.itemFields", "partitions"]);
    assert.match(error.message, /features\.itemFields was \[\], is \["brand"\]: needs a rebuild/);
    assert.match(error.message, /partitions was 1, is 2/);
    return true;
  });
  assert.deepEqual((await agree(log, topics, options({}), NOW + 2)).changes, []);
});

Deno.test("agree() adopts a deployment without a record if its weights fit, or else says what has changed", async () => {
  await using log = new MemoryLog();
  let sizes = { dense: 0, head: 0 };
  {
    await using service = await Service.start(log, OPTIONS);
    await until(() => Promise.resolve(service.serving.version > 0), "a version is served");
    const [bytes] = (await log.read(topics.parameters, 0, 0)).records.flatMap(({ value }) => value ?? []);
    const { dense, head } = decodeVersion(bytes!);
    sizes = { dense: dense.length, head: head.length };
  }
  const dien = options({}, { model: "dien" as never }, sizes);
  await assert.rejects(
    agree(log, topics, dien, NOW),
    /model was base, is dien[^]+has no record of its options: if that topic was deleted/,
  );
  const wider = options({}, {}, { ...sizes, dense: sizes.dense + 320 });
  await assert.rejects(
    agree(log, topics, wider, NOW),
    /features or options of base have changed: the log has/,
  );
  assert.equal((await generationsOf(log, topics)).size, 0);
  const adopted = await agree(log, topics, options({}, {}, sizes), NOW);
  assert.deepEqual([adopted.recorded, adopted.isThere], [null, true]);
  assert.equal((await generationsOf(log, topics)).get(1)?.isAdopted, true);
});

Deno.test("agree() lets a rolling restart add a source, and records the topics that are followed", async () => {
  await using log = new MemoryLog();
  const clicks = { clicks: { follow: { topic: "clicks" }, rules: [] } };
  const views = { views: { follow: { topic: "views" }, rules: [] } };
  await agree(log, topics, options({ sources: clicks }), NOW);
  const more = { sources: { ...clicks, ...views } };
  for (const [process, changed] of [["sources.views"], []].entries()) {
    const { changes } = await agree(log, topics, options(more), NOW + process);
    assert.deepEqual(changes.map(({ name }) => name), changed);
  }
  const { blueprint } = (await generationsOf(log, topics)).get(1)!;
  assert.deepEqual(blueprint.options["sources"], { clicks: "clicks", views: "views" });
});
