import assert from "node:assert/strict";
import { encodeEvent, encodeItem } from "../../../src/events/codec.ts";
import type { Recommendation } from "../../../src/events/recommendation.ts";
import { decodeSample } from "../../../src/samples/sample_codec.ts";
import { ServingModel } from "../../../src/serving/serving_model.ts";
import type { Log, NewRecord } from "../../../streams/log/log.ts";
import { partitionOf } from "../../../streams/log/partitioner.ts";
import { readAll } from "../../../streams/log/reading.ts";
import { Task } from "../../../streams/task/task.ts";
import { INPUTS } from "../../../streams/task/inputs/position.ts";
import { ownRecord } from "../../../streams/task/inputs/inputs.ts";
import { ownPartitions } from "../../../streams/task/inputs/own_partitions.ts";
import { topicNames, topicSpecs } from "../../../streams/topics/topics.ts";
import { hasCode } from "../../contracts/log_suite.ts";
import { makeModel, SCHEMA, WIDTH } from "../../learner/batches.ts";
import { AdministeredLog } from "../../log/administered_log.ts";
import { syntheticRecords } from "../../sources/synthetic.ts";
import { withoutIndex } from "../harness.ts";

const topics = topicNames();
const GROUP = `${topics.events}-tasks`;
const OPTIONS = {
  schema: SCHEMA,
  impressions: "served",
  outcomeWindowMs: 300_000,
  maxJumpMs: 86_400_000,
} as const;
const START = Date.UTC(2024, 0, 1);

/** Requests and clicks of a few users; one user is erased halfway through. */
const records: readonly NewRecord[] = syntheticRecords({ views: 60, users: 8, seed: 5 }).flatMap((record) => {
  if (record.kind !== "event" || record.event.type === "impression" || record.event.type === "forget") {
    return [];
  }
  return [eventRecord(record.event)];
});
const HALF = Math.floor(records.length / 2);
const forget = eventRecord({ type: "forget", user: "u1", time: START + 30 * 60_000 });

function eventRecord(event: Parameters<typeof encodeEvent>[0]): NewRecord {
  return {
    topic: topics.events,
    partition: 0,
    key: event.user,
    value: encodeEvent(event),
    time: event.time,
  };
}

async function createLog(): Promise<AdministeredLog> {
  const log = new AdministeredLog();
  await log.createTopics(topicSpecs(topics, 1));
  return log;
}

const open = (log: Log) =>
  Task.open({
    log,
    topics,
    partition: 0,
    options: OPTIONS,
    serving: new ServingModel(makeModel("base"), SCHEMA, WIDTH),
  });

/** Applies what there is, in steps, and commits it. */
async function work(
  log: Log,
): Promise<
  Pick<Task, "next"> & { readonly users: readonly string[]; readonly counters: Task["state"]["counters"] }
> {
  await using task = await open(log);
  let now = 0;
  while (await task.step({ now: () => now++ }) > 0);
  while (task.isDirty) await task.commit();
  await task.step({ now: () => now += 1000 });
  const users = (await Array.fromAsync(task.users.records())).map(([id]) => id).sort();
  return { next: task.next, users, counters: { ...task.state.counters } };
}

async function answersOn(log: Log): Promise<string[]> {
  const answers: string[] = [];
  for await (const { value } of readAll(log, topics.recommendations, 0)) {
    answers.push((JSON.parse(new TextDecoder().decode(value!)) as Recommendation).request);
  }
  return answers;
}

