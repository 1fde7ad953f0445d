import assert from "node:assert/strict";
import fc from "fast-check";
import { creditCode, creditOf } from "../../src/assignment/credit.ts";
import { InterleavingTotals, listPicker, type Picker, teamDraft } from "../../src/assignment/interleaving.ts";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import { weightedPicker } from "./weighted_picker.ts";

Deno.test("teamDraft() takes each team's best remaining item, and no item twice", () => {
  const ranking = fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7, 8], { minLength: 4 });
  fc.assert(fc.property(ranking, ranking, fc.nat(8), fc.integer(), (a, b, count, seed) => {
    const list = teamDraft([listPicker(a), listPicker(b)], count, createRandom(seed));
    assert.equal(new Set(list.map(({ item }) => item)).size, list.length);
    assert.equal(list.length, Math.min(count, new Set([...a, ...b]).size));
    const taken = new Set<number>();
    for (const { item, picker, team } of list) {
      assert.equal([a, b][picker]!.find((one) => !taken.has(one)), item);
      assert.ok(team === null || team === picker);
      taken.add(item);
    }
  }));
});

Deno.test("teamDraft() credits the picker below the shared beginning, up to the end of the shorter list", () => {
  const credits = (a: readonly string[], b: readonly string[]) =>
    teamDraft([listPicker(a), listPicker(b)], 6, () => 0).map(({ item, team }) => `${item}${team ?? "-"}`)
      .join(" ");
  assert.equal(credits([..."abcdef"], [..."abcdef"]), "a- b- c- d- e- f-");
  assert.equal(credits([..."abcdef"], [..."xabcdef"]), "a0 x1 b0 c1 d0 e1");
  assert.equal(credits([..."abcdef"], [..."abcxdef"]), "a- b- c- x1 d0 e1");
  assert.equal(credits([..."abc"], [..."xabcdef"]), "a0 x1 b0 c- d- e-");
  assert.equal(credits([..."a"], [..."xyz"]), "a0 x- y- z-");
  assert.equal(credits([], [..."xyz"]), "x- y- z-");
  // An item that a team draws is never shared, unless its draw is certain.
  const certain = weightedPicker(new Map([["a", 1], ["b", 0]]), () => 0.5);
  const list = teamDraft([certain, listPicker(["a", "b"])], 1, () => 0);
  assert.deepEqual(list.map(({ team, propensity }) => [team, propensity]), [[null, 1]]);
});

