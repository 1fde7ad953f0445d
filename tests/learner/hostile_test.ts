/**
 * Malicious samples and versions, fed to models and kernels: each is used or refused with a reason, and none reads or
 * writes out of its bounds. The suite checks the bounds of every load and store, so that such a kernel traps here.
 */

import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { type Row, Rows } from "../../src/samples/rows.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { decodeSample, encodeSample } from "../../src/samples/sample_codec.ts";
import { decodeVersion, encodeVersion, type ParameterVersion } from "../../src/serving/version.ts";
import { MODEL_NAMES, type ModelName } from "../../src/nn/models/registry.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { makeLearner, makeModel, makeSamples, SCHEMA, WIDTH } from "./batches.ts";

const SAMPLES = Number(Deno.env.get("MEANDER_FUZZ_RUNS") ?? 400);
const VERSIONS = Number(Deno.env.get("MEANDER_FUZZ_RUNS") ?? 200);
const ODD = [NaN, Infinity, -Infinity, 3e38, -3e38, 1e-45, 0, -0, 1, -1, 2 ** 31, -(2 ** 31)];
const LENGTHS = [0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 63, 100, 1000, 70_000];

/** Makes hostile values; same seed, same values. */
class Hostile {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = mulberry32(seed);
  }

  below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  floats(length = this.pick(LENGTHS)): Float32Array {
    return Float32Array.from({ length }, () => this.below(3) === 0 ? this.pick(ODD) : this.#random());
  }

  /** Some of it, more of it, or none. */
  list<T>(values: readonly T[], other: T): T[] {
    const length = this.pick(LENGTHS.filter((length) => length <= 1000));
    return Array.from({ length }, (_, n) => values[n] ?? other);
  }

  sample(sample: Sample): Sample {
    const change: Record<number, () => Partial<Sample>> = {
      0: () => ({ rows: Rows.of(sample.rows.map((row) => this.#row(row))) }),
      1: () => ({ history: { ...sample.history, strengths: this.floats() } }),
      2: () => ({ history: { ...sample.history, items: this.list(sample.history.items, "i9") } }),
      3: () => ({ history: { ...sample.history, categories: this.list(sample.history.categories, []) } }),
      4: () => ({ history: { ...sample.history, times: Float64Array.from(this.floats()) } }),
      5: () => ({ state: { from: this.pick([0, 1, 5, 1e9, 2 ** 31]), values: this.floats() } }),
      6: () => ({ userFields: this.list(sample.userFields, "x"), contextFields: [] }),
      7: () => ({ contextFields: this.list(sample.contextFields, null) }),
      8: () => ({ rows: Rows.of(this.list([...sample.rows], sample.rows.at(0))) }),
      9: () => ({ time: this.pick(ODD), closedTime: this.pick(ODD) }),
      11: () => {
        const numerics = this.floats();
        return { rows: Rows.of(sample.rows.map((row) => ({ ...row, numerics }))) };
      },
      10: () => ({ user: "\0".repeat(this.below(300)), lateShare: this.pick(ODD) }),
    };
    const changes = Array.from({ length: 1 + this.below(3) }, () => change[this.below(12)]?.());
    return Object.assign({}, sample, ...changes);
  }

  #row(row: Row): Row {
    const change: Record<number, () => Partial<Row>> = {
      0: () => ({ numerics: this.floats(row.numerics.length) }),
      1: () => ({ fields: this.list(row.fields, "x") }),
      2: () => ({ categories: this.list(row.categories, "c") }),
      3: () => ({ offset: this.pick(ODD), prediction: this.pick(ODD), propensity: this.pick(ODD) }),
      4: () => ({ position: this.pick([0, 1, 49, 50, 51, 1e6, 2 ** 31]) }),
    };
    return { ...row, ...change[this.below(5)]?.() };
  }

  version(version: ParameterVersion): ParameterVersion {
    const [table, rows] = this.pick([...version.tables]);
    const change: Record<number, () => Partial<ParameterVersion>> = {
      0: () => ({ dense: this.floats() }),
      1: () => ({ dense: this.floats(version.dense.length) }),
      2: () => ({ head: this.floats() }),
      3: () => ({ standardisation: { mean: this.floats(), inverseDeviation: this.floats() } }),
      4: () => ({ tables: new Map([...version.tables, [table, this.bytes(rows)]]) }),
      5: () => ({ tables: new Map([...version.tables].filter(([name]) => name !== table)) }),
      6: () => ({ tables: new Map([...version.tables, ["nowhere", rows]]) }),
      7: () => ({ kind: "full", version: this.pick([0, 1, 2 ** 31, 2 ** 53 - 1]) }),
    };
    return { ...version, ...change[this.below(8)]?.() };
  }

  /** The bytes with some changed, cut off or added. */
  bytes(bytes: Uint8Array): Uint8Array {
    const changed = bytes.slice(0, this.below(3) === 0 ? this.below(bytes.length + 1) : bytes.length);
    for (let n = this.below(8); n > 0 && changed.length > 0; n--) {
      changed[this.below(changed.length)] = this.pick([0, 1, 0x7f, 0x80, 0xff, this.below(256)]);
    }
    return this.below(4) === 0 ? new Uint8Array([...changed, ...new Uint8Array(this.below(20))]) : changed;
  }
}

/** Whether it was done. A refusal must give a reason, and be neither a trap of WebAssembly nor a bug. */
function isDone(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch (error) {
    const refused = error instanceof SyntaxError || error instanceof RangeError || error instanceof TypeError;
    assert.ok(refused, String(error));
    assert.match(error.message, /^Cannot |^The /, String(error.stack));
    return false;
  }
}

/** A version's record with a changed body and a matching checksum. */
function resealed(record: Uint8Array, hostile: Hostile): Uint8Array {
  const body = hostile.bytes(new ByteReader(record).bytes());
  return new ByteWriter(16).bytes(body).uint(crc32(body)).toBytes();
}

function serving(model: ModelName): ServingModel {
  return new ServingModel(makeModel(model, 99), SCHEMA, WIDTH);
}

for (const model of MODEL_NAMES) {
  Deno.test(`hostile samples, as objects or bytes, are learnt by ${model} or refused, and change no served scores`, () => {
    const hostile = new Hostile(7);
    const clean = makeSamples(40, 3);
    let learner = makeLearner(model);
    const scorer = serving(model);
    scorer.apply(learner.version("full", 1));
    const before = clean.map((sample) => scorer.score(sample));
    let [done, refused] = [0, 0];
    for (let n = 0; n < SAMPLES; n++) {
      const sample = hostile.pick(clean);
      const bad = n % 2 === 0
        ? () => hostile.sample(sample)
        : () => decodeSample(hostile.bytes(encodeSample(sample)));
      const isLearnt = isDone(() => {
        const made = bad();
        scorer.score(made);
        learner.learn([made, sample]);
      });
      if (isLearnt) done++;
      else refused++;
      if (n % 50 === 49) learner = makeLearner(model);
    }
    assert.ok(done > 0 && refused > 0, `${done} learnt, ${refused} refused`);
    assert.deepEqual(clean.map((sample) => scorer.score(sample)), before);
    assert.ok(makeLearner(model).learn(clean).usable);
  });

  Deno.test(`hostile versions are applied to ${model} or refused, and a refused one changes nothing`, () => {
    const hostile = new Hostile(11);
    const clean = makeSamples(8, 3);
    const learner = makeLearner(model);
    learner.learn(clean);
    const version = learner.version("full", 1);
    const record = encodeVersion(version);
    let [applied, refused] = [0, 0];
    for (let n = 0; n < VERSIONS; n++) {
      const scorer = serving(model);
      const before = clean.map((sample) => scorer.score(sample));
      const isApplied = isDone(() =>
        scorer.apply(
          n % 2 === 0 ? hostile.version(version) : decodeVersion(resealed(record, hostile)),
        )
      );
      const after = clean.map((sample) => scorer.score(sample));
      if (isApplied) applied++;
      else refused++;
      if (!isApplied) assert.deepEqual(after, before);
    }
    assert.ok(applied > 0 && refused > 0, `${applied} applied, ${refused} refused`);
  });
}
