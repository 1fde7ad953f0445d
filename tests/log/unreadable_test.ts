/**
 * Every field of a record, on every topic that only meander writes, as no version of it would write it: whoever reads the
 * topic goes on, or stops with the place of the record and what to do.
 */

import assert from "node:assert/strict";
import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import { ExperimentError } from "../../src/assignment/changes.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { ExperimentMonitor } from "../../streams/experiments/monitor.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import { Learning } from "../../streams/learning/learning.ts";
import { type Log, LogError, type LogRecord } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { unreadable } from "../../streams/log/unreadable.ts";
import { ParameterSubscriber } from "../../streams/topics/parameters.ts";
import { PinnedModels } from "../../streams/topics/pinned_models.ts";
import { Recommender } from "../../streams/http/recommender.ts";
import { MonitorJob } from "../../streams/service/jobs/monitor_job.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, type Topics, topicSpecs } from "../../streams/topics/topics.ts";
import { makeLearner, makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { syntheticRecords } from "../sources/synthetic.ts";
import { withoutIndex } from "../task/harness.ts";
import { type Twist, TwistedLog } from "./twisted_log.ts";

const topics = topicNames();
const PARTITIONS = 2;
const START = 1_700_000_000_000;
const LEARNING = { batchRows: 8, checkpointBatches: 2, snapshotVersions: 3 };
const now = () => START;
const events = syntheticRecords({ views: 16, users: 6, seed: 4 }).flatMap((record) =>
  record.kind === "event" && record.event.type !== "forget" ? [record.event] : []
);

const serve = (name?: string) => new ServingModel(makeModel("base"), SCHEMA, WIDTH, name);
const pinsOf = (log: Log) => new PinnedModels(log, topics, (_, key) => serve(key));
const changesOf = (log: Log) => new ExperimentRegistry(log, topics, { models: ["base"], now });

async function openTask(log: Log, partition: number): Promise<Task> {
  const serving = serve();
  await new ParameterSubscriber(log, topics.parameters, serving).update();
  const options = { schema: SCHEMA, outcomeWindowMs: 60_000 };
  return await Task.open({ log, topics, partition, options, serving, pins: pinsOf(log) });
}

/** Runs both tasks to the end of their events, and lets each learn from the other. */
async function workTasks(log: Log): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const tasks: Task[] = [];
  for (let p = 0; p < PARTITIONS; p++) tasks.push(opened.use(await openTask(log, p)));
  for (const task of tasks) while ((await task.round({ rows: 50, events: 100 })).complete);
  for (const task of tasks) await task.flush();
  for (const task of tasks) {
    for await (const record of readAll(log, topics.signals, 1 - task.partition)) {
      task.learnOthers(record, record.offset + 1);
    }
    await task.commit();
  }
}

/** A deployment after some work of all its roles. */
async function deploy(): Promise<TwistedLog> {
  const log = new TwistedLog();
  await log.createTopics(topicSpecs(topics, PARTITIONS));
  await log.append(
    syntheticRecords({ views: 0 }).flatMap((record) => {
      if (record.kind !== "item") return [];
      const { item } = record;
      return [{ topic: topics.items, key: item.item, value: encodeItem(item), time: item.time }];
    }),
  );
  const append = (some: typeof events) =>
    log.append(some.map((event) => ({
      topic: topics.events,
      key: event.user,
      value: encodeEvent(event),
      time: event.time,
    })));
  const learn = async () => {
    await using learning = await Learning.open(log, topics, makeLearner("base"), LEARNING);
    await learning.drain(true);
  };
  await learn();
  await append(events.slice(0, 40));
  await workTasks(log);
  await learn();
  await changesOf(log).start({ name: "e", variants: [{ name: "A" }, { name: "B", version: "at-start" }] });
  await append(events.slice(40));
  await workTasks(log);
  await learn();
  await using job = await MonitorJob.open(log, topics, { now: () => 0 });
  await job.monitor.update();
  await job.finish();
  return log;
}

/** One for all tests, which work on copies of it. */
let deployed: Promise<TwistedLog> | undefined;
const copyOf = async () => await (await (deployed ??= deploy())).copy();