Deno.test("teamDraft() states the probability of each pick given those above", () => {
  const random = createRandom(4);
  const drawn = (weights: Record<string, number>) => weightedPicker(new Map(Object.entries(weights)), random);
  const lists = (a: string[], b: string[]) => [listPicker(a), listPicker(b)] as const;
  const pairs: (readonly [Picker<string>, Picker<string>])[] = [
    lists(["a", "b", "c"], ["a", "c", "d"]),
    lists(["a", "b"], ["b", "a"]),
    lists(["a", "b", "c"], ["d", "e", "f"]),
    lists(["a", "b", "c", "d"], ["e", "f"]),
    lists(["a", "b", "c", "d"], ["b", "a", "d", "c"]),
    [drawn({ a: 5, b: 2, c: 1, d: 1 }), drawn({ a: 1, b: 1, d: 6 })],
    [drawn({ a: 5, b: 2, c: 1 }), listPicker(["b", "c", "a", "d"])],
    [drawn({ a: 1 }), drawn({ b: 1, c: 2, d: 3 })],
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

Deno.test("creditOf() decodes creditCode(), and reads credits of the old format as nobody's", () => {
  for (const team of [undefined, 0, 1] as const) assert.equal(creditOf(creditCode(team)), team);
  assert.deepEqual([creditOf(1), creditOf(2)], [undefined, undefined]);
});

Deno.test("InterleavingTotals() limits the influence of a heavy user, and stays within [−1, 1]", () => {
  const totals = new InterleavingTotals();
  for (let user = 0; user < 100; user++) totals.update(`u${user}`, [1, 0]);
  assert.equal(totals.get(0.05).value, -1);
  totals.update("many", [0, 900]);
  assert.ok(Math.abs(totals.get(0.05).value - (30 - 100) / 130) < 1e-12);
});

Deno.test("InterleavingTotals() finds what people prefer despite a robot", () => {
  const items = Array.from({ length: 30 }, (_, item) => item);
  // One person in five clicks item 5, which B has on top.
  const pickers = [listPicker(items), listPicker([5, ...items.filter((item) => item !== 5)])] as const;
  const robots: readonly ((item: number) => boolean)[] = [
    () => true,
    (item) => item === 0,
    (item) => item === 5,
  ];
  for (const robot of robots) {
    const random = createRandom(7, 21);
    const totals = new InterleavingTotals();
    const see = (user: string, clicks: (item: number) => boolean) => {
      const teams: [number, number] = [0, 0];
      for (const { item, team } of teamDraft(pickers, 10, random)) {
        if (team !== null && clicks(item)) teams[team]++;
      }
      totals.update(user, teams);
    };
    for (let user = 0; user < 1000; user++) {
      see(`u${user}`, (item) => random() < (item === 5 ? 0.2 : 0.05));
      for (let list = 0; list < 4; list++) see("robot", robot);
    }
    const { value, interval } = totals.get(0.05);
    assert.ok(value > 0 && interval.low > 0, `${robot}: ${value}, from ${interval.low}`);
  }
});

Deno.test("InterleavingTotals() prefers nobody in 95 % of runs with random clicks, checked after every list", () => {
  const lists = [listPicker([1, 2, 3, 4, 5]), listPicker([9, 1, 2, 3, 4, 5])] as const;
  let wrong = 0;
  for (let run = 0; run < 200; run++) {
    const random = createRandom(run, 8);
    const totals = new InterleavingTotals();
    for (let n = 1; n <= 1000; n++) {
      // Some users return, and click rates differ.
      const user = Math.floor(n * random() ** 3);
      const rate = 0.02 + 0.6 * createRandom(user, run)() ** 4;
      const clicks: [number, number] = [0, 0];
      for (const { team } of teamDraft(lists, 5, random)) {
        if (team !== null && random() < rate) clicks[team]++;
      }
      totals.update(`u${user}`, clicks);
      const { interval } = totals.get(0.05);
      if (interval.low <= 0 && interval.high >= 0) continue;
      wrong++;
      break;
    }
  }
  assert.ok(wrong <= 10, `${wrong} of 200`);
});

Deno.test("InterleavingTotals() covers the true preference in 95 % of runs, checked after every 10 users", () => {
  for (const share of [0.7, 0.95]) {
    let missed = 0;
    for (let run = 0; run < 100; run++) {
      const random = createRandom(run, 31);
      const totals = new InterleavingTotals();
      for (let n = 1; n <= 1000; n++) {
        const clicks: [number, number] = [0, 0];
        do clicks[random() < share ? 1 : 0]++; while (random() < 0.5);
        totals.update(`u${n}`, clicks);
        if (n % 10 !== 0) continue;
        const { low, high } = totals.get(0.05).interval;
        if (low <= 2 * share - 1 && 2 * share - 1 <= high) continue;
        missed++;
        break;
      }
    }
    assert.ok(missed <= 5, `${missed} of 100`);
  }
});

Deno.test("InterleavingTotals() excludes 0 only where a martingale over lists does, so users may return", () => {
  const [alpha, tunedFor] = [0.05, 100];
  const twice = -2 * Math.log(alpha);
  const rho = tunedFor / (twice + Math.log(twice + 1));
  let excluded = 0;
  for (let run = 0; run < 20; run++) {
    const random = createRandom(run, 32);
    const totals = new InterleavingTotals();
    const counts = new Map<string, number>();
    let [sum, squares, weights] = [0, 0, 0];
    for (let n = 0; n < 2000; n++) {
      const user = `u${Math.floor(60 * random() ** 2)}`;
      const clicks = [Math.floor(2.2 * random()), Math.floor(2.4 * random())] as const;
      totals.update(user, clicks);
      const k = clicks[0] + clicks[1];
      const count = (counts.get(user) ?? 0) + k;
      if (k === 0 || count - k >= 100) continue;
      counts.set(user, count);
      sum += (clicks[1] - clicks[0]) / Math.sqrt(count);
      squares += (clicks[1] - clicks[0]) ** 2 / count;
      weights += k / Math.sqrt(count);
      if (n % 20 !== 0) continue;
      const { value, interval } = totals.get(alpha, tunedFor);
      assert.ok(Math.abs(value - sum / weights) < 1e-9, `${value} ${sum / weights}`);
      if (interval.low <= 0 && interval.high >= 0) continue;
      excluded++;
      assert.ok(
        sum ** 2 > (squares + rho) * (twice + Math.log1p(squares / rho)) * (1 - 1e-9),
        `run ${run}, list ${n}`,
      );
    }
  }
  assert.ok(excluded > 50, `${excluded}`);
});

Deno.test("InterleavingTotals() ignores how lists of users interleave, and goes on after decode()", () => {
  const [one, other] = [new InterleavingTotals(), new InterleavingTotals()];
  const listsOf = new Map<string, [number, number][]>();
  const random = createRandom(6);
  for (let n = 0; n < 400; n++) {
    const user = `u${Math.floor(random() * 50)}`;
    const clicks: [number, number] = [Math.floor(random() * 3), Math.floor(random() * 4)];
    one.update(user, clicks);
    listsOf.set(user, [...listsOf.get(user) ?? [], clicks]);
  }
  for (const [user, lists] of listsOf) for (const clicks of lists) other.update(user, clicks);
  const [a, b] = [one.get(0.05), other.get(0.05)];
  assert.deepEqual(a.wins, b.wins);
  for (const [x, y] of [[a.value, b.value], [a.interval.low, b.interval.low]] as const) {
    assert.ok(Math.abs(x - y) < 1e-9);
  }
  assert.equal(a.wins.reduce((sum, wins) => sum + wins, 0), a.users);
  assert.deepEqual(new InterleavingTotals().get(0.05).interval, { low: -1, high: 1 });
  const to = new ByteWriter();
  one.encode(to);
  const restored = new InterleavingTotals();
  restored.decode(new ByteReader(to.toBytes()));
  for (const user of listsOf.keys()) {
    const own = new ByteWriter();
    one.encodeUser(own, user);
    restored.decodeUser(new ByteReader(own.toBytes()), user);
  }
  for (const totals of [one, restored]) totals.update("u7", [2, 1]);
  assert.deepEqual(restored.get(0.05), one.get(0.05));
});
