/**
 * Both kinds of transactions: those whose writes tell the broker what is in them (the other tests' broker has these, and
 * the contract of the log holds with them), and those of brokers that have to be told before, as all before Kafka 4.
 *
 * @module
 */

import assert from "node:assert/strict";
import { ConfigResourceTypes, Kafka, logLevel } from "kafkajs";
import { KafkaClient } from "../../streams/log/kafka/client.ts";
import { kafkaType } from "../../streams/log/kafka/protocol/errors.ts";
import { endTransaction, finalizedLevel } from "../../streams/log/kafka/protocol/transaction_requests.ts";
import { isTransient, LogError, type NewRecord, type Writer } from "../../streams/log/log.ts";
import { openTransactions } from "../../streams/log/kafka/transactions.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { LINEAGE } from "../../streams/task/restoring/changelog_reader.ts";
import { INPUTS } from "../../streams/task/inputs/position.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { commitContract } from "../contracts/commit_contract.ts";
import { all, hasCode, LogSuite, newPlace, record, texts } from "../contracts/log_suite.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { OPTIONS, recordsOf, shopEvents, until } from "../service/deployment.ts";
import { type Cut, CUT_MOMENTS, LATE, RequestCutter } from "./cut_requests.ts";
import { openLog, type TestBroker, testBroker } from "./kafka_broker.ts";
import { checkRefill } from "../backup/refill.ts";

const told = await testBroker({ features: { "transaction.version": 0 } });
const telling = await testBroker();

