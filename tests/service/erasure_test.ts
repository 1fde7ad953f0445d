import assert from "node:assert/strict";
import { encodeEvent } from "../../src/events/codec.ts";
import { decodeTaskCounters } from "../../src/engine/task_codec.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { Eraser } from "../../streams/service/erasure/eraser.ts";
import { viewErasure } from "../../streams/service/erasure/erasure_view.ts";
import { Service } from "../../streams/service/service.ts";
import { surfaceTopic } from "../../streams/topics/surfaces.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { ownRecord } from "../../streams/task/inputs/inputs.ts";
import { tasksLog } from "../../streams/task/shared_sources.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { OPTIONS, recordsOf, until, untilCommitted } from "./deployment.ts";
import { badRecords, FORMS, formsIn, formsOn, GONE, shop } from "./forms.ts";
import type { ServiceOptions } from "../../streams/service/jobs/options.ts";

const topics = topicNames();
const FAST: ServiceOptions<"base"> = {
  ...OPTIONS,
  learning: { ...OPTIONS.learning, checkpointIntervalMs: 50 },
  eraseIntervalMs: 20,
  task: { ...OPTIONS.task, userLists: { everyMs: 0 } },
  surfaceTopics: { home: "front" },
};
const FRONT = surfaceTopic(topics, "front");

/** A log that cannot erase records. */
function keeping(): Log {
  return Object.assign(new MemoryLog(), { erase: undefined, scrub: undefined }) as unknown as Log;
}

/**
 * Runs a deployment in which a user lives, and is erased.
 *
 * @param at checks made once the user is erased
 * @param partition the user's; unless it is 0, bad records have the user's key
 */
async function live(log: Log, at: (service: Service<"base">) => Promise<void>, partition = 0): Promise<void> {
  await using service = await Service.start(log, FAST);
  const events = shop().map((event) => event.type === "request" ? { ...event, surface: "home" } : event);
  const last = events.at(-1)?.time ?? 0;
  await log.append(recordsOf(events));
  await log.append(
    badRecords(topics, last).map((bad) => partition === 0 ? bad : { ...bad, key: GONE, partition }),
  );
  await untilCommitted(log);
  await until(
    async () => Object.keys(await formsOn(log)).includes(topics.checkpoints),
    "the learner has written",
  );
  const before = await formsOn(log);
  const inBase64 = FORMS.flatMap(([name]) => name.startsWith("Base64") ? [name] : []);
  if (partition === 0) assert.deepEqual(before[topics.rejected]?.toSorted(), inBase64);
  const { events: asked, recommendations, lists, samples, state, rejected, parameters } = topics;
  for (const name of [asked, recommendations, FRONT, lists, samples, state, rejected, parameters]) {
    assert.ok(before[name] !== undefined, `${name} has the user: ${Object.keys(before)}`);
  }
  const forget = { type: "forget", user: GONE, time: last } as const;
  const [offset = -1] = await log.append([{
    topic: topics.events,
    key: GONE,
    value: encodeEvent(forget),
    time: last,
  }]);
  await until(async () => (await service.erasure(partition, offset))?.state === "done", "it is erased");
  assert.deepEqual(await formsOn(log), {});
  await at(service);
}

Deno.test("Service erases a user from every record of a log in memory, and goes on with the others", async () => {
  await using log = new MemoryLog();
  await live(log, async () => {
    const { end } = await log.bounds(topics.events, 0);
    const later = shop().filter(({ user }) => user !== GONE).slice(-30);
    await log.append(recordsOf(later));
    await untilCommitted(log);
    assert.ok((await log.bounds(topics.events, 0)).end > end);
  });
});

