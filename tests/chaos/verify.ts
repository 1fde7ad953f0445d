/**
 * What must hold for a deployment when all events are done, whatever happened to it. Everything is read from committed
 * records; the tasks must have served a single version, so that a clean replay sees the same.
 *
 * @module
 */

import { ByteWriter } from "../../src/codec/byte_writer.ts";
import type { Event } from "../../src/events/event.ts";
import { decodeEvent } from "../../src/events/codec.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import type { ModelName } from "../../src/nn/models/registry.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { encodeItemState } from "../../src/items/item_codec.ts";
import { encodeTask } from "../../src/engine/task_codec.ts";
import type { Log, LogRecord } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { ParameterSubscriber } from "../../streams/topics/parameters.ts";
import { RepeatFilter } from "../../streams/topics/repeats.ts";
import { Task } from "../../streams/task/task.ts";
import { INPUT } from "../../streams/topics/delivery.ts";
import { topicNames, type Topics, topicSpecs } from "../../streams/topics/topics.ts";
import { type Deployment, modelOf } from "./deployment.ts";
import { follow, type Note, notesOf, signalsOf, unlearnt } from "./notes.ts";
import { OverlayLog } from "./overlay_log.ts";
import { verifyFigures } from "./verify_figures.ts";
import { verifyLearner } from "./verify_learner.ts";

/** What was checked, and what is wrong. */
export interface Verdict {
  /** Sentences; none when all is well. */
  readonly problems: readonly string[];
  /** How much there was, by name. */
  readonly figures: Readonly<Record<string, number>>;
}

const MAX_PROBLEMS = 50;

/** Checks everything; takes as long as the deployment would have without faults. */
export async function verify<N extends ModelName>(log: Log, deployment: Deployment<N>): Promise<Verdict> {
  const topics = topicNames(deployment.prefix);
  const problems: string[] = [];
  const figures: Record<string, number> = {};
  const report = (problem: string) => {
    if (problems.length < MAX_PROBLEMS) problems.push(problem);
  };
  const count = (name: string, n: number) => figures[name] = (figures[name] ?? 0) + n;
  await verifyFigures(log, deployment.prefix, report, count);
  const isComparable = deployment.serveVersion !== undefined;
  const partitions = (await log.topics()).get(topics.events)?.partitions ?? 0;
  const asked: string[] = [], answered: string[] = [], sampled: Sample[] = [], input: Event[] = [];
  for (let p = 0; p < partitions; p++) {
    const { end } = await log.bounds(topics.events, p);
    const committed = await log.committed(`${topics.events}-tasks`, topics.events, p) ?? 0;
    if (committed !== end) report(`${topics.events}/${p}: committed up to ${committed} of ${end}`);
    const before = input.length;
    for await (const { value } of readAll(log, topics.events, p)) {
      count("events", 1);
      const decoded = decodeEvent(value ?? new Uint8Array(0));
      if (decoded.ok) input.push(decoded.event);
    }
    for (const event of input.slice(before)) if (event.type === "request") asked.push(event.request);
    const clean = new OverlayLog(log, [topics.events, topics.items, topics.parameters]);
    await clean.createTopics(topicSpecs(topics, partitions));
    const notes = await notesOf(log, topics.signals, p).catch((error: Error) => {
      report(error.message);
      return [];
    });
    const left = await unlearnt(log, topics.signals, { partition: p, partitions });
    if (left > 0) report(`task ${p} has not learnt ${left} records of others`);
    for (const { learnt } of notes) count("records learnt from others", learnt.length);
    await using wanted = await replayed(clean, topics, deployment, { partition: p, partitions, notes });
    const [given, toGive] = [
      await signalsOf(log, topics.signals, p),
      await signalsOf(clean, topics.signals, p),
    ];
    count("signals", given.length);
    const other = toGive.findIndex((text, n) => text !== given[n]);
    if (isComparable && (other >= 0 || given.length !== toGive.length)) {
      report(
        `${topics.signals}/${p} is not what a clean replay gives: entry ${other} of ${given.length} (wanted ` +
          `${toGive.length}) is ${given[other]}, wanted is ${toGive[other]}`,
      );
    }
    for (const topic of [topics.recommendations, topics.samples, topics.rejected]) {
      const all = await recordsOf(log, topic, p);
      const got = topic === topics.recommendations && deployment.delivery === "at-least-once"
        ? withoutRepeats(all)
        : all;
      count("repeats", all.length - got.length);
      const want = await recordsOf(clean, topic, p);
      count(topic.slice(deployment.prefix.length), got.length);
      const difference = firstDifference(got, want);
      if (isComparable && difference !== undefined) {
        report(`${topic}/${p} is not what a clean replay gives: ${difference}`);
      }
      if (topic === topics.recommendations) answered.push(...got.map((record) => answerOf(record).request));
      if (topic !== topics.samples) continue;
      for (const { value } of got) if (value !== null) sampled.push(decodeSample(value));
    }
    const changelog = new OverlayLog(log, Object.values(topics), true);
    for (const snapshots of new Set([undefined, deployment.snapshotsFolder])) {
      const of = `of partition ${p}${snapshots === undefined ? "" : ", from its local snapshot,"}`;
      const runtime = snapshots === undefined
        ? {}
        : { snapshot: { folder: `${snapshots}/${topics.state}-${p}` } };
      try {
        await using restored = await Task.open({
          log: changelog,
          topics,
          partition: p,
          options: deployment.task,
          serving: wanted.serving,
          ...runtime,
        });
        if (snapshots === undefined) count("users", restored.users.size);
        else if ((restored.store?.status.bytes ?? 0) > 0) count("local snapshots", 1);
        for (const difference of isComparable ? await stateDifferences(restored, wanted.task) : []) {
          report(`the state ${of} is not what a clean replay gives: ${difference}`);
        }
      } catch (error) {
        report(`the state ${of} cannot be restored: ${error}`);
      }
    }
  }
  // These checks do not depend on our own code, but on the meaning of the records.
  for (const problem of onceEach("request", new Set(asked), answered)) report(problem);
  for (const problem of samplesOf(input, sampled)) report(problem);
  await verifyLearner(log, deployment, report, count);
  return { problems, figures };
}

