/** A verifier that finds nothing proves nothing: here each promise is broken by hand, and verify() must notice. */

import assert from "node:assert/strict";
import { Rows } from "../../src/samples/rows.ts";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { EXPERIMENT } from "../../streams/experiments/record.ts";
import { decodeSample, encodeSample } from "../../src/samples/sample_codec.ts";
import type { LogRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Service } from "../../streams/service/service.ts";
import { OTHERS } from "../../streams/task/others.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { OPTIONS, until, untilCommitted } from "../service/deployment.ts";
import type { Deployment } from "./deployment.ts";
import { startExperiments } from "./experiments.ts";
import { unlearnt } from "./notes.ts";
import { catalogue, START, traffic } from "./traffic.ts";
import { verify } from "./verify.ts";

const topics = topicNames();
const PARTITIONS = 3;
const deployment: Deployment<"base"> = {
  ...OPTIONS,
  prefix: "meander.",
  task: { ...OPTIONS.task, outcomeWindowMs: 60_000, allowedLatenessMs: 180_000 },
  // The log in memory keeps a single order of the samples: a checkpoint must not cut it. Each batch is published, so
  // that there are versions to lose however fast the machine is.
  learning: {
    batchRows: 32,
    checkpointBatches: 1e6,
    checkpointIntervalMs: 1e9,
    snapshotVersions: null,
    publishIntervalMs: 0,
    guard: null,
  },
  serveVersion: 1,
};

/** An undisturbed deployment. */
const healthy = await (async () => {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, PARTITIONS));
  const options = { seed: 1, events: 1000, users: 80, partitions: PARTITIONS, items: 60 };
  await startExperiments(log, topics, { model: "base", time: START });
  const events = [...traffic(topics, options)];
  await log.append([...catalogue(topics, options), ...events.slice(0, 500)]);
  await using service = await Service.start(log, { ...OPTIONS, ...deployment });
  const partitions = () => [...Array(PARTITIONS).keys()];
  const isLearnt = async () => {
    const lags = partitions().map((partition) =>
      unlearnt(log, topics.signals, { partition, partitions: PARTITIONS })
    );
    return (await Promise.all(lags)).every((lag) => lag === 0);
  };
  await untilCommitted(log);
  await until(isLearnt, "tasks have learnt from each other, before events that depend on it");
  await log.append(events.slice(500));
  await untilCommitted(log);
  await until(async () => ((await service.status()).learner?.lag ?? 99) < 8, "samples are learnt");
  await until(async () => (await service.status()).monitor?.lag === 0, "experiments are watched");
  await until(isLearnt, "tasks have learnt from each other");
  await service.stop();
  await service.ended;
  return log;
})();

/** A copy of the healthy log, with the records in partition 0 of a topic edited. */
async function changed(
  topic: string,
  edit: (records: readonly LogRecord[]) => readonly LogRecord[],
): Promise<MemoryLog> {
  const log = new MemoryLog();
  log.identify = (topic) => healthy.identify(topic); // its positions are of topics with these ids
  await log.createTopics(topicSpecs(topics, PARTITIONS));
  for (const { name, partitions } of topicSpecs(topics, PARTITIONS)) {
    for (let p = 0; p < partitions; p++) {
      const records: LogRecord[] = [];
      for await (const record of readAll(healthy, name, p)) records.push(record);
      await log.append(name === topic && p === 0 ? edit(records) : records);
      for (const group of [`${topics.events}-tasks`, `${topics.samples}-learner-base`]) {
        const offset = await healthy.committed(group, name, p);
        if (offset === null) continue;
        await using writer = await log.writer("copy");
        await writer.commit({ records: [], group, offsets: [{ topic: name, partition: p, offset }] });
      }
    }
  }
  return log;
}

/** A record with one byte changed, at a place that is neither a length nor its own checksum. */
function flipped(record: LogRecord | undefined, at: number): LogRecord {
  const value = new Uint8Array(record?.value ?? []);
  value[value.length + at] = (value[value.length + at] ?? 0) ^ 1;
  return { ...record ?? assert.fail(), value };
}

Deno.test("verify() finds no problem in an undisturbed deployment", async () => {
  const { problems, figures } = await verify(healthy, deployment);
  assert.deepEqual(problems, []);
  assert.ok((figures["recommendations"] ?? 0) > 250 && (figures["rows learnt"] ?? 0) > 650);
  assert.ok((figures["versions"] ?? 0) > 15);
  assert.ok((figures["signals"] ?? 0) > 60 && (figures["records learnt from others"] ?? 0) > 3);
  assert.ok((figures["users in written figures"] ?? 0) > 40);
});

