/**
 * The faults of kafkajs 2.2.4 that `streams/log/kafka/protocol/patch.ts` lists: none of them may come back through a change
 * of ours, or a new version of kafkajs.
 */

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { ConfigResourceTypes, Kafka, logLevel, Partitioners, type Producer } from "kafkajs";
import RequestQueue from "kafkajs/src/network/requestQueue/index.js";

import { KafkaClient } from "../../streams/log/kafka/client.ts";
import { checkCode, checkVersion, sendRaw } from "../../streams/log/kafka/protocol/patch.ts";
import { UNKNOWN_EPOCH } from "../../streams/log/kafka/protocol/leader_epochs.ts";
import { fetchBatches } from "../../streams/log/kafka/protocol/requests.ts";
import { WireReader, WireWriter } from "../../streams/log/kafka/protocol/wire.ts";
import { LogError, type NewRecord } from "../../streams/log/log.ts";
import { all, newPlace, record, texts } from "../contracts/log_suite.ts";
import { until } from "../service/deployment.ts";
import { openLog, type TestBroker, testBroker } from "./kafka_broker.ts";

const broker = await testBroker({
  properties: { "log.cleaner.backoff.ms": "50", "log.retention.check.interval.ms": "50" },
});
const brokers = [broker?.address ?? ""];
const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING, retry: { initialRetryTime: 20 } });
const test = (name: string, body: (broker: TestBroker) => Promise<void>) =>
  Deno.test({ name, ignore: broker === undefined, fn: async () => broker && await body(broker) });

Deno.test("checkVersion() throws for any kafkajs but the one that is patched", () => {
  checkVersion("2.2.4");
  for (const other of ["2.2.3", "2.2.5", "2.3.0", "3.0.0"]) {
    assert.throws(() => checkVersion(other), {
      message: `Cannot use kafkajs ${other}: the patch is for 2.2.4 only`,
    });
  }
});

