/**
 * What every source of candidates promises: it proposes what it scores highest, scores are not negative, and it goes on
 * from its bytes, whatever indices items have by then.
 *
 * @module
 */

import assert from "node:assert/strict";
import { BANK_BEHAVIOURS, BANK_WIDTH } from "../../src/bank/bank_tables.ts";
import { ServedBank } from "../../src/bank/served_bank.ts";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { BankLearner } from "../../src/learner/bank/bank_learner.ts";
import { PLAIN } from "../../src/nn/kernels/plain.ts";
import { ItemLists } from "../../src/retrieval/items/item_lists.ts";
import { contextOf } from "../../src/retrieval/signals/context.ts";
import { settle } from "../../src/options/option.ts";
import { SOURCE_OPTIONS, sourceParts } from "../../src/retrieval/sources/parts.ts";
import type { CandidateRequest } from "../../src/retrieval/signals/candidate_request.ts";
import { RETRIEVAL_FORMATS } from "../../src/retrieval/signals/records.ts";
import { createSources, SOURCES } from "../../src/retrieval/sources/registry.ts";
import type { Source, SourceKind } from "../../src/retrieval/sources/source.ts";
import { Catalogue } from "../../src/items/catalogue.ts";
import { SequenceSlab } from "../../src/users/states/sequence.ts";
import { createUser } from "../../src/users/user_state.ts";

const HOUR_MS = 3_600_000;
const ITEMS = 60, START = 1_700_000_000_000;
const SCHEMA = { userFields: [], itemFields: [], contextFields: [], crosses: [] };
const BANK = servedBank();
const user = createUser("u1", new SequenceSlab());

/** A world of items with its own indices, and the source under test among others with which it may share parts. */
class World {
  readonly source: Source;
  readonly #catalogue = new Catalogue(SCHEMA);
  readonly #lists = new ItemLists(this.#catalogue);
  readonly #sources: readonly Source[];
  #hasLearnt = false;

