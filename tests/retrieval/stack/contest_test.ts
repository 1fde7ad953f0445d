/**
 * The laws of a contest.
 *
 * @module
 */

import assert from "node:assert/strict";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { Contest } from "../../../src/retrieval/stack/contest.ts";

const SEEDS = 150;

/** Gains of mean 0 in (−1, 1). */
const FAIR: Readonly<Record<string, (random: () => number) => number>> = {
  "even": (random) => random() < 0.5 ? 0.2 : -0.2,
  "now and then much": (random) => random() < 0.02 ? 0.98 : -0.02,
  "now and then much less": (random) => random() < 0.02 ? -0.98 : 0.02,
  "of many sizes": (random) => (random() < 0.5 ? 1 : -1) * random() ** 8,
};

Deno.test("Contest.add() gives the title to challengers that gain nothing in 5 % of contests at most, however skew gains are", () => {
  for (const [name, gain] of Object.entries(FAIR)) {
    let changes = 0;
    for (let seed = 0; seed < SEEDS; seed++) {
      const random = mulberry32(seed);
      const contest = new Contest(3, 0);
      for (let n = 0; n < 1000 && contest.holder === 0; n++) contest.add([0, gain(random), gain(random)]);
      if (contest.holder !== 0) changes++;
    }
    assert.ok(changes <= 0.05 * SEEDS, `${name}: ${changes} of ${SEEDS}`);
  }
});

Deno.test("Contest.add() gives it to one that is better within the bound, and takes it back as soon, whatever it had won before", () => {
  // δ = 0.1, v = 0.1: λδ − λ²v is at most 0.0225 (λ = 0.4 or so), ln(2 j²/α) + ln 5 some 9: 400 gains.
  const gain = (random: () => number, mean: number) => (random() < (1 + mean / 0.3) / 2 ? 0.3 : -0.3);
  for (const won of [500, 5000]) {
    for (let seed = 0; seed < 20; seed++) {
      const random = mulberry32(seed);
      const contest = new Contest(3, 0);
      let first = 0;
      while (contest.holder === 0) {
        contest.add([0, gain(random, 0.1), gain(random, -0.1)]);
        first++;
      }
      assert.ok(first <= 800 && contest.holder === 1, `seed ${seed}: ${first}`);
      for (let n = 0; n < won; n++) contest.add([gain(random, -0.1), 0, gain(random, -0.2)]);
      assert.equal(contest.holder, 1);
      let last = 0;
      while (contest.holder === 1) {
        contest.add([gain(random, 0.1), 0, gain(random, -0.1)]);
        last++;
      }
      assert.ok(last <= 1600 && contest.holder === 0, `seed ${seed}: ${last} after ${won}`);
    }
  }
});

Deno.test("Contest.decode() goes on as the one that was written, in bytes that hardly grow", () => {
  const random = mulberry32(1);
  let contest = new Contest(4, 2);
  const other = new Contest(4, 2);
  const bytesOf = (one: Contest) => {
    const to = new ByteWriter();
    one.encode(to);
    return to.toBytes();
  };
  const sizes: number[] = [];
  for (let n = 0; n < 20_000; n++) {
    const gains = Array.from({ length: 4 }, () => random() - 0.5);
    gains[contest.holder] = 0;
    contest.add(gains);
    other.add(gains);
    if (n % 997 !== 0) continue;
    const bytes = bytesOf(contest);
    contest = new Contest(4, 0);
    contest.decode(new ByteReader(bytes));
    assert.deepEqual(bytesOf(contest), bytesOf(other));
    sizes.push(bytes.length);
  }
  assert.ok(sizes.at(-1)! < 2000, String(sizes));
});
