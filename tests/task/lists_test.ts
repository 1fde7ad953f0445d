/** User lists and copies for surfaces on topics of their own: each exactly once, whatever crashes when. */

import assert from "node:assert/strict";
import { decodeRecommendation, encodeEvent } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { decodeSample, encodeSample } from "../../src/samples/sample_codec.ts";
import { idHash } from "../../src/users/user_state.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { atOnce } from "../../src/values/portions.ts";
import type { OutputEncoder } from "../../streams/formats/output_settings.ts";
import type { Log, LogRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { RepeatFilter } from "../../streams/topics/repeats.ts";
import { Task } from "../../streams/task/task.ts";
import { DELIVERIES, type Delivery, INPUT } from "../../streams/topics/delivery.ts";
import { SAMPLES_ENDING, surfaceTopic, surfaceTopicSpecs } from "../../streams/topics/surfaces.ts";
import { generationTopics, topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { syntheticRecords } from "../sources/synthetic.ts";

const topics = topicNames();
const OPTIONS = {
  schema: SCHEMA,
  outcomeWindowMs: 300_000,
  userLists: { count: 3, everyMs: 20_000 },
} as const;
const SURFACES = { home: "front", app: "front", mail: "mail", ["*"]: "all" };
const FRONT = surfaceTopic(topics, "front"), MAIL = surfaceTopic(topics, "mail");
const ALL = surfaceTopic(topics, "all"), SAMPLES = surfaceTopic(topics, SAMPLES_ENDING);

const SHOWN = ["home", "mail", "web", "constructor"];

const events = syntheticRecords({ views: 26, users: 6, seed: 2 }).flatMap((record) =>
  record.kind === "event" && record.event.type !== "impression" ? [record.event] : []
).flatMap((event, n): Event[] => {
  const own = event.type === "request" ? { ...event, surface: SHOWN[n % SHOWN.length]! } : event;
  const { user, time } = event;
  return n % 40 === 30 ? [own, { type: "forget", user, time }] : [own];
});

const recordsOf = (of: readonly Event[]) =>
  of.map((event) => ({ topic: topics.events, key: event.user, value: encodeEvent(event), time: event.time }));

async function createLog(first = events): Promise<MemoryLog> {
  // Lists are not compacted here, so that each record is seen.
  const all = topicSpecs(topics, 1).map((spec) =>
    spec.name === topics.lists ? { ...spec, cleanup: "delete" as const } : spec
  );
  const log = new MemoryLog();
  await log.createTopics([...all, ...surfaceTopicSpecs(topics, 1, { ...SURFACES, [""]: SAMPLES_ENDING })]);
  await log.append(recordsOf(first));
  return log;
}

interface How {
  readonly delivery?: Delivery;
  readonly isAnswered?: boolean;
  readonly options?: Omit<typeof OPTIONS, "userLists">;
  readonly encodeLists?: OutputEncoder;
}

const encodeSamples = (sample: Sample) => sample.rows.length === 0 ? null : encodeSample(sample);

async function runToEnd(
  log: Log,
  { delivery, isAnswered, options = OPTIONS, encodeLists }: How = {},
): Promise<void> {
  const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
  const runtime = { delivery, isAnswered, surfaceTopics: SURFACES, encodeLists, encodeSamples };
  await using task = await Task.open({ log, topics, partition: 0, options, serving, ...runtime });
  let time = 0;
  const limits = { now: () => time, maxEvents: 5, commitIntervalMs: 100 };
  while (await task.step(limits) > 0) time += 40;
  await task.commit();
}

const readOf = (log: Log, topic: string) => Array.fromAsync(readAll(log, topic, 0));

/** What a reader that drops repeats sees. */
async function seenOn(log: Log): Promise<readonly (readonly object[])[]> {
  const filter = new RepeatFilter();
  return await Promise.all(
    [topics.lists, FRONT, MAIL, ALL, SAMPLES].map(async (topic) =>
      (await readOf(log, topic)).filter((record) => filter.isNew(record))
        .map(({ key, value, headers }) => ({ key, value, headers }))
    ),
  );
}

const answerOf = ({ value }: Pick<LogRecord, "value">) => {
  const decoded = decodeRecommendation(value ?? new Uint8Array(0));
  return decoded.ok ? decoded.recommendation : assert.fail(decoded.reason);
};

const whole = await createLog();
await runToEnd(whole);
const want = await seenOn(whole);

Deno.test("Task emits lists numbered by their event; folding them gives each user's last list, and nobody erased", async () => {
  const records = await readOf(whole, topics.lists);
  const numbers = records.map(({ headers }) => Number(headers[INPUT]?.split("/")[1]));
  assert.ok(records.length > 15, `${records.length} lists`);
  assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b), "a larger number is newer");
  const held = new Map<string, string>();
  for (const record of records) {
    const { key, value } = record;
    if (value === null) held.delete(key!);
    else held.set(key!, answerOf(record).items.map(({ item }) => item).join("\0"));
  }
  const forgets = events.filter(({ type }) => type === "forget");
  assert.ok(forgets.length > 0);
  assert.equal(records.filter(({ value }) => value === null).length, forgets.length);
  const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
  await using task = await Task.open({ log: whole, topics, partition: 0, options: OPTIONS, serving });
  for (const id of atOnce(task.users.idsAfter(""))) {
    const hash = await task.users.peek(id, ({ listed }) => listed?.hash);
    assert.equal(held.has(id) ? idHash(held.get(id)!) : 0, hash ?? 0, id);
    held.delete(id);
  }
  assert.deepEqual([...held.keys()], [], "nobody else is left");
});

