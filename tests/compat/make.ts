/**
 * Writes a record of each format that the code of a checkout writes, see README.md alongside: `make.ts <checkout>
 * <folder>`.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import type { GroupOffset, NewRecord } from "../../streams/log/log.ts";
import { storedRecord } from "./experiment.ts";

const [root, out] = Deno.args;
if (root === undefined || out === undefined) {
  throw new Error("Cannot write records without a checkout and a folder");
}
const from = (path: string) => import(`${root}/${path}`);
const { Learner } = await from("src/learner/learner.ts");
const { Guard } = await from("src/learner/guard/guard.ts");
const { Proof } = await from("src/learner/proof.ts");
const { createModel } = await from("src/nn/models/registry.ts");
const { modelSizes } = await from("src/features/rows/assembler.ts");
const { DEFAULT_SCHEMA } = await from("src/features/schema.ts");
const { mulberry32 } = await from("src/draws/random.ts");
const { ByteWriter } = await from("src/codec/byte_writer.ts");
const { encodeVersion } = await from("src/serving/version.ts");
const { encodeTask } = await from("src/engine/task_codec.ts");
const { encodeItem } = await from("src/items/item_codec.ts");
const { TaskState } = await from("src/engine/task_state.ts");
const { PRIOR } = await from("src/serving/prior_serving.ts");
const { encodeSample } = await from("src/samples/sample_codec.ts");
const { encodeHead } = await from("streams/learning/checkpoint_head.ts");
const { encodeOrder } = await from("streams/learning/sample_order.ts");
const { MemoryLog } = await from("streams/log/memory_log.ts");
const { topicNames, topicSpecs } = await from("streams/topics/topics.ts");
const { ExperimentMonitor } = await from("streams/experiments/monitor.ts");
const { ExperimentRegistry } = await from("streams/experiments/registry.ts");
const { ExperimentViews } = await from("streams/experiments/views.ts");
const { Rows } = await from("src/samples/rows.ts");
/** `undefined` in releases without generations. */
const generations = await from("../../streams/topics/generations.ts").catch(() => undefined);

const START = Date.UTC(2026, 0, 1);
const SCHEMA = { ...DEFAULT_SCHEMA, userIds: false };
/** Numbers of the items, which are their places by id. */
const ITEMS = [0, 1, 2, 3, 4, 5, 6, 7];
/** Sequences that drop old behaviours. */
const SHORT = { capacity: 2, window: 2, hop: 1 };
/** The first record of each kind and format. */
const records = new Map<string, Uint8Array>();

/** Keeps a record, unless there is one of its kind and format. */
function keep(kind: string, bytes: Uint8Array, format = bytes[0]): void {
  if (format !== undefined && !records.has(`${kind}-${format}`)) records.set(`${kind}-${format}`, bytes);
}

/** Encodes by a method that writes to a writer. */
function written(encode: (to: unknown) => void): Uint8Array {
  const to = new ByteWriter();
  encode(to);
  return to.toBytes();
}

/** A task with events of 5 users, all records of which are kept. @returns Its samples */
function task(options: Readonly<Record<string, unknown>>, experiment?: object) {
  const state = new TaskState(
    { schema: SCHEMA, outcomeWindowMs: 1000, allowedLatenessMs: 0, ...options },
    PRIOR,
  );
  if (experiment !== undefined) state.applyExperiments([experiment]);
  const outputs = { recommendations: [], samples: [] as unknown[], forgotten: [], merges: [] };
  let offset = 0;
  const apply = (event: object) => state.apply(event, offset++, outputs);
  for (const i of ITEMS) state.applyItem({ item: `i${i}`, time: START, category: `c${i % 2}` });
  for (let n = 0; n < 40; n++) {
    const user = `u${n % 5}`, time = START + 2000 * n, request = `r${n}`;
    apply({ type: "request", user, request, count: 3, time });
    apply({ type: "interaction", user, item: `i${(n * 3) % 8}`, action: "click", request, time: time + 100 });
  }
  // Up to 0.2.0 the task itself makes them.
  const keepUser = (user: object) => keep("user", state.record?.(user) ?? state.memory.record(user));
  if (experiment !== undefined) { for (const user of state.dirtyUsers) keepUser(user); }
  state.flush(outputs);
  for (const user of state.dirtyUsers) keepUser(user);
  // Releases without aliases do not know this event.
  if (state.users.get("u0").aliases) {
    apply({ type: "alias", user: "u0", of: "u1", time: START + 80_000 });
    keepUser(state.users.get("u0"));
  }
  // Releases without sessions do not keep them.
  if (state.users.get("u3").sessions) {
    apply({ type: "merge", user: "u3", from: "u0", behaviours: [], time: START + 80_000 });
    keepUser(state.users.get("u3"));
  }
  state.erased?.note("u9", START);
  for (const { value } of state.erased?.changes() ?? []) keep("erased", value);
  for (const item of state.dirtyItems) keep("item", encodeItem(item));
  for (const { value } of state.numbers.changes(state.dirtyItems)) keep("numbers", value);
  keep("retrieval", state.retrieval.state.encode());
  // The first record may be a snapshot, which has no journal.
  for (const time of [START + 81_000, START + 82_000]) {
    for (const { key, value } of state.retrieval.state.changes().records) {
      const [, kind = ""] = key.split(":");
      if (kind === "blend" || kind === "journal") keep(kind, value);
    }
    apply({ type: "interaction", user: "u2", item: "i1", action: "click", time });
  }
  keep("task", encodeTask(state, 0));
  for (const sample of outputs.samples) keep("sample", encodeSample(sample));
  const pooled = (to: unknown) => {
    for (const _portion of state.pooled.encode(to, ITEMS, Uint32Array.from(ITEMS)) ?? []);
  };
  if (state.pooled) keep("pooled", written(pooled));
  return outputs.samples;
}

