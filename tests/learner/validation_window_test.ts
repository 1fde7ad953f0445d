import assert from "node:assert/strict";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { Validation } from "../../src/learner/validation.ts";
import { makeSamples } from "./batches.ts";

const RESULT = { loss: 0.5, aux: 0, usable: true, logLoss: 0.5 };

/** Judges samples of 4 rows, with a mark after every fifth. */
function judge(validation: Validation, from = 0, to = 60): Validation {
  for (const [s, sample] of makeSamples(60, 2).entries()) {
    if (s < from || s >= to) continue;
    validation.update(sample, Uint8Array.of(s));
    if (s % 5 === 4) validation.mark(RESULT, s, s);
  }
  return validation;
}

Deno.test("Validation with a limit of rows keeps the newest, with the same figures for them as without a limit", () => {
  const all = judge(new Validation());
  const few = judge(new Validation({ rows: 40 }));
  assert.equal(few.judged, 240);
  assert.ok(few.rows.length >= 40 && few.rows.length < 80, `${few.rows.length} rows`);
  const from = all.rows.length - few.rows.length;
  assert.deepEqual(few.rows.report(), all.rows.report(from));
  assert.deepEqual(few.rows.report(0, Infinity, "new"), all.rows.report(from, Infinity, "new"));
  assert.equal(few.digest, all.digest);
  const marks = all.marks.filter((mark) => mark.rows > from);
  assert.deepEqual(few.marks, marks.map((mark) => ({ ...mark, rows: mark.rows - from })));
});

Deno.test("Validation with a limit of rows continues from its record as if uninterrupted", () => {
  const want = new ByteWriter();
  judge(new Validation({ rows: 24 })).encode(want);
  for (const stop of [1, 11, 12, 13, 30, 59]) {
    const record = new ByteWriter();
    judge(new Validation({ rows: 24 }), 0, stop).encode(record);
    const restored = new Validation({ rows: 24 });
    restored.decode(new ByteReader(record.toBytes()));
    const got = new ByteWriter();
    judge(restored, stop).encode(got);
    assert.deepEqual(got.toBytes(), want.toBytes(), `stopped after ${stop}`);
  }
});

Deno.test("Validation with a limit of rows bounds its marks, even when nothing is judged", () => {
  const validation = new Validation({ rows: 40 });
  for (let batch = 0; batch < 1000; batch++) {
    for (const sample of makeSamples(1, 2)) {
      validation.update({ ...sample, purpose: "learn" }, Uint8Array.of(batch % 256));
    }
    validation.mark(RESULT, batch, batch);
    assert.ok(validation.marks.length < 80, `${validation.marks.length} marks after batch ${batch}`);
  }
  assert.equal(validation.judged, 0);
  assert.deepEqual(validation.marks.at(-1), { rows: 0, time: 999, loss: 0.5, aux: 0, version: 999 });
});
