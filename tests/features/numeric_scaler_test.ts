import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { NumericScaler } from "../../src/features/numeric_scaler.ts";

const rows = fc.array(fc.tuple(fc.double({ min: -9, max: 9, noNaN: true }), fc.integer({ min: 0, max: 3 })), {
  minLength: 1,
});

Deno.test("NumericScaler.freeze() equals the naive mean and deviation, with a floor for the variance", () => {
  fc.assert(fc.property(rows, (rows) => {
    const vectors = rows.map((row) => Float32Array.from(row));
    const scaler = new NumericScaler(2);
    for (const vector of vectors) scaler.update(vector);
    const { mean, inverseDeviation } = scaler.freeze();
    for (const i of [0, 1]) {
      const mu = vectors.reduce((sum, vector) => sum + vector[i]!, 0) / vectors.length;
      const variance = vectors.reduce((sum, vector) => sum + (vector[i]! - mu) ** 2, 0) / vectors.length;
      assert.ok(Math.abs(mean[i]! - mu) < 1e-5);
      assert.ok(Math.abs(inverseDeviation[i]! * Math.sqrt(Math.max(1e-6, variance)) - 1) < 1e-4);
    }
  }));
});

Deno.test("NumericScaler.freeze() standardises everything to 0 before the first row", () => {
  const { inverseDeviation } = new NumericScaler(3).freeze();
  assert.deepEqual(inverseDeviation, new Float32Array(3));
});

Deno.test("NumericScaler.decode() continues where encode() was called", () => {
  fc.assert(fc.property(rows, rows, (before, after) => {
    const [whole, stopped, restored] = [new NumericScaler(2), new NumericScaler(2), new NumericScaler(2)];
    for (const row of before) {
      whole.update(Float32Array.from(row));
      stopped.update(Float32Array.from(row));
    }
    const writer = new ByteWriter();
    stopped.encode(writer);
    const reader = new ByteReader(writer.toBytes());
    restored.decode(reader);
    assert.ok(reader.done);
    for (const row of after) {
      whole.update(Float32Array.from(row));
      restored.update(Float32Array.from(row));
    }
    assert.deepEqual(restored.freeze(), whole.freeze());
  }));
});