/** A learner of samples, with its records kept. */
function learn(samples: readonly unknown[], options: object) {
  const model = createModel("base", modelSizes(SCHEMA, 2), { widths: [3] }, mulberry32(1));
  const learner = new Learner(model, { schema: SCHEMA, embeddingWidth: 2, ...options });
  learner.learn(samples);
  keep("learner", learner.encode());
  const version = learner.version("full", 1, 0);
  const put = (version: unknown) => {
    const bytes: Uint8Array = encodeVersion(version);
    keep("version", bytes, formatOf(bytes));
  };
  put(version);
  return { version, put };
}

/** Format of bytes after their length, a varint. */
function formatOf(bytes: Uint8Array): number | undefined {
  return bytes[bytes.findIndex((byte) => byte < 128) + 1];
}

const samples = task({});
task({ sequence: SHORT });
const { version, put } = learn(samples, {});
const [, , , , , sample] = samples as { readonly history: object }[];
const earlier = { items: ["i1"], categories: [["c1"]], actions: ["click"], times: Float64Array.of(START) };
keep("sample", encodeSample({ ...sample, history: { ...sample?.history, earlier } }));
keep(
  "sample",
  encodeSample({ ...sample, otherStates: [{ model: "mimn", from: 0, values: new Float32Array(2) }] }),
);
keep("guard", written((to) => new Guard().encode(to)));
keep("proof", written((to) => new Proof().encode(to)));
const counts = { failures: 0, rollbacks: 0, heldBatches: 0, recovery: 0, needsFull: false };
keep("checkpoint", written((to) => encodeHead(to, { positions: [3, 4], version: 7, ...counts })));
keep("order", encodeOrder([{ partition: 1, end: 3 }]));
{
  const log = new MemoryLog(), topics = topicNames();
  await log.createTopics(topicSpecs(topics, 1));
  const registry = new ExperimentRegistry(log, topics, { models: [], now: () => START });
  const monitor = await ExperimentMonitor.open(log, topics, registry);
  for (const { key, value } of monitor.takeChanges()) if (key === "monitor") keep("figures", value);
}
if (generations !== undefined) {
  const blueprint = { model: "base", variants: [], partitions: 1, seed: 0, options: { batchRows: 64 } };
  const generation = { number: 1, blueprint, since: START, isAdopted: false };
  keep("generation", generations.encodeGeneration(generation), generations.GENERATION_FORMATS?.newest ?? 1);
}
// 0.2.0 ignores the options that it does not have.
const schema = { ...SCHEMA, pooled: true };
const next = task({ schema, learnNext: 1, retrieval: { head: true }, sequence: SHORT });
task({ learnNext: 1 });
const { startExperiment } = await from("src/assignment/changes.ts");
const started = startExperiment({ name: "e", variants: [{ name: "A" }, { name: "B" }] }, {
  records: new Map(),
  models: [],
});
task({}, { ...started, phase: 1 });
task({ userLists: { everyMs: 10 } });
const names = { pairs: ["a"], behaviours: ["b"], candidates: ["c"] };
const scale = { mean: new Float32Array(1), inverseDeviation: new Float32Array(1) };
const order = { names, scales: { pairs: scale, candidates: scale }, weights: new Float32Array(2) };
put({ ...version, parts: new Map([["bank", new Float32Array(2)]]) });
put({ ...version, order });
learn(next, {});
learn(samples, { learnsNext: true });

/**
 * Experiments in mid-course, see experiment.ts: one with three unequal variants, one that interleaves. Some users come
 * from before or later, are robots, buy, never return, or are erased; some lists are empty, or final too early.
 */
