import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeVersion,
  encodeVersion,
  type ParameterVersion,
  versionNumber,
} from "../../src/serving/version.ts";

const version: fc.Arbitrary<ParameterVersion> = fc.record({
  kind: fc.constantFrom("delta", "full"),
  version: fc.maxSafeNat(),
  predecessor: fc.maxSafeNat(),
  step: fc.maxSafeNat(),
  dataTime: fc.double(),
  dense: fc.float32Array(),
  head: fc.float32Array(),
  standardisation: fc.nat(5).chain((length) =>
    fc.record({
      mean: fc.float32Array({ minLength: length, maxLength: length }),
      inverseDeviation: fc.float32Array({ minLength: length, maxLength: length }),
    }, { noNullPrototype: true })
  ),
  share: fc.constantFrom(0, 0.5, 1),
  tables: fc.array(fc.tuple(fc.string(), fc.uint8Array())).map((tables) => new Map(tables)),
}, { noNullPrototype: true });

Deno.test("decodeVersion() restores what encodeVersion() wrote, and versionNumber() reads its number", () => {
  fc.assert(
    fc.property(version, (version) => {
      const record = encodeVersion(version);
      assert.deepEqual(decodeVersion(record), { parts: undefined, order: undefined, ...version });
      assert.equal(versionNumber(record), version.version);
    }),
  );
});

Deno.test("decodeVersion() restores the order of a version that has one", () => {
  const [some] = fc.sample(version, { numRuns: 1, seed: 3 });
  assert.ok(some !== undefined);
  const scales = { mean: Float32Array.of(1, 2), inverseDeviation: Float32Array.of(3, 4) };
  const ordered = {
    ...some,
    order: {
      names: { pairs: ["far"], behaviours: [], candidates: ["count", "own"] },
      scales: { pairs: scales, candidates: scales },
      weights: Float32Array.of(5, 6, 7),
    },
  };
  assert.deepEqual(decodeVersion(encodeVersion(ordered)), { parts: undefined, ...ordered });
});

Deno.test("decodeVersion() throws a SyntaxError when any bit is flipped", () => {
  const [some] = fc.sample(version, { numRuns: 1, seed: 1 });
  assert.ok(some !== undefined);
  const whole = encodeVersion({
    ...some,
    tables: new Map([["item", Uint8Array.of(1, 2, 3)], ["user", new Uint8Array()]]),
  });
  for (let at = 0; at < whole.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const bytes = whole.slice();
      bytes[at]! ^= 1 << bit;
      assert.throws(() => decodeVersion(bytes), SyntaxError, `bit ${bit} of byte ${at}`);
    }
  }
});

Deno.test("decodeVersion() throws a SyntaxError when the record is truncated or has trailing bytes", () => {
  fc.assert(
    fc.property(version, (version) => {
      const whole = encodeVersion(version);
      for (let length = 0; length < whole.length; length++) {
        assert.throws(() => decodeVersion(whole.subarray(0, length)), SyntaxError);
      }
      assert.throws(() => decodeVersion(Uint8Array.of(...whole, 0)), SyntaxError);
    }),
    { numRuns: 20 },
  );
});