Deno.test("Service erases a user when tasks share partitions", async () => {
  // Only a later generation has more tasks than events have partitions; nothing may hide these as added ones.
  await using whole = Object.assign(new MemoryLog(), { hidesAdded: true as const });
  await whole.createTopics([{ name: topics.events, partitions: 2, cleanup: "delete" }]);
  const log = await tasksLog(whole, topics, 6);
  await log.createTopics(topicSpecs(topics, 6));
  assert.equal((await whole.topics()).get(topics.recommendations)?.partitions, 2);
  assert.equal((await whole.topics()).get(topics.state)?.partitions, 6);
  // What another generation has left names the user, too.
  const kept = `${topics.state}.g7`;
  await whole.createTopics([{ name: kept, partitions: 3, cleanup: "compact" }]);
  await whole.append([{ topic: kept, key: GONE, value: new Uint8Array(1), time: 0 }]);
  await live(log, async () => assert.deepEqual(await formsOn(whole), {}), partitionOf(GONE, 6));
});

Deno.test("Service leaves no byte of an erased user in a SQLite file and its write-ahead log, open or closed", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/log.db`;
  const look = async () => {
    for await (const { name } of Deno.readDir(folder)) {
      // A copy: to close the file itself would free the locks that SQLite has on it.
      await new Deno.Command("cp", { args: [`${folder}/${name}`, `${folder}/copy`] }).output();
      assert.deepEqual(formsIn(await Deno.readFile(`${folder}/copy`)), [], name);
      await Deno.remove(`${folder}/copy`);
    }
  };
  try {
    let end = 0;
    {
      await using log = await SqliteLog.open(path);
      await live(log, async () => {
        await look();
        ({ end } = await log.bounds(topics.events, 0));
      });
    }
    await look();
    await using log = await SqliteLog.open(path);
    assert.equal((await log.bounds(topics.events, 0)).end, end, "offsets are never used again");
    await using _service = await Service.start(log, FAST);
    await log.append(recordsOf(shop().filter(({ user }) => user !== GONE).slice(-30)));
    await untilCommitted(log);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Service erases a user whom an earlier run was asked to erase and had not looked for", async () => {
  await using log = new MemoryLog();
  const events = shop();
  const last = events.at(-1)?.time ?? 0;
  const forget = { type: "forget", user: GONE, time: last } as const;
  let offset = -1;
  {
    await using service = await Service.start(log, { ...FAST, eraseIntervalMs: 3_600_000 });
    await log.append(recordsOf(events));
    await untilCommitted(log);
    const place = { topic: topics.events, key: GONE, value: encodeEvent(forget), time: last };
    [offset = -1] = await log.append([place]);
    await untilCommitted(log);
    assert.equal((await service.erasure(0, offset))?.state, "under way");
  }
  await using service = await Service.start(log, FAST);
  await until(async () => (await service.erasure(0, offset))?.state === "done", "the user is taken out");
  const found = await formsOn(log);
  for (const name of ["events", "samples", "recommendations", "state"] as const) {
    assert.equal(found[topics[name]], undefined, name);
  }
});

Deno.test("Service erases what a session later hands over to an erased user, after 1,500 erasures and a restart", async () => {
  await using log = new MemoryLog();
  await using lives = new AsyncDisposableStack();
  let service = lives.use(await Service.start(log, FAST));
  const events = shop();
  const time = events.at(-1)?.time ?? 0;
  const act = { type: "interaction", user: "session", item: "i1", action: "click", time: time - 1 } as const;
  await log.append(recordsOf([...events, act, { type: "alias", user: "session", of: GONE, time }]));
  await untilCommitted(log);
  const merges = async () =>
    (await Array.fromAsync(readAll(log, topics.events, 0))).filter(({ key, value }) =>
      key === GONE && new TextDecoder().decode(value!).includes('"merge"')
    ).length;
  assert.equal(await merges(), 1);
  const value = encodeEvent({ type: "forget", user: GONE, time });
  const [offset = -1] = await log.append([{ topic: topics.events, key: GONE, value, time }]);
  const isDone = async () => (await service.erasure(0, offset))?.state === "done";
  await until(isDone, "it is erased");
  const receipt = async (at: number) =>
    await viewErasure({ log, topics }, { partition: 0, offset: at }, await service.erasure(0, at), time);
  const naming = async (at: number) =>
    (await receipt(at)).topics.flatMap(({ topic, remains }) =>
      remains === null ? [] : [`${topic}: ${remains}`]
    );
  const [inEvents = "", inState = "", ...more] = await naming(offset);
  assert.match(
    inEvents,
    /^meander\.events: the id in aliases of the user's sessions, and in events of users who took it over/,
  );
  assert.match(inState, /^meander\.state: the id in aliases of the user's sessions, until/);
  assert.deepEqual(more, []);
  const others = Array.from({ length: 1500 }, (_, n) => `other-${n}`);
  await log.append(recordsOf(others.map((user) => ({ type: "forget", user, time: time + 1 }))));
  await untilCommitted(log);
  const { end } = await log.bounds(topics.events, 0);
  await until(async () => (await service.erasure(0, end - 1))?.state === "done", "the others are erased");
  assert.deepEqual(await naming(end - 1), [], "no session was one of them");
  await service.stop();
  service = lives.use(await Service.start(log, FAST));
  await log.append(recordsOf([{ ...act, time: time - 2 }]));
  const dropped = async () => decodeTaskCounters((await ownRecord(log, topics, 0))!.value!).erasedMerges;
  await until(async () => await dropped() === 1, "it is handed over, and dropped");
  await until(async () => await isDone() && await merges() === 0, "it is taken out");
  assert.equal((await log.latest(topics.state, 0, GONE))?.value ?? null, null);
});

Deno.test("Service reports that a user who took over an erased session still names it", async () => {
  await using log = new MemoryLog();
  await using service = await Service.start(log, FAST);
  const events = shop();
  const time = events.at(-1)?.time ?? 0;
  const act = { type: "interaction", user: "session", item: "i1", action: "click", time: time - 1 } as const;
  await log.append(recordsOf([...events, act, { type: "alias", user: "session", of: "ann", time }]));
  await untilCommitted(log);
  const offset = (await log.append(recordsOf([{ type: "forget", user: "session", time }]))).at(-1)!;
  await until(async () => (await service.erasure(0, offset))?.state === "done", "it is erased");
  const progress = await service.erasure(0, offset);
  const receipt = await viewErasure({ log, topics }, { partition: 0, offset }, progress, time);
  const named = receipt.topics.filter(({ remains }) => remains !== null).map(({ topic }) => topic);
  assert.deepEqual(named, [topics.events, topics.state]);
});

Deno.test("Eraser looks through events that were read before its task was opened", async () => {
  await using log = new MemoryLog();
  const events = shop();
  const time = events.at(-1)?.time ?? 0;
  let offset = -1;
  {
    await using _ = await Service.start(log, { ...FAST, eraseIntervalMs: 3_600_000 });
    await log.append(recordsOf(events));
    const value = encodeEvent({ type: "forget", user: GONE, time });
    [offset = -1] = await log.append([{ topic: topics.events, key: GONE, value, time }]);
    await untilCommitted(log);
  }
  const found = async (openedAt: number, lastErasure: number) => {
    const task = { openedAt, lastErasure, others: undefined as never };
    const tasks = () => new Map([[0, task]]);
    const deployment = { log, topics, partitions: 1, models: ["base"], tasks };
    const eraser = Eraser.for(deployment, { clock: () => performance.now() })!;
    await eraser.look();
    return eraser.progress({ partition: 0, offset }).state === "under way";
  };
  assert.equal(await found(offset + 1, -1), true, "another task met it");
  assert.equal(await found(0, offset), true, "this task met it");
  assert.equal(await found(0, -1), false, "this task would have met it");
});

Deno.test("Service on a log that cannot erase reports a user as erased once learners have written", async () => {
  await using log = keeping();
  const slow = { ...FAST, learning: { ...FAST.learning, checkpointIntervalMs: 3_600_000 } };
  const events = shop();
  const last = events.at(-1)?.time ?? 0;
  const forget = { type: "forget", user: GONE, time: last } as const;
  let offset = -1;
  {
    await using _ = await Service.start(log, FAST);
    await log.append(recordsOf(events));
    await untilCommitted(log);
    await until(async () => (await log.bounds(topics.checkpoints, 0)).end > 0, "the learner has written");
  }
  {
    await using service = await Service.start(log, slow); // its learner does not write for an hour
    [offset = -1] = await log.append([
      { topic: topics.events, key: GONE, value: encodeEvent(forget), time: last },
    ]);
    await untilCommitted(log);
    assert.equal((await service.erasure(0, offset))?.state, "under way", "no checkpoint has it");
  }
  await using service = await Service.start(log, FAST);
  await until(async () => (await service.erasure(0, offset))?.state === "kept", "the learner has written");
  const found = await formsOn(log);
  for (const name of ["parameters", "checkpoints", "figures"] as const) {
    assert.equal(found[topics[name]], undefined, name);
  }
});

const WITH_DIN: ServiceOptions<"base"> = {
  ...FAST,
  variants: [{ model: "din", modelConfig: {} }] as never,
};
const VERSIONS = `${topics.parameters}.din`;

/** A deployment that ran with another model, and erases the user when it runs without. */
async function liveOn(log: Log, erased: (service: Service<"base">, offset: number) => Promise<void>) {
  const events = shop();
  {
    await using _both = await Service.start(log, WITH_DIN);
    await log.append(recordsOf(events));
    await untilCommitted(log);
    await until(async () => (await formsOn(log))[VERSIONS] !== undefined, "din has learnt from the user");
  }
  const checkpoints = await Array.fromAsync(readAll(log, topics.checkpoints, 0));
  const of = checkpoints.filter(({ key }) => key?.startsWith("din/"));
  assert.ok(
    of.some(({ value }) => value !== null && formsIn(value).length > 0),
    "its checkpoint has the user",
  );
  await using service = await Service.start(log, FAST);
  const time = events.at(-1)?.time ?? 0;
  const forget = { type: "forget", user: GONE, time } as const;
  const [offset = -1] = await log.append([
    { topic: topics.events, key: GONE, value: encodeEvent(forget), time },
  ]);
  await erased(service, offset);
}

Deno.test("Service drops what a model that no longer runs has learnt when a user is erased", async () => {
  await using log = new MemoryLog();
  await liveOn(log, async (service, offset) => {
    await until(async () => (await service.erasure(0, offset))?.state === "done", "it is erased");
    assert.deepEqual(await formsOn(log), {});
  });
  await using again = await Service.start(log, WITH_DIN);
  await log.append(recordsOf(shop().filter(({ user }) => user !== GONE).slice(-30)));
  await untilCommitted(log);
  await until(() => Promise.resolve((again.models[1]?.serving.version ?? 0) > 1), "din learns again");
});

Deno.test("Service names a model that no longer runs when the log cannot erase", async () => {
  await using log = keeping();
  await liveOn(log, async (service, offset) => {
    await until(async () => (await service.erasure(0, offset))?.state === "kept", "others have written");
    const { idle = [] } = await service.erasure(0, offset) ?? {};
    assert.deepEqual(idle, [{ model: "din", versions: VERSIONS, hasCheckpoint: true }]);
  });
  await using both = await Service.start(log, WITH_DIN);
  const { end } = await log.bounds(topics.events, 0);
  await until(async () => (await both.erasure(0, end - 1))?.state === "kept", "din has written, too");
  const found = await formsOn(log);
  assert.deepEqual([found[VERSIONS], found[topics.checkpoints]], [undefined, undefined]);
});