async function experiments() {
  const HOUR = 3_600_000, PARTITIONS = 2;
  const log = new MemoryLog(), topics = topicNames(), random = mulberry32(5);
  await log.createTopics(topicSpecs(topics, PARTITIONS));
  const registry = new ExperimentRegistry(log, topics, { models: [], now: () => START });
  const variants = ["A", "B", "C"].map((name, at) => {
    return { name, weight: at === 0 ? 2 : 1, policy: { name: "epsilon", epsilon: 0.1 * at } };
  });
  await registry.start({
    name: "split",
    layer: "a",
    variants,
    overrides: { u7: "B" },
    guardRails: [{ metric: "reward" }],
    stopRule: { minUsers: 10, maxUsers: 100 },
  });
  await registry.start({
    name: "draft",
    layer: "b",
    mode: "interleave",
    variants: [{ name: "A" }, { name: "B", maxCandidates: 5 }],
  });
  const visit = (page: number, u: number, list: number): NewRecord[] => {
    const user = `u${u}`, partition = u % PARTITIONS, time = START + 10 * HOUR * page + 60_000 * u + list;
    const exposures = page === 0 ? [] : [
      { experiment: "split", variant: "AABC"[u % 4] },
      { experiment: "draft", variant: "A" },
    ];
    const request = `${user}-${page}-${list}`, isEmpty = u % 13 === 4 && page === 1;
    const answer = { request, user, time, items: isEmpty ? [] : [{}], exposures, stateVersion: page };
    const record = { partition, key: user, time };
    const text = JSON.stringify({
      ...answer,
      tookMicros: 900 + u,
      orderedBy: u % 3 === 0 ? "prior" : "model",
    });
    const answered = { ...record, topic: topics.recommendations, value: new TextEncoder().encode(text) };
    const isLost = page < 3 ? page > 0 && u % 17 === 3 : u >= 70 && u % 4 === 3;
    if (isEmpty || isLost) return [answered];
    const rows = Array.from({ length: 4 * page + 4 }, (_, position) => {
      const label = random() < 0.2 + 0.1 * (u % 4 === 3 ? 1 : 0) ? 1 : 0;
      const reward = label === 1 && random() < 0.3 ? Math.round(100 / (random() + 0.01)) / 100 : 0;
      const team = position % 3 === 2 ? undefined : position % 2;
      return { item: `i${position}`, position, prediction: 0.25, label, reward, team };
    });
    const first = samples[0] as object, isEarly = u % 10 === 9;
    const own = { request, user, time, closedTime: time + HOUR / 2, newUser: page === 1 && u % 5 === 0 };
    const sample = { ...first, ...own, rows: Rows.of(rows), exposures };
    const headers = { "settled-before": `${isEarly ? time - HOUR / 4 : time + 1}` };
    const sampled = { ...record, topic: topics.samples, time: time + HOUR / 2 };
    return [
      answered,
      ...u % 7 === 0 ? [{ ...sampled, value: encodeSample({ ...sample, purpose: "learn" }) }] : [],
      { ...sampled, value: encodeSample(sample), headers },
      ...u % 23 === 22 && page === 2 ? [{ ...sampled, value: null }] : [],
    ];
  };
  const pages = (from: number, to: number) => {
    const records: NewRecord[] = [];
    for (let page = from; page < to; page++) {
      for (let u = page < 3 ? 0 : 30; u < (page < 3 ? 70 : 90); u++) {
        if (u >= 50 && u < 60 && page === 1 || u >= 60 && u < 70 && (page === 1 || page === 2)) continue;
        for (let list = 0; list < (u === 41 ? 6 : 1); list++) records.push(...visit(page, u, list));
      }
    }
    return records.sort((a, b) => a.time - b.time);
  };
  const show = () => new ExperimentViews(log, topics, () => START).views();
  await log.append(pages(0, 3));
  const monitor = await ExperimentMonitor.open(log, topics, registry);
  await monitor.update();
  const [halfway, figures] = [await show(), monitor.takeChanges() as NewRecord[]];
  const { records } = await log.read(topics.experiments, 0, 0);
  const started = records.map(({ key, value, time }: NewRecord) => {
    return { topic: topics.experiments, key, value, time };
  });
  const stored = [...started, ...figures.map(({ headers: _, ...record }) => record)].map(storedRecord);
  const counted = monitor.positions.map(({ topic, partition, offset }: GroupOffset) => {
    return { topic, partition, end: offset };
  });
  const later = pages(3, 5);
  await log.append(later);
  const format = figures.find(({ key }) => key === "monitor")?.value?.[0];
  return { format, stored, counted, later: later.map(storedRecord), halfway, end: await show() };
}

/** Records that a release has written already need not be written again for the next one. */
async function releasedNames(): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  if (basename(out!) !== "next") return names;
  for await (const { name, isDirectory } of Deno.readDir(dirname(out!))) {
    if (!isDirectory || name === "next") continue;
    for await (const file of Deno.readDir(join(dirname(out!), name))) names.add(file.name);
  }
  return names;
}

const released = await releasedNames();
await Deno.mkdir(out, { recursive: true });
for (const [name, bytes] of records) {
  const isLarge = bytes.length > 4096;
  const file = `${name}.bin${isLarge ? ".gz" : ""}`;
  if (released.has(file)) continue;
  await Deno.writeFile(join(out, file), isLarge ? gzipSync(bytes, { level: 9 }) : bytes);
}
const { format, ...made } = await experiments();
const file = `experiments-${format}.json.gz`;
if (!released.has(file)) await Deno.writeFile(join(out, file), gzipSync(JSON.stringify(made), { level: 9 }));
