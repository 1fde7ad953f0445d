import assert from "node:assert/strict";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { PreferenceLearner } from "../../../src/learner/preferences/preference_learner.ts";
import { KeptPreferences } from "../../../src/learner/preferences/kept_preferences.ts";
import {
  decodePacked,
  encodePacked,
  packed,
  type PackedPreference,
  sizeOf,
  type TakenList,
  unpacked,
} from "../../../src/learner/preferences/packed_preference.ts";
import { createKernels } from "../../../src/nn/kernels/choose.ts";
import { PairOrder } from "../../../src/nn/models/pair_head/learnt_order.ts";
import type { PairList, PairNames } from "../../../src/nn/models/pair_head/pair_list.ts";
import {
  type DrawOptions,
  drawPlaces,
  listOf,
  type Preference,
  preferenceOf,
} from "../../../src/samples/preference.ts";

const NAMES: PairNames = {
  pairs: ["far", "near"],
  behaviours: ["count", "strength"],
  candidates: ["count", "popular"],
};

/** Lists of 8, of which the candidate is taken that is most co-visited with what the user liked, not disliked. */
function* lists(
  count: number,
  names = NAMES,
  seed = 1,
  sign = 1,
): Generator<{ list: PairList; taken: number }> {
  const random = mulberry32(seed);
  const [H, K] = [3, 8];
  const floats = (length: number) => Float32Array.from({ length }, () => 4 * random());
  for (let n = 0; n < count; n++) {
    const pairs = floats(K * H * names.pairs.length);
    const behaviours = floats(H * names.behaviours.length);
    const strength = names.behaviours.indexOf("strength"), far = names.pairs.indexOf("far");
    for (let j = 0; j < H; j++) behaviours[j * names.behaviours.length + strength] = random() < 0.5 ? -1 : 1;
    const sums = Array.from({ length: K }, (_, i) => {
      let sum = 0;
      for (let j = 0; j < H; j++) {
        sum += pairs[(i * H + j) * names.pairs.length + far]! *
          behaviours[j * names.behaviours.length + strength]!;
      }
      return sign * sum;
    });
    const list = {
      H,
      K,
      pairs,
      behaviours,
      candidates: floats(K * names.candidates.length),
      scores: floats(K),
    };
    yield { list, taken: sums.indexOf(Math.max(...sums)) };
  }
}

/** A preference among some candidates of a list. */
function preferenceAmong(list: PairList, names: PairNames, options: DrawOptions): Preference {
  const places = drawPlaces(list.K, options);
  const rows = (values: Float32Array) => {
    const width = values.length / list.K;
    return Float32Array.from(
      places.flatMap((place) => [...values.subarray(place * width, (place + 1) * width)]),
    );
  };
  const [pairs, candidates, scores] = [rows(list.pairs), rows(list.candidates), rows(list.scores)];
  const some = { ...list, K: places.length, pairs, candidates, scores };
  return preferenceOf(some, names, places.indexOf(options.taken));
}

function* preferences(count: number, names = NAMES, seed = 1, sign = 1): Generator<Preference> {
  const random = mulberry32(seed + 100);
  for (const { list, taken } of lists(count, names, seed, sign)) {
    yield preferenceAmong(list, names, { taken, candidates: 6, random });
  }
}

function repacked({ list, taken }: TakenList): PackedPreference {
  return packed(preferenceOf(list, NAMES, taken));
}

function hits(learner: PreferenceLearner, names = NAMES, sign = 1): number {
  const order = new PairOrder(createKernels("plain"));
  order.prepare(learner.learnt)();
  let hits = 0;
  for (const { list, taken } of lists(200, names, 99, sign)) {
    const scores = order.of(names)!(list);
    assert.ok(scores !== null);
    if (scores.indexOf(Math.max(...scores)) === taken) hits++;
  }
  return hits;
}

function bytesOf(learner: PreferenceLearner): Uint8Array {
  const to = new ByteWriter();
  learner.encode(to);
  return to.toBytes();
}

const learner = (bytes = 100_000) => new PreferenceLearner(createKernels("plain"), { seed: 3, bytes });

Deno.test("PreferenceLearner learns what is taken from only some of the candidates", () => {
  const some = learner();
  for (const preference of preferences(1600)) some.add(preference);
  assert.equal(some.steps, 50);
  const found = hits(some);
  assert.ok(found > 120, `${found} of 200; by chance 25`);
});