Deno.test("run: refuses to start on Kafka with another kafkajs", async () => {
  const root = new URL("../../", import.meta.url);
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/package.json`, '{ "version": "2.2.5" }');
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  const map = Object.entries<string>(imports).map(([name, to]) =>
    [name, to.startsWith("./") ? new URL(to, root).href : to] as const
  );
  const other = ["kafkajs/package.json", `file://${folder}/package.json`] as const;
  await Deno.writeTextFile(
    `${folder}/map.json`,
    JSON.stringify({ imports: Object.fromEntries([...map, other]) }),
  );
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "-A",
      "--no-check",
      `--import-map=${folder}/map.json`,
      "scripts/run.ts",
      "--log",
      "kafka",
      "--brokers",
      "127.0.0.1:1",
      "--snapshots",
      folder, // it may read its snapshots
    ],
    cwd: root,
  }).output();
  assert.equal(code, 1);
  assert.match(new TextDecoder().decode(stderr), /Cannot use kafkajs 2\.2\.5: the patch is for 2\.2\.4 only/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("RequestQueue.scheduleCheckPendingRequests() sets no timer for an idle connection, but one when throttled", () => {
  const logger = { debug() {} };
  const queue = new RequestQueue({ logger, requestTimeout: 1, enforceRequestTimeout: false });
  queue.scheduleCheckPendingRequests();
  assert.equal(queue.throttleCheckTimeoutId, null);
  queue.maybeThrottle(60_000);
  queue.scheduleCheckPendingRequests();
  assert.notEqual(queue.throttleCheckTimeoutId, null);
  queue.destroy();
});

test("KafkaLog.read() shows nothing of two aborted transactions that overlap, wherever it begins", async (broker) => {
  await using log = await openLog(broker);
  const topic = newPlace();
  await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
  await using first = await transactional(`${topic}.1`);
  await using second = await transactional(`${topic}.2`);
  const one = await first.producer.transaction();
  const two = await second.producer.transaction();
  for (const text of ["a", "b"]) {
    await one.send({ topic, messages: [{ value: `one ${text}` }] });
    await two.send({ topic, messages: [{ value: `two ${text}` }] });
  }
  await one.abort();
  await log.append([record(topic, 0, "between")]);
  await two.abort();
  await log.append([record(topic, 0, "end")]);
  const whole = await all(log, topic, 0);
  assert.deepEqual(texts(whole), ["between", "end"]);
  const { end } = await log.bounds(topic, 0);
  for (let from = 0; from <= end; from++) {
    await using fresh = await openLog(broker);
    assert.deepEqual(
      await all(fresh, topic, 0, from),
      whole.filter(({ offset }) => offset >= from),
      `${from}`,
    );
  }
});

test("KafkaLog.read() does not mistake a record with a key of zero bytes for a marker", async (broker) => {
  await using log = await openLog(broker);
  const topic = newPlace();
  await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
  await using first = await transactional(`${topic}.1`);
  const aborted = await first.producer.transaction();
  const key = "\0\0\0\0";
  await aborted.send({ topic, messages: [{ key, value: "marker?" }, { value: "aborted" }] });
  await aborted.send({ topic, messages: [{ value: "aborted" }] });
  await aborted.abort();
  await log.append([{ ...record(topic, 0, "end"), key }]);
  assert.deepEqual(texts(await all(log, topic, 0)), ["end"]);
});

test("KafkaLog.read() skips an empty batch that compaction left", async (broker) => {
  const topic = newPlace();
  await using log = await openLog(broker, {
    compression: "none",
    topicConfig: { "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.001", "segment.ms": "100" },
  });
  await log.createTopics([{ name: topic, partitions: 1, cleanup: "compact" }]);
  const value = new Uint8Array(300_000);
  const append = async (key: string) => await log.append([{ topic, partition: 0, key, value, time: 1 }]);
  {
    // Its last batch is kept although its records go, so that the producer could go on.
    await using writer = await openLog(broker, { compression: "none" });
    for (let i = 0; i < 4; i++) await writer.append([{ topic, partition: 0, key: "a", value, time: 1 }]);
  }
  await using client = new KafkaClient({ brokers, logLevel: logLevel.NOTHING }, 10_000);
  await client.connect();
  const firstBatch = async () => {
    const from = { topic, topicId: null, partition: 0, offset: 0, epochBefore: UNKNOWN_EPOCH, maxBytes: 1 };
    const [fetched] = await fetchBatches(await client.leader(topic, 0), [from], { waitMs: 0, maxBytes: 1 });
    const reader = new WireReader(fetched?.bytes ?? new Uint8Array());
    reader.position = 57;
    return { count: reader.int32(), bytes: fetched?.bytes.length };
  };
  // The cleaner runs in its own time; each append closes a segment that it may clean.
  for (let round = 0; (await firstBatch()).count > 0; round++) {
    assert.ok(round < 200, "the cleaner has not come");
    await append("a");
    await append("b");
  }
  await using fresh = await openLog(broker);
  const kept = await all(fresh, topic, 0);
  assert.ok(kept.length >= 2);
  assert.equal(kept.at(-1)?.key, "b");
});

test("KafkaLog.writer() takes over from one that left a transaction open, and unblocks readers", async (broker) => {
  await using log = await openLog(broker);
  const topic = newPlace();
  await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
  const id = `${topic}.writer`;
  await using dead = await transactional(id);
  const open = await dead.producer.transaction();
  await open.send({ topic, messages: [{ value: "open" }] });
  await log.append([record(topic, 0, "behind")]);
  const stuck = await openLog(broker);
  assert.deepEqual(await stuck.bounds(topic, 0), { start: 0, end: 0 });
  await stuck[Symbol.asyncDispose]();
  await using successor = await log.writer(id);
  await successor.commit({ records: [record(topic, 0, "after")], group: "g", offsets: [] });
  assert.deepEqual(texts(await all(log, topic, 0)), ["behind", "after"]);
});

test("KafkaLog waits for a quota of the brokers and reports it, and a read that meets it is not empty", async (broker) => {
  const clientId = `slow-${newPlace()}`;
  await setQuota(clientId, 100_000);
  // Rates are means over ten or eleven seconds: a little over a megabyte exceeds them slightly, unless it comes slowly.
  const value = new Uint8Array(350_000), most = 50;
  const topic = newPlace();
  await using log = await openLog(broker, { compression: "none", kafka: { clientId } });
  let waited = 0, count = 0;
  log.watchThrottling((ms) => waited += ms);
  await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
  for (; waited === 0 && count < most; count++) {
    await log.append([{ topic, partition: 0, key: `${count}`, value, time: 1 }]);
  }
  assert.ok(waited > 0, "writes are not slowed down");
  waited = 0;
  for (let reads = 0, from = 0; waited === 0 && reads < most; reads++) {
    const { records, next } = await log.read(topic, 0, from);
    assert.ok(records.length > 0, `nothing is read at ${from}`);
    from = next < count ? next : 0;
  }
  assert.ok(waited > 0, "reads are not slowed down");
});

test("KafkaLog opens no connection twice, and closes them all", async (broker) => {
  const sockets: Socket[] = [];
  const socketFactory = (
    { host, port, onConnect }: { host: string; port: number; onConnect: () => void },
  ) => {
    const socket = connect({ host, port }, onConnect);
    sockets.push(socket);
    return socket;
  };
  const topic = newPlace();
  {
    await using log = await openLog(broker, { kafka: { socketFactory } });
    await log.createTopics([{ name: topic, partitions: 20, cleanup: "delete" }]);
    await Promise.all(Array.from({ length: 20 }, (_, p) => log.read(topic, p, 0, { waitMs: 1 })));
    assert.ok(sockets.length <= 4, `${sockets.length} sockets`);
  }
  for (const socket of sockets) assert.ok(socket.destroyed || socket.writableEnded);
});

async function transactional(transactionalId: string): Promise<AsyncDisposable & { producer: Producer }> {
  const producer = kafka.producer({
    transactionalId,
    maxInFlightRequests: 1,
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  return { producer, [Symbol.asyncDispose]: () => producer.disconnect() };
}

/** Sets what clients of a name may write, and read, in bytes per second. AlterClientQuotas 1 */
async function setQuota(clientId: string, bytesPerSecond: number): Promise<void> {
  await using client = new KafkaClient({ brokers, logLevel: logLevel.NOTHING }, 10_000);
  await client.connect();
  const value = new Uint8Array(8);
  new DataView(value.buffer).setFloat64(0, bytesPerSecond);
  const body = new WireWriter(256, true);
  body.list([clientId], () => {
    body.list([clientId], () => body.name("client-id").name(clientId));
    body.list(["producer_byte_rate", "consumer_byte_rate"], (key) => body.name(key).raw(value).int8(0));
  });
  await sendRaw(await client.any(), {
    name: "AlterClientQuotas",
    apiKey: 49,
    apiVersion: 1,
    body: body.int8(0).end(),
    decode(reader) {
      const clientSideThrottleTime = reader.int32();
      reader.list(() => {
        checkCode(reader.int16());
        reader.name();
        reader.list(() => [reader.name(), reader.name()]);
      });
      return { clientSideThrottleTime };
    },
  });
}

test("KafkaLog finds other topics while one that was deleted is asked for", async (broker) => {
  await using log = await openLog(broker, { retryMs: 3000 });
  const [deleted, ...others] = Array.from({ length: 40 }, () => newPlace());
  assert.ok(deleted);
  const specs = [deleted, ...others].map((name) => ({ name, partitions: 1, cleanup: "delete" as const }));
  await log.createTopics(specs);
  await log.append([record(deleted, 0, "a")]);
  await log.read(deleted, 0, 0);
  const admin = kafka.admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [deleted] });
  await admin.disconnect();
  let isOver = false;
  const asking = Array.from({ length: 4 }, async () => {
    while (!isOver) await Promise.allSettled([log.bounds(deleted, 0), log.read(deleted, 0, 0)]);
  });
  try {
    for (const other of others) {
      await Promise.all([log.bounds(other, 0), log.read(other, 0, 0), log.since(other, 0, 0)]);
    }
  } finally {
    isOver = true;
    await Promise.all(asking);
  }
  await assert.rejects(log.bounds(deleted, 0), new RegExp(`Cannot find topic ${deleted}`));
});

test("KafkaLog.append() that brokers refuse harms none of those sent with it", async (broker) => {
  await using log = await openLog(broker, { topicConfig: { "max.message.bytes": "20000" } });
  const topic = newPlace();
  await log.createTopics([{ name: topic, partitions: 2, cleanup: "delete" }]);
  const large = () => crypto.getRandomValues(new Uint8Array(40_000));
  const sending = Array.from({ length: 200 }, (_, n) => {
    const own = record(topic, n % 2, `${n}`);
    if (n % 20 === 7) return [{ ...own, value: large() }];
    return n % 20 === 8 ? [own, record(topic, 1 - n % 2, `${n}`)] : [own]; // to both partitions: a transaction
  });
  const outcomes = await Promise.allSettled(sending.map((records) => log.append(records)));
  const refused = outcomes.flatMap(({ status }, n) => status === "rejected" ? [n] : []);
  assert.deepEqual(refused, sending.flatMap((_, n) => n % 20 === 7 ? [n] : []));
  const written = [...await all(log, topic, 0), ...await all(log, topic, 1)];
  const want = sending.flatMap((records, n) => refused.includes(n) ? [] : records.map(({ key }) => key));
  assert.deepEqual(written.map(({ key }) => key).sort(), want.sort());
  for (const [n, outcome] of outcomes.entries()) {
    if (outcome.status === "rejected") continue;
    const places = outcome.value.map((offset, i) => {
      const { partition } = sending[n]![i]!;
      return written.find((one) => one.partition === partition && one.offset === offset)?.key;
    });
    assert.deepEqual(places, sending[n]!.map(({ key }) => key), "each has its own offsets");
  }
});

test("KafkaLog.append() and commit() name records that are too large for their topic, and write nothing", async (broker) => {
  await using log = await openLog(broker, { topicConfig: { "max.message.bytes": "20000" } });
  const topic = newPlace();
  await log.createTopics([{ name: topic, partitions: 2, cleanup: "delete" }]);
  const sized = (n: number, bytes: number) => ({
    ...record(topic, n % 2, `${n}`),
    value: crypto.getRandomValues(new Uint8Array(bytes)),
  });
  const records = [sized(0, 100), sized(1, 40_000), sized(2, 100), sized(3, 30_000)];
  const isNamed = (error: unknown) => {
    assert.ok(error instanceof LogError);
    assert.equal(error.code, "too-large");
    assert.deepEqual(error.records, [1, 3]);
    assert.match(
      error.message,
      new RegExp(`^Cannot append to ${topic}: .* 20000 bytes \\(max.message.bytes\\)`),
    );
    return true;
  };
  await assert.rejects(log.append(records), isNamed);
  await using writer = await log.writer(`${topic}-writer`);
  const commit = (records: readonly NewRecord[]) => writer.commit({ records, group: topic, offsets: [] });
  await assert.rejects(commit(records), isNamed);
  await commit([records[0]!]); // the writer goes on
  await log.append([records[2]!]);
  // Many that fit one by one, but together not into a message.
  const many = Array.from({ length: 30 }, (_, n) => sized(n + 4, 5000));
  await log.append(many);
  await commit(many);
  // What is small enough once compressed is taken.
  await log.append([{ ...record(topic, 0, "zeros"), value: new Uint8Array(100_000) }]);
  const written = [...await all(log, topic, 0), ...await all(log, topic, 1)].map(({ key }) => key);
  const twice = many.flatMap(({ key }) => [key, key]);
  assert.deepEqual(written.toSorted(), ["0", "2", ...twice, "zeros"].toSorted());
});

test("KafkaLog.append() follows a topic whose largest message changes", async (broker) => {
  await using log = await openLog(broker, { topicConfig: { "max.message.bytes": "20000" } });
  const topic = newPlace();
  await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
  const large = { ...record(topic, 0, "a"), value: crypto.getRandomValues(new Uint8Array(15_000)) };
  const admin = kafka.admin();
  await admin.connect();
  const setTo = async (bytes: number) => {
    const configEntries = [{ name: "max.message.bytes", value: `${bytes}` }];
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }],
    });
  };
  await log.append([large]);
  await setTo(10_000);
  const isNamed = (error: unknown) => error instanceof LogError && error.records?.join() === "0";
  // Brokers follow a moment after they have answered.
  await until(() => log.append([large]).then(() => false, isNamed), "it is too large, and named");
  await setTo(40_000);
  await until(() => log.append([large]).then(() => true, () => false), "it is taken again");
  await admin.disconnect();
});

