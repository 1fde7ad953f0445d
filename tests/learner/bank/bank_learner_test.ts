import assert from "node:assert/strict";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { BANK_TABLES } from "../../../src/bank/bank_tables.ts";
import { BankLearner, type NextItem } from "../../../src/learner/bank/bank_learner.ts";
import { DrawnItems } from "../../../src/learner/bank/drawn_items.ts";
import { PLAIN } from "../../../src/nn/kernels/plain.ts";

const OPTIONS = { width: 8, drawn: 10, behaviours: 5, together: 4, tableBytes: 1 << 24, seed: 3 };

/** Steps of people who mostly go round in circles of five items. */
function circles(count: number, seed: number): NextItem[] {
  const random = mulberry32(seed);
  const steps: NextItem[] = [];
  for (let n = 0; n < count; n++) {
    const circle = Math.floor(random() * 8), place = Math.floor(random() * 5);
    const items = [0, 1, 2].map((back) => `${circle}.${(place + back) % 5}`);
    steps.push({
      before: {
        items,
        strengths: Float32Array.from(items, () => 1),
        times: Float64Array.from(items, (_, t) => 1000 * (n + t)),
      },
      item: random() < 0.1 ? `${Math.floor(random() * 8)}.0` : `${circle}.${(place + 3) % 5}`,
      time: 1000 * (n + 4),
    });
  }
  return steps;
}

function encoded(learner: BankLearner): Uint8Array {
  const to = new ByteWriter(1 << 16);
  learner.encode(to);
  return to.toBytes();
}

Deno.test("BankLearner.learn() learns which item comes next", () => {
  const learner = new BankLearner(OPTIONS, PLAIN);
  const losses = circles(3000, 1).map((next) => learner.learn([next], 1e6).loss);
  const mean = (from: number, to: number) =>
    losses.slice(from, to).reduce((sum, x) => sum + x, 0) / (to - from);
  // Ten items are drawn against one: chance is ln 11 less what popularity gives.
  assert.ok(mean(100, 300) > 1.5, `${mean(100, 300)}`);
  assert.ok(mean(2500, 3000) < 1, `${mean(2500, 3000)}`);
});

Deno.test("BankLearner.learn() does not push down items the user has just had", () => {
  const learner = new BankLearner({ ...OPTIONS, behaviours: 2 }, PLAIN);
  const step = (had: readonly string[], item: string): NextItem => ({
    before: { items: had, strengths: new Float32Array(had.length), times: new Float64Array(had.length) },
    item,
    time: 0,
  });
  for (const item of ["a", "b", "c"]) learner.learn([step([], item)], 1e6);
  const biasOf = (item: string) => {
    const out = learner.tables.get(BANK_TABLES.out)!, row = new Float32Array(out.width);
    out.copyRow(out.lookup(item), row, 0);
    return row.at(-1)!;
  };
  const before = ["a", "b", "c"].map(biasOf);
  learner.learn([step(["c", "a", "a"], "b")], 1e6); // reads the newest two
  const [a, b, c] = ["a", "b", "c"].map((item, n) => biasOf(item) - before[n]!);
  assert.deepEqual([a, Math.sign(b!), Math.sign(c!)], [0, 1, -1]);
});

Deno.test("BankLearner.decode() continues bit for bit", () => {
  const steps = circles(200, 2);
  const whole = new BankLearner(OPTIONS, PLAIN);
  const first = new BankLearner(OPTIONS, PLAIN);
  for (const learner of [whole, first]) learner.learn(steps.slice(0, 96), 1e6);
  const second = new BankLearner({ ...OPTIONS }, PLAIN);
  second.decode(new ByteReader(encoded(first)));
  assert.deepEqual(encoded(second), encoded(first));
  for (let n = 96; n < 200; n += 13) {
    for (const learner of [whole, second]) learner.learn(steps.slice(n, n + 13), 1e6);
  }
  assert.deepEqual(encoded(second), encoded(whole));
});

Deno.test("BankLearner.decode() refuses a bank of another width", () => {
  const other = new BankLearner({ ...OPTIONS, width: 4 }, PLAIN);
  assert.throws(() => new BankLearner(OPTIONS, PLAIN).decode(new ByteReader(encoded(other))), {
    name: "SyntaxError",
    message: /has 116 dense weights, this one 360/,
  });
});

Deno.test("DrawnItems.draw() returns items as often as probability() says, and forgets the oldest", () => {
  const drawn = new DrawnItems(8);
  for (const id of ["gone", "gone", "a", "b", "a", "c", "a", "b", "a", "d"]) drawn.update(id);
  assert.equal(drawn.distinct, 4);
  const random = mulberry32(5), counts = new Map<string, number>();
  const N = 40_000;
  for (let n = 0; n < N; n++) {
    const id = drawn.id(drawn.draw(random));
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const expected = { a: 0.375, b: 0.25, c: 0.1875, d: 0.1875 };
  assert.deepEqual([...counts.keys()].sort(), Object.keys(expected));
  for (const [id, p] of Object.entries(expected)) {
    assert.ok(Math.abs((counts.get(id) ?? 0) / N - p) < 5 * Math.sqrt(p / N), id);
  }
  for (let n = 0; n < 20; n++) {
    const number = drawn.draw(random);
    assert.equal(drawn.probability(number), expected[drawn.id(number) as keyof typeof expected]);
  }
});

Deno.test("DrawnItems.decode() continues where encode() was called", () => {
  const one = new DrawnItems(16), random = mulberry32(7);
  const some = () => `i${Math.floor(random() ** 2 * 30)}`;
  for (let n = 0; n < 100; n++) one.update(some());
  const to = new ByteWriter(256);
  one.encode(to);
  const two = new DrawnItems(16);
  two.decode(new ByteReader(to.toBytes()));
  for (let n = 0; n < 100; n++) {
    const id = some();
    for (const drawn of [one, two]) drawn.update(id);
    const [a, b] = [one, two].map((drawn) => {
      const number = drawn.draw(mulberry32(n));
      return { id: drawn.id(number), probability: drawn.probability(number) };
    });
    assert.deepEqual(a, b);
  }
});