if (told !== undefined && telling !== undefined) {
  const excused = { "steps": "a crash is kill -9 of a process, not a step" };
  commitContract(new LogSuite("KafkaLog before Kafka 4", () => openLog(told), { excused, runs: 10 }));

  Deno.test("openTransactions() announces to the broker what is written only where it must", async () => {
    for (const [broker, level] of [[told, 0], [telling, 2]] as const) {
      await using client = await connect(broker);
      assert.equal(await finalizedLevel(await client.any(), "transaction.version"), level);
      const { countsAnew } = await openTransactions(client, newPlace(), 10_000);
      assert.equal(countsAnew, level === 2);
    }
  });

  Deno.test("refill() writes records to the offsets that they had, also before Kafka 4", async () => {
    await checkRefill(told);
  });

  Deno.test("Transactions.end() after an abort commits what came after it", async () => {
    for (const broker of [told, telling]) {
      await using log = await openLog(broker);
      await using client = await connect(broker);
      const topic = newPlace();
      await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
      const transactions = await openTransactions(client, `${topic}.writer`, 10_000);
      const offset = (offset: number) => [{ topic, partition: 0, offset }];

      await transactions.begin([]);
      await transactions.storeOffsets(topic, offset(1));
      const before = transactions.owner;
      await client.retry(() => transactions.end(true));
      assert.equal(await log.committed(topic, topic, 0), 1);
      assert.equal(transactions.owner.producerEpoch - before.producerEpoch, transactions.countsAnew ? 1 : 0);

      await transactions.storeOffsets(topic, offset(2));
      await client.retry(() => transactions.end(false));
      assert.equal(await log.committed(topic, topic, 0), 1);

      await transactions.storeOffsets(topic, offset(3));
      await client.retry(() => transactions.end(true));
      assert.equal(await log.committed(topic, topic, 0), 3);
    }
  });

  Deno.test("endTransaction() repeated, as when its answer was lost, gives the same owner of the next", async () => {
    await using log = await openLog(telling);
    await using client = await connect(telling);
    const transactionalId = newPlace();
    await log.createTopics([{ name: transactionalId, partitions: 1, cleanup: "delete" }]);
    const transactions = await openTransactions(client, transactionalId, 10_000);
    const { owner } = transactions;
    await transactions.storeOffsets(transactionalId, [{ topic: transactionalId, partition: 0, offset: 1 }]);
    await client.retry(() => transactions.end(true));
    const again = async (committed: boolean) =>
      await client.retry(async () =>
        await endTransaction(await client.coordinator("transaction", transactionalId), owner, committed)
      );
    assert.deepEqual(await again(true), transactions.owner);
    await assert.rejects(again(false), (error) => kafkaType(error) === "INVALID_TXN_STATE");
  });

  Deno.test("Task writes the same when its connections break within each request of its commits", async () => {
    for (const [broker, requests] of [[told, EXPLICIT], [telling, IMPLICIT]] as const) {
      const cuts = requests.flatMap((apiKey) => CUT_MOMENTS.map((moment) => ({ apiKey, moment })));
      const undisturbed = await outputsOf(broker, cuts, false);
      for (const [topic, records] of undisturbed) assert.ok(records.length > 0, `${topic} has records`);
      assert.deepEqual(await outputsOf(broker, cuts, true), undisturbed);
    }
  });

  Deno.test("Writer.commit() is exact when a request that was tried again arrives late, if only after the writer is reopened", async () => {
    for (const [broker, isTelling] of [[told, false], [telling, true]] as const) {
      const cutter = new RequestCutter();
      await using log = await openLog(broker, { kafka: { socketFactory: cutter.socketFactory } });
      const topic = newPlace();
      await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
      const open = () => log.writer(`${topic}.writer`, [{ topic, partition: 0 }]);
      const commit = (writer: Writer, offset: number) => {
        const records = [record(topic, 0, `${offset}`)];
        return writer.commit({ records, group: topic, offsets: [{ topic, partition: 0, offset }] });
      };
      const committed: string[] = [];
      {
        await using writer = await open();
        for (let offset = 0; offset < 8; offset++) {
          if (offset === 1) cutter.cutNext({ apiKey: API.Produce, moment: LATE });
          await commit(writer, offset);
          committed.push(`${offset}`);
        }
        await cutter.deliver();
        const outcome = await commit(writer, 8).then(() => null, (error) => error);
        if (outcome === null) committed.push("8");
        // Without an epoch for each transaction, the broker may take the numbers of the late one for the last.
        else assert.ok(!isTelling && isTransient(outcome), `${outcome}`);
      }
      await using writer = await open();
      assert.equal(await log.committed(topic, topic, 0), Number(committed.at(-1)));
      await commit(writer, 9);
      assert.deepEqual(texts(await all(log, topic, 0)), [...committed, "9"]);
    }
  });

  Deno.test("KafkaLog.writer() opened several times at once is fenced for all but one, which can commit", async () => {
    for (const broker of [told, telling]) {
      await using log = await openLog(broker);
      const topic = newPlace();
      await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
      const place = { topic, partition: 0 };
      const opened = await Promise.allSettled(Array.from({ length: 4 }, () => log.writer(topic, [place])));
      const failures = opened.flatMap((one) => one.status === "rejected" ? [one.reason] : []);
      for (const one of opened) {
        if (one.status === "rejected") continue;
        await using writer = one.value;
        const commit = writer.commit({ records: [record(topic, 0, "a")], group: topic, offsets: [] });
        await commit.catch((failure) => failures.push(failure));
      }
      assert.equal(failures.length, opened.length - 1);
      for (const failure of failures) assert.ok(hasCode("fenced")(failure), failure);
    }
  });

  Deno.test("Writer.commit() of several batches per partition numbers them anew in each transaction", async () => {
    for (const broker of [told, telling]) {
      await using log = await openLog(broker);
      const topic = newPlace();
      await log.createTopics([{ name: topic, partitions: 2, cleanup: "delete" }]);
      await using writer = await log.writer(`${topic}.writer`);
      const long = "x".repeat(500_000);
      const expected: string[] = [];
      for (let round = 0; round < 4; round++) {
        const records = Array.from({ length: 5 }, (_, n) => record(topic, 0, `${round}.${n}${long}`));
        await writer.commit({ records: [...records, record(topic, 1, `${round}`)], group: "", offsets: [] });
        expected.push(...records.map(({ value }) => new TextDecoder().decode(value ?? new Uint8Array(0))));
      }
      assert.deepEqual(texts(await all(log, topic, 0)), expected);
      assert.deepEqual(texts(await all(log, topic, 1)), ["0", "1", "2", "3"]);
    }
  });

  Deno.test("Writer.commit() names what a lowered limit makes too large, writes nothing, and goes on", async () => {
    for (const broker of [told, telling]) {
      await using log = await openLog(broker);
      const topic = newPlace();
      await log.createTopics([{ name: topic, partitions: PROBED + 1, cleanup: "delete" }]);
      await using writer = await log.writer(`${topic}.writer`);
      const commit = (records: readonly NewRecord[], offset: number) =>
        writer.commit({ records, group: topic, offsets: [{ topic, partition: 0, offset }] });
      const sized = (n: number, bytes: number) => ({
        ...record(topic, n % 2, `${n}`),
        value: crypto.getRandomValues(new Uint8Array(bytes)),
      });
      const small = Array.from({ length: 12 }, (_, n) => sized(n, 5000));
      await commit(small, 1);
      await setLargest(broker, topic, 20_000);
      const isNamed = (error: unknown) => error instanceof LogError && error.records.join() === "0,7,8";
      const records = small.map((one, n) => n === 0 || n === 7 || n === 8 ? sized(n, 30_000) : one);
      await assert.rejects(commit(records, 2), isNamed);
      assert.equal(await log.committed(topic, topic, 0), 1);
      await setLargest(broker, topic, 10_000);
      await assert.rejects(commit(records.slice(0, 1), 2), { code: "too-large" });
      await commit(small, 3);
      assert.equal(await log.committed(topic, topic, 0), 3);
      for (const partition of [0, 1]) {
        const keys = small.filter((_, n) => n % 2 === partition).map(({ key }) => key);
        assert.deepEqual((await all(log, topic, partition)).map(({ key }) => key), [...keys, ...keys]);
      }
    }
  });
}

