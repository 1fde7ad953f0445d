import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_TIME_MS, MIN_TIME_MS } from "../../src/events/limits.ts";
import { Rows } from "../../src/samples/rows.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { decodeSample, encodeSample } from "../../src/samples/sample_codec.ts";

/** No NaN except that of an unknown oracle: others may differ in their bits, by which arrays are compared. */
const number = fc.double({ noNaN: true });
const text = fc.string({ unit: "grapheme" });
const time = fc.integer({ min: MIN_TIME_MS, max: MAX_TIME_MS });
const texts = fc.array(text, { maxLength: 3 });
const fields = fc.array(fc.option(text), { maxLength: 3 });
const rowOf = (width: number) =>
  fc.record({
    item: text,
    categories: texts,
    fields,
    numerics: fc.float32Array({ minLength: width, maxLength: width, noNaN: true }),
    offset: number,
    label: fc.constantFrom(0 as const, 1 as const),
    position: fc.nat(9999),
    propensity: number,
    prediction: number,
    oracle: fc.oneof(number, fc.constant(NaN)),
    reward: number.filter((reward) => reward !== 0),
    team: fc.constantFrom(0 as const, 1 as const),
  }, {
    requiredKeys: [
      "item",
      "categories",
      "fields",
      "numerics",
      "offset",
      "label",
      "position",
      "propensity",
      "prediction",
      "oracle",
    ],
    noNullPrototype: true,
  });
const rows = fc.nat(5).chain((width) => fc.array(rowOf(width))).map((rows) => Rows.of(rows));
const history = fc.array(fc.tuple(text, texts, text, time, fc.float({ noNaN: true }))).map((behaviours) => ({
  items: behaviours.map(([item]) => item),
  categories: behaviours.map(([, categories]) => categories),
  actions: behaviours.map(([, , action]) => action),
  times: Float64Array.from(behaviours, ([, , , time]) => time),
  strengths: Float32Array.from(behaviours, ([, , , , strength]) => strength),
}));
const earlier = fc.array(fc.tuple(text, texts, text, time), { minLength: 1, maxLength: 3 }).map((
  behaviours,
) => ({
  items: behaviours.map(([item]) => item),
  categories: behaviours.map(([, categories]) => categories),
  actions: behaviours.map(([, , action]) => action),
  times: Float64Array.from(behaviours, ([, , , time]) => time),
}));
const histories = fc.oneof(
  history,
  fc.tuple(history, earlier).map(([history, earlier]) => ({ ...history, earlier })),
);
const plainSample = fc.record({
  request: text,
  user: text,
  time,
  closedTime: time,
  version: fc.maxSafeNat(),
  newUser: fc.boolean(),
  history: histories,
  userFields: fields,
  contextFields: fields,
  rows,
}, { noNullPrototype: true });
const exposure = fc.record({ experiment: text, variant: text, phase: fc.integer({ min: 1, max: 300 }) }, {
  requiredKeys: ["experiment", "variant"],
  noNullPrototype: true,
});
const exposures = fc.array(exposure, {
  minLength: 1,
  maxLength: 2,
});
const preference = fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 3 }), texts, texts, texts, fc.nat()).map(
  ([H, K, pairs, behaviours, candidates, some]) => ({
    H,
    K,
    taken: some % K,
    names: { pairs, behaviours, candidates },
    values: new Float16Array(
      K * (H * pairs.length + candidates.length + 1) + H * behaviours.length,
    ).map((_, at) => Math.sin(some + at)),
  }),
);
const sample: fc.Arbitrary<Sample> = fc.oneof(
  plainSample,
  fc.tuple(plainSample, preference).map(([sample, preference]) => ({ ...sample, preference })),
  fc.tuple(plainSample, exposures, text).map(([sample, exposures, model]) => ({
    ...sample,
    exposures,
    model,
  })),
);

function given(sample: Sample): Sample {
  return Object.fromEntries(Object.entries(sample).filter(([, value]) => value !== undefined)) as
    & Sample
    & Record<string, unknown>;
}

Deno.test("decodeSample() restores what encodeSample() wrote, which encodes to the same bytes", () => {
  fc.assert(fc.property(sample, (sample) => {
    const bytes = encodeSample(sample);
    const decoded = decodeSample(bytes);
    assert.deepEqual(given(decoded), sample);
    assert.deepEqual(encodeSample(decoded), bytes);
  }));
});

Deno.test("decodeSample() throws a SyntaxError when the record is truncated or has trailing bytes", () => {
  fc.assert(
    fc.property(sample, (sample) => {
      const whole = encodeSample(sample);
      for (let length = 0; length < whole.length; length++) {
        assert.throws(() => decodeSample(whole.subarray(0, length)), SyntaxError);
      }
      assert.throws(() => decodeSample(Uint8Array.of(...whole, 0)), SyntaxError);
    }),
    { numRuns: 20 },
  );
});

Deno.test("decodeSample() throws nothing but SyntaxErrors when a byte is damaged", () => {
  fc.assert(
    fc.property(sample, fc.integer({ min: 1, max: 255 }), (sample, damage) => {
      const whole = encodeSample(sample);
      for (let at = 0; at < whole.length; at++) {
        const bytes = whole.slice();
        bytes[at]! ^= damage;
        try {
          decodeSample(bytes);
        } catch (error) {
          assert.ok(error instanceof SyntaxError, `byte ${at}: ${error}`);
        }
      }
    }),
    { numRuns: 20 },
  );
});
