/** Today's code reads what each release has written, and every format has a record: see README.md alongside. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import type { Formats } from "../../src/codec/formats.ts";
import { agreeOn } from "../../scripts/run/agreement.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { NUMBERS_KEY } from "../../src/engine/item_numbers.ts";
import { decodeTask } from "../../src/engine/task_codec.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { POOLED_NAMES } from "../../src/features/pooled/pair_statistics.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { decodeItem } from "../../src/items/item_codec.ts";
import { Guard } from "../../src/learner/guard/guard.ts";
import { Learner } from "../../src/learner/learner.ts";
import { Proof } from "../../src/learner/proof.ts";
import { createModel } from "../../src/nn/models/registry.ts";
import { Rows } from "../../src/samples/rows.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { PRIOR } from "../../src/serving/prior_serving.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { decodeVersion } from "../../src/serving/version.ts";
import { ERASED_KEY, ErasedUsers } from "../../src/users/erased_users.ts";
import { atOnce } from "../../src/values/portions.ts";
import { times } from "../../src/values/times.ts";
import { taskOptions } from "../../streams/config/config.ts";
import { ExperimentMonitor } from "../../streams/experiments/monitor.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import { ExperimentViews } from "../../streams/experiments/views.ts";
import { FORMATS } from "../../streams/generations/formats.ts";
import { decodeGeneration } from "../../streams/topics/generations.ts";
import { decodeHead } from "../../streams/learning/checkpoint_head.ts";
import { decodeOrder } from "../../streams/learning/sample_order.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { appendStored, storedExperiments } from "./experiment.ts";
import { type ReleasedRecord, releasedRecords } from "./records.ts";

const SCHEMA = { ...DEFAULT_SCHEMA, userIds: false };
const POOLED = { ...SCHEMA, pooled: true };
const newModel = () => createModel("base", modelSizes(SCHEMA, 2), { widths: [3] }, mulberry32(9));
const newTask = () => new TaskState({ schema: SCHEMA }, PRIOR);
const topics = topicNames();
const released = await releasedRecords();

/** The record of a format that a release wrote. */
function record(name: string, release = "0.2.0"): Uint8Array<ArrayBuffer> {
  const found = released.find((one) => `${one.kind}-${one.format}` === name && one.release === release);
  assert.ok(found !== undefined, `${release}/${name}`);
  return found.bytes;
}

/** Restores retrieval from one of its records. */
function restored(key: string, value: Uint8Array) {
  const { state } = newTask().retrieval;
  state.restore(new Map([[`retrieval:${key}`, value]]));
  return state;
}

/** Reads a record of each kind as a process that resumes from it does. */
const READ: Readonly<Record<string, (bytes: Uint8Array<ArrayBuffer>) => unknown>> = {
  blend: (bytes) => restored("blend", bytes),
  checkpoint: (bytes) => decodeHead(new ByteReader(bytes)),
  erased: (bytes) => new ErasedUsers().restore(ERASED_KEY, bytes),
  figures: async (value) => {
    await using log = new MemoryLog();
    await log.createTopics(topicSpecs(topics, 1));
    await log.append([{ topic: topics.figures, key: "monitor", value, time: 0 }]);
    await ExperimentMonitor.open(
      log,
      topics,
      new ExperimentRegistry(log, topics, { models: [], now: () => 0 }),
    );
  },
  generation: decodeGeneration,
  guard: (bytes) => new Guard().decode(new ByteReader(bytes)),
  item: (bytes) => decodeItem("i0", bytes, newTask().catalogue),
  journal: (bytes) => restored("journal:0", bytes),
  learner: (bytes) =>
    new Learner(newModel(), { schema: SCHEMA, embeddingWidth: 2, learnsNext: true }).decode(bytes),
  numbers: (bytes) => newTask().numbers.restore(`${NUMBERS_KEY}0`, bytes),
  order: decodeOrder,
  pooled: (bytes) => {
    const task = new TaskState({ schema: POOLED }, PRIOR);
    atOnce(task.pooled!.decode(new ByteReader(bytes), (rank) => task.catalogue.intern(`i${rank}`, 0).index));
  },
  proof: (bytes) => new Proof().decode(new ByteReader(bytes)),
  retrieval: (bytes) => restored("snapshot:0", bytes),
  sample: decodeSample,
  task: (bytes) => decodeTask(bytes, newTask()),
  user: (bytes) => newTask().restoreUser("u1", bytes),
  version: decodeVersion,
};

/** Formats without a record. */
function missing(
  formats: Readonly<Record<string, Formats>>,
  records: readonly Pick<ReleasedRecord, "kind" | "format">[],
): readonly string[] {
  const there = new Set(records.map(({ kind, format }) => `${kind}-${format}`));
  return Object.entries(formats).flatMap(([kind, { oldest, newest }]) =>
    Array.from({ length: newest - oldest + 1 }, (_, at) => `${kind}-${oldest + at}`)
  ).filter((name) => !there.has(name));
}