/** A task that has done all events of a partition without a fault, and learnt from others when the notes say so. */
async function replayed(
  log: OverlayLog,
  topics: Topics,
  deployment: Deployment,
  { partition, partitions, notes }: {
    readonly partition: number;
    readonly partitions: number;
    readonly notes: readonly Note[];
  },
) {
  const { task: options, learner, serveVersion } = deployment;
  const serving = new ServingModel(modelOf(deployment), options.schema, learner.embeddingWidth ?? 16);
  await new ParameterSubscriber(log, topics.parameters, serving, serveVersion).update();
  const task = await Task.open({ log, topics, partition, options, serving, partitions });
  const { end } = await log.bounds(topics.events, partition);
  const goTo = async (before: number) => {
    log.showUpTo(topics.events, before);
    while (task.next < Math.min(before, end)) await task.step({ now: () => 0, commitEvents: 1000 });
    await task.commit();
  };
  await follow(task, notes, goTo);
  await goTo(end);
  return { task, serving, [Symbol.asyncDispose]: () => task[Symbol.asyncDispose]() };
}

async function recordsOf(log: Log, topic: string, partition: number): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const record of readAll(log, topic, partition)) {
    records.push({ ...record, value: record.value === null ? null : new Uint8Array(record.value) });
  }
  return records;
}

const decoder = new TextDecoder();

function answerOf({ value }: LogRecord): Recommendation {
  return JSON.parse(decoder.decode(value ?? new Uint8Array(0)));
}

/** Each output once, in the order of inputs: an owner that was replaced may have been ahead of the new one. */
function withoutRepeats(records: readonly LogRecord[]): LogRecord[] {
  const filter = new RepeatFilter();
  const place = ({ headers }: LogRecord) => (headers[INPUT] ?? "").split("/").map(Number);
  return records.filter((record) => filter.isNew(record)).sort((a, b) => {
    const [[, offset = 0, index = 0], [, otherOffset = 0, otherIndex = 0]] = [place(a), place(b)];
    return offset - otherOffset || index - otherIndex;
  });
}

