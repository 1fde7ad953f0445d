import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { CHUNK_BYTES } from "../../src/retrieval/signals/changelog.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { Catalogue } from "../../src/items/catalogue.ts";
import { encodeItemState, readNumbers } from "../../src/items/item_codec.ts";
import { ItemNumbers, type NumbersRecord } from "../../src/engine/item_numbers.ts";
import { SMALL } from "./streams.ts";

/** Items whose outcomes are learnt, and their numbers as records. */
class Shop {
  readonly catalogue = new Catalogue(SMALL.schema);
  readonly numbers = new ItemNumbers(this.catalogue);

  /** Learns an outcome of each item, and commits. */
  commit(ids: Iterable<string>): readonly NumbersRecord[] {
    for (const id of ids) {
      const item = this.catalogue.intern(id, 0);
      const { statistics } = item;
      statistics.outcomes++;
      statistics.recent += 0.1;
      if (statistics.outcomes % 3 === 0) item.ownPopularity = statistics.outcomes;
      if (statistics.outcomes % 5 === 0) {
        statistics.values++;
        statistics.valueSum += 0.7;
        statistics.valueResidual -= 0.3;
      }
      item.popularity = item.ownPopularity;
      this.numbers.change(item);
    }
    return this.numbers.changes();
  }

  get state(): string {
    return [...this.catalogue.items()].filter((item) => this.numbers.has(item))
      .map((item) => `${item.id} ${item.popularity} ${encodeItemState(item).toHex()}`).sort().join();
  }
}

/** A shop restored from a log after compaction. */
function restored(log: readonly NumbersRecord[], survives: () => boolean): Shop {
  const shop = new Shop();
  log.forEach(({ key, value }, at) => {
    const isNewest = !log.some((later, n) => n > at && later.key === key);
    if (isNewest || survives()) shop.numbers.restore(key, value);
  });
  shop.numbers.endRestore();
  return shop;
}

/** How many items a record has. */
function entriesOf(value: Uint8Array): number {
  const from = new ByteReader(value);
  from.u8();
  from.uint();
  from.uint();
  const entries = new ByteReader(from.bytes());
  let count = 0;
  for (const numbers = new Catalogue(SMALL.schema).intern("i", 0); !entries.done; count++) {
    entries.string();
    readNumbers(entries, numbers);
  }
  return count;
}

const items = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => `i${(from + n) % 4000}`);

/** Commits of a few items, and of so many that slots are emptied. */
const anyCommits = fc.array(
  fc.tuple(fc.nat(3999), fc.oneof(fc.nat(20), fc.integer({ min: 500, max: 3000 }))),
  { minLength: 1, maxLength: 24 },
);

