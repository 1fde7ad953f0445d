/** Another configuration is recognised before anything is read or written with it. */

import assert from "node:assert/strict";
import { decodeVersion } from "../../src/serving/version.ts";
import { blueprintChanges, blueprintOf } from "../../streams/config/blueprint.ts";
import type { Config } from "../../streams/config/config.ts";
import { agree, GenerationError } from "../../streams/generations/agreement.ts";
import { generationsOf } from "../../streams/topics/generations.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { Service } from "../../streams/service/service.ts";
import { servingRecord } from "../../streams/topics/serving.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { OPTIONS, until } from "../service/deployment.ts";

const topics = topicNames();
const FLAGS = { model: "base", variants: [], partitions: 1, seed: 0 } as const;
const NOW = Date.UTC(2026, 10, 28);

const options = (config: Config, flags: Partial<typeof FLAGS> = {}, sizes = { dense: 1, head: 1 }) => ({
  blueprint: blueprintOf(config, { ...FLAGS, ...flags }),
  changesOf: blueprintChanges,
  weights: () => sizes,
});

Deno.test("agree() notes what a deployment is made as at its first start, and nothing more while it stays that", async () => {
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

Deno.test("agree() refuses to begin with the first of several generations where the record of which serves is lost", async () => {
  await using log = new MemoryLog();
  await log.createTopics([{ name: `${topics.state}.g2`, partitions: 1, cleanup: "compact" }]);
  const lost =
    /Cannot tell which generation serves: meander\.generations has no record .* topics of 2; .*"serving"/;
  await assert.rejects(agree(log, topics, options({}), NOW), lost);
  await log.createTopics([{ name: topics.generations, partitions: 1, cleanup: "compact" }]);
  await assert.rejects(agree(log, topics, options({}), NOW), lost);
  await log.append([servingRecord(topics, 2, NOW)]);
  assert.equal((await agree(log, topics, options({}), NOW)).number, 2);
});

Deno.test("agree() takes over what needs no rebuild, and says it once", async () => {
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

Deno.test("agree() refuses what needs a rebuild, names every change of that kind, and writes nothing", async () => {
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

Deno.test("agree() takes over a deployment without a record by its weights, or says that they do not fit", async () => {
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
  await assert.rejects(agree(log, topics, dien, NOW), /model was base, is dien/);
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
