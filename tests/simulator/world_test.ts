import assert from "node:assert/strict";
import { itemRecord } from "../../scripts/simulator/item.ts";
import { decodeItem, encodeItem } from "../../src/events/codec.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import { clickRate, shownItems } from "../../scripts/simulator/figures.ts";
import {
  BestPolicy,
  type PageView,
  pageViews,
  type Policy,
  RandomPolicy,
  Shop,
} from "../../scripts/simulator/shop.ts";
import { createWorld, type World, type WorldOptions } from "../../scripts/simulator/world.ts";

const SMALL: WorldOptions = { seed: 5, users: 120, items: 150, days: 14 };

function play(world: World, policy: Policy): readonly PageView[] {
  return [...pageViews(world, policy, createRandom(1))];
}

function shopOf(world: World): Shop {
  return new Shop(world, createRandom(2));
}

const world = createWorld(SMALL);
const views = play(world, shopOf(world));

Deno.test("createWorld() refuses sizes that are not positive integers", () => {
  for (const options of [{ users: 0 }, { items: 1.5 }, { days: -1 }, { users: NaN }]) {
    assert.throws(() => createWorld({ seed: 1, ...options }), RangeError);
  }
});

Deno.test("createWorld() makes the same world for a seed and another for another", () => {
  const again = createWorld(SMALL);
  assert.deepEqual(play(again, shopOf(again)), views);
  const other = createWorld({ ...SMALL, seed: 6 });
  assert.notDeepEqual(other.items, world.items);
});

Deno.test("World.next() goes forward in time, ends, and says when a person is new", () => {
  const seen = new Set<string>();
  let time = world.start;
  for (const view of views) {
    assert.ok(view.time >= time && view.time < world.end);
    assert.equal(view.newUser, !seen.has(view.user));
    seen.add(view.user);
    time = view.time;
  }
  assert.equal(world.next(), null);
  assert.ok(views.some(({ page }) => page > 3), "sessions have several pages");
});

Deno.test("World.next() goes on when visits stay unanswered", () => {
  const silent = createWorld(SMALL);
  let visits = 0;
  while (silent.next() !== null) visits++;
  assert.ok(visits > 100);
});

Deno.test("World.truth() changes nothing, however often it is asked", () => {
  const asked = createWorld(SMALL);
  const shop = shopOf(asked);
  const nosy: Policy = {
    list(visit) {
      const all = asked.onSale(visit.time).map(({ id }) => id);
      for (let i = 0; i < 2; i++) asked.truth(visit.user, all, visit.time);
      return shop.list(visit);
    },
    observe: (user, answer) => shop.observe(user, answer),
  };
  assert.deepEqual(play(asked, nosy), views);
});

Deno.test("World.truth() is 0 off sale and falls with the position; unknown names are refused", () => {
  const fresh = createWorld(SMALL);
  const visit = fresh.next();
  assert.ok(visit !== null);
  const { user, time } = visit;
  const unborn = fresh.items.at(-1);
  const onSale = fresh.onSale(time)[0];
  assert.ok(unborn !== undefined && unborn.born > time && onSale !== undefined);
  assert.deepEqual([...fresh.truth(user, [unborn.id], time)], [0]);
  const [top, below] = fresh.truth(user, [onSale.id, onSale.id], time);
  assert.ok(top !== undefined && below !== undefined && below < top && below > 0.9 * top);
  assert.throws(() => fresh.truth("nobody", [onSale.id], time), RangeError);
  assert.throws(() => fresh.truth(user, ["nothing"], time), RangeError);
});

Deno.test("World.answer() clicks as often as the truth says, in every decile", () => {
  const rows = views.flatMap(shownItems).sort((a, b) => a.truth - b.truth);
  assert.ok(rows.length > 5000);
  for (let decile = 0; decile < 10; decile++) {
    const part = rows.slice(decile * rows.length / 10, (decile + 1) * rows.length / 10);
    const expected = part.reduce((sum, { truth }) => sum + truth, 0);
    const variance = part.reduce((sum, { truth }) => sum + truth * (1 - truth), 0);
    const clicks = part.filter(({ label }) => label === 1).length;
    const sigmas = (clicks - expected) / Math.sqrt(variance);
    assert.ok(Math.abs(sigmas) < 4, `decile ${decile}: ${clicks} clicks, ${expected} expected`);
  }
});

Deno.test("World.answer() comes after the page, in the order of time", () => {
  for (const { time, items, answers } of views) {
    let last = time;
    for (const answer of answers) {
      assert.ok(answer.time >= last);
      assert.equal(answer.item.id, items?.[answer.position]);
      last = answer.time;
    }
  }
});

Deno.test("pageViews() shows no item before its birth or after its death, and none twice", () => {
  const items = new Map(world.items.map((item) => [item.id, item]));
  const shown = new Set<string>();
  for (const view of views) {
    assert.equal(new Set(view.items ?? []).size, view.items?.length ?? 0);
    for (const id of view.items ?? []) {
      const item = items.get(id);
      assert.ok(item !== undefined && item.born <= view.time && view.time < item.dies);
      shown.add(id);
    }
  }
  assert.ok(
    world.items.some(({ id, born }) => born > world.start && shown.has(id)),
    "some were born meanwhile",
  );
  assert.ok(world.items.some(({ id, dies }) => dies < world.end && shown.has(id)), "some have died");
});

Deno.test("pageViews() tells the policy of an act when its time has come", () => {
  const told: number[] = [];
  const fresh = createWorld(SMALL);
  const shop = shopOf(fresh);
  let now = 0;
  const listening: Policy = {
    list(visit) {
      assert.ok(told.every((time) => time <= visit.time));
      now = visit.time;
      return shop.list(visit);
    },
    observe(user, answer) {
      told.push(answer.time);
      shop.observe(user, answer);
    },
  };
  const played = play(fresh, listening);
  assert.deepEqual(told, told.toSorted((a, b) => a - b));
  const answered = played.flatMap(({ answers }) => answers).filter(({ time }) => time <= now);
  assert.equal(told.length, answered.length);
});

Deno.test("BestPolicy beats the shop, and the shop beats RandomPolicy", () => {
  const [forBest, forRandom] = [createWorld(SMALL), createWorld(SMALL)];
  const best = clickRate(play(forBest, new BestPolicy(forBest)));
  const random = clickRate(play(forRandom, new RandomPolicy(forRandom, createRandom(3))));
  const shop = clickRate(views);
  assert.ok(best > 2 * shop && shop > 1.3 * random, `best ${best}, shop ${shop}, random ${random}`);
});

Deno.test("itemRecord() gives a record that the engine accepts, without the quality", () => {
  for (const item of world.items) {
    const record = itemRecord(item);
    assert.deepEqual(decodeItem(encodeItem(record)), { ok: true, item: record });
    assert.ok(!JSON.stringify(record).includes("quality"));
    assert.equal(record.categories?.length, 2);
  }
});

Deno.test("World.fads lift a category for everybody, for some days", () => {
  const fresh = createWorld(SMALL);
  assert.equal(fresh.fads.length, 2);
  for (const { category, from, to } of fresh.fads) {
    const item = fresh.items.find((item) => item.category === category && item.born < from && item.dies > to);
    if (item === undefined) continue;
    const [before, during] = [from - 1, from].map((time) => fresh.truth("u0", [item.id], time)[0] ?? 0);
    assert.ok(during !== undefined && before !== undefined && during > 1.5 * before);
  }
});
