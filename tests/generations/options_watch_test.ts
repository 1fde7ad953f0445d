import assert from "node:assert/strict";
import { blueprintChanges, blueprintOf } from "../../streams/config/blueprint.ts";
import { OptionsWatch } from "../../streams/generations/options_watch.ts";
import { Succession, type SuccessionOptions } from "../../streams/generations/succession.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { generationRecord } from "../../streams/topics/generations.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { listen } from "../log/warnings.ts";

const topics = topicNames();
const FLAGS = { model: "base", variants: [], partitions: 2, seed: 0 } as const;
const blueprint = (outcomeWindowMs: number, sources = {}) => blueprintOf({ outcomeWindowMs, sources }, FLAGS);

Deno.test("a process warns once per change when another one records other options for the generation both run", async () => {
  await using heard = await listen();
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 2));
  await log.createTopics([{ name: topics.generations, partitions: 1, cleanup: "compact" }]);
  const record = async (outcomeWindowMs: number, number = 1) => {
    const generation = { number, blueprint: blueprint(outcomeWindowMs), since: 0, isAdopted: false };
    await log.append([generationRecord(topics, generation, 0)]);
  };
  await record(60_000);
  const ending = new AbortController();
  const watch = new OptionsWatch(log, topics, blueprintChanges);
  let looks = 0;
  let looked = Promise.withResolvers<void>();
  const succession = new Succession(log, {
    topics,
    place: { isReleased: false },
    ends: [Infinity, Infinity],
    serving: 1,
    signal: ending.signal,
    start: () => assert.fail("nothing else serves"),
    onRecord: async (serving: number) => {
      await watch.look(serving, blueprint(60_000));
      looks++;
      looked.resolve();
    },
    clock: () => 0,
    now: () => 0,
  } as unknown as SuccessionOptions);
  const after = async (change: () => Promise<void>) => {
    const before = looks;
    await change();
    while (looks === before) {
      looked = Promise.withResolvers();
      if (looks === before) await looked.promise;
    }
    return heard.messages;
  };
  assert.deepEqual(await after(() => Promise.resolve()), []);
  const [warning, ...more] = await after(() => record(5000));
  assert.match(
    warning ?? "",
    /^another process .*: outcomeWindowMs was 60000, is 5000; this one keeps its own/,
  );
  assert.deepEqual(more, []);
  assert.equal((await after(() => record(5000))).length, 1, "the same options again");
  assert.equal((await after(() => record(7000, 2))).length, 1, "of another generation");
  assert.equal((await after(() => record(60_000))).length, 1);
  assert.equal((await after(() => record(5000))).length, 2);
  ending.abort();
  await succession.ended;
});

Deno.test("OptionsWatch.look() does not take options that only one release has for other options", async () => {
  await using heard = await listen();
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await log.createTopics([{ name: topics.generations, partitions: 1, cleanup: "compact" }]);
  const own = blueprint(60_000);
  const { batchRows: _, features, ...others } = own.options;
  const options = { ...others, gone: 3, features: { ...features as object, decay: 0.5 } };
  const look = async (more: object) => {
    const older = { ...own, options: { ...options, ...more } };
    await log.append([
      generationRecord(topics, { number: 1, blueprint: older, since: 0, isAdopted: false }, 0),
    ]);
    await new OptionsWatch(log, topics, blueprintChanges).look(1, own);
    return heard.messages;
  };
  assert.deepEqual(await look({}), []);
  assert.match(
    (await look({ outcomeWindowMs: 5000 })).join(),
    /options: outcomeWindowMs was 60000, is 5000; /,
  );
});

Deno.test("OptionsWatch.look() says that another process follows other topics, also when this one follows none", async () => {
  const [one, two] = [{ clicks: { follow: { topic: "clicks.v1" } } }, {
    views: { follow: { topic: "views" } },
  }];
  const cases = [
    [one, one, ""],
    [one, { ...one, ...two }, 'sources.views was absent, is "views"'],
    [{ ...one, ...two }, one, 'sources.views was "views", is absent'],
    [{}, one, 'sources.clicks was absent, is "clicks.v1"'],
    [one, { clicks: { follow: { topic: "clicks.v2" } } }, 'sources.clicks was "clicks.v1", is "clicks.v2"'],
  ] as const;
  for (const [own, others, what] of cases) {
    await using heard = await listen();
    await using log = new MemoryLog();
    await log.createTopics([{ name: topics.generations, partitions: 1, cleanup: "compact" }]);
    const other = { number: 1, blueprint: blueprint(5000, others), since: 0, isAdopted: false };
    await log.append([generationRecord(topics, other, 0)]);
    await new OptionsWatch(log, topics, blueprintChanges).look(1, blueprint(5000, own));
    const said = heard.messages.join();
    if (what === "") assert.equal(said, "");
    else assert.ok(said.includes(`${what}; `) && said.endsWith("topics that it does not follow wait"), said);
  }
});
