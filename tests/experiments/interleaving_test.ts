import assert from "node:assert/strict";
import fc from "fast-check";
import { InterleavingTotals, teamDraft } from "../../src/experiments/interleaving.ts";
import { createRandom } from "../../src/simulator/random.ts";

Deno.test("teamDraft() takes each team's best that was left, and no item twice", () => {
  const ranking = fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7, 8], { minLength: 4 });
  fc.assert(fc.property(ranking, ranking, fc.nat(8), fc.integer(), (a, b, count, seed) => {
    const list = teamDraft([a, b], count, createRandom(seed));
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

Deno.test("teamDraft() states the probability of each pick given those above", () => {
  const pairs: [string[], string[]][] = [
    [["a", "b", "c"], ["a", "c", "d"]],
    [["a", "b"], ["b", "a"]],
    [["a", "b", "c"], ["d", "e", "f"]],
    [["a", "b", "c", "d"], ["b", "a", "d", "c"]],
  ];
  for (const lists of pairs) {
    const seen = new Map<string, { count: number; next: Map<string, { count: number; stated: number }> }>();
    const random = createRandom(4);
    for (let n = 0; n < 8000; n++) {
      let above = "";
      for (const { item, propensity } of teamDraft(lists, 4, random)) {
        const place = seen.get(above) ?? { count: 0, next: new Map() };
        seen.set(above, place);
        place.count++;
        const entry = place.next.get(item) ?? { count: 0, stated: propensity };
        place.next.set(item, entry);
        entry.count++;
        assert.equal(entry.stated, propensity, `${item} after ${above}`);
        above += item;
      }
    }
    for (const [above, { count, next }] of seen) {
      for (const [item, { count: own, stated }] of next) {
        const gap = Math.abs(own / count - stated);
        assert.ok(gap < 5 * Math.sqrt(0.25 / count) * Number(stated < 1) + 1e-9, `${item} after "${above}"`);
      }
    }
  }
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
