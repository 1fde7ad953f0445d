import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { ValueScale } from "../../src/features/value_scale.ts";
import { mulberry32 } from "../../src/draws/random.ts";

const stars = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 200 });
const absurd = fc.oneof(
  fc.constantFrom(1e6, -1e6, 1e30, -1e308, 51, 100),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((x) => Math.abs(x) > 50),
);

function scaleOf(values: Iterable<number>): ValueScale {
  const scale = new ValueScale();
  for (const value of values) scale.learn(value);
  return scale;
}

function roundTrip(scale: ValueScale): ValueScale {
  const to = new ByteWriter();
  scale.encode(to);
  const copy = new ValueScale();
  copy.decode(new ByteReader(to.toBytes()));
  return copy;
}

Deno.test("ValueScale.mean is the mean of two or more values of which none is absurd", () => {
  fc.assert(fc.property(stars, (values) => {
    const scale = scaleOf(values);
    assert.equal(scale.mean, values.reduce((sum, value) => sum + value, 0) / values.length);
    assert.equal(scale.count, values.length);
  }));
});

Deno.test("ValueScale.learn() of one absurd value does not change the mean, wherever it comes", () => {
  fc.assert(fc.property(stars, absurd, fc.nat(), (values, value, at) => {
    const place = at % (values.length + 1);
    const scale = scaleOf(values.toSpliced(place, 0, value));
    assert.equal(scale.mean, scaleOf(values).mean, `${value} at ${place}`);
    assert.ok(Math.abs(scale.clip(value)) <= 48 && scale.clip(4) === 4);
  }));
});

Deno.test("ValueScale.mean of 1 to 5 stars moves by at most 53 / n, whatever one value is", () => {
  fc.assert(fc.property(stars, fc.double({ noNaN: true, min: -1e308, max: 1e308 }), (values, value) => {
    const moved = Math.abs(scaleOf([...values, value]).mean - scaleOf(values).mean);
    assert.ok(moved <= 53 / (values.length + 1), `${moved} of ${values.length}`);
  }));
});

Deno.test("ValueScale.learn() accepts the values of the documented example and no others", () => {
  const scale = new ValueScale();
  const got = [1e6, 4, 3, 5, 2, 1e6].map((value) => [scale.learn(value), scale.mean]);
  assert.deepEqual(got, [[false, 0], [true, 4], [true, 3.5], [true, 4], [true, 3.5], [false, 3.5]]);
});

Deno.test("ValueScale.learn() accepts heavy tails, zeros and negative values", () => {
  const random = mulberry32(5);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const prices = Array.from({ length: 20_000 }, () => Math.exp(3 + 1.2 * normal()));
  assert.ok(scaleOf(prices).count > 0.998 * prices.length, "log-normal prices");
  const rare = Array.from({ length: 1000 }, (_, n) => n % 100 === 0 ? -5 : 0);
  assert.equal(scaleOf(rare).mean, -0.05, "most values are 0");
});

Deno.test("ValueScale.learn() follows values whose order of magnitude changes for good", () => {
  const scale = scaleOf(Array(500).fill(4));
  for (let n = 0; n < 40; n++) scale.learn(400);
  assert.ok(scale.learn(400));
  assert.ok(scale.mean > 30);
});

Deno.test("ValueScale.decode() continues where encode() was called, and refuses impossible values", () => {
  const values = fc.array(fc.oneof(fc.integer({ min: -5, max: 5 }), absurd), { maxLength: 60 });
  fc.assert(fc.property(values, values, (before, after) => {
    const one = scaleOf(before);
    const other = roundTrip(one);
    for (const value of after) assert.equal(one.learn(value), other.learn(value));
    assert.deepEqual([other.mean, other.count], [one.mean, one.count]);
  }));
  const bad = new ByteWriter().uint(0).uint(1).uint(9999).uint(1).f64(1).toBytes();
  assert.throws(() => new ValueScale().decode(new ByteReader(bad)), SyntaxError);
});