  /** @param begins Time of a first signal, of an item that occurs nowhere else */
  constructor(kind: SourceKind, ids: readonly number[], begins?: number) {
    for (const n of ids) {
      this.#catalogue.apply({ item: `i${n}`, time: START - 1, category: `c${n % 5}` });
      this.#lists.add(this.#catalogue.get(`i${n}`)!);
    }
    const options = settle(SOURCE_OPTIONS, { revisits: true, neighbours: { halfLifeMs: HOUR_MS } });
    const parts = sourceParts(this.#catalogue, this.#lists, options, () => this.#hasLearnt ? BANK : null);
    this.#sources = createSources(parts, SOURCES.includes(kind) ? SOURCES : [...SOURCES, kind]);
    this.source = this.#sources.find(({ name }) => name === kind.name)!;
    if (begins === undefined) return;
    this.#catalogue.apply({ item: "first", time: START - 1, category: "first" });
    const item = this.#catalogue.get("first")!.index;
    const signal = {
      user: "first",
      item,
      time: begins,
      liked: true,
      wanted: true,
      context: contextOf([]),
      step: null,
    };
    for (const source of this.#sources) source.learn?.(signal);
  }

  indexOf(n: number): number {
    return this.#catalogue.get(`i${n}`)!.index;
  }

  /** Learns behaviours of some users, each with its context. @param agoMs how much longer ago than usual */
  learn(from: number, to: number, agoMs = 0): void {
    this.#hasLearnt = true;
    const random = mulberry32(from);
    const pick = () => Math.floor(ITEMS * random() ** 2);
    for (let n = from; n < to; n++) {
      const time = START + n * 30_000 - agoMs;
      const before = [1, 2, 3, 4].map((k) => ({ item: this.indexOf(pick()), time: time - k * 20_000 }));
      const item = pick();
      const step = [`c${item % 5}`, `c${(item + n) % 5}`] as const;
      const context = contextOf(before);
      const signal = {
        user: `u${n % 7}`,
        item: this.indexOf(item),
        time,
        liked: n % 5 > 0,
        wanted: true,
        context,
        step,
      };
      for (const source of this.#sources) source.learn?.(signal);
      if (n % 2 === 0) this.#lists.raise(this.#catalogue.at(this.indexOf(item)), time);
    }
  }

  ask(before: readonly number[]): void {
    const time = START + 401 * 30_000;
    const context = contextOf(before.map((n, x) => ({ item: this.indexOf(n), time: time - x * 1000 })));
    const query: CandidateRequest = { user, context, time, allowed: () => true };
    this.#lists.popularity.moveTo(time);
    for (const source of this.#sources) source.ask?.(query);
  }

  /** Scores by number of the item, and the largest according to the source. */
  scores(order: readonly number[]): { readonly scores: readonly number[]; readonly most: number } {
    const into = new Float64Array(ITEMS);
    const most = this.source.score(order.map((n) => this.indexOf(n)), into);
    const scores = Array.from({ length: ITEMS }, () => 0);
    if (most > 0) order.forEach((n, c) => scores[n] = into[c]!);
    return { scores, most };
  }

  proposed(limit: number, may: (n: number) => boolean): number[] {
    const number = new Map(NUMBERS.map((n) => [this.indexOf(n), n]));
    return this.source.propose(limit, (index) => may(number.get(index)!)).map((index) => number.get(index)!);
  }

  encode(encode = this.source.encode): Uint8Array {
    const order = [...NUMBERS].sort((a, b) => `i${a}` < `i${b}` ? -1 : 1).map((n) => this.indexOf(n));
    const rank = new Uint32Array(ITEMS);
    order.forEach((item, place) => rank[item] = place);
    const to = new ByteWriter();
    for (const _portion of encode?.(to, { order, rank }) ?? []);
    return to.toBytes();
  }

  /** Takes over what every source of another world has learnt. */
  restore(other: World): void {
    const ids = [...NUMBERS].sort((a, b) => `i${a}` < `i${b}` ? -1 : 1);
    const order = ids.map((n) => other.indexOf(n)), rank = new Uint32Array(ITEMS);
    order.forEach((item, place) => rank[item] = place);
    for (const [s, source] of other.#sources.entries()) {
      const to = new ByteWriter();
      for (const _portion of source.encode?.(to, { order, rank }) ?? []);
      const from = new ByteReader(to.toBytes());
      const { decode } = this.#sources[s]!;
      const itemAt = (place: number) => this.indexOf(ids[place]!);
      for (const _portion of decode?.(from, itemAt, RETRIEVAL_FORMATS.newest) ?? []);
      assert.ok(from.done, `${source.name} reads all that it wrote`);
    }
    for (const n of NUMBERS) {
      const item = this.#catalogue.get(`i${n}`)!;
      item.ownPopularity = other.#catalogue.get(`i${n}`)!.ownPopularity;
      this.#lists.setOthers(item, -Infinity);
    }
  }
}

const NUMBERS = Array.from({ length: ITEMS }, (_, n) => n);
const BACKWARDS = NUMBERS.toReversed();

/** Registers the suite. @param forgets Whether scores are by age alone, whenever they are computed */
export function sourceContract(kind: SourceKind, { forgets = true } = {}): void {
  Deno.test(`${kind.name} proposes and scores nothing before it has learnt anything`, () => {
    const world = new World(kind, NUMBERS);
    world.ask([]);
    assert.deepEqual(world.proposed(10, () => true), []);
    assert.equal(world.scores(NUMBERS).most, 0);
  });

  Deno.test(`${kind.name} proposes its highest scores among the allowed items, each item once`, () => {
    const world = new World(kind, NUMBERS);
    world.learn(0, 400);
    world.ask([3, 1, 7]);
    const { scores, most } = world.scores(NUMBERS);
    assert.ok(most > 0 && scores.every((score) => Number.isFinite(score) && score >= 0 && score <= most));
    assert.equal(Math.max(...scores), most);
    assert.deepEqual(world.scores(BACKWARDS), { scores, most }, "the order of items does not matter");
    for (const limit of [2, 5, ITEMS]) {
      const may = (n: number) => n % 3 > 0;
      const items = world.proposed(limit, may);
      assert.equal(new Set(items).size, items.length);
      assert.ok(items.every((n) => may(n) && scores[n]! > 0), `${items}`);
      const least = Math.min(...items.map((n) => scores[n]!));
      const better = NUMBERS.filter((n) => may(n) && scores[n]! > least && !items.includes(n));
      if (items.length >= limit) assert.deepEqual(better, [], `of ${limit}`);
      assert.ok(items.filter((n) => scores[n]! > least).length < limit);
    }
  });

  Deno.test(`${kind.name} scores the same however long ago the stream began`, () => {
    const [want, ...others] = [0, 1, 20, 31.9, 40, 10_000].map((halfLives) => {
      const world = new World(kind, NUMBERS, START - halfLives * HOUR_MS);
      world.learn(0, 400);
      world.ask([3, 1, 7]);
      return world.scores(NUMBERS).scores;
    });
    for (const scores of others) {
      scores.forEach((score, n) => {
        assert.ok(Math.abs(score - want![n]!) <= 1e-3 * want![n]!, `${score} is not ${want![n]}`);
      });
    }
  });

  if (forgets) {
    Deno.test(`${kind.name} scores by recent behaviours, whatever happened long ago`, () => {
      const [want, ...others] = [[], [400], [400, 400], [3000]].map((lengths) => {
        const world = new World(kind, NUMBERS);
        lengths.forEach((length, n) => world.learn(1000, 1000 + length, (lengths.length - n) * 1e11));
        world.learn(0, 400);
        world.ask([3, 1, 7]);
        return world.scores(NUMBERS).scores;
      });
      for (const scores of others) {
        scores.forEach((score, n) => {
          assert.ok(
            Math.abs(score - want![n]!) <= 1e-3 * want![n]! + 1e-9,
            `${score} of ${n} is not ${want![n]}`,
          );
        });
      }
    });
  }

  Deno.test(`${kind.name} copies its state, which does not change with what is learnt later`, () => {
    const world = new World(kind, NUMBERS);
    world.learn(0, 300);
    const bytes = world.encode(), copy = world.source.copy?.();
    if (copy === undefined) return;
    world.learn(300, 400, 1e11);
    assert.notDeepEqual(world.encode(), bytes);
    assert.deepEqual(world.encode(copy), bytes);
  });

  Deno.test(`${kind.name} goes on from its bytes as if it had never stopped, even if items have other indices`, () => {
    const [whole, restored] = [new World(kind, NUMBERS), new World(kind, BACKWARDS)];
    whole.learn(0, 300);
    restored.restore(whole);
    for (const world of [whole, restored]) {
      world.learn(300, 400);
      world.ask([3, 1, 7]);
    }
    assert.deepEqual(restored.encode(), whole.encode());
    assert.deepEqual(restored.scores(NUMBERS), whole.scores(NUMBERS));
    const sorted = (world: World) => world.proposed(5, () => true).sort((a, b) => a - b);
    assert.deepEqual(sorted(restored), sorted(whole));
  });
}

/** A bank that has learnt some of the items of the world. */
function servedBank(): ServedBank {
  const learner = new BankLearner(
    { width: BANK_WIDTH, drawn: 8, behaviours: BANK_BEHAVIOURS, together: 1, tableBytes: 1 << 24, seed: 1 },
    PLAIN,
  );
  for (let n = 0; n < 300; n++) {
    const before = {
      items: [`i${n % 50}`],
      strengths: Float32Array.of(1),
      times: Float64Array.of(START + n),
    };
    learner.learn([{ before, item: `i${(n + 1) % 50}`, time: START + n + 1 }], Infinity);
  }
  const bank = new ServedBank("plain");
  for (const [name, bytes] of learner.takeRows("full")) {
    const staged = bank.stage(name, bytes);
    staged.find(Infinity);
    staged.commit();
  }
  bank.set(learner.bank.parameters.values);
  return bank;
}