test("KafkaLog.append() is not held up by one sent with it for a topic that is gone", async (broker) => {
  await using log = await openLog(broker, { retryMs: 120_000 });
  const [gone, there] = [newPlace(), newPlace()];
  const specs = [gone, there].map((name) => ({ name, partitions: 2, cleanup: "delete" as const }));
  const both = (n: number) => [record(there, 0, `${n}`), record(there, 1, `${n}`)];
  const ofBoth = [record(there, 0, "a"), record(gone, 0, "a")];
  await log.createTopics(specs);
  await log.append(ofBoth);
  // Beyond the offsets that the next topic of this name will reach.
  for (let n = 0; n < 9; n++) await log.append([record(gone, 0, "a")]);
  const admin = kafka.admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [gone] });
  // A writer waits for the topic, as brokers may not know a new one yet.
  await using writer = await log.writer(`${there}-writer`);
  let isCommitted = false;
  const committing = writer.commit({ records: [record(gone, 0, "c")], group: "", offsets: [] })
    .then(() => isCommitted = true);
  const ended: string[] = [];
  const send = async (name: string, records: readonly NewRecord[]) => {
    try {
      await log.append(records);
      ended.push(`${name} went`);
    } catch (error) {
      ended.push(`${name}: ${error instanceof LogError ? error.code : error}`);
    }
  };
  await Promise.all([
    send("gone", [record(gone, 0, "b")]),
    ...Array.from({ length: 20 }, (_, n) => send("there", [record(there, n % 2, `${n}`)])),
    send("both", ofBoth),
    ...Array.from({ length: 20 }, (_, n) => send("there", both(n))),
  ]);
  assert.deepEqual(ended.slice(0, 40), Array.from({ length: 40 }, () => "there went"));
  assert.deepEqual(ended.slice(40).toSorted(), ["both: unknown-topic", "gone: unknown-topic"]);
  assert.ok(!isCommitted, "no append waits for as long as a writer does");
  await log.createTopics(specs);
  await committing;
  await admin.disconnect();
  await log.append(ofBoth);
  await log.append([record(gone, 0, "a")]);
  assert.deepEqual((await all(log, gone, 0)).map(({ key }) => key), ["c", "a", "a"]);
});
