import assert from "node:assert/strict";
import fc from "fast-check";
import {
  InterleavingTotals,
  listPicker,
  type Picker,
  teamDraft,
} from "../../src/experiments/interleaving.ts";
import { createRandom } from "../../src/simulator/random.ts";

Deno.test("teamDraft() takes each team's best that was left, and no item twice", () => {
  const ranking = fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7, 8], { minLength: 4 });
  fc.assert(fc.property(ranking, ranking, fc.nat(8), fc.integer(), (a, b, count, seed) => {
    const list = teamDraft([listPicker(a), listPicker(b)], count, createRandom(seed));
    assert.equal(new Set(list.map(({ item }) => item)).size, list.length);
    assert.equal(list.length, Math.min(count, new Set([...a, ...b]).size));
    const taken = new Set<number>();
    for (const { item, team } of list) {
      const wanted = [a, b].map((ranking) => ranking.find((one) => !taken.has(one)));
      if (team === null) assert.deepEqual(wanted, [item, item]);
      else assert.ok(wanted[team] === item && wanted[1 - team] !== item);
      taken.add(item);
    }
  }));
});

/** Draws with these weights from what is left. */
function weightedPicker(weights: Readonly<Record<string, number>>, random: () => number): Picker<string> {
  const left = (above: ReadonlySet<string>) => Object.entries(weights).filter(([item]) => !above.has(item));
  const sum = (entries: [string, number][]) => entries.reduce((total, [, weight]) => total + weight, 0);
  return {
    draw(above) {
      const entries = left(above);
      let point = random() * sum(entries);
      return entries.find(([, weight]) => (point -= weight) < 0)?.[0] ?? entries.at(-1)?.[0];
    },
    probability: (item, above) =>
      above.has(item) || !(item in weights) ? 0 : weights[item]! / sum(left(above)),
  };
}

Deno.test("teamDraft() states the probability of each pick given those above", () => {
  const random = createRandom(4);
  const lists = (a: string[], b: string[]) => [listPicker(a), listPicker(b)] as const;
  const pairs: (readonly [Picker<string>, Picker<string>])[] = [
    lists(["a", "b", "c"], ["a", "c", "d"]),
    lists(["a", "b"], ["b", "a"]),
    lists(["a", "b", "c"], ["d", "e", "f"]),
    lists(["a", "b", "c", "d"], ["b", "a", "d", "c"]),
    [weightedPicker({ a: 5, b: 2, c: 1, d: 1 }, random), weightedPicker({ a: 1, b: 1, d: 6 }, random)],
    [weightedPicker({ a: 5, b: 2, c: 1 }, random), listPicker(["b", "c", "a", "d"])],
    [weightedPicker({ a: 1 }, random), weightedPicker({ b: 1, c: 2, d: 3 }, random)],
  ];
  for (const pickers of pairs) {
    const seen = new Map<string, { count: number; next: Map<string, { count: number; stated: number }> }>();
    for (let n = 0; n < 8000; n++) {
      let above = "";
      for (const { item, propensity } of teamDraft(pickers, 4, random)) {
        const place = seen.get(above) ?? { count: 0, next: new Map() };
        seen.set(above, place);
        place.count++;
        const entry = place.next.get(item) ?? { count: 0, stated: propensity };
        place.next.set(item, entry);
        entry.count++;
        assert.ok(Math.abs(entry.stated - propensity) < 1e-12, `${item} after ${above}`);
        above += item;
      }
    }
    for (const [above, { count, next }] of seen) {
      let sum = 0;
      for (const [item, { count: own, stated }] of next) {
        sum += stated;
        const gap = Math.abs(own / count - stated);
        assert.ok(gap < 5 * Math.sqrt(0.25 / count) * Number(stated < 1) + 1e-9, `${item} after "${above}"`);
      }
      if (count > 1000) assert.ok(Math.abs(sum - 1) < 1e-9, `all picks after "${above}": ${sum}`);
    }
  }
});

Deno.test("InterleavingTotals() lets nobody with many clicks decide alone, and stays within [−1, 1]", () => {
  const totals = new InterleavingTotals();
  for (let user = 0; user < 100; user++) totals.update(`u${user}`, [1, 0]);
  assert.equal(totals.get(0.05).value, -1);
  totals.update("many", [0, 900]);
  assert.ok(Math.abs(totals.get(0.05).value - (30 - 100) / 130) < 1e-12);
});

Deno.test("InterleavingTotals() prefers nobody in 95 % of runs where both are alike, however often it is looked at", () => {
  let wrong = 0;
  for (let run = 0; run < 300; run++) {
    const random = createRandom(run, 8);
    const totals = new InterleavingTotals();
    for (let n = 1; n <= 1500; n++) {
      const most = 1 + Math.floor(6 * random() ** 2); // people click differently much
      const clicks: [number, number] = [0, 0];
      for (let k = 0; k < most; k++) clicks[random() < 0.5 ? 0 : 1]++;
      totals.update(`u${n}`, clicks);
      if (n % 20 !== 0 || n < 40) continue;
      const { interval } = totals.get(0.05);
      if (interval.low <= 0 && interval.high >= 0) continue;
      wrong++;
      break;
    }
  }
  assert.ok(wrong <= 15, `${wrong} of 300`);
});

Deno.test("InterleavingTotals() counts users, not clicks, and merges", () => {
  const totals = [new InterleavingTotals(), new InterleavingTotals(), new InterleavingTotals()] as const;
  const random = createRandom(6);
  for (let n = 0; n < 400; n++) {
    const user = Math.floor(random() * 50);
    const clicks = [Math.floor(random() * 3), Math.floor(random() * 4)] as const;
    totals[0].update(`u${user}`, clicks);
    totals[1 + user % 2]!.update(`u${user}`, clicks);
  }
  totals[1].merge(totals[2]);
  const [a, b] = [totals[0].get(0.05), totals[1].get(0.05)];
  assert.deepEqual(a.wins, b.wins);
  assert.ok(Math.abs(a.value - b.value) < 1e-9);
  assert.equal(a.wins.reduce((sum, wins) => sum + wins, 0), a.users);
  assert.deepEqual(new InterleavingTotals().get(0.05).interval, { low: -1, high: 1 });
});