interface Reader {
  readonly of: readonly (keyof Topics)[];
  /** One that differs only in where it begins: of the topics that both read, each gets every other case. */
  readonly twin?: string;
  read(log: Log): Promise<void>;
}

/** Who reads what, as at a start; each closes what it opened. */
const READERS: Readonly<Record<string, Reader>> = {
  "a task": {
    twin: "a task on a log without an index",
    of: ["state", "statistics", "signals", "parameters", "pins"],
    read: workTasks,
  },
  "a task on a log without an index": {
    twin: "a task",
    of: ["state", "statistics"],
    read: (log) => workTasks(withoutIndex(log)),
  },
  "a learner": {
    twin: "a new learner",
    of: ["samples", "parameters", "checkpoints"],
    async read(log) {
      await using learning = await Learning.open(log, topics, makeLearner("base"), LEARNING);
      await learning.drain(true);
    },
  },
  "a new learner": {
    twin: "a learner",
    of: ["samples"],
    async read(log) {
      const fresh = { ...topics, checkpoints: "fresh-checkpoints", parameters: "fresh-parameters" };
      const specs = [fresh.checkpoints, fresh.parameters].map((name) => ({ name, partitions: 1 }));
      await log.createTopics(specs.map((spec) => ({ ...spec, cleanup: "delete" })));
      await using learning = await Learning.open(log, fresh, makeLearner("base"), LEARNING);
      await learning.drain(true);
    },
  },
  "a monitor": {
    twin: "a monitor that begins anew",
    of: ["experiments", "figures", "samples", "recommendations"],
    async read(log) {
      await using job = await MonitorJob.open(log, topics, { now: () => 0 });
      await job.monitor.update();
      await job.finish();
    },
  },
  "a monitor that begins anew": {
    twin: "a monitor",
    of: ["samples", "recommendations"],
    async read(log) {
      const fresh = { ...topics, figures: "fresh-figures" };
      await log.createTopics([{ name: fresh.figures, partitions: 1, cleanup: "compact" }]);
      const monitor = await ExperimentMonitor.open(log, fresh, changesOf(log));
      await monitor.update();
      await log.append(monitor.takeChanges());
    },
  },
  "a change of experiments": {
    of: ["experiments", "pins", "parameters"],
    async read(log) {
      await changesOf(log).stop("e", "");
      const variants = [{ name: "A" }, { name: "B", version: "at-start" as const }];
      await changesOf(log).start({ name: "f", variants });
      await changesOf(log).tidy();
    },
  },
};

/** Other values of a record, by seed. */
function* twistsOf({ key, value, headers }: LogRecord, random: () => number): Generator<[string, Twist]> {
  const bytes = value === null || value.length === 0 ? Uint8Array.of(1) : value;
  const at = () => Math.floor(random() * bytes.length);
  yield ["no value", { value: null }];
  yield ["an empty value", { value: new Uint8Array(0) }];
  yield ["text", { value: new TextEncoder().encode('{"experiment":[null],"user":1}') }];
  yield ["null in JSON", { value: new TextEncoder().encode("null") }];
  yield ["another format", { value: bytes.with(0, 250) }];
  yield ["the next format", { value: bytes.with(0, (bytes[0]! + 3) % 256) }];
  yield ["half of it", { value: bytes.subarray(0, bytes.length >> 1) }];
  yield ["more behind it", { value: Uint8Array.of(...bytes.subarray(0, 100_000), 1, 2, 3) }];
  yield ["random bytes", { value: Uint8Array.from({ length: 64 }, () => random() * 256) }];
  yield ["only 0xff", { value: new Uint8Array(64).fill(0xff) }];
  for (let n = 0; n < 3; n++) {
    const place = at();
    yield [`a bit at ${place}`, {
      value: bytes.with(place, bytes[place]! ^ (1 << Math.floor(random() * 8))),
    }];
  }
  yield ["no key", { key: null }];
  yield ["an unknown key", { key: "?" }];
  yield ["a long key", { key: "k".repeat(100_000) }];
  yield ["a key with U+FFFD", { key: `${key}\ufffd` }];
  for (const time of [-1, 0, 2 ** 53, -(2 ** 63)]) yield [`time ${time}`, { time }];
  const odd = Object.fromEntries(Object.keys(headers).map((name) => [name, "\ufffd"]));
  yield ["odd headers", { headers: { ...odd, input: "x", others: "a:b", lineage: "", pending: "1" } }];
  yield ["large headers", {
    headers: { ...headers, input: `0/${"9".repeat(400)}/1`, more: "x".repeat(1e5) },
  }];
  yield ["no headers", { headers: {} }];
}

