import fc from "fast-check";
import assert from "node:assert/strict";
import { createKernels } from "../../src/nn/kernels/choose.ts";
import { VectorIndex } from "../../src/vectors/vector_index.ts";
import { mulberry32 } from "../../src/draws/random.ts";

const D = 8;

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** An index with a plain copy of its vectors beside it. */
class Beside {
  readonly index: VectorIndex;
  readonly vectors = new Map<number, Float32Array>();
  readonly #d: number;

  constructor(capacity: number, exact: number, d = D) {
    this.#d = d;
    this.index = new VectorIndex({ dimensions: d, capacity, exact }, createKernels("auto"));
  }

  set(place: number, vector: Float32Array): void {
    if (!this.vectors.has(place)) this.index.add(place);
    this.index.values.set(vector, this.index.offset(place));
    this.index.changed(place);
    this.vectors.set(place, vector);
    this.index.tend();
  }

  remove(place: number): void {
    if (this.vectors.delete(place)) this.index.remove(place);
  }

  /** An index that was restored from this one. */
  restored(capacity: number, exact: number): Beside {
    const copy = new Beside(capacity, exact, this.#d);
    const vectors = new Float32Array(this.vectors.size * this.#d);
    for (const [place, vector] of this.vectors) {
      vectors.set(vector, place * this.#d);
      copy.vectors.set(place, vector);
    }
    copy.index.decode(this.index.encode(), vectors);
    return copy;
  }

  /** Scores of the best, the largest first. */
  best(query: Float32Array, limit: number): number[] {
    const dot = (vector: Float32Array) => vector.reduce((sum, x, k) => sum + x * query[k]!, 0);
    return [...this.vectors.values()].map(dot).sort((a, b) => b - a).slice(0, limit);
  }

  found(query: Float32Array, limit: number): { places: number[]; scores: number[] } {
    const nearest = this.index.nearest(query, limit);
    const found = Array.from({ length: nearest.size }, (_, k) => [nearest.scoreAt(k), nearest.placeAt(k)]);
    found.sort(([a], [b]) => b! - a!);
    return { places: found.map(([, place]) => place!), scores: found.map(([score]) => score!) };
  }

  /** Share of the best that is found. */
  recall(query: Float32Array, limit: number): number {
    const best = this.best(query, limit);
    const border = best.at(-1)! - 1e-4;
    return this.found(query, limit).scores.filter((score) => score >= border).length / best.length;
  }
}

function vectorOf(random: () => number, centre?: Float32Array, width = 1): Float32Array {
  const d = centre?.length ?? D;
  return Float32Array.from({ length: d }, (_, k) => (centre?.[k] ?? 0) + width * gaussian(random));
}

function near(a: readonly number[], b: readonly number[]): void {
  assert.equal(a.length, b.length);
  a.forEach((x, k) => assert.ok(Math.abs(x - b[k]!) < 1e-4, `${x} for ${b[k]} at ${k}`));
}

/** What happens to a place: it gets another vector, the zero vector, or goes. */
const step = fc.record({
  place: fc.nat(299),
  what: fc.constantFrom("set", "set", "set", "zero", "remove"),
  seed: fc.nat(),
});

function apply(to: Beside, { place, what, seed }: { place: number; what: string; seed: number }): void {
  if (what === "remove") to.remove(place);
  else to.set(place, what === "zero" ? new Float32Array(D) : vectorOf(mulberry32(seed)));
}

Deno.test("VectorIndex.nearest() is the brute force where it looks at all, whatever came, went and moved", () => {
  const steps = fc.array(step, { minLength: 200, maxLength: 1500 });
  fc.assert(
    fc.property(steps, fc.boolean(), fc.nat(), (steps, isClustered, seed) => {
      // The bound of the catalogue decides whether there are lists; that of an exact search is not reached.
      const beside = isClustered ? new Beside(400, 399) : new Beside(300, 300);
      steps.forEach((each) => apply(beside, each));
      const { index, vectors } = beside;
      assert.equal(index.size, vectors.size);
      for (const [place, vector] of vectors) {
        const at = index.offset(place);
        assert.deepEqual(index.values.slice(at, at + D), vector);
      }
      const query = vectorOf(mulberry32(seed));
      const { scores, places } = beside.found(query, 20);
      near(scores, beside.best(query, 20));
      assert.equal(new Set(places).size, places.length);
      assert.ok(places.every((place) => vectors.has(place)));
      assert.equal(index.looked, vectors.size);
    }),
    { numRuns: 25 },
  );
});

Deno.test("VectorIndex goes on from its bytes as if it had never stopped, bit for bit", () => {
  const random = mulberry32(11);
  const centres = Array.from({ length: 20 }, () => vectorOf(random, undefined, 2));
  let crashing = new Beside(5000, 100);
  const whole = new Beside(5000, 100);
  for (let n = 0; n < 12_000; n++) {
    const place = Math.min(whole.vectors.size, Math.floor(random() * 4500));
    const vector = vectorOf(random, centres[Math.floor(random() * 20)]!);
    // The newest go and come again, so that places stay without a gap.
    const goes = random() < 0.05;
    for (const each of [whole, crashing]) {
      each.set(place, vector);
      if (goes) each.remove(each.vectors.size - 1);
    }
    if (n % 1000 !== 999) continue;
    assert.deepEqual(crashing.index.encode(), whole.index.encode());
    const query = vectorOf(random, centres[n % 20]!);
    assert.deepEqual(crashing.found(query, 50), whole.found(query, 50));
    crashing = whole.restored(5000, 100);
  }
  assert.ok(whole.index.lists > 100);
});

Deno.test("VectorIndex.decode() makes lists of its own of an index with another bound, and refuses what is none", () => {
  const random = mulberry32(2);
  const beside = new Beside(900, 100);
  for (let place = 0; place < 900; place++) beside.set(place, vectorOf(random));
  const query = vectorOf(random);
  for (const [capacity, exact] of [[900, 900], [100_000, 900]] as const) {
    const copy = beside.restored(capacity, exact);
    near(copy.found(query, 30).scores, beside.best(query, 30));
  }
  const other = new VectorIndex({ dimensions: D, capacity: 900, exact: 100 }, createKernels("plain"));
  assert.throws(() => other.decode(beside.index.encode(), new Float32Array(899 * D)), SyntaxError);
});

Deno.test("VectorIndex.nearest() finds 95 of 100 of the best and looks at a part, also after everything has moved", () => {
  const random = mulberry32(5);
  const d = 16, items = 12_000;
  const beside = new Beside(items, 1000, d);
  const world = () => Array.from({ length: 300 }, () => vectorOf(random, new Float32Array(d), 1));
  const judge = (centres: readonly Float32Array[]) => {
    let recall = 0, looked = 0;
    for (let n = 0; n < 50; n++) {
      recall += beside.recall(vectorOf(random, centres[n]!, 0.3), 100) / 50;
      looked += beside.index.looked / items / 50;
    }
    return { recall, looked };
  };
  const first = world();
  for (let place = 0; place < items; place++) beside.set(place, vectorOf(random, first[place % 300]!, 0.3));
  const grown = judge(first);
  assert.ok(grown.recall >= 0.95 && grown.looked < 0.22, JSON.stringify(grown));
  const second = world();
  for (let n = 0; n < 2 * items; n++) {
    const place = n * 7919 % items;
    beside.set(place, vectorOf(random, second[place % 300]!, 0.3));
  }
  const moved = judge(second);
  assert.ok(moved.recall >= 0.95 && moved.looked < 0.22, JSON.stringify(moved));
  for (let place = 0; place < items; place++) if (place % 10 > 0) beside.remove(place);
  assert.ok(beside.index.lists * 4 <= items / 10, `${beside.index.lists} lists of ${beside.index.size}`);
});

Deno.test("VectorIndex keeps vectors that are all alike in lists of a bounded length", () => {
  const beside = new Beside(2000, 50);
  const same = new Float32Array(D).fill(1);
  for (let place = 0; place < 2000; place++) beside.set(place, same);
  assert.ok(beside.index.lists > 20);
  near(beside.found(same, 10).scores, Array(10).fill(D));
  assert.ok(beside.index.looked <= 0.2 * 2000 + 33);
});