const [first, second] = [3, 4];
for (
  const [what, topic, edit, message] of [
    ["a lost answer", topics.recommendations, drop, /without an answer/],
    ["an answer given twice", topics.recommendations, double, /with several answers/],
    ["answers in another order", topics.recommendations, swap, /recommendations\/0 is not what/],
    ["an altered answer", topics.recommendations, otherScore, /recommendations\/0 is not what/],
    ["a lost sample", topics.samples, drop, /samples\/0 is not what/],
    ["a sample given twice", topics.samples, double, /has several samples/],
    ["a flipped label", topics.samples, flipLabel, /samples\/0 is not what/],
    ["a lost rejection", topics.rejected, drop, /rejected\/0 is not what/],
    ["a lost state", topics.state, drop, /user .* is missing/],
    ["a changed byte of a state", topics.state, flipLast, /state of partition 0/],
    ["a changed byte of an item", topics.statistics, flipItem, /item .* differs/],
    ["a changed byte of an item's numbers", topics.statistics, flipNumbers, /item .* differs/],
    ["a changed byte of what retrieval learnt", topics.statistics, flipRetrieval, /state of partition 0/],
    ["a changed byte of what was learnt from others", topics.statistics, flipOthers, /state of partition 0/],
    [
      "lost notes of what was learnt",
      topics.signals,
      dropNotes,
      /what retrieval learnt differs|\/0 is not/,
    ],
    ["a record learnt twice", topics.signals, doubleNote, /has learnt .* again/],
    ["records that were not learnt", topics.signals, dropLastNotes, /task 0 has not learnt \d+ records/],
    ["an altered signal", topics.signals, flipSignal, /signals\/0 is not what/],
    ["a lost version", topics.parameters, drop, /behind version/],
    ["a version given twice", topics.parameters, double, /behind version/],
    ["a wrong figure of an experiment", topics.figures, flipFigures, /the figures of short are not/],
    [
      "a user who counts twice in an experiment",
      topics.figures,
      dropPositions,
      /the figures of short are not/,
    ],
    ["a change of experiments that one partition lacks", topics.events, dropChange, /different changes/],
    ["a duplicate change of experiments", topics.events, doubleChange, /has a change .* twice/],
    ["a sample learnt twice", topics.samples, double, /the learner's weights are/],
    ["a lost sample that was learnt", topics.samples, drop, /the learner's samples are/],
    ["a sample altered after it was learnt", topics.samples, flipLabel, /the learner's weights are/],
    ["a damaged checkpoint of the learner", topics.checkpoints, flipAll, /cannot be restored/],
  ] as const
) {
  Deno.test(`verify() notices ${what}`, async () => {
    const { problems } = await verify(await changed(topic, edit), deployment);
    assert.ok(problems.some((problem) => message.test(problem)), JSON.stringify(problems));
  });
}

Deno.test("verify() notices events that were not processed", async () => {
  const log = await changed("", (records) => records);
  await log.append([...traffic(topics, { seed: 2, events: 3, users: 80, partitions: PARTITIONS })]);
  const { problems } = await verify(log, deployment);
  assert.ok(problems.some((problem) => /committed up to/.test(problem)), JSON.stringify(problems));
});

function drop(records: readonly LogRecord[]): readonly LogRecord[] {
  return records.toSpliced(first, 1);
}

function double(records: readonly LogRecord[]): readonly LogRecord[] {
  return records.toSpliced(first, 0, records[first] ?? assert.fail());
}

function swap(records: readonly LogRecord[]): readonly LogRecord[] {
  return records.with(first, records[second] ?? assert.fail()).with(second, records[first] ?? assert.fail());
}

function flipLast(records: readonly LogRecord[]): readonly LogRecord[] {
  return records.with(first, flipped(records[first], -6));
}

function flipLabel(records: readonly LogRecord[]): readonly LogRecord[] {
  const sample = decodeSample(records[first]?.value ?? assert.fail());
  const rows = sample.rows.map((row, k) =>
    k > 0 ? row : { ...row, label: row.label === 1 ? 0 as const : 1 as const }
  );
  return records.with(first, {
    ...records[first] ?? assert.fail(),
    value: encodeSample({ ...sample, rows: Rows.of(rows) }),
  });
}

function flipItem(records: readonly LogRecord[]): readonly LogRecord[] {
  const at = records.findIndex(({ key }) => key?.startsWith("item:"));
  return records.with(at, flipped(records[at], -6));
}

/** The last ones: earlier ones may have been overwritten. */
function flipNumbers(records: readonly LogRecord[]): readonly LogRecord[] {
  const at = records.findLastIndex(({ key }) => key?.startsWith("numbers:"));
  return records.with(at, flipped(records[at], -6));
}

/** Changes the first letter of the first id in a journal of its own: that of a user. */
function flipRetrieval(records: readonly LogRecord[]): readonly LogRecord[] {
  const at = records.findIndex(({ key, value }) => key?.startsWith("retrieval:journal") && value?.[0] === 1);
  return records.with(at, flipped(records[at], 3 - (records[at]?.value?.length ?? 0)));
}

/** Changes the last byte of a journal of others: of a time, or of an item. */
function flipOthers(records: readonly LogRecord[]): readonly LogRecord[] {
  const at = records.findIndex(({ key, value }) =>
    key?.startsWith("retrieval:journal") && value?.[0] === 255
  );
  return records.with(at, flipped(records[at], -1));
}

function noteAt(records: readonly LogRecord[]): number {
  return records.findIndex(({ headers }) => headers[OTHERS] !== undefined);
}

/**
 * The last one stays: it says the same about all before it, but later. A single one may be of records without anything
 * to learn.
 */
function dropNotes(records: readonly LogRecord[]): readonly LogRecord[] {
  const last = records.findLastIndex(({ headers }) => headers[OTHERS] !== undefined);
  return records.map((record, n) => n === last ? record : { ...record, headers: {} });
}

function dropLastNotes(records: readonly LogRecord[]): readonly LogRecord[] {
  const half = Math.floor(records.length / 2);
  return records.map((record, n) => n < half ? record : { ...record, headers: {} });
}

function doubleNote(records: readonly LogRecord[]): readonly LogRecord[] {
  const at = noteAt(records);
  const { headers } = records[at] ?? assert.fail();
  return records.with(at + 1, { ...records[at + 1] ?? assert.fail(), headers });
}

/** Its last byte belongs to a time, or to an item. */
function flipSignal(records: readonly LogRecord[]): readonly LogRecord[] {
  const at = records.findIndex(({ value }) => value !== null && value.length > 0);
  return records.with(at, flipped(records[at], -1));
}

function flipAll(records: readonly LogRecord[]): readonly LogRecord[] {
  return records.map((record) => flipped(record, -1));
}

function otherScore(records: readonly LogRecord[]): readonly LogRecord[] {
  const text = new TextDecoder().decode(records[first]?.value ?? assert.fail());
  const value = new TextEncoder().encode(text.replace(/"score":-?0\.\d/, '"score":0.3'));
  return records.with(first, { ...records[first] ?? assert.fail(), value });
}

/** Changes the first number after the definition of an experiment. */
function flipFigures(records: readonly LogRecord[]): readonly LogRecord[] {
  return records.map((record) => {
    if (record.key !== "experiment/short" || record.value === null) return record;
    const head = new ByteWriter().string(new ByteReader(record.value).string()).toBytes();
    return flipped(record, head.length - record.value.length);
  });
}

/** The positions of a monitor that has read nothing, next to the figures of one that has. */
function dropPositions(records: readonly LogRecord[]): readonly LogRecord[] {
  return records.map((record) => {
    if (record.key !== "monitor" || record.value === null) return record;
    const from = new ByteReader(record.value);
    const to = new ByteWriter().u8(from.u8()).f64(from.f64()).uint(from.count());
    for (let p = 0; p < PARTITIONS; p++) {
      to.f64(from.f64()).f64(from.f64());
      from.int();
      from.int();
      to.int(-1).int(-1);
    }
    for (let place = 0; place < 2 * PARTITIONS; place++) to.uint(0);
    to.uint(0); // nothing was lost
    return { ...record, value: to.toBytes() };
  });
}

function dropChange(records: readonly LogRecord[]): readonly LogRecord[] {
  return records.toSpliced(records.findIndex(({ headers }) => headers[EXPERIMENT] !== undefined), 1);
}

function doubleChange(records: readonly LogRecord[]): readonly LogRecord[] {
  const at = records.findIndex(({ headers }) => headers[EXPERIMENT] !== undefined);
  return records.toSpliced(at, 0, records[at] ?? assert.fail());
}