Deno.test("PreferenceLearner starts with the order of the given scores", () => {
  const some = learner();
  for (const preference of preferences(1)) some.add(preference);
  const order = new PairOrder(createKernels("plain"));
  order.prepare(some.learnt)();
  for (const { list } of lists(5)) assert.deepEqual([...order.of(NAMES)!(list)], [...list.scores]);
});

Deno.test("PreferenceLearner follows a change, however much it has learnt before", () => {
  // Replay takes most of the time, and does not change what is kept.
  const past = new PreferenceLearner(createKernels("plain"), { seed: 3, bytes: 100_000, replay: 0 });
  for (const preference of preferences(40_000)) past.add(preference);
  const some = learner();
  some.decode(new ByteReader(bytesOf(past)));
  for (const preference of preferences(14_000, NAMES, 2, -1)) some.add(preference);
  const found = hits(some, NAMES, -1);
  assert.ok(found > 140, `${found} of 200`);
});

Deno.test("PreferenceLearner continues bit for bit from what it has written, at any preference", () => {
  for (const stop of [0, 1, 31, 32, 33, 100]) {
    const whole = learner(4000);
    let restored = learner(4000);
    let n = 0;
    for (const preference of preferences(150)) {
      if (n++ === stop) {
        const other = learner(4000);
        other.decode(new ByteReader(bytesOf(restored)));
        restored = other;
      }
      whole.add(preference);
      restored.add(preference);
    }
    assert.deepEqual(bytesOf(restored), bytesOf(whole), `stopped before preference ${stop}`);
  }
});

Deno.test("PreferenceLearner keeps what it has learnt of an input when others are added and removed", () => {
  const some = learner();
  for (const preference of preferences(1600)) some.add(preference);
  const other: PairNames = {
    pairs: ["new", "far"],
    behaviours: ["strength", "count"],
    candidates: ["popular", "fresh", "count"],
  };
  for (const preference of preferences(32, other)) some.add(preference);
  const found = hits(some, other);
  assert.ok(found > 80, `${found} of 200; by chance 25`);
  const order = new PairOrder(createKernels("plain"));
  order.prepare(some.learnt)();
  assert.equal(order.of(NAMES), null);
});

Deno.test("PairOrder.prepare() refuses weights that do not fit the names, and has no order without weights", () => {
  const some = learner();
  for (const preference of preferences(1)) some.add(preference);
  const order = new PairOrder(createKernels("plain"));
  const learnt = some.learnt!;
  assert.throws(() => order.prepare({ ...learnt, weights: learnt.weights.slice(1) }), SyntaxError);
  order.prepare(learnt)();
  order.prepare(null)();
  assert.equal(order.of(NAMES), null);
});

Deno.test("drawPlaces(), preferenceOf() and listOf() keep the taken candidate and the values of those drawn", () => {
  const random = mulberry32(4);
  for (const { list, taken } of lists(20)) {
    const preference = preferenceAmong(list, NAMES, { taken, candidates: 5, random });
    const got = listOf(preference);
    assert.equal(got.K, 5);
    const row = (of: PairList, i: number) =>
      [
        ...of.pairs.subarray(i * 6, i * 6 + 6),
        ...of.candidates.subarray(i * 2, i * 2 + 2),
        of.scores[i],
      ].map((x) => Math.f16round(x!));
    assert.deepEqual(row(got, preference.taken), row(list, taken));
    const all = Array.from({ length: list.K }, (_, i) => row(list, i).join());
    const kept = Array.from({ length: 5 }, (_, i) => row(got, i).join());
    assert.equal(new Set(kept).size, 5);
    assert.ok(kept.every((each) => all.includes(each)));
    const whole = preferenceAmong(list, NAMES, { taken, candidates: 100, random });
    assert.equal(whole.taken, taken);
    assert.deepEqual(row(listOf(whole), 3), row(list, 3));
  }
});

