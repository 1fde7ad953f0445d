/** A deployment is rebuilt as configured, switched, and switched back. */

import assert from "node:assert/strict";
import { parseConfig } from "../../streams/config/config.ts";
import { blueprintOf } from "../../streams/config/blueprint.ts";
import { withKeptDefaults } from "../../streams/config/kept_defaults.ts";
import { generationsOf } from "../../streams/topics/generations.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { learntBefore } from "../../streams/learning/learner_records.ts";
import { readAll } from "../../streams/log/reading.ts";
import { dropGeneration, dropKept } from "../../streams/service/erasure/drop_generation.ts";
import { servingGeneration } from "../../streams/topics/serving.ts";
import { DERIVED, generationTopics, topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { buildGeneration, rebuildDeployment, type RebuildFlags } from "../../scripts/rebuild/deployment.ts";
import { agreeOn } from "../../scripts/run/agreement.ts";
import { ownPosition } from "../../streams/task/inputs/inputs.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { temporaryFolder } from "../scripts/command.ts";
import { recordsOf, shopEvents } from "../service/deployment.ts";
import { syntheticRecords } from "../sources/synthetic.ts";
import { copyAll } from "./copies.ts";

const topics = topicNames();
const FLAGS = { prefix: "meander.", model: "base", seed: 0, share: 1, switch: true } as const;
const SMALL = {
  learner: { embeddingWidth: 2 },
  models: { base: { widths: [2] } },
  batchRows: 16,
  outcomeWindowMs: 60_000,
};

/** Rebuilds. @returns the exit code and what was printed */
async function rebuild(log: Log, config: object, flags: Partial<RebuildFlags> = {}) {
  const said: string[] = [];
  const parsed = parseConfig(JSON.stringify({ ...SMALL, ...config }), "meander.json");
  const code = await rebuildDeployment(log, parsed, { ...FLAGS, ...flags }, (line) => said.push(line));
  return { code, said: said.join("\n") };
}

/** A deployment whose first generation was made as configured and has handled a small shop. */
async function deployed(
  config: object = {},
  events = shopEvents(80, 9).filter(({ type }) => type !== "request"),
): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await log.append(recordsOf(events));
  const parsed = parseConfig(JSON.stringify({ ...SMALL, ...config }), "meander.json");
  await agreeOn(log, topics, parsed, { model: "base", variants: [], partitions: 1, seed: 0 });
  const generation = { number: 1, until: [events.length] };
  await buildGeneration(log, { config: parsed, flags: FLAGS, generation, serving: 1 }, () => {});
  return log;
}

