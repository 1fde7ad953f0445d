import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { CategoryVectors } from "../../../src/features/pooled/category_vectors.ts";
import { type Followed, NaiveVectors } from "./naive_vectors.ts";

const BUDGET = 1 << 20, BEHAVIOURS = 40;

function learn(vectors: CategoryVectors, { context, category }: Followed): void {
  vectors.clear();
  for (const each of context) vectors.add(each);
  vectors.learn(category, 1 / Math.sqrt(Math.max(1, context.length)));
}

function affinity(vectors: CategoryVectors, context: readonly number[], category: number): number {
  vectors.clear();
  for (const each of context) vectors.add(each);
  vectors.prepare(1);
  return vectors.affinity(category);
}

function encoded(vectors: CategoryVectors): Uint8Array {
  const to = new ByteWriter();
  vectors.encode(to);
  return to.toBytes();
}

/** Contexts may have categories that were never learnt, as items may change theirs. */
const followed: fc.Arbitrary<Followed> = fc.record({
  context: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 8 }),
  category: fc.integer({ min: 1, max: 5 }),
});

Deno.test("CategoryVectors equals the formulas over the whole past", () => {
  fc.assert(
    fc.property(fc.array(followed, { maxLength: 60 }), (past) => {
      const vectors = new CategoryVectors(BUDGET, BEHAVIOURS);
      for (const each of past) learn(vectors, each);
      const naive = new NaiveVectors(past);
      for (const context of [[1], [2, 3, 3], [1, 2, 4, 6]]) {
        for (let category = 1; category <= 6; category++) {
          const got = affinity(vectors, context, category), want = naive.affinity(context, category);
          assert.ok(Math.abs(got - want) < 1e-3 * (1 + Math.abs(want)), `${got}, not ${want}`);
        }
      }
    }),
    { numRuns: 60 },
  );
});

/** Two halves of 20 categories; a person stays in one half, and never takes two categories of the same third. */
function halves(people: number): Followed[] {
  const random = mulberry32(5);
  const third = (category: number) => category % 3;
  return Array.from({ length: people }, () => {
    const half = random() < 0.5 ? 1 : 11;
    const draw = () => half + Math.floor(10 * random());
    const before = draw();
    let category = draw();
    while (third(category) === third(before)) category = draw();
    return [{ context: [], category: before }, { context: [before], category }];
  }).flat();
}

Deno.test("CategoryVectors brings categories together that were met with the same others, but never together", () => {
  const vectors = new CategoryVectors(BUDGET, BEHAVIOURS);
  for (const each of halves(2000)) learn(vectors, each);
  // Of the same third: neither ever followed the other.
  for (const [a, near, far] of [[1, 4, 13], [2, 8, 20], [12, 18, 3]] as const) {
    assert.ok(affinity(vectors, [a], near) > affinity(vectors, [a], far) + 1, `${a}`);
  }
});

/** People who take two of 20 categories from the same group, and how well the vectors tell groups apart. */
function grouped(vectors: CategoryVectors) {
  const random = mulberry32(7);
  const categories = Array.from({ length: 20 }, (_, n) => n + 1);
  const draw = () => categories[Math.floor(20 * random())]!;
  return {
    learn(people: number, groupOf: (category: number) => number) {
      for (let n = 0; n < people; n++) {
        const before = draw();
        let category = draw();
        while (category === before || groupOf(category) !== groupOf(before)) category = draw();
        learn(vectors, { context: [], category: before });
        learn(vectors, { context: [before], category });
      }
    },
    /** Share of cases in which a category is nearer to one of its own group than to one of another. */
    right(groupOf: (category: number) => number) {
      const cases = categories.flatMap((a) => {
        const others = categories.filter((b) => b !== a);
        const of = (isOwn: boolean) =>
          others.filter((b) => (groupOf(b) === groupOf(a)) === isOwn).map((b) => affinity(vectors, [a], b));
        return of(true).flatMap((near) => of(false).map((far) => near > far));
      });
      return cases.filter((is) => is).length / cases.length;
    },
  };
}

Deno.test("CategoryVectors follows a change of taste, however old the stream is", () => {
  const before = (category: number) => category <= 10 ? 0 : 1, after = (category: number) => category % 2;
  for (const age of [500, 8000, 64_000]) {
    const { learn, right } = grouped(new CategoryVectors(BUDGET, BEHAVIOURS));
    learn(age, before);
    assert.equal(right(before), 1, `${age}`);
    learn(2500, after);
    assert.ok(right(after) > 0.99, `after ${age} people, ${right(after)} is right`);
  }
});

Deno.test("CategoryVectors keeps within its bytes, and continues bit for bit when restored at any point", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(60), { maxLength: 120 }), fc.nat(120), (categories, at) => {
      const budget = 20 * 76; // fewer than there are categories
      const whole = new CategoryVectors(budget, BEHAVIOURS);
      let restored = new CategoryVectors(budget, BEHAVIOURS);
      categories.forEach((category, n) => {
        if (n === at) {
          const from = new ByteReader(encoded(restored));
          restored = new CategoryVectors(budget, BEHAVIOURS);
          restored.decode(from);
          assert.ok(from.done);
        }
        const context = categories.slice(Math.max(0, n - 3), n).map((each) => each + 1);
        for (const vectors of [whole, restored]) learn(vectors, { context, category: category + 1 });
        assert.ok(whole.bytes <= budget, `${whole.bytes}`);
        for (let b = 0; b < 62; b++) assert.ok(Number.isFinite(affinity(whole, context, b)));
      });
      assert.deepEqual(encoded(restored), encoded(whole));
    }),
    { numRuns: 30 },
  );
});

Deno.test("CategoryVectors.decode() refuses a behaviour with a missing category", () => {
  const vectors = new CategoryVectors(BUDGET, BEHAVIOURS);
  learn(vectors, { context: [], category: 7 });
  const bytes = encoded(vectors);
  bytes[bytes.length - 1] = 1; // the place of the only behaviour's category
  assert.throws(() => new CategoryVectors(BUDGET, BEHAVIOURS).decode(new ByteReader(bytes)), SyntaxError);
});