/** What matters in an output record: not its offset and time, which its commit assigned, nor how long it took to make. */
function contentOf({ key, value, headers }: LogRecord): string {
  const text = value === null
    ? "null"
    : value[0] === 123
    ? decoder.decode(value).replace(/"tookMicros":[^,}]+/, "")
    : value.toHex();
  return `${headers[INPUT] ?? ""} ${key} ${text}`;
}

function firstDifference(
  got: readonly LogRecord[],
  want: readonly LogRecord[],
): string | undefined {
  const at = want.findIndex((record, i) => {
    const other = got[i];
    return other === undefined || contentOf(other) !== contentOf(record);
  });
  if (at < 0) return got.length === want.length ? undefined : `${got.length} records, not ${want.length}`;
  const [a, b] = [got[at], want[at]];
  const [have, wanted] = [
    a === undefined ? "nothing" : contentOf(a),
    b === undefined ? "nothing" : contentOf(b),
  ];
  const same = [...have].findIndex((character, i) => character !== wanted[i]);
  const from = Math.max(0, same - 40);
  return `record ${at} of ${got.length} (wanted ${want.length}), of ${a?.key} at offset ${a?.offset}, has ` +
    `...${have.slice(from, same + 40)}..., wanted is of ${b?.key} ...${wanted.slice(from, same + 40)}...`;
}

/** Compares two tasks in everything that is durable. */
async function stateDifferences(got: Task, want: Task): Promise<string[]> {
  const [gotRecords, wantRecords] = [await stateOf(got), await stateOf(want)];
  const keys = new Set([...gotRecords.keys(), ...wantRecords.keys()]);
  return [...keys].filter((key) => gotRecords.get(key) !== wantRecords.get(key)).map((key) =>
    gotRecords.has(key) ? wantRecords.has(key) ? `${key} differs` : `${key} is too much` : `${key} is missing`
  ).slice(0, MAX_PROBLEMS);
}

async function stateOf(task: Task): Promise<Map<string, string>> {
  const records = new Map<string, string>();
  for await (const [user, record] of task.users.records()) records.set(`user ${user}`, record.toHex());
  for (const item of task.state.catalogue.items()) {
    records.set(`item ${item.id}`, encodeItemState(item).toHex());
  }
  const blend = new ByteWriter();
  task.state.retrieval.ordering.blend.encode(blend);
  records.set(
    "what retrieval learnt",
    `${task.state.retrieval.state.encode().toHex()} ${blend.toBytes().toHex()}`,
  );
  records.set("what was learnt from others", JSON.stringify([...task.state.retrieval.state.others].sort()));
  // What was counted as applied again depends on crashes by definition.
  const { counters } = task.state;
  const { reapplied } = counters;
  counters.reapplied = 0;
  records.set("the task", encodeTask(task.state, task.catalogue.committed).toHex());
  counters.reapplied = reapplied;
  return records;
}

function onceEach(what: string, wanted: ReadonlySet<string>, got: readonly string[]): string[] {
  const times = new Map<string, number>();
  for (const id of got) times.set(id, (times.get(id) ?? 0) + 1);
  const missing = [...wanted].filter((id) => !times.has(id));
  const repeated = [...times].filter(([, n]) => n > 1).map(([id]) => id);
  const unknown = [...times.keys()].filter((id) => !wanted.has(id));
  return [["without an answer", missing], ["with several answers", repeated], ["that nobody made", unknown]]
    .flatMap(([how, ids]) =>
      ids !== undefined && ids.length > 0 ? [`${ids.length} ${what}s ${how}, such as ${ids.slice(0, 3)}`] : []
    );
}

/** Each sample once; each positive once, and only if somebody acted. */
function samplesOf(input: readonly Event[], samples: readonly Sample[]): string[] {
  const problems: string[] = [];
  const clicks = new Set(
    input.flatMap((event) => event.type === "interaction" ? [`${event.user} ${event.item}`] : []),
  );
  const seen = new Set<string>();
  for (const { request, user, rows } of samples) {
    if (rows.length === 0) continue; // a history without a list
    if (seen.has(request)) problems.push(`request ${request} has several samples`);
    seen.add(request);
    for (const { item, label } of rows) {
      if (label === 1 && !clicks.has(`${user} ${item}`)) {
        problems.push(`the sample of request ${request} has a positive without an event: ${item}`);
      }
    }
  }
  return problems;
}