for (
  const [what, lose] of [
    ["was deleted", (log: AdministeredLog) => log.deleteGroup(GROUP)],
    ["was set to the start", (log: AdministeredLog) => log.reset(GROUP, topics.events, 0, 0)],
    ["was set ahead", (log: AdministeredLog) => log.reset(GROUP, topics.events, 0, records.length)],
  ] as const
) {
  for (const indexed of [true, false]) {
    const title = `Task resumes from its own record when its group ${what}, ${
      indexed ? "with" : "without"
    } an index`;
    Deno.test(`${title}: no answer is repeated or missing, and erased users stay erased`, async () => {
      await using inner = await createLog();
      const log = indexed ? inner : withoutIndex(inner);
      await log.append([...records.slice(0, HALF), forget]);
      const before = await work(log);
      assert.ok(!before.users.includes("u1") && before.counters.forgotten === 1);
      await lose(inner);
      const again = await work(log);
      assert.deepEqual([again.next, again.users], [before.next, before.users]);
      assert.equal(
        await log.committed(GROUP, topics.events, 0),
        before.next,
        "the group's position is corrected at once",
      );
      await log.append(records.slice(HALF));
      await lose(inner);
      assert.equal((await work(log)).next, records.length + 1);
      const asked = records.flatMap(({ value }) => {
        const event = JSON.parse(new TextDecoder().decode(value!));
        return event.type === "request" ? [event.request] : [];
      });
      assert.deepEqual(await answersOn(log), asked);
    });
  }
}

Deno.test("Task refuses a recreated events topic, even one longer than the old, when it opens and while it runs", async () => {
  await using log = await createLog();
  await log.append(records.slice(0, HALF));
  await work(log);
  await using running = await open(log);
  await log.recreate(topics.events);
  await log.append(records);
  await assert.rejects(open(log), hasCode("topic-mismatch"));
  await assert.rejects(running.inputs.check(), hasCode("topic-mismatch"));
  await assert.rejects(open(log), /was deleted and created again \(its id was .+, and is .+\).+follow /);
});

Deno.test("Task ignores hidden partitions, and refuses added ones and recreated state or statistics", async () => {
  await using log = await createLog();
  await log.append(records.slice(0, HALF));
  await work(log);
  {
    await using running = await open(log);
    log.grow(topics.events, 4);
    const changes = async (below: Pick<Log, "identify">) =>
      running.inputs.changesIn(new Map([[topics.events, await below.identify(topics.events)]]));
    assert.deepEqual(await changes(log), { replaced: null, unread: null });
    const { replaced, unread } = await changes(ownPartitions(log, topics));
    assert.equal(replaced, null);
    assert.match(unread ?? "", /events has \d+ partitions, 3 more than .+not applied/);
  }
  await assert.rejects(open(log), hasCode("topic-mismatch"));
  log.grow(topics.events, 1);
  await using _ = await open(log);
  await log.recreate(topics.state);
  await assert.rejects(open(log), /meander\.state: it was deleted and created again/);
  await log.recreate(topics.statistics);
  await assert.rejects(open(log), /has no record of the task/);
});

Deno.test("Task refuses statistics that were recreated while it ran, which hold only what it has written since", async () => {
  await using log = await createLog();
  await log.append(records.slice(0, HALF));
  {
    await using running = await open(log);
    await running.step({ now: () => 0 });
    await running.commit();
    await log.recreate(topics.statistics);
    await assert.rejects(running.inputs.check(), /meander\.statistics: it was deleted and created again/);
    await log.append(records.slice(HALF));
    await running.step({ now: () => 0 });
    await running.commit(); // it has not checked yet
  }
  await assert.rejects(open(log), /meander\.statistics: it was deleted and created again/);
});

Deno.test("Task reads a recreated catalogue from its start", async () => {
  await using log = await createLog();
  const item = (item: string, category: string): NewRecord => ({
    topic: topics.items,
    partition: 0,
    key: item,
    time: START,
    value: encodeItem({ item, time: START, category }),
  });
  await log.append([...["a", "b", "c"].map((id) => item(id, "old")), ...records.slice(0, 3)]);
  await work(log);
  await log.recreate(topics.items);
  await log.append([item("c", "new"), item("d", "new"), ...records.slice(3, 6)]);
  await work(log);
  await using task = await open(log);
  assert.equal(task.catalogue.committed, 2);
  assert.deepEqual(["a", "c", "d"].map((id) => task.state.catalogue.get(id)?.categories[0]), [
    "old",
    "new",
    "new",
  ]);
});

