/** A record may be larger than its topic takes: the task loses only that, says so, and goes on. */

import assert from "node:assert/strict";
import { encodeEvent } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import { decodeRejection } from "../../src/events/rejection.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import type { Log } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Task } from "../../streams/task/task.ts";
import type { Delivery } from "../../streams/topics/delivery.ts";
import { INPUT } from "../../streams/topics/delivery.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { LimitedLog } from "../log/limited_log.ts";
import { syntheticRecords } from "../sources/synthetic.ts";

const topics = topicNames();
const OPTIONS = {
  schema: SCHEMA,
  outcomeWindowMs: 3_600_000,
  userLists: { count: 3, everyMs: 20_000 },
} as const;

const usual = syntheticRecords({ views: 40, users: 8, seed: 2 }).flatMap((record) =>
  record.kind === "event" && record.event.type !== "forget" ? [record.event] : []
);
/** A user who gets twenty lists of items with long names, and clicks on items of lists that do not exist. */
const absurd = Array.from({ length: 20 }, (_, n): readonly Event[] => {
  const { time } = usual[3 * n] ?? {};
  if (time === undefined) return [];
  const own = { user: "absurd", time };
  const candidates = Array.from({ length: 50 }, (_, k) => `${n} ${k} `.padEnd(150, "x"));
  const [item = ""] = candidates;
  return [
    { ...own, type: "request", request: `absurd ${n}`, count: 50, candidates },
    { ...own, type: "interaction", item, action: "click" },
    { ...own, type: "interaction", item, action: "click", request: `nobody's ${n}` },
    { ...own, type: "profile", attributes: { [`a${n}`]: "y".repeat(1000) } },
  ];
});
const events = usual.flatMap((
  event,
  n,
): readonly Event[] => [event, ...n % 3 === 0 ? absurd[n / 3] ?? [] : []]);

/** @param isOver whether open lists are settled at the end */
async function run(largest: Record<string, number>, isOver: boolean, delivery: Delivery = "exactly-once") {
  const log = new LimitedLog(largest);
  await log.createTopics(
    topicSpecs(topics, 1).map((spec) => {
      return spec.name === topics.lists ? { ...spec, cleanup: "delete" } : spec; // so that each list is seen
    }),
  );
  await log.append(events.map((event) => {
    return { topic: topics.events, key: event.user, value: encodeEvent(event), time: event.time };
  }));
  await using task = await open(log, delivery);
  let time = 0;
  const limits = { now: () => time, maxEvents: 5, commitIntervalMs: 100 };
  while (await task.step(limits) > 0) time += 40;
  await (isOver ? task.flush() : task.commit());
  return { log, users: await usersOf(task), lives: livesOf(task) };
}

function open(log: Log, delivery: Delivery): Promise<Task> {
  return Task.open({
    log,
    topics,
    partition: 0,
    options: OPTIONS,
    serving: new ServingModel(makeModel("base"), SCHEMA, WIDTH),
    delivery,
  });
}

/** What each user did and was shown, without the features of lists, which depend on all users. */
function livesOf({ state }: Task) {
  return new Map(Array.from(state.users.values(), (user) => {
    const { id, profile, pending, parked, recentIds, lastOffset, row } = user;
    const behaviours = state.sequences.behaviours(row);
    return [id, { profile, lists: [...pending.keys()], parked, recentIds, lastOffset, behaviours }];
  }));
}

const usersOf = async (task: Task) => new Map(await Array.fromAsync(task.users.records()));

async function outputsOf(log: Log, topic: string) {
  const records = await Array.fromAsync(readAll(log, topic, 0));
  return records.map(({ key, value, headers }) => ({ key, value, input: headers[INPUT] }));
}

async function rejectionsOf(log: Log) {
  const records = await Array.fromAsync(readAll(log, topics.rejected, 0));
  return records.map(({ key, value }) => ({ key, ...decodeRejection(value ?? new Uint8Array()) }))
    .filter(({ code }) => code === "too-large");
}

const [whole, over] = [await run({}, false), await run({}, true)];
const sizeOf = (user: string) => whole.users.get(user)?.length ?? 0;
const others = [...whole.users.keys()].filter((user) => user !== "absurd");
const largestOther = Math.max(...others.map(sizeOf));

Deno.test("Task drops the oldest lists of a user state that is too large, says so, and no other user loses anything", async () => {
  assert.ok(sizeOf("absurd") > 2 * largestOther);
  for (const largest of [Math.floor(0.8 * sizeOf("absurd")), largestOther]) {
    const { log, users, lives } = await run({ [topics.state]: largest }, false);
    assert.deepEqual([...users.keys()], [...whole.users.keys()]);
    for (const user of others) assert.deepEqual(lives.get(user), whole.lives.get(user), user);
    const rejections = await rejectionsOf(log);
    assert.ok(rejections.length > 0 && rejections.every(({ key }) => key === "absurd"));
    assert.match(
      rejections[0]?.reason ?? "",
      /^Cannot append to meander.state: at most \d+ bytes; the user loses \d+ of its open lists$/,
    );
    const isAll = rejections.some(({ reason }) => reason.endsWith("; the user loses its profile"));
    assert.equal(isAll, largest === largestOther);
    await using again = await open(log, "exactly-once");
    assert.deepEqual(await usersOf(again), users, "what was restored is what the task had");
  }
});

Deno.test("Task stops when a state is too large and nothing of it is left to drop", async () => {
  await assert.rejects(run({ [topics.state]: 3 }, true), { code: "too-large" });
  await assert.rejects(run({ [topics.statistics]: 3 }, true), { code: "too-large" });
});

for (const name of ["recommendations", "samples", "lists"] as const) {
  for (const delivery of ["exactly-once", "at-least-once"] as const) {
    Deno.test(`${delivery}: ${name} that are too large are left out, each with a rejection of its event`, async () => {
      const topic = topics[name];
      const all = await outputsOf(over.log, topic);
      const sizes = all.map(({ value }) => value?.length ?? 0).toSorted((a, b) => a - b);
      const largest = sizes[Math.floor(sizes.length / 2)] ?? 0;
      const isLarge = ({ value }: { readonly value: Uint8Array | null }) => (value?.length ?? 0) > largest;
      const { log, users } = await run({ [topic]: largest }, true, delivery);
      const inputs = (of: readonly { readonly input?: string | undefined }[]) => of.map(({ input }) => input);
      assert.deepEqual(await outputsOf(log, topic), all.filter((one) => !isLarge(one)));
      assert.deepEqual(users, over.users);
      const rejections = await rejectionsOf(log);
      assert.deepEqual(
        rejections.map((one) => "offset" in one ? `0/${one.offset}` : ""),
        inputs(all.filter(isLarge)).map((input) => input?.slice(0, input.lastIndexOf("/"))),
      );
      assert.match(rejections[0]?.reason ?? "", /at most \d+ bytes; what the event gives there is left out$/);
    });
  }
}