Deno.test("KeptPreferences are a uniform sample of a short past, within their limit of bytes", () => {
  const random = mulberry32(8);
  const tenths = new Array<number>(10).fill(0);
  for (let run = 0; run < 40; run++) {
    const kept = new KeptPreferences(3000);
    let n = 0;
    for (const preference of preferences(500, NAMES, run)) {
      preference.values[preference.values.length - 1] = 10 + n++; // the largest of its column, which is exact
      kept.add(preference, random());
      if (n % 50 > 0) continue;
      const all = Array.from({ length: kept.size }, (_, at) => sizeOf(repacked(kept.at(at, NAMES))));
      assert.equal(kept.bytes, all.reduce((sum, bytes) => sum + bytes, 0));
      assert.ok(kept.bytes <= 3000);
    }
    for (let at = 0; at < kept.size; at++) {
      tenths[Math.floor((kept.at(at, NAMES).list.scores.at(-1)! - 10) / 50)]!++;
    }
  }
  const all = tenths.reduce((sum, n) => sum + n, 0);
  assert.ok(all > 400, `${all} kept`);
  const squares = tenths.reduce((sum, n) => sum + (n - all / 10) ** 2 / (all / 10), 0);
  assert.ok(squares < 27.9, `χ² of 9 degrees is ${squares}; 27.9 has a chance of 0.001`);
});

Deno.test("KeptPreferences keep half as many per 8,000 that follow, and fill up again when little is left", () => {
  const random = mulberry32(8);
  const [preference] = preferences(1);
  const kept = new KeptPreferences(200_000);
  const add = (count: number, mark: number) => {
    preference!.values[preference!.values.length - 1] = mark; // the largest of its column, which is exact
    for (let n = 0; n < count; n++) {
      if (n % 32 === 0) kept.fade(32);
      kept.add(preference!, random());
    }
  };
  for (let age = 4; age >= 0; age--) add(8000, 10 + age);
  const ages = new Array<number>(5).fill(0);
  for (let at = 0; at < kept.size; at++) ages[kept.at(at, NAMES).list.scores.at(-1)! - 10]!++;
  const all = kept.size;
  assert.ok(all > 1000 && kept.bytes <= 200_000, `${all} kept`);
  const expected = ages.map((_, age) => all * 2 ** -age / (2 - 2 ** -4));
  const squares = ages.reduce((sum, n, age) => sum + (n - expected[age]!) ** 2 / expected[age]!, 0);
  assert.ok(squares < 18.5, `χ² of 4 degrees is ${squares} for ${ages}; 18.5 has a chance of 0.001`);
  // A threshold as after a long past, with nothing kept.
  kept.decode(new ByteReader(new ByteWriter().f64(1 / 64).uint(0).toBytes()), NAMES);
  add(40_000, 10);
  assert.ok(kept.size > 500, `${kept.size} kept`);
});

Deno.test("unpacked() is off by at most half a 255th of a column's range, and equal values take no bytes", () => {
  for (const preference of preferences(50)) {
    const { H, K, values } = preference;
    for (let at = 0; at < K * H; at++) values[2 * at] = 3; // far
    const small = packed(preference);
    const { behaviours } = listOf(preference);
    const isMixed = new Set([behaviours[1], behaviours[3], behaviours[5]]).size > 1; // strengths
    assert.equal(small.bytes.length, K * H + (isMixed ? 2 : 1) * H + 3 * K);
    assert.equal(sizeOf(small), small.bytes.length + 2 * 2 * 7);
    const { list, taken } = unpacked(small, NAMES);
    assert.deepEqual([list.H, list.K, taken], [H, K, preference.taken]);
    const wanted = listOf(preference);
    // Values are from 0 to 4, or −1 and 1; the ends of a range are off by 2⁻¹⁰.
    for (const part of ["pairs", "behaviours", "candidates", "scores"] as const) {
      assert.equal(list[part].length, wanted[part].length);
      for (const [at, value] of wanted[part].entries()) {
        assert.ok(Math.abs(list[part][at]! - value) <= 4 / 510 + 2 ** -10, `${list[part][at]} for ${value}`);
      }
    }
    for (let at = 0; at < K * H; at++) assert.equal(list.pairs[2 * at], 3);
    assert.deepEqual(repacked({ list, taken }), small);
  }
});

Deno.test("decodePacked() refuses preferences that do not fit the names", () => {
  const [preference] = preferences(1);
  const bytes = (change: Partial<PackedPreference>) => {
    const to = new ByteWriter();
    encodePacked(to, { ...packed(preference!), ...change });
    return new ByteReader(to.toBytes());
  };
  assert.deepEqual(decodePacked(bytes({}), NAMES), packed(preference!));
  assert.throws(() => decodePacked(bytes({}), { ...NAMES, candidates: ["count"] }), SyntaxError);
  assert.throws(() => decodePacked(bytes({ bytes: new Uint8Array(3) }), NAMES), SyntaxError);
  assert.throws(() => decodePacked(bytes({ taken: 6 }), NAMES), SyntaxError);
});
