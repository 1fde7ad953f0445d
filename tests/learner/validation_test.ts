import assert from "node:assert/strict";
import fc from "fast-check";
import { Rows } from "../../src/samples/rows.ts";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { encodeSample } from "../../src/samples/sample_codec.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { Validation } from "../../src/learner/validation.ts";
import { makeSamples } from "./batches.ts";

const RESULT = { rows: 4, loss: 0.5, aux: 1.25, usable: true };

function judge(validation: Validation, samples: readonly Sample[]): void {
  for (const [s, sample] of samples.entries()) {
    validation.update(sample, encodeSample(sample));
    if (s % 3 === 2) validation.mark(RESULT, sample.time, s);
  }
}

const encodeOf = (validation: Validation) => {
  const to = new ByteWriter();
  validation.encode(to);
  return to.toBytes();
};

Deno.test("Validation.update() judges each row once, and tells rows of new users apart", () => {
  const samples = makeSamples(50);
  const validation = new Validation();
  judge(validation, samples);
  const rows = samples.flatMap(({ rows }) => [...rows]);
  assert.deepEqual([...validation.rows.labels], rows.map(({ label }) => label));
  assert.deepEqual([...validation.rows.predictions], rows.map(({ prediction }) => prediction));
  const fresh = samples.filter(({ newUser }) => newUser).flatMap(({ rows }) => [...rows]);
  assert.equal(validation.rows.report(0, rows.length, "new").rows, fresh.length);
  assert.equal(validation.marks.length, 16);
  assert.deepEqual(validation.marks[0], {
    rows: 12,
    time: samples[2]?.time,
    loss: 0.5,
    aux: 1.25,
    version: 2,
  });
});

Deno.test("Validation.digest differs for other samples, another order and another number of samples", () => {
  const samples = makeSamples(6);
  const digestOf = (some: readonly Sample[]) => {
    const validation = new Validation();
    judge(validation, some);
    return validation.digest;
  };
  const [first, second, ...rest] = samples;
  assert.ok(first && second);
  const flipped = {
    ...first,
    rows: Rows.of(first.rows.map((row, r) => r === 0 ? { ...row, prediction: 0.31 } : row)),
  };
  const digests = [
    digestOf(samples),
    digestOf([]),
    digestOf(samples.slice(1)),
    digestOf([...samples, first]),
    digestOf([second, first, ...rest]),
    digestOf([flipped, second, ...rest]),
  ];
  assert.equal(new Set(digests).size, digests.length);
  assert.match(digests[0] ?? "", /^[0-9a-f]{64}$/);
  assert.equal(digestOf(makeSamples(6)), digests[0]);
});

Deno.test("Validation.decode() continues where encode() was called", () => {
  const samples = makeSamples(40);
  const whole = new Validation();
  judge(whole, samples);
  fc.assert(fc.property(fc.nat(13), (third) => {
    const before = new Validation();
    judge(before, samples.slice(0, 3 * third));
    const after = new Validation();
    after.decode(new ByteReader(encodeOf(before)));
    assert.deepEqual(encodeOf(after), encodeOf(before));
    for (const [s, sample] of [...samples.entries()].slice(3 * third)) {
      after.update(sample, encodeSample(sample));
      if (s % 3 === 2) after.mark(RESULT, sample.time, s);
    }
    assert.deepEqual(encodeOf(after), encodeOf(whole));
    assert.equal(after.digest, whole.digest);
    assert.deepEqual(after.rows.report(), whole.rows.report());
  }));
});

Deno.test("Validation.mark() keeps a NaN loss through encode() and decode()", () => {
  const validation = new Validation();
  validation.mark({ ...RESULT, loss: NaN }, 0, 1);
  const after = new Validation();
  after.decode(new ByteReader(encodeOf(validation)));
  assert.deepEqual(after.marks, [{ rows: 0, time: 0, loss: NaN, aux: 1.25, version: 1 }]);
});
