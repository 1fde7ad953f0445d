import assert from "node:assert/strict";
import type { CatalogueItem } from "../../src/items/catalogue.ts";
import { Choices, type ChoicesParts } from "../../src/retrieval/choices.ts";
import type { CandidateRequest } from "../../src/retrieval/signals/candidate_request.ts";
import type { UserState } from "../../src/users/user_state.ts";

const TIME = 1000;
const item = (index: number, more: Partial<CatalogueItem> = {}) =>
  ({ index, id: `i${index}`, withheld: false, expires: Infinity, ...more }) as CatalogueItem; // all that is read
const ITEMS = [
  ...[item(0), item(1, { withheld: true }), item(2, { expires: TIME }), item(3, { expires: TIME + 1 })],
  ...[item(4), item(5)],
];
/** The user has item 4 in the sequence, and had item 5 before it. */
const [SEEN, FORMER] = [4, 5];

/** What candidates are gathered for when a user takes an item; `null` = none are. */
function requestFor(taken: CatalogueItem, expected: boolean): CandidateRequest | null {
  let request: CandidateRequest | null = null;
  const parts = {
    state: { asked: true, blend: { steps: 0 }, learnBlend: () => {} },
    past: {
      context: () => null,
      items: () => Uint32Array.of(SEEN),
      hadBefore: (_: UserState, { index }: CatalogueItem) => !expected && index === FORMER,
    },
    returns: { expected },
    gatherer: {
      gather: (of: CandidateRequest) => request = of,
      placeOf: () => 0,
      proposersOf: () => 0,
    },
    orders: { learn: () => null },
    counts: { take: () => {} },
    learnEvery: 1,
  };
  const choices = new Choices(parts as unknown as ChoicesParts); // the parts that learn are not looked at
  choices.learn({ id: "ann" } as UserState, taken, TIME); // all that is read
  return request;
}

Deno.test("Choices.learn() gathers what a request could list: nothing withheld, expired or had", () => {
  for (const expected of [true, false]) {
    const { excluded = [], allowed } = requestFor(ITEMS[0]!, expected) ?? assert.fail("no step");
    const listed = ITEMS.filter((one) => allowed(one) && !Array.from(excluded).includes(one.index));
    assert.deepEqual(listed.map(({ index }) => index), expected ? [0, 3, SEEN, FORMER] : [0, 3]);
  }
});

Deno.test("Choices.learn() learns nothing from what lists leave out because the user had it", () => {
  for (const index of [SEEN, FORMER]) {
    assert.equal(requestFor(ITEMS[index]!, false), null);
    assert.notEqual(requestFor(ITEMS[index]!, true), null);
  }
});