/** Requests of Kafka's protocol, by number. */
const API = {
  Produce: 0,
  FindCoordinator: 10,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  TxnOffsetCommit: 28,
} as const;
/** Those that open a writer. */
const OPENING: readonly number[] = [API.FindCoordinator, API.InitProducerId];
/** Those of implicit transactions, and of explicit ones. */
const IMPLICIT = [...OPENING, API.Produce, API.TxnOffsetCommit, API.EndTxn];
const EXPLICIT = [...IMPLICIT, API.AddPartitionsToTxn, API.AddOffsetsToTxn];

/**
 * What a task writes, by topic. Each of its commits comes after a cut; those that open a writer come first, and the task is
 * reopened for them.
 *
 * @param isCut whether the cuts are carried out
 */
async function outputsOf(
  broker: TestBroker,
  cuts: readonly Cut[],
  isCut: boolean,
): Promise<ReadonlyMap<string, readonly unknown[]>> {
  const prefix = `${newPlace()}.`;
  const topics = topicNames(prefix);
  const cutter = new RequestCutter();
  await using log = await openLog(broker, { kafka: { socketFactory: cutter.socketFactory } });
  await log.createTopics(topicSpecs(topics, 1));
  const events = recordsOf(shopEvents(60, 8), prefix);
  await log.append(events);
  const open = () => {
    const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
    const options = { ...OPTIONS.task, impressions: "served", allowedLatenessMs: 60_000 } as const;
    return Task.open({ log, topics, partition: 0, options, serving });
  };
  const round = (task: Task) => task.round({ rows: 1000, events: Math.ceil(events.length / cuts.length) });
  const cutNext = (cut: Cut) => isCut && cutter.cutNext(cut);
  const [opening, within] = [true, false].map((is) =>
    cuts.filter(({ apiKey }) => OPENING.includes(apiKey) === is)
  );
  for (const cut of opening ?? []) {
    cutNext(cut);
    await using task = await open();
    assert.ok(!cutter.isPending, JSON.stringify(cut));
    await round(task);
    await task.commit();
  }
  await using task = await open();
  for (const cut of within ?? []) {
    await round(task);
    cutNext(cut);
    await task.commit();
    assert.ok(!cutter.isPending, JSON.stringify(cut));
  }
  const written = new Map<string, readonly unknown[]>();
  for (const name of ["recommendations", "samples", "state", "statistics"] as const) {
    const records = await all(log, topics[name], 0);
    written.set(
      name,
      records.map(({ key, value, time, headers: { [INPUTS]: _ids, [LINEAGE]: _random, ...headers } }) => {
        return { key, value, time, headers };
      }),
    );
  }
  return written;
}

/** The partition of a topic that shows which limit a broker applies. */
const PROBED = 2;

/** Lowers the limit of a topic; resolves once the broker, which answers earlier, applies it. */
async function setLargest(broker: TestBroker, topic: string, bytes: number): Promise<void> {
  const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING, retry: { retries: 0 } });
  const [admin, producer] = [kafka.admin(), kafka.producer()];
  await Promise.all([admin.connect(), producer.connect()]);
  const configEntries = [{ name: "max.message.bytes", value: `${bytes}` }];
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }];
  await admin.alterConfigs({ validateOnly: false, resources });
  const messages = [{ partition: PROBED, value: Buffer.alloc(bytes + 1000) }];
  const isRefused = () =>
    producer.send({ topic, messages }).then(() => false, ({ type }) => type === "MESSAGE_TOO_LARGE");
  await until(isRefused, `${topic} takes ${bytes} bytes at most`);
  await Promise.all([admin.disconnect(), producer.disconnect()]);
}

async function connect(broker: TestBroker): Promise<KafkaClient> {
  const client = new KafkaClient({ brokers: [broker.address], logLevel: logLevel.NOTHING }, 20_000);
  await client.connect();
  return client;
}