Deno.test("Task copies all recommendations, and the samples of lists and erasures, under the same numbers", async () => {
  const plain = (of: readonly LogRecord[]) => of.map(({ key, value, headers }) => ({ key, value, headers }));
  assert.deepEqual(plain(await readOf(whole, ALL)), plain(await readOf(whole, topics.recommendations)));
  const samples = (await readOf(whole, topics.samples)).filter(({ value }) =>
    value === null || decodeSample(value).rows.length > 0
  );
  assert.deepEqual(plain(await readOf(whole, SAMPLES)), plain(samples));
  assert.ok(samples.some(({ value }) => value === null) && samples.some(({ value }) => value !== null));
});

Deno.test("Task copies the recommendations of a surface to its topic, and no others", async () => {
  const asked = new Map(
    events.flatMap((event) => event.type === "request" ? [[event.request, event.surface]] : []),
  );
  const answers = await readOf(whole, topics.recommendations);
  const of = (...surfaces: string[]) =>
    answers.filter((record) => surfaces.includes(asked.get(answerOf(record).request)!));
  const plain = (records: readonly LogRecord[]) =>
    records.map(({ key, value, headers }) => ({ key, value, headers }));
  assert.ok(of("home").length > 0 && of("mail").length > 0 && of("web").length > 0);
  assert.deepEqual(plain(await readOf(whole, FRONT)), plain(of("home", "app")));
  assert.deepEqual(plain(await readOf(whole, MAIL)), plain(of("mail")));
});

for (const delivery of DELIVERIES) {
  Deno.test(`Task with ${delivery} delivery emits the same lists after a crash at any operation`, async () => {
    const counting = new CrashingLog(await createLog());
    await runToEnd(counting, { delivery });
    for (const at of counting.moments) {
      const log = await createLog();
      await assert.rejects(runToEnd(new CrashingLog(log, at), { delivery }), Crash);
      await runToEnd(log, { delivery });
      assert.deepEqual(await seenOn(log), want, `after a crash at operation ${at}`);
      const numbers = (await readOf(log, topics.lists)).map(({ headers }) => headers[INPUT]);
      assert.equal(new Set(numbers).size, numbers.length, "written with the commit, so never twice");
    }
  });
}

Deno.test("Task emits no lists and no erasures when all events were answered before", async () => {
  const log = await createLog();
  await runToEnd(log, { isAnswered: true });
  assert.deepEqual(await readOf(log, topics.lists), []);
});

Deno.test("Task writes erasures to the topic of lists even when lists are turned off", async () => {
  const log = await createLog();
  const { userLists: _, ...options } = OPTIONS;
  await runToEnd(log, { options });
  const records = await readOf(log, topics.lists);
  assert.deepEqual(
    records.map(({ key, value }) => [key, value]),
    events.flatMap(({ type, user }) => type === "forget" ? [[user, null]] : []),
  );
});

Deno.test("Task erases a list that was given before lists were turned off, and gives no more", async () => {
  const log = await createLog(events.slice(0, events.length >> 1));
  await runToEnd(log);
  const before = await readOf(log, topics.lists);
  const { key: user } = before.findLast(({ value }) => value !== null) ?? assert.fail();
  await log.append(recordsOf([{ type: "forget", user: user!, time: events.at(-1)!.time }]));
  const { userLists: _, ...options } = OPTIONS;
  await runToEnd(log, { options });
  const after = (await readOf(log, topics.lists)).slice(before.length);
  assert.deepEqual(after.map(({ key, value }) => [key, value]), [[user, null]]);
});

Deno.test("Task writes user lists and copies for surfaces in the format of the outputs, recommendations in its own", async () => {
  const log = await createLog(), encoded = await createLog();
  await runToEnd(log);
  await runToEnd(encoded, {
    encodeLists: (list) => new TextEncoder().encode(`!${JSON.stringify(list)}`),
  });
  assert.deepEqual(await readOf(encoded, topics.recommendations), await readOf(log, topics.recommendations));
  for (const topic of [topics.lists, FRONT, MAIL]) {
    const texts = (records: readonly LogRecord[]) =>
      records.map(({ value }) => value && new TextDecoder().decode(value));
    const usual = texts(await readOf(log, topic));
    assert.deepEqual(texts(await readOf(encoded, topic)), usual.map((text) => text && `!${text}`));
    assert.ok(usual.length > 0, topic);
  }
});

Deno.test("Task opened after a build emits lists, and none that fell due during the build is lost", async () => {
  const half = events.length >> 1;
  const log = await createLog(events.slice(0, half));
  await runToEnd(log);
  const before = (await readOf(log, topics.lists)).length;
  const own = generationTopics(topics, 2);
  await log.createTopics(topicSpecs(own, 1).filter(({ name }) => !Object.values(topics).includes(name)));
  const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
  const builds = await Task.open({
    log,
    topics: own,
    partition: 0,
    options: OPTIONS,
    serving,
    isAnswered: true,
  });
  while (await builds.step({ now: () => 0 }) > 0);
  await builds.commit();
  assert.equal((await readOf(log, topics.lists)).length, before, "it gives none");
  const waiting = [...builds.state.users.values()].filter(({ listed }) => listed?.due);
  assert.ok(waiting.length > 0);
  await builds[Symbol.asyncDispose]();
  await using task = await Task.open({ log, topics: own, partition: 0, options: OPTIONS, serving });
  await log.append(recordsOf(events.slice(half)));
  while (await task.step({ now: () => 0 }) > 0);
  await task.commit();
  const given = new Set((await readOf(log, topics.lists)).slice(before).map(({ key }) => key));
  for (const { id } of waiting) assert.ok(given.has(id), `${id} waited for a list`);
});