Deno.test("each record that a release has written can be read", async () => {
  for (const { release, kind, format, bytes } of released) {
    const read = READ[kind];
    assert.ok(read !== undefined, `nobody reads a ${kind}`);
    await assert.doesNotReject(async () => await read(bytes), `${release}/${kind}-${format}`);
  }
});

Deno.test("each format that is read or written has a record; tests/compat/README.md says how to write it", () => {
  assert.deepEqual(missing(FORMATS, released), []);
  const next = { ...FORMATS, user: { ...FORMATS.user!, newest: FORMATS.user!.newest + 1 } };
  assert.deepEqual(missing(next, released), [`user-${next.user.newest}`], "a new one is missed");
});

Deno.test("a record of a later format is refused by its number, whatever its kind", async () => {
  for (const { kind, format, bytes } of released) {
    if (format !== FORMATS[kind]!.newest || kind === "generation" || kind === "version") continue;
    const later = bytes.slice();
    later[0] = format + 1;
    const why = new RegExp(`format is ${format + 1}, this release reads`);
    await assert.rejects(async () => await READ[kind]!(later), why, `${kind}-${format}`);
  }
});

Deno.test("experiments go on in mid-course with the figures of their release, and end as if counted at once", async () => {
  const releases = await storedExperiments();
  assert.ok(releases.some(({ format }) => format === FORMATS.figures!.newest), "figures have a new format");
  for (const { release, experiments } of releases) {
    const { stored, counted, later, halfway, end } = experiments;
    await using log = new MemoryLog();
    await log.createTopics(topicSpecs(topics, 2));
    await appendStored(log, stored);
    // What is counted already is gone, so that nothing can count it again.
    const gone = { key: null, value: null, time: 0 };
    for (const { end, ...place } of counted) await log.append(times(end, () => ({ ...place, ...gone })));
    const show = async () =>
      JSON.parse(JSON.stringify(await new ExperimentViews(log, topics, () => 0).views()));
    assertNear(await show(), halfway, release);
    await appendStored(log, later);
    assertNear(await show(), end, release);
  }
});

/** Asserts that values are equal but for the last digits of numbers, which depend on the order of sums. */
function assertNear(actual: unknown, expected: unknown, path: string): void {
  if (typeof actual === "number" && typeof expected === "number") {
    assert.ok(
      Math.abs(actual - expected) <= 1e-9 * Math.abs(expected),
      `${path}: ${actual}, was ${expected}`,
    );
  } else if (
    typeof actual === "object" && actual !== null && typeof expected === "object" && expected !== null
  ) {
    assert.deepEqual(Object.keys(actual), Object.keys(expected), path);
    for (const [name, value] of Object.entries(actual)) {
      assertNear(value, expected[name as keyof typeof expected], `${path}.${name}`);
    }
  } else assert.deepEqual(actual, expected, path);
}

/** Formats of files that no other process reads, or that say themselves when they are newer. */
const OF_FILES = [
  "streams/backup/manifest.ts",
  "streams/exports/archive.ts",
  "streams/log/sqlite/sqlite_file.ts",
  "streams/task/store/store_files.ts",
];

Deno.test("formats.ts lists the format of every module", async () => {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const known = await Deno.readTextFile(`${root}streams/generations/formats.ts`);
  const having: string[] = [];
  const look = async (folder: string) => {
    for await (const { name, isDirectory } of Deno.readDir(root + folder)) {
      const path = `${folder}/${name}`;
      if (isDirectory) await look(path);
      else if (
        name.endsWith(".ts") && /^const \w*FORMAT = \d+;$/m.test(await Deno.readTextFile(root + path))
      ) {
        having.push(path);
      }
    }
  };
  for (const folder of ["src", "streams"]) await look(folder);
  assert.ok(having.length > 15);
  const others = having.filter((path) => !OF_FILES.includes(path));
  for (const path of others) assert.ok(known.includes(`/${path.split("/").at(-1)}"`), path);
});

Deno.test("0.2.0: a version is served, and a learner resumes from its checkpoint", () => {
  const version = decodeVersion(record("version-3"));
  const serving = new ServingModel(newModel(), SCHEMA, 2);
  assert.equal(serving.apply(version), true);
  for (const learnsNext of [false, true]) {
    const learner = new Learner(newModel(), { schema: SCHEMA, embeddingWidth: 2, learnsNext });
    learner.decode(record("learner-2"));
    assert.deepEqual(learner.version("full", 1, 0).dense, version.dense);
    assert.equal(learner.steps, 1);
  }
});

Deno.test("0.2.0: what was learnt with calibrationRate, which was removed, is refused", () => {
  const { dense } = decodeVersion(record("version-3"));
  const inner = new ByteReader(record("version-3")).bytes();
  const learnt = new Learner(newModel(), { schema: SCHEMA, embeddingWidth: 2 });
  for (const [at, value] of [[0, 1], [1, 2], [9, 0.5]] as const) {
    const version = linkedBy(inner, at, value);
    const sealed = new ByteWriter().bytes(version).uint(crc32(version)).toBytes();
    assert.throws(() => decodeVersion(sealed), /calibrationRate, which were removed; rebuild/, `byte ${at}`);
  }
  for (const [at, value] of [[1, 2], [9, 0.5]] as const) {
    const learner = linkedBy(record("learner-2"), at, value);
    assert.throws(() => learnt.decode(learner), /calibrationRate, which were removed; rebuild/, `byte ${at}`);
  }
  assert.ok(dense.length > 0);
});

