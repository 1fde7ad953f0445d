/**
 * Restoring a task of many users from Kafka and from its local snapshot, compared with a bare kafkajs consumer that
 * copies the changelog into a map. Needs Java and Maven. Each way runs in its own process, whose memory is reported.
 *
 * The users have DIEN states and 20 behaviours each; records of 500 users, made by a task, are written under as many
 * ids as wanted, in four partitions, uncompressed, because kafkajs does not read zstd.
 *
 * `deno run -A tests/bench/restore.ts [users, 1000000]`
 *
 * @module
 */

import { Buffer } from "node:buffer";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Kafka, logLevel } from "kafkajs";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { encodeItem, itemKey } from "../../src/items/item_codec.ts";
import { encodeTask, TASK_KEY } from "../../src/engine/task_codec.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import type { NewRecord } from "../../streams/log/log.ts";
import { Task } from "../../streams/task/task.ts";
import { LINEAGE } from "../../streams/task/restoring/changelog_reader.ts";
import { RestoreMeter } from "../../streams/task/restoring/restore_meter.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { startMeasuredBroker } from "./end_with.ts";
import { serve } from "./serving.ts";

const PARTITIONS = [0, 1, 2, 3];
const BEHAVIOURS = 20;
const TEMPLATES = 500;
const ITEMS = 5000;
const START = Date.UTC(2026, 0, 1);
const WAYS = ["nothing", "bare", "log", "log, writing a snapshot", "snapshot"] as const;
const topics = topicNames();
const options = { schema: DEFAULT_SCHEMA };

const [address, way, users = "1000000", folder = ""] = Deno.args.length > 1
  ? Deno.args
  : ["", "", ...Deno.args];
if (address === "") await compareAll(Number(users));
else await print(`${JSON.stringify(await restoreBy(way as typeof WAYS[number], Number(users)))}\n`);

/** The result of a way. */
interface Outcome {
  readonly seconds: number;
  readonly bytes: number;
  readonly rss: number;
}

async function compareAll(users: number): Promise<void> {
  await using broker = await startMeasuredBroker();
  const folder = await Deno.makeTempDir({ prefix: "meander-bench-" });
  try {
    const bytes = await fill(broker.address, users);
    await print(`${users} users, ${Math.round(bytes / users)} bytes a record\n`);
    let empty = 0;
    for (const way of WAYS) {
      const child = new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-A",
          "--no-check",
          fileURLToPath(import.meta.url),
          broker.address,
          way,
          `${users}`,
          folder,
        ],
        stderr: "inherit",
      });
      const { stdout } = await child.output();
      const { seconds, bytes, rss } = JSON.parse(new TextDecoder().decode(stdout)) as Outcome;
      if (way === "nothing") empty = rss;
      else {
        await print(
          `${way.padEnd(24)} ${seconds.toFixed(1).padStart(6)} s ${
            Math.round(users / seconds).toLocaleString("en").padStart(10)
          } users/s ${(bytes / seconds / 1e6).toFixed(0).padStart(5)} MB/s ${
            ((rss - empty) / users).toFixed(0).padStart(6)
          } bytes of memory a user\n`,
        );
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Writes the changelogs. @returns bytes of the users' records */
async function fill(address: string, users: number): Promise<number> {
  const state = new TaskState(options, serve("dien", ITEMS, START));
  const out = { recommendations: [], samples: [], forgotten: [] };
  for (let n = 0; n < TEMPLATES * BEHAVIOURS; n++) {
    const user = `user-${n % TEMPLATES}`;
    const time = START + 60_000 * n;
    state.apply(
      {
        type: "interaction",
        id: crypto.randomUUID(),
        user,
        time,
        item: `item-${(n * 7919) % ITEMS}`,
        action: "click",
      },
      n,
      out,
    );
  }
  const records = [...state.users.values()].map((user) => state.memory.record(user));
  await using log = await KafkaLog.open({ brokers: [address], compression: "none" });
  await log.createTopics(topicSpecs(topics, PARTITIONS.length));
  const own = { key: TASK_KEY, value: encodeTask(state, 0), headers: { [LINEAGE]: "bench" } };
  const numbers = state.numbers.changes();
  const items = [...state.catalogue.items()].map((item) => ({
    key: itemKey(item.id),
    value: encodeItem(item),
  }));
  await Promise.all(PARTITIONS.map(async (partition) => {
    const place = { partition, time: START };
    await log.append(
      [...items, ...numbers, own].map((record) => ({ topic: topics.statistics, ...place, ...record })),
    );
    let batch: NewRecord[] = [];
    for (let n = partition; n < users; n += PARTITIONS.length) {
      batch.push({
        topic: topics.state,
        ...place,
        key: `user-${n}`,
        value: records[(n >> 2) % TEMPLATES] ?? null,
      });
      if (batch.length < 1500) continue;
      await log.append(batch);
      batch = [];
    }
    await log.append(batch);
  }));
  return records.reduce((sum, { length }) => sum + length, 0) / records.length * users;
}

async function restoreBy(way: typeof WAYS[number], users: number): Promise<Outcome> {
  if (way === "bare") return await readBarely(users);
  await using log = await KafkaLog.open({ brokers: [address ?? ""] });
  const serving = serve("dien", ITEMS, START);
  const started = performance.now();
  const tasks = way === "nothing" ? [] : await Promise.all(PARTITIONS.map(async (partition) => {
    const snapshot = way === "log" ? undefined : { folder: `${folder}/state-${partition}` };
    const meter = new RestoreMeter();
    const task = await Task.open({ log, topics, partition, options, serving, snapshot, meter });
    return { task, bytes: meter.status.bytes };
  }));
  const seconds = (performance.now() - started) / 1000;
  const count = tasks.reduce((sum, { task }) => sum + task.users.size, 0);
  if (way !== "nothing" && count !== users) throw new Error(`Cannot restore ${users} users: got ${count}`);
  const rss = await settledRss();
  await Promise.all(tasks.map(({ task }) => task[Symbol.asyncDispose]()));
  return { seconds, bytes: tasks.reduce((sum, { bytes }) => sum + bytes, 0), rss };
}

async function readBarely(users: number): Promise<Outcome> {
  const kafka = new Kafka({ brokers: [address ?? ""], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({
    groupId: `bare-${crypto.randomUUID()}`,
    maxBytesPerPartition: 4 << 20,
    maxWaitTimeInMs: 50,
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topics.state], fromBeginning: true });
  const [done, joined] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  consumer.on(consumer.events.GROUP_JOIN, () => joined.resolve());
  const records = new Map<string, Uint8Array>();
  let bytes = 0;
  let read = 0;
  await consumer.run({
    autoCommit: false,
    eachBatch({ batch }) {
      for (const { key, value } of batch.messages) {
        const record = new Uint8Array(value ?? Buffer.alloc(0));
        records.set(`${key}`, record);
        bytes += record.length;
      }
      read += batch.messages.length;
      if (read === users) done.resolve();
      return Promise.resolve();
    },
  });
  await joined.promise;
  const started = performance.now();
  await done.promise;
  const seconds = (performance.now() - started) / 1000;
  const rss = await settledRss();
  await consumer.disconnect();
  if (records.size !== users) throw new Error(`Cannot read ${users} users: got ${records.size}`);
  return { seconds, bytes, rss };
}

/** Memory of the process after a collection. */
async function settledRss(): Promise<number> {
  await delay(1500);
  return process.memoryUsage.rss();
}

async function print(text: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(text));
}
