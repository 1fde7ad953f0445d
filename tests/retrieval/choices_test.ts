import assert from "node:assert/strict";
import type { CatalogueItem } from "../../src/items/catalogue.ts";
import { Choices, type ChoicesParts } from "../../src/retrieval/choices.ts";
import { ARRIVALS, Arrivals, FLOOD } from "../../src/retrieval/signals/arrivals.ts";
import type { CandidateRequest } from "../../src/retrieval/signals/candidate_request.ts";
import type { UserState } from "../../src/users/user_state.ts";

const TIME = 1000;
const item = (index: number, more: Partial<CatalogueItem> = {}) =>
  ({ index, id: `i${index}`, withheld: false, expires: Infinity, ...more }) as CatalogueItem; // all that is read
const ITEMS = [
  item(0),
  item(1, { withheld: true }),
  item(2, { expires: TIME }),
  item(3, { expires: TIME + 1 }),
  item(4),
  item(5),
];
const ANN = { id: "ann" } as UserState; // all that is read
/** The user has item 4 in the sequence, and had item 5 before it. */
const [SEEN, FORMER] = [4, 5];

interface Seen {
  readonly expected?: boolean;
  readonly hasRequests?: boolean;
  /** Steps of the blend so far. */
  readonly steps?: number;
  readonly arrivals?: Arrivals;
  readonly flood?: Arrivals;
  /** Place of the taken item among the candidates; −1 = it is not one of them. */
  readonly place?: number;
}

/** Choices that report which requests get candidates, and which get features. */
function choicesOf(
  seen: Seen,
  propose: (of: CandidateRequest) => void,
  features: (of: CandidateRequest) => void = () => {},
): Choices {
  const { expected = false, hasRequests = true, steps = 0, place = 0 } = seen;
  const { arrivals = new Arrivals(ARRIVALS), flood = new Arrivals(FLOOD) } = seen;
  const parts = {
    catalogue: { offers: ({ withheld }: CatalogueItem) => !withheld },
    ordering: { hasRequests, blend: { steps }, learnBlend: () => {} },
    arrivals,
    flood,
    past: {
      context: () => null,
      items: () => Uint32Array.of(SEEN),
      hadBefore: (_: UserState, { index }: CatalogueItem) => !expected && index === FORMER,
    },
    returns: { expected },
    gatherer: {
      propose,
      features,
      placeOf: () => place,
      proposersOf: () => 0,
    },
    orders: { learn: () => null },
    counts: { countTaken: () => {} },
  };
  return new Choices(parts as unknown as ChoicesParts); // the parts that learn are not looked at
}

/** What candidates are gathered for when a user takes an item; `null` = none are. */
function requestFor(taken: CatalogueItem, expected: boolean): CandidateRequest | null {
  let request: CandidateRequest | null = null;
  choicesOf({ expected }, (of) => request = of).learn(ANN, taken, TIME);
  return request;
}

/** Number of steps over `count` wanted behaviours that come `gapMs` apart. */
function stepsOutOf(count: number, gapMs: number, seen: Seen, begin: number = TIME): number {
  const { arrivals = new Arrivals(ARRIVALS), flood = new Arrivals(FLOOD) } = seen;
  let steps = 0;
  const choices = choicesOf({ ...seen, arrivals, flood }, () => steps++);
  for (let n = 0; n < count; n++) {
    const time = begin + n * gapMs;
    choices.learn(ANN, item(0, { id: `i${n}`, expires: Infinity }), time);
    for (const counts of [arrivals, flood]) counts.learn({ time, wanted: true });
  }
  return steps;
}

Deno.test("Choices.learn() gathers only what a request could list: nothing withheld, expired or already had", () => {
  for (const expected of [true, false]) {
    const { excluded = [], allowed } = requestFor(ITEMS[0]!, expected) ?? assert.fail("no step");
    const listed = ITEMS.filter((one) => allowed(one) && !Array.from(excluded).includes(one.index));
    assert.deepEqual(listed.map(({ index }) => index), expected ? [0, 3, SEEN, FORMER] : [0, 3]);
  }
});