/** A record whose link (whether negatives are fake, scale, bias) has another value at one place. */
function linkedBy(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const none = new ByteWriter().u8(0).f64(1).f64(0).toBytes();
  const link = bytes.findIndex((_, from) => none.every((byte, i) => bytes[from + i] === byte));
  assert.ok(link >= 0);
  const changed = bytes.slice();
  const view = new DataView(changed.buffer, changed.byteOffset);
  if (at === 0) changed[link] = value;
  else view.setFloat64(link + at, value, true);
  return changed;
}

Deno.test("0.2.0: a learner without a bank is still written in the format of 0.2.0", () => {
  const bytes = record("learner-2");
  const learner = new Learner(newModel(), { schema: SCHEMA, embeddingWidth: 2 });
  learner.decode(bytes);
  assert.deepEqual(learner.encode(), bytes);
});

Deno.test("0.2.0: the blend and the journal of retrieval are restored", () => {
  const { state, ordering } = newTask().retrieval;
  const before = ordering.blend.weights[0];
  state.restore(
    new Map([["retrieval:blend", record("blend-1")], ["retrieval:journal:0", record("journal-1")]]),
  );
  const weights = Object.fromEntries(
    ordering.blend.names.map((name, f) => [name, ordering.blend.weights[f]]),
  );
  assert.equal(ordering.blend.steps, 32);
  assert.equal(weights["co-visited"], 0.8183827851251426);
  assert.notEqual(weights["co-visited"], before);
  assert.equal(weights["next-category"], 0.2848980983495327);
  assert.equal(weights.closest, undefined, "a source that is gone is skipped");
  assert.equal(state.signals, 40);
  assert.equal(ordering.hasRequests, true);
});

Deno.test("0.2.0: a sample and a user are read", () => {
  const sample = decodeSample(record("sample-5"));
  assert.equal(sample.rows.length, 3);
  assert.match(sample.user, /^u\d$/);
  const task = newTask();
  task.restoreUser("u1", record("user-11"));
  assert.equal(task.users.get("u1")?.id, "u1");
});

Deno.test("0.2.0: an old deployment keeps its defaults; a new one has pooled pairs and the pair head", async () => {
  const config = {
    features: { userIds: false },
    retrieval: { newShare: 0.2 },
    learner: { embeddingWidth: 2 },
    models: { base: { widths: [3] } },
  };
  const flags = { model: "base", variants: [], partitions: 1, seed: 0 } as const;
  await using old = new MemoryLog();
  await old.createTopics(topicSpecs(topics, 1));
  const { config: made } = await agreeOn(new MemoryLog(), topics, config, flags);
  assert.equal(taskOptions({ schema: DEFAULT_SCHEMA }, made, "base").schema.pooled, true);
  assert.deepEqual(made.retrieval, config.retrieval, "what it leaves open has its default");
  const version = { topic: topics.parameters, partition: 0, key: "base", time: 0 };
  await old.append([{ ...version, value: record("version-3") }]);
  // Without and with the record that the first start writes.
  for (let start = 0; start < 2; start++) {
    const { config: kept } = await agreeOn(old, topics, config, flags);
    assert.equal(taskOptions({ schema: DEFAULT_SCHEMA }, kept, "base").schema.pooled, false);
    assert.deepEqual(kept.retrieval, { newShare: 0.2, head: false });
  }
  const pooled = { ...config, features: { userIds: false, pooled: true } };
  await assert.rejects(
    agreeOn(old, topics, pooled, flags),
    /features\.pooled was false, is \{.*: needs a rebuild/,
  );
  const named = { ...config, retrieval: { head: true } };
  assert.equal((await agreeOn(old, topics, named, flags)).config.retrieval?.head, true, "it is taken over");
  const { config: now } = await agreeOn(old, topics, config, flags);
  assert.equal(now.retrieval?.head, undefined, "it need not be named any more");
});

Deno.test("0.2.0: a learner carried over to pooled pairs scores as before", () => {
  const before = new Learner(newModel(), { schema: SCHEMA, embeddingWidth: 2 });
  before.decode(record("learner-2"));
  const schema = { ...SCHEMA, pooled: true };
  const model = () => createModel("base", modelSizes(schema, 2), { widths: [3] }, mulberry32(9));
  const after = new Learner(model(), { schema, embeddingWidth: 2 });
  after.carry(before);
  const [old, now] = [new ServingModel(newModel(), SCHEMA, 2), new ServingModel(model(), schema, 2)];
  old.apply(before.version("full", 1, 0));
  now.apply(after.version("full", 1, 0));
  const sample = decodeSample(record("sample-5"));
  const rows = Rows.of(sample.rows.map((row) => {
    return { ...row, numerics: Float32Array.from([...row.numerics, ...POOLED_NAMES.map(() => 0)]) };
  }));
  assert.deepEqual([...now.score({ ...sample, rows })], [...old.score(sample)]);
});
