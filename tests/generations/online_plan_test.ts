/** A deployment serves what its record says while the configured generation is built. */

import assert from "node:assert/strict";
import { isToBuild, logOutcome, type Outcome, planOnline } from "../../scripts/run/online.ts";
import { rebuildDeployment } from "../../scripts/rebuild/deployment.ts";
import { agreeOn } from "../../scripts/run/agreement.ts";
import { blueprintOf, configOf } from "../../streams/config/blueprint.ts";
import { parseConfig } from "../../streams/config/config.ts";
import { generationRecord, generationsOf } from "../../streams/topics/generations.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { warnings } from "../log/warnings.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";

const topics = topicNames();
const FLAGS = { model: "base", variants: [], partitions: 1, seed: 3 } as const;

function configured(config: object) {
  return parseConfig(JSON.stringify(config), "meander.json");
}

Deno.test("configOf() gives a configuration that yields the same blueprint", () => {
  const configs = [
    {},
    { guard: null, proof: null, ranking: "blend", boosts: [], features: { transitions: null } },
    JSON.parse(Deno.readTextFileSync("fixtures/shop/meander.json")),
    {
      features: { itemFields: ["band"], pooled: { bytes: 1 << 20 }, transitions: { behaviours: 6 } },
      actions: { like: { positive: true, strength: 3 } },
      retrieval: { head: false },
      learnNext: 0.5,
      models: { dien: { hidden: 8 } },
      retention: { eventsHours: 24 },
    },
  ];
  for (const model of ["base", "dien"] as const) {
    for (const config of configs.map(configured)) {
      const blueprint = blueprintOf(config, { ...FLAGS, model });
      assert.deepEqual(blueprintOf(configOf(blueprint), { ...FLAGS, model }), blueprint);
    }
  }
});

Deno.test("planOnline() serves the recorded blueprint and builds the configured one; going back needs rollBack", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  const before = configured({ features: { itemFields: ["band"] }, batchRows: 16 });
  await agreeOn(log, topics, before, FLAGS);
  const { variants } = FLAGS;
  const plan = async (config: object, of: typeof variants | ["dien"] = variants) => {
    const made = { ...FLAGS, config: configured(config), variants: of };
    return await planOnline(log, topics, made);
  };
  assert.equal(
    await plan({ features: { itemFields: ["band"] }, batchRows: 32 }),
    null,
    "nothing needs a rebuild",
  );
  const planned = await plan({ features: { itemFields: ["band", "brand"] }, batchRows: 32 });
  assert.equal(planned?.generation.number, 2);
  assert.deepEqual(planned?.servingSetup.config.features?.itemFields, ["band"]);
  assert.equal(planned?.servingSetup.config.batchRows, 16);
  assert.deepEqual(planned?.changes.map(({ name }) => name), ["features.itemFields"]);
  await log.append([
    generationRecord(topics, { ...planned!.generation, hasServed: true }, 0),
  ]);
  const again = await plan({ features: { itemFields: ["band", "brand"] }, batchRows: 32 });
  assert.equal(again?.generation.hasServed, true, "going back must be asked for");
  assert.equal(isToBuild(again!, { rollBack: true }), true);
  assert.equal(isToBuild(again!, {}), false);
  assert.equal(isToBuild(planned!, {}), true);
  assert.throws(() => isToBuild(planned!, { rollBack: true }), /no kept generation that served before/);
  await assert.rejects(plan({}, ["dien"]), /omit --variant-models/);
});

Deno.test("planOnline() goes on with a generation that was begun while other topics were followed", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await agreeOn(log, topics, configured({}), FLAGS);
  const plan = async (sources: object) => {
    const config = configured({ features: { itemFields: ["band"] }, sources });
    return await planOnline(log, topics, { ...FLAGS, config });
  };
  const begun = (await plan({}))!;
  await log.append([generationRecord(topics, begun.generation, 0)]);
  const sources = { clicks: { preset: "segment", follow: { topic: "clicks" } } };
  const again = (await plan(sources))!;
  assert.equal(again.generation.number, begun.generation.number);
  assert.deepEqual(again.servingSetup.config.sources, sources);
});

Deno.test("planOnline() plans nothing for a deployment without a record", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  const made = { ...FLAGS, config: configured({}) };
  assert.equal(await planOnline(log, topics, made), null, "there is nothing to serve yet");
});

Deno.test("planOnline() and rebuildDeployment() refuse an impossible number of tasks before recording it", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 2));
  const flags = { ...FLAGS, partitions: 2 };
  await agreeOn(log, topics, configured({}), flags);
  const wrong = { ...flags, partitions: 3 };
  const refusal = /Cannot have 3 tasks share 2 partitions of events: use a multiple, such as 2 or 4/;
  await assert.rejects(planOnline(log, topics, { ...wrong, config: configured({}) }), refusal);
  const rebuild = { ...wrong, prefix: "meander.", share: 1, switch: true };
  await assert.rejects(rebuildDeployment(log, configured({}), rebuild, () => {}), refusal);
  assert.deepEqual([...(await generationsOf(log, topics)).keys()], [1]);
});

Deno.test("logOutcome() warns when another generation serves, or when --roll-back should be dropped", async () => {
  const outcome = { number: 1, serving: 2, isSwitched: false, pauseMs: 0 };
  const told = (of: Partial<Outcome> & Pick<Outcome, "now">) =>
    warnings(() => Promise.resolve(logOutcome({ ...outcome, ...of })));
  assert.deepEqual(await told({ now: 1, isSwitched: true }), []);
  assert.match(
    (await told({ now: 1, isSwitched: true, rollBack: true })).join(),
    /^omit --roll-back from now on/,
  );
  assert.deepEqual(await told({ now: 1 }), [], "another process has done what this one was to do");
  assert.deepEqual(await told({ now: 2 }), ["generation 2 keeps serving"]);
  assert.match(
    (await told({ now: 3 })).join(),
    /^generation 3 serves: .* does not continue to 1; start it again/,
  );
});
