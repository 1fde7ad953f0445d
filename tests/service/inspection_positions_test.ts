import assert from "node:assert/strict";
import { encodeEvent } from "../../src/events/codec.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { positionRecord } from "../../streams/topics/feeder_position.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import { inspect, type InspectionOptions } from "../../streams/service/inspection.ts";
import { Learning } from "../../streams/learning/learning.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs, variantTopics, variantTopicSpecs } from "../../streams/topics/topics.ts";
import { makeLearner, makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { AdministeredLog } from "../log/administered_log.ts";
import { recordsOf, shopEvents } from "./deployment.ts";

const topics = topicNames();
const records = recordsOf(shopEvents(30, 8)).filter(({ topic }) => topic === topics.events);

/** A deployment of two partitions whose tasks have applied what there was. */
async function deployment(): Promise<AdministeredLog> {
  const log = new AdministeredLog();
  await log.createTopics(topicSpecs(topics, 2));
  await log.append(records);
  await work(log);
  return log;
}

async function work(log: AdministeredLog): Promise<void> {
  for (const partition of [0, 1]) {
    const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
    await using task = await Task.open({ log, topics, partition, options: { schema: SCHEMA }, serving });
    while ((await task.round({ rows: 20, events: 30 })).complete);
    await task.commit();
  }
}

/** Problems with the positions. */
async function problemsOf(log: AdministeredLog, options: InspectionOptions = {}): Promise<string[]> {
  const { problems } = await inspect(log, options);
  return problems.map(({ what, remedy }) => `${what} -> ${remedy}`)
    .filter((problem) => !problem.includes("no parameters are published"));
}

Deno.test("inspect() reports no problems when positions agree", async () => {
  await using log = await deployment();
  assert.deepEqual(await problemsOf(log), []);
  const { partitions } = await inspect(log);
  assert.deepEqual(partitions.map(({ next, lag }) => [next, lag]), [
    [(await log.bounds(topics.events, 0)).end, 0],
    [(await log.bounds(topics.events, 1)).end, 0],
  ]);
});

Deno.test("inspect() reports no problems when positions move while it looks", async () => {
  for (const moves of [1, 2, 20]) {
    await using log = await deployment();
    const committed = log.committed.bind(log);
    let left = moves, isWorking = false;
    log.committed = async (...place) => {
      const offset = await committed(...place);
      if (isWorking || left-- <= 0) return offset;
      isWorking = true;
      await log.append(records.slice(0, 20));
      await work(log);
      isWorking = false;
      return offset;
    };
    assert.deepEqual(await problemsOf(log), [], `${moves} times`);
    assert.ok(left < moves);
  }
});

Deno.test("inspect() names both sides when the log and a task's record disagree", async () => {
  const cases: readonly (readonly [change: (log: AdministeredLog) => unknown, says: RegExp])[] = [
    [
      (log) => log.deleteGroup(`${topics.events}-tasks`),
      /task 1 resumes .+as in its own record.+has no offset/,
    ],
    [(log) => log.reset(`${topics.events}-tasks`, topics.events, 0, 1), /task 0 resumes.+says 1/],
    [
      (log) => log.recreate(topics.events),
      /task 0 has stopped.+created again.+-> start afresh.+follow meander/,
    ],
    [
      (log) => log.grow(topics.events, 4),
      /events has 4 partitions, of which tasks read only 2; the others have 0 records.+-> Kafka cannot remove/,
    ],
    [(log) => log.grow(topics.items, 4), /items has 4 partitions, of which tasks read only 1/],
    [(log) => log.recreate(topics.statistics), /task 1 has stopped: .+has no record of the task/],
  ];
  for (const [change, says] of cases) {
    await using log = await deployment();
    await change(log);
    const problems = await problemsOf(log);
    assert.ok(problems.some((problem) => says.test(problem)), `${says}: ${problems.join("\n")}`);
  }
});

Deno.test("inspect() counts lost and misplaced events until they are declared known", async () => {
  await using log = await deployment();
  const { end } = await log.bounds(topics.events, 0);
  await log.append(records.map((record) => ({ ...record, partition: 0 })));
  await log.trim(topics.events, 0, end + 5);
  assert.ok(
    (await problemsOf(log)).some((problem) =>
      problem.includes(`has dropped 5 offsets, ${end} to ${end + 4}`)
    ),
  );
  await work(log);
  const [lost, misplaced, ...others] = await problemsOf(log);
  assert.match(lost ?? "", /^5 offsets of meander\.events.+--known lost=5$/);
  const [, count] =
    /^(\d+) events arrived in partitions.+follow meander.+--known misplaced=\1$/.exec(misplaced ?? "") ?? [];
  assert.ok(Number(count) > 10, `${misplaced}`);
  assert.deepEqual(others, []);
  assert.deepEqual(await problemsOf(log, { known: { lost: 5, misplaced: Number(count) } }), []);
  assert.equal((await problemsOf(log, { known: { lost: 4, misplaced: 1e6 } })).length, 1);
});

Deno.test("inspect() reports what a learner has lost until it is declared known", async () => {
  await using log = await deployment();
  {
    await using _publishes = await Learning.open(log, topics, makeLearner("base"));
  }
  const position = { id: null, next: [12, 0], lost: 12 };
  await log.append([positionRecord(topics, `${topics.samples}-learner-base`, position)]);
  const [unlearnt, ...others] = await problemsOf(log);
  assert.match(unlearnt ?? "", /^12 offsets of meander\.samples were dropped .+--known unlearnt=12$/);
  assert.deepEqual(others, []);
  assert.deepEqual(await problemsOf(log, { known: { unlearnt: 12 } }), []);
});

Deno.test("inspect() reads the record of each task once", async () => {
  await using log = await deployment();
  await work(log);
  const latest = log.latest.bind(log);
  let reads = 0;
  log.latest = (topic, partition, key) => {
    if (topic === topics.statistics) reads++;
    return latest(topic, partition, key);
  };
  const { partitions } = await inspect(log);
  assert.equal(reads, partitions.length);
});

Deno.test("inspect() also looks at the learners of variants", async () => {
  await using log = await deployment();
  await log.createTopics(variantTopicSpecs(topics, ["dien"]));
  {
    await using _own = await Learning.open(log, topics, makeLearner("base"));
    await using _other = await Learning.open(log, variantTopics(topics, "dien"), makeLearner("dien"), {
      variant: "dien",
    });
  }
  const { learners } = await inspect(log);
  assert.deepEqual(learners.map(({ model, isOwn }) => [model, isOwn]), [["base", true], ["dien", false]]);
  await log.append([
    positionRecord(topics, `${topics.samples}-learner-dien`, { id: null, next: [7, 0], lost: 7 }),
  ]);
  const [unlearnt] = await problemsOf(log);
  assert.match(unlearnt ?? "", /^7 offsets of meander\.samples were dropped .+--known unlearnt=7$/);
});

Deno.test("inspect() reports a model that an experiment wants and no learner has learnt", async () => {
  await using log = await deployment();
  {
    await using _own = await Learning.open(log, topics, makeLearner("base"));
  }
  const registry = new ExperimentRegistry(log, topics, { models: ["base", "mimn", "dien"], now: () => 0 });
  const wanting = async () =>
    (await problemsOf(log)).filter((problem) => problem.includes("an experiment uses"));
  await registry.start({ name: "old", variants: [{ name: "a" }, { name: "b", model: "mimn" }] });
  const [problem = "", ...others] = await wanting();
  assert.match(problem, /^no learner has run for mimn, .+ -> .+--variant-models mimn$/);
  assert.deepEqual(others, []);
  await registry.stop("old", "enough");
  assert.deepEqual(await wanting(), []);
});

Deno.test("inspect() reports topics that keep erased users for ever, once a user was erased", async () => {
  await using log = await deployment();
  const keeps = (ms: number | null) => Object.assign(log, { keepMs: () => Promise.resolve(ms) });
  assert.deepEqual(await problemsOf(keeps(null)), [], "nobody was erased");
  const forget = { type: "forget", user: "u1", time: records.at(-1)?.time ?? 0 } as const;
  await log.append([{ topic: topics.events, key: "u1", value: encodeEvent(forget), time: forget.time }]);
  await work(log);
  const [problem = "", ...others] = await problemsOf(keeps(null));
  assert.match(
    problem,
    /erased users \(1 so far\) have records that stay for ever on meander\.events, .+ -> set retention\.ms/,
  );
  assert.match(problem, /--known kept=1$/);
  assert.deepEqual([others, await problemsOf(keeps(1000))], [[], []]);
  assert.deepEqual(await problemsOf(keeps(null), { known: { kept: 1 } }), [], "it is meant to be so");
  assert.equal((await problemsOf(keeps(null), { known: { kept: 0 } })).length, 1, "one more than is known");
});