Deno.test("ItemNumbers.restore() of a log compacted in any way gives the live numbers and the same next records", () => {
  fc.assert(
    fc.property(anyCommits, fc.nat(), fc.nat(24), (commits, seed, at) => {
      const random = mulberry32(seed);
      const live = new Shop();
      const log = commits.slice(0, at).flatMap(([from, count]) => live.commit(items(from, count)));
      const again = restored(log, () => random() < 0.3);
      assert.equal(again.state, live.state);
      for (const [from, count] of commits.slice(at)) {
        assert.deepEqual(again.commit(items(from, count)), live.commit(items(from, count)));
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("ItemNumbers.restore() gives the same numbers in any order of the keys", () => {
  fc.assert(
    fc.property(anyCommits, fc.nat(), (commits, seed) => {
      const random = mulberry32(seed);
      const live = new Shop();
      const newest = new Map<string, NumbersRecord>();
      for (const [from, count] of commits) {
        for (const each of live.commit(items(from, count))) newest.set(each.key, each);
      }
      const shuffled = [...newest.values()].map((each) => [random(), each] as const)
        .sort(([a], [b]) => a - b).map(([, each]) => each);
      const again = restored(shuffled, () => true);
      assert.equal(again.state, live.state);
      assert.deepEqual(again.commit(["i1"]), live.commit(["i1"]));
    }),
    { numRuns: 60 },
  );
});

Deno.test("ItemNumbers.endRestore() copes with deleted records, and loses no others", () => {
  fc.assert(
    fc.property(anyCommits, anyCommits, fc.nat(), (commits, later, seed) => {
      const random = mulberry32(seed);
      const first = new Shop();
      const written = commits.flatMap(([from, count]) => first.commit(items(from, count)));
      const log = [...new Map(written.map((each) => [each.key, each])).values()].filter(() => random() < 0.8);
      const live = restored(log, () => true);
      for (const [from, count] of later) log.push(...live.commit(items(from, count)));
      assert.equal(restored(log, () => false).state, live.state);
    }),
    { numRuns: 20 },
  );
});

Deno.test("ItemNumbers.endRestore() keeps the numbers of a record whose slot counts as free after deletions", () => {
  const log = new Map<string, NumbersRecord>();
  const commit = (shop: Shop, ids: readonly string[]) => {
    for (const record of shop.commit(ids)) log.set(record.key, record);
  };
  const all = items(0, 3000), shop = new Shop();
  for (const ids of [all.slice(0, 1500), all.slice(1500), all, all, all, ["other"]]) commit(shop, ids);
  for (const { key, value } of log.values()) if (entriesOf(value) === 3000) log.delete(key);
  assert.deepEqual([...log.values()].map(({ value }) => entriesOf(value)), [1500, 1]);
  const live = restored([...log.values()], () => true);
  commit(live, ["other"]); // writes over the first slot
  const again = restored([...log.values()], () => true);
  assert.equal(again.state, live.state);
  assert.equal(again.state.split(",").length, 1501);
});

Deno.test("ItemNumbers.changes() bounds entries, writes and keys, in whatever order items change", () => {
  const all = 20_000;
  const random = mulberry32(7);
  const stories: readonly [string, (commit: number) => string[]][] = [
    ["all in turn", (n) => items(n * 100, 100)],
    ["few after all were once", (n) => n < 40 ? items(n * 100, 100) : items(0, 100)],
    ["any", () => [...new Set(Array.from({ length: 100 }, () => `i${Math.floor(random() * 4000)}`))]],
    [
      "hot and cold",
      () => [...new Set(Array.from({ length: 50 }, () => `i${Math.floor(random() ** 8 * 4000)}`))],
    ],
    ["one at a time", (n) => [`i${n % 4000}`]],
  ];
  for (const [name, story] of stories) {
    const shop = new Shop();
    let written = 0; // entries
    let changed = 0;
    const keys = new Set<string>();
    for (let n = 0; changed < all * 3; n++) {
      const ids = story(n);
      const records = shop.commit(ids);
      assert.equal(records.length, 1);
      for (const { key, value } of records) {
        keys.add(key);
        written += entriesOf(value);
      }
      changed += ids.length;
      assert.ok(
        shop.numbers.entries <= Math.max(4096, 2 * 4000) * 1.5,
        `${name}: ${shop.numbers.entries} entries`,
      );
    }
    assert.ok(written >= changed && written < 2.2 * changed, `${name}: ${written} entries of ${changed}`);
    assert.ok(keys.size <= 12_000, `${name}: ${keys.size} keys`);
  }
});

Deno.test("ItemNumbers.changes() splits what is too large for one record", () => {
  const shop = new Shop();
  const ids = Array.from({ length: 2000 }, (_, n) => `${n}`.padEnd(1000, "x"));
  const log = [...shop.commit(ids)];
  assert.equal(log.length, 4);
  for (let n = 0; n < 9; n++) log.push(...shop.commit(ids));
  assert.ok(log.every(({ value }) => value.length < CHUNK_BYTES + 2000));
  const again = restored(log, () => false);
  assert.equal(again.state, shop.state);
  assert.deepEqual(again.commit(ids.slice(0, 5)), shop.commit(ids.slice(0, 5)));
});

Deno.test("ItemNumbers.changes() writes nothing about items of which nothing was learnt", () => {
  const shop = new Shop();
  shop.numbers.change(shop.catalogue.intern("a", 0));
  assert.deepEqual(shop.numbers.changes(), []);
});

Deno.test("ItemNumbers.restore() throws a SyntaxError at truncated records and other formats", () => {
  const [{ key, value } = assert.fail()] = new Shop().commit(["item"]);
  for (let length = 0; length < value.length; length++) {
    assert.throws(() => new Shop().numbers.restore(key, value.subarray(0, length)), SyntaxError, `${length}`);
  }
  for (const format of [1, 3]) {
    assert.throws(() => new Shop().numbers.restore(key, value.with(0, format)), SyntaxError);
  }
});