Deno.test("rebuildDeployment() adds pooled pairs only when they are configured, and can keep all other weights", async () => {
  await using log = await deployed({ features: { pooled: false } });
  const silent = await rebuild(log, {});
  assert.match(silent.said, /nothing to rebuild/, "a default that has changed is no change");
  const { code, said } = await rebuild(log, { features: { pooled: true } }, { keepWeights: true });
  assert.equal(code, 0, said);
  assert.match(said, /changed: features\.pooled was false, is \{/);
  assert.equal((await generationsOf(log, topics)).get(2)?.carries, undefined, "once it is built");
  assert.deepEqual(await learntBefore(log, generationTopics(topics, 2), "base"), [143]);
  assert.equal(await servingGeneration(log, topics), 2);
  // They need not be configured any more.
  assert.match((await rebuild(log, {})).said, /nothing to rebuild/);
});

Deno.test("withKeptDefaults() keeps the old defaults for a log without a record of its options", async () => {
  await using old = new MemoryLog();
  await old.createTopics(topicSpecs(topics, 1));
  const record = { topic: topics.samples, partition: 0, key: "u", value: new Uint8Array(1), time: 0 };
  await old.append([record]);
  const { retrieval } = await withKeptDefaults(old, topics, {});
  assert.deepEqual(retrieval, { head: false });
});

Deno.test("rebuildDeployment() does nothing when the deployment is as configured", async () => {
  await using log = await deployed();
  const { code, said } = await rebuild(log, {});
  assert.equal(code, 0);
  assert.match(said, /nothing to rebuild/);
  assert.deepEqual([...(await generationsOf(log, topics)).keys()], [1]);
});

Deno.test("rebuildDeployment() builds a changed configuration once, and can switch back and forth", async () => {
  await using log = await deployed();
  const feature = { features: { itemFields: ["band"] } };
  const there = await rebuild(log, feature);
  assert.equal(there.code, 0, there.said);
  assert.match(
    there.said,
    /changed: features\.itemFields was \[\], is \["band"\]\nbuilding generation 2 alongside 1/,
  );
  assert.equal(await servingGeneration(log, topics), 2);
  const { blueprint, until } = (await generationsOf(log, topics)).get(2)!;
  const config = parseConfig(JSON.stringify({ ...SMALL, ...feature }), "meander.json");
  assert.deepEqual(blueprint, blueprintOf(config, { model: "base", variants: [], partitions: 1, seed: 0 }));
  const { end } = await log.bounds(generationTopics(topics, 2).state, 0);
  assert.ok(end > 0 && until !== undefined);

  const back = await rebuild(log, {});
  assert.equal(back.code, 0, back.said);
  assert.match(back.said, /continuing generation 1/);
  assert.equal(await servingGeneration(log, topics), 1);
  const again = await rebuild(log, feature);
  assert.match(again.said, /continuing generation 2/);
  assert.equal((await log.bounds(generationTopics(topics, 2).state, 0)).end, end, "nothing is done twice");
});

Deno.test("rebuildDeployment() reports what is carried over of events that the log has dropped", async () => {
  await using log = await deployed();
  const start = Math.floor((await log.bounds(topics.events, 0)).end / 2);
  await log.trim(topics.events, 0, start);
  const { said } = await rebuild(log, { features: { itemFields: ["band"] } });
  assert.match(
    said,
    new RegExp(`\n${start} offsets of events are no longer on the log; their effects`),
  );
  assert.match(said, /\n {2}behaviours: [1-9]\d* carried over; 0 lost/);
  assert.match(said, /\n {2}profiles: \d+ carried over\n/);
  assert.match(said, /\n {2}weights: learnt from what is left\n/);
});

for (const erases of [true, false]) {
  Deno.test(`rebuildDeployment() reads dropped events from backups, or does not continue, if the log ${erases ? "can" : "cannot"} erase`, async () => {
    await using folder = await temporaryFolder();
    const shown = syntheticRecords({ views: 80, users: 9 }).flatMap((record) =>
      record.kind === "event" && record.event.type !== "request" ? [record.event] : []
    );
    await using memory = await deployed({}, shown); // without requests: lists end rounds
    const log: Log = erases ? memory : Object.assign(memory, { erase: undefined, scrub: undefined });
    await copyAll(log, `${folder.path}/all`);
    const { end } = await log.bounds(topics.events, 0);
    await log.trim(topics.events, 0, end - 10);
    const feature = { features: { itemFields: ["band"] } };
    const archive = [`${folder.path}/all`];
    for (let life = 60;; life += 20) {
      await assert.rejects(rebuild(new CrashingLog(log, life), feature, { archive }), Crash);
      if (await ownPosition(log, generationTopics(topics, 2), 0) !== null) break;
    }
    await assert.rejects(
      rebuild(log, feature),
      /Cannot continue generation 2: the log has dropped events that it has not read; name the backups/,
    );
    const { code, said } = await rebuild(log, feature, { archive, anyway: true });
    assert.equal(code, 0, said);
    assert.match(said, /continuing generation 2\n/);
    assert.match(
      said,
      new RegExp(
        `\n${end - 10} offsets of events that the log has dropped are read from backups; none are missing`,
      ),
    );
  });
}

Deno.test("rebuildDeployment() says when a generation was begun with another choice of --keep-weights", async () => {
  for (const keepWeights of [true, undefined] as const) {
    await using log = await deployed();
    const feature = { features: { itemFields: ["band"] } };
    const begun = await rebuild(log, feature, { keepWeights, switch: false });
    assert.doesNotMatch(begun.said, /was begun/);
    const same = await rebuild(log, feature, { keepWeights, switch: false });
    assert.match(same.said, /continuing generation 2\n/);
    assert.doesNotMatch(same.said, /was begun/);
    const other = await rebuild(log, feature, { keepWeights: keepWeights ? undefined : true });
    assert.match(
      other.said,
      keepWeights
        ? /generation 2 was begun with --keep-weights, and continues so; to learn everything anew: .*rebuild --drop 2, then rebuild again/
        : /generation 2 was begun without --keep-weights, and continues so; to keep weights: .*rebuild --drop 2, then rebuild again/,
    );
  }
});

Deno.test("rebuildDeployment() leaves the old generation serving with switch: false", async () => {
  await using log = await deployed();
  const { code } = await rebuild(log, { features: { itemFields: ["band"] } }, { switch: false });
  assert.equal(code, 0);
  assert.equal(await servingGeneration(log, topics), 1);
});

Deno.test("rebuildDeployment() rebuilds rather than going back past dropped events if the log cannot erase", async () => {
  await using memory = await deployed();
  const log: Log = Object.assign(memory, { erase: undefined, scrub: undefined });
  await rebuild(log, { features: { itemFields: ["band"] } });
  const { end } = await log.bounds(topics.events, 0);
  await log.append(recordsOf(shopEvents(20, 3)).filter(({ topic }) => topic === topics.events));
  await log.trim(topics.events, 0, end + 1);
  const back = await rebuild(log, {}, { switch: false });
  assert.match(back.said, /building generation 3 alongside 2/, "an erasure may be among them");
});

Deno.test("dropKept() drops a generation that was replaced long enough ago", async () => {
  await using log = await deployed();
  const day = 86_400_000;
  assert.deepEqual(await dropKept(log, topics, 0, Date.now()), [], "nothing was switched");
  await rebuild(log, { features: { itemFields: ["band"] } });
  assert.deepEqual(await dropKept(log, topics, day, Date.now() + day / 2), []);
  assert.deepEqual(await dropKept(log, topics, day, Date.now() + 2 * day), [1]);
  assert.deepEqual([...(await generationsOf(log, topics)).keys()], [2]);

  for (const now = Date.now(); Date.now() === now;); // the clock of records counts milliseconds
  await rebuild(log, { features: { itemFields: ["band", "brand"] } }, { switch: false });
  assert.deepEqual(
    await dropKept(log, topics, day, Date.now() + 2 * day),
    [],
    "what is being built is not dropped",
  );
});

Deno.test("dropGeneration() removes all of a generation that does not serve, and its number is not reused", async () => {
  await using log = await deployed();
  const feature = { features: { itemFields: ["band"] } };
  await rebuild(log, feature);
  await assert.rejects(dropGeneration(log, topics, 2, Date.now()), /Cannot drop generation 2: it serves/);
  await assert.rejects(dropGeneration(log, topics, 7, Date.now()), /Cannot drop generation 7: there is none/);
  assert.ok(await dropGeneration(log, topics, 1, Date.now()) > 0);
  for (const name of DERIVED) {
    const left = [];
    for await (const { key, value } of readAll(log, topics[name], 0)) left.push({ key, value });
    assert.deepEqual(left, [], name);
  }
  assert.ok((await log.bounds(topics.events, 0)).start === 0);
  const back = await rebuild(log, {});
  assert.match(back.said, /building generation 3 alongside 2/);
  assert.equal(await servingGeneration(log, topics), 3);
});
