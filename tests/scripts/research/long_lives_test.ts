import assert from "node:assert/strict";
import { decodeEvent, decodeItem } from "../../../src/events/codec.ts";
import type { ImpressionEvent, InteractionEvent } from "../../../src/events/event.ts";
import { auc } from "../../../src/metrics/ranking.ts";
import { LIVES, longLives } from "../../../scripts/research/long_lives.ts";

const USERS = 30;
const SIZES = { seed: 5, users: USERS, items: 600 };
const world = longLives(SIZES);
const lists = world.events.filter((event) =>
  event.type === "impression"
) as unknown as readonly (ImpressionEvent & {
  readonly oracle: readonly number[];
  readonly away: readonly number[];
})[];
const acts = world.events.filter((event): event is InteractionEvent => event.type === "interaction");
const clicks = new Set(
  acts.flatMap(({ action, request, item }) => action === "click" ? [`${request} ${item}`] : []),
);
const rows = lists.flatMap(({ request, items, oracle, away }) =>
  items.map((item, i) => ({
    label: clicks.has(`${request} ${item}`) ? 1 : 0,
    truth: oracle[i]!,
    away: away[i]!,
  }))
);

Deno.test("longLives() gives the same world for the same seed", () => {
  const small = { ...SIZES, users: 3 };
  assert.deepEqual(longLives(small), longLives(small));
  assert.notDeepEqual(longLives(small), longLives({ ...small, seed: 6 }));
});

Deno.test("longLives() gives events and items that the decoders take, in the order of time", () => {
  const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  assert.ok(world.events.every((event) => decodeEvent(encode(event)).ok));
  assert.ok(world.items.every((item) => decodeItem(encode(item)).ok));
  assert.ok(world.events.every(({ time }, i) => i === 0 || world.events[i - 1]!.time <= time));
});

Deno.test("longLives() shows and plays nothing before it is there", () => {
  const born = new Map(world.items.map(({ item, time }) => [item, time]));
  for (const { items, time } of lists) for (const item of items) assert.ok(born.get(item)! <= time);
  for (const { item, time } of acts) assert.ok(born.get(item)! <= time);
});

Deno.test("longLives() gives everybody as many behaviours as it says, most of them without a list", () => {
  const [least, most] = LIVES.behaviours;
  const numbers = new Map<string, number>();
  for (const { user } of acts) numbers.set(user, (numbers.get(user) ?? 0) + 1);
  assert.equal(numbers.size, USERS);
  // A life ends with the visit in which it is long enough.
  for (const number of numbers.values()) assert.ok(number >= least && number <= most + 100, `${number}`);
  assert.ok(acts.filter(({ action }) => action === "view").length > 0.7 * acts.length);
});

Deno.test("longLives() tells the true probabilities of clicks", () => {
  const expected = rows.reduce((sum, { truth }) => sum + truth, 0);
  const variance = rows.reduce((sum, { truth }) => sum + truth * (1 - truth), 0);
  const found = rows.reduce((sum, { label }) => sum + label, 0);
  // A seeded world: no chance of a false alarm, and 5 sigma of what another seed would give.
  assert.ok(Math.abs(found - expected) < 5 * Math.sqrt(variance), `${found} clicks, expected ${expected}`);
  assert.ok(auc(rows.map(({ label }) => label), rows.map(({ truth }) => truth))! > 0.7);
});

Deno.test("longLives() brings pastimes back after more than 500 behaviours, and likes them more than what is nobody's", () => {
  const rate = (from: number, to: number) => {
    const some = rows.filter(({ away }) => away >= from && away <= to);
    return some.reduce((sum, { truth }) => sum + truth, 0) / some.length;
  };
  assert.ok(rate(500, Infinity) > 1.8 * rate(-1, -1), "what is put away is not forgotten");
  assert.ok(rate(0, 0) > 1.1 * rate(500, Infinity), "what is on is liked most, though just played");
  let returns = 0;
  const last = new Map<string, number>();
  for (const { user, items, away } of lists) {
    items.forEach((item, i) => {
      const key = `${user} ${Number(item.slice(1)) % (LIVES.genres * LIVES.styles)}`;
      if (away[i] === 0 && (last.get(key) ?? 0) >= 500) returns++;
      last.set(key, away[i]!);
    });
  }
  assert.ok(returns > USERS / 3, `${returns} pastimes were seen to come back`);
});

Deno.test("longLives() refuses sizes that are no positive integers", () => {
  for (const users of [0, -1, 1.5, NaN]) assert.throws(() => longLives({ seed: 1, users }), RangeError);
});