/** Whether an error says what to do. */
function isClear(error: unknown, place: string, keys: readonly (keyof Topics)[]): boolean {
  if (error instanceof ExperimentError) return true; // it is said to whoever asked for the change
  if (!(error instanceof LogError)) return false;
  if (error.code === "topic-mismatch") {
    return /the task's record|no record of the task|had \S+ partitions/.test(error.message);
  }
  const names = keys.map((key) => topics[key]);
  return error.code === "corrupt" && names.some((name) => error.message.includes(`${name}/`)) &&
    (error.message.includes(place) || /starts? from scratch|counted a|is the newest/.test(error.message)) &&
    /; (run|restore|append|a newer)/.test(error.message);
}

const names = Object.keys(READERS);

for (const [number, [who, { of, twin = "", read }]] of Object.entries(READERS).entries()) {
  const half = number < names.indexOf(twin) ? 0 : 1;
  Deno.test(`${who} goes on, or says where it stands and what to do, whatever a record of a topic says`, async () => {
    const random = mulberry32(number);
    const tally = { went: 0, stopped: 0 };
    await using master = await copyOf();
    for (const key of of) {
      const topic = topics[key];
      const records: LogRecord[] = [];
      const count = (await master.topics()).get(topic)?.partitions ?? 0;
      for (let p = 0; p < count; p++) records.push(...await Array.fromAsync(readAll(master, topic, p)));
      assert.ok(records.length > 0, topic);
      // One of each kind of key: what is before the first number.
      const kinds = Map.groupBy(records, ({ key }) => /^[a-z]+:[a-z]*/.exec(key ?? "")?.[0]);
      for (const [turn, kind] of [...kinds.values()].entries()) {
        const record = kind[Math.floor(random() * kind.length)]!;
        const twists = [...twistsOf(record, random)].filter((_, at) =>
          turn === 0 ? !READERS[twin]?.of.includes(key) || at % 2 === half : at % 8 === turn % 8
        );
        for (const [what, twist] of twists) {
          await using log = await master.copy();
          log.twist(topic, record.partition, record.offset, twist);
          const place = `${topic}/${record.partition}@${record.offset}`;
          const before = unreadable.counts.get(topic) ?? 0;
          try {
            await read(log);
            tally.went++;
            const isStray = key === "statistics" && /^(an unknown|a long) key/.test(what);
            assert.ok(
              !isStray || (unreadable.counts.get(topic) ?? 0) > before,
              `${what} as ${place} is reported`,
            );
          } catch (error) {
            assert.ok(
              isClear(error, place, of),
              `${what} as ${place} (${record.key}): ${(error as Error).stack}`,
            );
            tally.stopped++;
          }
        }
      }
    }
    assert.ok(tally.went > 0, JSON.stringify(tally));
  });
}

Deno.test("Recommender.ask() skips records that are no answers", async () => {
  await using log = await copyOf();
  await using answers = new Recommender(log, topics, PARTITIONS, { timeoutMs: 60_000 });
  const request = { type: "request", user: "ann", request: "r", time: START, count: 1 } as const;
  const asking = answers.ask(request, START);
  const before = unreadable.counts.get(topics.recommendations) ?? 0;
  const answer = (text: string, partition: number) => ({
    topic: topics.recommendations,
    partition,
    key: "ann",
    time: START,
    value: new TextEncoder().encode(text),
  });
  await log.append(
    [0, 1].flatMap((p) => ["", "null", "{", '{"request":"r","user":"ann"}'].map((text) => answer(text, p))),
  );
  assert.equal(new TextDecoder().decode(await asking), '{"request":"r","user":"ann"}');
  assert.ok((unreadable.counts.get(topics.recommendations) ?? 0) > before);
});