Deno.test("Choices.learn() learns nothing from items that lists leave out because the user already had them", () => {
  for (const index of [SEEN, FORMER]) {
    assert.equal(requestFor(ITEMS[index]!, false), null);
    assert.notEqual(requestFor(ITEMS[index]!, true), null);
  }
});

Deno.test("Choices.learn() makes features only when the item was proposed", () => {
  for (const [place, made] of [[-1, 0], [0, 1], [7, 1]] as const) {
    let [proposed, features] = [0, 0];
    choicesOf({ place }, () => proposed++, () => features++).learn(ANN, ITEMS[0]!, TIME);
    assert.deepEqual([proposed, features], [1, made]);
  }
});

Deno.test("Choices.learn() takes fewer steps as they add up, and four times as many when behaviours are rare", () => {
  const [rush, leisure] = [100, 10_000]; // milliseconds from one to the next
  const table: [steps: number, gapMs: number, every: number][] = [
    ...[[0, rush, 1], [2000, rush, 2], [4000, rush, 4], [9000, rush, 16], [90_000, rush, 16]] as const,
    ...[[0, leisure, 1], [4000, leisure, 1], [6000, leisure, 2], [9000, leisure, 4], [
      90_000,
      leisure,
      4,
    ]] as const,
  ].map(([...row]) => row);
  for (const [steps, gapMs, every] of table) {
    const arrivals = new Arrivals(ARRIVALS);
    for (let n = 0; n < 20_000; n++) arrivals.learn({ time: TIME + n * gapMs, wanted: true });
    const share = stepsOutOf(8000, gapMs, { steps, arrivals }, TIME + 20_000 * gapMs) / 8000;
    assert.ok(Math.abs(share * every - 1) < 0.15, `${steps} steps, every ${gapMs} ms: ${share} of all`);
  }
  const early = stepsOutOf(8000, leisure, { hasRequests: false }) / 8000;
  assert.ok(Math.abs(early * 64 - 1) < 0.3, `${early} of all before the first request`);
});

Deno.test("Choices.learn() settles at one step in 16 behaviours, or at one every two seconds if that is more", () => {
  for (const perSecond of [0.1, 0.5, 1, 2, 4, 8, 30, 200]) {
    const count = 20_000, steps = stepsOutOf(count, 1000 / perSecond, { steps: 90_000 });
    const most = Math.max(count / 16, 0.5 * count / perSecond);
    assert.ok(steps < 1.1 * most + 1000, `${perSecond} per second: ${steps} steps`);
    const least = Math.min(count / 4, most);
    assert.ok(steps > 0.8 * least, `${perSecond} per second: ${steps} steps`);
  }
});

Deno.test("Choices.learn() takes at most 12 steps a second in a flood of behaviours, almost from its start", () => {
  for (const perSecond of [100, 1000, 5000]) {
    for (const seen of [{ steps: 0 }, { steps: 90_000 }, { hasRequests: false }]) {
      const seconds = 20, steps = stepsOutOf(seconds * perSecond, 1000 / perSecond, seen);
      // A flood is noticed after its first 300 behaviours, and its full rate is known after about ten seconds.
      const begin = 300 * (1 + Math.log(perSecond / 30));
      const most = 12 * seconds + begin;
      assert.ok(steps < 1.1 * most, `${perSecond} per second: ${steps} steps, not ${most}`);
    }
    const eager = stepsOutOf(20 * perSecond, 1000 / perSecond, { steps: 0 });
    assert.ok(eager > 0.9 * 12 * 20, `${perSecond} per second: ${eager} steps`);
  }
  const [known, longer] = [40, 80].map((seconds) => stepsOutOf(seconds * 1000, 1, { steps: 0 }));
  assert.ok(
    Math.abs((longer! - known!) / 40 - 12) < 1.5,
    `${(longer! - known!) / 40} per second once it is known`,
  );
});
