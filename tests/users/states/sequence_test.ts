import assert from "node:assert/strict";
import fc from "fast-check";
import { BehaviourColumns, SequenceSlab } from "../../../src/users/states/sequence.ts";
import type { Behaviour } from "../../../src/users/states/behaviour_slab.ts";

const sizes = fc.integer({ min: 1, max: 12 }).chain((capacity) =>
  fc.integer({ min: 1, max: capacity }).chain((window) =>
    fc.record({
      capacity: fc.constant(capacity),
      window: fc.constant(window),
      hop: fc.integer({ min: 1, max: window }),
    })
  )
);
const behaviour = fc.record({
  item: fc.nat(2 ** 32 - 1),
  action: fc.constantFrom("click", "view", "rating"),
  time: fc.integer({ min: 0, max: 20 }),
  strength: fc.float({ noNaN: true }),
}, { noNullPrototype: true });

function stored(slab: SequenceSlab, row: number): Behaviour[] {
  return Array.from({ length: slab.length(row) }, (_, i) => ({
    item: slab.item(row, i),
    action: slab.action(row, i),
    time: slab.time(row, i),
    strength: slab.strength(row, i),
  }));
}

Deno.test("SequenceSlab.insert() keeps the newest behaviours in order of time, in whatever order they arrive", () => {
  fc.assert(fc.property(sizes, fc.array(behaviour, { maxLength: 40 }), (options, behaviours) => {
    const slab = new SequenceSlab(options);
    const row = slab.allocate();
    let model: Behaviour[] = [];
    behaviours.forEach((next, n) => {
      const behind = model.filter(({ time }) => time <= next.time).length;
      const atEnd = behind === model.length;
      model = model.toSpliced(behind, 0, next).slice(-options.capacity);
      assert.equal(slab.insert(row, next), atEnd);
      assert.deepEqual(stored(slab, row), model);
      assert.equal(slab.total(row), n + 1);
      assert.equal(slab.lastTime(row), model.at(-1)?.time);
    });
  }));
});

Deno.test("SequenceSlab.windowStart() follows its formula for any number of behaviours", () => {
  fc.assert(fc.property(sizes, fc.nat(60), (options, n) => {
    const { capacity, window: T, hop: P } = options;
    const slab = new SequenceSlab(options);
    const row = slab.allocate();
    for (let i = 0; i < n; i++) slab.insert(row, { item: i, action: "click", time: i, strength: 1 });
    const s = Math.max(0, Math.ceil((n - T) / P) * P);
    const length = slab.length(row) - slab.windowStart(row);
    assert.equal(length, n - s);
    assert.equal(slab.length(row), Math.min(n, capacity));
    if (n >= T) assert.ok(T - P < length && length <= T);
    if (length > 0) assert.equal(slab.item(row, slab.windowStart(row)), s);
  }));
});

Deno.test("SequenceSlab keeps rows apart, and a released row is empty when it is allocated again", () => {
  const slab = new SequenceSlab({ capacity: 3, window: 2, hop: 1 });
  // More rows than the first slab has room for.
  const rows = Array.from({ length: 200 }, (_, i) => {
    const row = slab.allocate();
    for (let n = 0; n <= i % 5; n++) slab.insert(row, { item: i, action: `${i % 3}`, time: n, strength: n });
    return row;
  });
  assert.equal(new Set(rows).size, 200);
  rows.forEach((row, i) => assert.ok(stored(slab, row).every(({ item }) => item === i)));

  const [, , , full = NaN] = rows;
  slab.release(full);
  const again = slab.allocate();
  assert.equal(again, full);
  assert.equal(slab.length(again), 0);
  assert.equal(slab.total(again), 0);
  assert.equal(slab.lastTime(again), null);
  assert.equal(slab.windowStart(again), 0);
});

Deno.test("SequenceSlab.restore() of a row's behaviours and total gives the same row", () => {
  fc.assert(fc.property(sizes, fc.array(behaviour, { maxLength: 40 }), (options, behaviours) => {
    const slab = new SequenceSlab(options);
    const row = slab.allocate();
    for (const next of behaviours) slab.insert(row, next);
    const copy = slab.allocate();
    slab.restore(copy, stored(slab, row), slab.total(row));
    assert.deepEqual(stored(slab, copy), stored(slab, row));
    assert.equal(slab.total(copy), slab.total(row));
    assert.equal(slab.windowStart(copy), slab.windowStart(row));
  }));
});

Deno.test("SequenceSlab() takes all sizes that fit each other, with as many recent behaviours as they allow", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.nat(), fc.nat(), (capacity, w, h) => {
      const window = 1 + w % capacity, hop = 1 + h % window;
      const { recent } = new SequenceSlab({ capacity, window, hop });
      assert.equal(recent, Math.max(0, Math.min(20, window - 2 * hop)));
      assert.equal(new SequenceSlab({ capacity, window, hop, recent: 0 }).recent, 0);
    }),
  );
});

Deno.test("SequenceSlab() throws a RangeError when the sizes do not fit each other", () => {
  const wrong = [
    { capacity: 0 },
    { capacity: 65_536 },
    { capacity: 10, window: 11 },
    { window: 0 },
    { window: 5, hop: 6 },
    { hop: 0 },
    { capacity: NaN },
  ];
  for (const options of wrong) assert.throws(() => new SequenceSlab(options), RangeError);
});

Deno.test("SequenceSlab keeps rows apart while they grow from slab to slab and are released", () => {
  const slab = new SequenceSlab({ capacity: 100 });
  const people = Array.from(
    { length: 300 },
    (_, i) => ({ row: slab.allocate(), item: i, model: [] as number[] }),
  );
  for (let n = 0; n < 20_000; n++) {
    const person = people[(n * 7919) % (1 + n % people.length)];
    assert.ok(person);
    if (n % 97 === 0) {
      slab.release(person.row);
      [person.row, person.model] = [slab.allocate(), []];
    }
    slab.insert(person.row, { item: person.item, action: "click", time: n, strength: 1 });
    person.model = [...person.model, n].slice(-100);
  }
  assert.ok(people.some(({ model }) => model.length === 100));
  for (const { row, item, model } of people) {
    assert.deepEqual(
      stored(slab, row),
      model.map((time) => ({ item, action: "click", time, strength: 1 })),
    );
  }
  assert.ok(slab.rowBytes(people[299]?.row ?? NaN) < slab.rowBytes(people[0]?.row ?? NaN));
});

Deno.test("SequenceSlab.read() gives the same as behaviours(), in a reused buffer", () => {
  fc.assert(fc.property(sizes, fc.array(behaviour), fc.array(behaviour), (options, first, second) => {
    const slab = new SequenceSlab(options);
    const columns = new BehaviourColumns(slab.capacity);
    for (const behaviours of [first, second]) {
      const row = slab.allocate();
      for (const each of behaviours) slab.insert(row, each);
      slab.read(row, columns);
      const { length, items, actions, times, strengths } = columns;
      const read = Array.from({ length }, (_, i): Behaviour => ({
        item: items[i]!,
        action: actions[i]!,
        time: times[i]!,
        strength: strengths[i]!,
      }));
      assert.deepEqual(read, slab.behaviours(row));
    }
  }));
});