Deno.test("Task.step() counts events that the log dropped before they were applied, once, and resumes after them", async () => {
  await using log = await createLog();
  await log.append(records);
  await log.trim(topics.events, 0, 2);
  await using first = await open(log);
  let now = 0;
  assert.equal(first.next, 2, "what was dropped before the first task is no loss");
  await first.step({ now: () => now++, maxEvents: 10 });
  await first.commit();
  const { next, committed } = first;
  assert.ok(next === committed && next < 20);
  await log.trim(topics.events, 0, next + 15);
  await using crashed = await open(log);
  await crashed.round({ rows: 1e9, events: 1e9 });
  assert.deepEqual([crashed.state.counters.lost, crashed.committed], [15, next], "and does not commit");
  const done = await work(log);
  assert.deepEqual([done.counters.lost, done.next], [15, records.length]);
  assert.equal((await work(log)).counters.lost, 15, "as it was committed");
});

Deno.test("Task.step() commits a loss even when no event follows it", async () => {
  await using log = await createLog();
  await log.append(records);
  {
    await using task = await open(log);
    await task.step({ now: () => 0, maxEvents: 5 });
    await task.commit();
  }
  await log.trim(topics.events, 0, records.length);
  const { next, counters } = await work(log);
  assert.deepEqual([next, counters.lost], [records.length, records.length - 5]);
  assert.equal(await log.committed(GROUP, topics.events, 0), records.length);
});

Deno.test("Task emits no samples of lists that were open when events were lost", async () => {
  await using log = await createLog();
  const request = (n: number, time: number) =>
    eventRecord({
      type: "request",
      user: "ann",
      request: `r${n}`,
      time: START + time,
      count: 2,
      candidates: ["a", "b"],
    });
  const click = (n: number, time: number) =>
    eventRecord({
      type: "interaction",
      user: "ann",
      action: "click",
      item: "a",
      request: `r${n}`,
      time: START + time,
    });
  await log.append([request(1, 0), click(1, 1000), request(2, 700_000)]);
  await work(log);
  await log.append([click(2, 701_000)]);
  await log.trim(topics.events, 0, 4);
  await log.append([click(2, 702_000), request(3, 703_000), click(3, 704_000), request(4, 2e6)]);
  const { counters } = await work(log);
  const sampled: string[] = [];
  for await (const { value } of readAll(log, topics.samples, 0)) sampled.push(decodeSample(value!).request);
  assert.deepEqual(sampled, ["r1", "r3"]);
  assert.deepEqual([counters.lost, counters.abandoned, counters.lateOutcomes], [1, 1, 1]);
});

Deno.test("Task.commit() writes its position and the ids of its topics into its own record", async () => {
  await using log = await createLog();
  await log.append(records.slice(0, 7));
  await work(log);
  const { headers } = await ownRecord(log, topics, 0) ?? assert.fail();
  const { next, ids } = JSON.parse(headers[INPUTS] ?? "");
  assert.equal(next, 7);
  assert.equal(ids.events, (await log.identify(topics.events))?.id);
  assert.deepEqual(Object.keys(ids).sort(), ["events", "items", "signals", "state", "statistics"]);
});

Deno.test("Task counts events whose users belong to other partitions, and applies them where they arrived", async () => {
  await using log = new AdministeredLog();
  await log.createTopics(topicSpecs(topics, 4));
  await log.append(records.map((record) => ({ ...record, partition: 1 })));
  await using task = await Task.open({
    log,
    topics,
    partition: 1,
    options: OPTIONS,
    serving: new ServingModel(makeModel("base"), SCHEMA, WIDTH),
  });
  while ((await task.round({ rows: 20, events: 30 })).complete);
  const elsewhere = records.filter(({ key }) => partitionOf(key!, 4) !== 1);
  assert.ok(elsewhere.length > 20);
  assert.equal(task.state.counters.misplaced, elsewhere.length);
  assert.equal(task.next, records.length);
});
