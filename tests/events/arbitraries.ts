/** Arbitrary records for property tests: everything that the validator must accept. */

import fc from "fast-check";
import { COMPARISONS, type Event, type ItemRecord, REQUEST_LISTS } from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { FORBIDDEN_KEYS, MAX_TIME_MS, MIN_TIME_MS } from "../../src/events/limits.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text).length;
const text = (minBytes: number, maxBytes: number) =>
  fc.string({ unit: "binary", maxLength: Math.min(maxBytes, 40) })
    .filter((s) => s.isWellFormed() && bytesOf(s) >= minBytes && bytesOf(s) <= maxBytes);
const plain = (maxBytes: number) => text(1, maxBytes).filter((s) => !/\p{Cc}/u.test(s));
const id = plain(256);
const name = plain(64).filter((s) => !FORBIDDEN_KEYS.includes(s));
const time = fc.integer({ min: MIN_TIME_MS, max: MAX_TIME_MS - 1 });
// JSON has no negative zero.
const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0);
const probability = fc.double({ min: Number.MIN_VALUE, max: 1, noNaN: true });
const ids = (minLength: number) => fc.uniqueArray(id, { minLength, maxLength: 20 });
const attributes = fc.dictionary(
  name,
  fc.oneof(
    text(0, 1024),
    finite,
    fc.boolean(),
    fc.array(text(0, 1024), { maxLength: 4 }),
    fc.array(finite, { minLength: 1, maxLength: 4 }),
  ),
  { maxKeys: 6, noNullPrototype: true },
);

/** A record with some of its optional fields, and perhaps an unknown one. */
function record<T>(required: object, optional: object): fc.Arbitrary<T> {
  const known = Object.keys({ ...required, ...optional });
  const extra = fc.dictionary(
    name.filter((key) => key !== "type" && !known.includes(key)),
    // JSON has no -0, so it does not come back.
    fc.jsonValue({ maxDepth: 2 }).map((value): unknown => JSON.parse(JSON.stringify(value))).filter((value) =>
      !/__proto__|constructor|prototype/.test(JSON.stringify(value))
    ),
    { maxKeys: 1, noNullPrototype: true },
  );
  const model = { ...required, ...optional } as Record<string, fc.Arbitrary<unknown>>;
  return fc.tuple(fc.record(model, { requiredKeys: Object.keys(required), noNullPrototype: true }), extra)
    .map(([fields, more]) => ({ ...fields, ...more }) as T);
}

const base = { user: id, time };
const shown = { id, request: id, context: attributes, surface: name };

/** Any event. */
export const anyEvent: fc.Arbitrary<Event> = fc.oneof(
  record<Event>(
    { type: fc.constant("interaction"), ...base, item: id, action: name },
    { id, value: finite, request: id, surface: name },
  ),
  record<Event>(
    { type: fc.constant("request"), ...base, request: id, count: fc.integer({ min: 1, max: 1000 }) },
    {
      id,
      candidates: ids(1),
      exclude: fc.array(id, { maxLength: 5 }),
      item: id,
      like: fc.array(id, { minLength: 1, maxLength: 3 }),
      list: fc.constantFrom(...REQUEST_LISTS),
      filter: fc.record({
        categories: fc.array(id, { maxLength: 3 }),
        allCategories: fc.array(id, { maxLength: 3 }),
        notCategories: fc.array(id, { maxLength: 3 }),
        where: fc.array(
          fc.record({
            attribute: name,
            is: fc.constantFrom(...COMPARISONS),
            value: fc.oneof(finite, fc.boolean(), text(0, 1024)),
          }, { noNullPrototype: true }),
          { maxLength: 2 },
        ),
        seen: fc.boolean(),
      }, {
        requiredKeys: [],
        noNullPrototype: true,
      }),
      diversity: fc.record({
        perCategory: fc.integer({ min: 1, max: 1000 }),
        relevance: fc.constantFrom(0, 0.5, 1),
      }, { requiredKeys: [], noNullPrototype: true }),
      boosts: fc.array(
        fc.record(
          { by: fc.constantFrom(0.5, 3), categories: fc.array(id, { maxLength: 2 }) },
          { requiredKeys: ["by"], noNullPrototype: true },
        ),
        { maxLength: 2 },
      ),
      frequency: fc.record({ most: fc.constantFrom(1, 9), withinMs: fc.constantFrom(1, 1e9) }, {
        noNullPrototype: true,
      }),
      context: attributes,
      surface: name,
    },
  ),
  ids(1).chain((items) => {
    const size = { minLength: items.length, maxLength: items.length };
    return record<Event>({ type: fc.constant("impression"), ...base, items: fc.constant(items) }, {
      ...shown,
      propensities: fc.array(probability, size),
      positions: fc.array(fc.nat(9_999), size),
    });
  }),
  record<Event>({ type: fc.constant("profile"), ...base, attributes }, { id }),
  record<Event>({
    type: fc.constant("merge"),
    ...base,
    from: id,
    behaviours: fc.array(
      fc.record({ item: id, action: name, time: base.time, strength: finite }, { noNullPrototype: true }),
      { maxLength: 3 },
    ),
  }, { id, attributes }),
  record<Event>({ type: fc.constant("alias"), ...base, of: id }, { id }),
  record<Event>({ type: fc.constant("forget"), ...base }, { id }),
);

/** Any item. */
export const anyItem: fc.Arbitrary<ItemRecord> = record(
  { item: id, time },
  {
    category: id,
    categories: fc.array(id, { maxLength: 5 }),
    title: text(0, 1024),
    attributes,
    hidden: fc.boolean(),
    expires: time,
  },
);

/** Any answer. */
export const anyRecommendation: fc.Arbitrary<Recommendation> = record(
  {
    request: id,
    user: id,
    time,
    items: fc.array(
      fc.record({ item: id, score: finite, position: fc.nat(9_999), propensity: probability, source: name }, {
        noNullPrototype: true,
      }),
      { maxLength: 5 },
    ),
    model: name,
    version: fc.nat(),
    stateVersion: fc.nat(),
    tookMicros: fc.nat(),
  },
  { experiment: name, variant: name },
);
