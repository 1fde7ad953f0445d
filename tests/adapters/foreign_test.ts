// deno-lint-ignore-file camelcase -- the columns of EasyRec
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseEasyRec } from "../../src/adapters/easyrec.ts";
import { gorseRow, parseGorse } from "../../src/adapters/gorse.ts";
import { type JsonObject, type Mapped, parseDate } from "../../src/adapters/mapped.ts";
import { parseMetarank } from "../../src/adapters/metarank.ts";
import { checkEvent, checkItem } from "../../src/events/check.ts";
import { toEasyRec, toGorse, toMetarank } from "./written_back.ts";

const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
/** Our validator refuses keys that could reach a prototype. */
const name = fc.stringMatching(/^[a-z]{2,12}$/).filter((text) =>
  !["constructor", "prototype"].includes(text)
);
const time = fc.integer({ min: 700_000_000, max: 4_000_000_000 }).map((seconds) => seconds * 1000 + 123);
const value = fc.oneof(
  id,
  fc.constant("x".repeat(2000)), // longer than our attributes may be
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0),
  fc.boolean(),
  fc.array(id, { maxLength: 4 }),
  fc.array(fc.integer(), { minLength: 1, maxLength: 100 }),
);
const record = (required: object, optional: object = {}): fc.Arbitrary<JsonObject> =>
  fc.record({ ...required, ...optional } as Record<string, fc.Arbitrary<unknown>>, {
    requiredKeys: Object.keys(required),
    noNullPrototype: true,
  });

const fields = fc.uniqueArray(record({ name: fc.oneof(name, fc.constantFrom("title", "category")), value }), {
  selector: (field) => field["name"],
  maxLength: 80,
});

/** Checks that our validator accepts all items and events. @returns them */
function checked({ items = [], events = [] }: Mapped) {
  for (const item of items) assert.ok(checkItem(item).ok, JSON.stringify(checkItem(item)));
  for (const event of events) assert.ok(checkEvent(event).ok, JSON.stringify(checkEvent(event)));
  return [...items, ...events];
}

const shared = { id, timestamp: time, fields };
const ranked = fc.uniqueArray(
  record({ id }, {
    label: fc.integer({ min: 0, max: 4 }),
    relevancy: fc.double({ noNaN: true, min: 0, max: 1 }),
  }),
  { selector: (item) => item["id"], minLength: 1, maxLength: 10 },
);
const metarank = fc.oneof(
  record({ event: fc.constant("item"), ...shared, item: id }, { tenant: id }),
  record({ event: fc.constant("user"), ...shared, user: id }, { tenant: id }),
  record({ event: fc.constant("ranking"), ...shared, items: ranked, session: id }, { user: id, tenant: id }),
  record(
    { event: fc.constant("interaction"), ...shared, item: id, type: name, user: id },
    { session: id, ranking: id, tenant: id },
  ),
);

/** An event of Metarank with its fields sorted by name. */
function canonical(event: JsonObject): JsonObject {
  const fields = event["fields"] as { name: string }[];
  return { ...event, fields: fields.toSorted((a, b) => a.name < b.name ? -1 : 1) };
}

Deno.test("parseMetarank() round-trips events without loss", () => {
  fc.assert(fc.property(metarank, (event) => {
    const exported = [...toMetarank(checked(parseMetarank(event)))];
    assert.deepEqual(exported.map(canonical), [canonical(event)]);
  }));
});

Deno.test("parseMetarank() accepts every format of a time, and reads a label as a click", () => {
  const ranking = { event: "ranking", id: "r1", session: "s", items: [{ id: "a" }, { id: "b", label: 1 }] };
  for (
    const timestamp of [
      1_700_000_000_000,
      "1700000000000",
      "2023-11-14T22:13:20Z",
      "2023-11-14T23:13:20+01:00",
    ]
  ) {
    const { events = [] } = parseMetarank({ ...ranking, timestamp });
    assert.deepEqual(events.map(({ type, time }) => [type, time]), [
      ["impression", 1_700_000_000_000],
      ["interaction", 1_700_000_000_000],
    ]);
    const [impression, click] = events;
    assert.equal(impression?.user, "s");
    assert.ok(click?.type === "interaction" && click.item === "b" && click.request === "r1");
  }
  assert.deepEqual(
    parseMetarank({ event: "metadata", item: "a", timestamp: 1_700_000_000_000, fields: null }),
    {
      items: [{ item: "a", time: 1_700_000_000_000 }],
    },
  );
});

const BAD_METARANK: readonly (readonly [unknown, RegExp])[] = [
  [[], /the event as an object/],
  [{ event: "click" }, /field event as one of item/],
  [{ id: "x" }, /field event as a string: it is missing/],
  [{ event: "item", item: 5, timestamp: 1 }, /field item as a string: current value is 5/],
  [{ event: "item", item: "a", timestamp: "soon" }, /field timestamp as milliseconds or a date/],
  [{ event: "interaction", item: "a", type: "click", timestamp: 1 }, /neither a user nor a session/],
  [{ event: "ranking", id: "r", user: "u", timestamp: 1, items: "a" }, /field items as a list/],
  [{ event: "ranking", id: "r", user: "u", timestamp: 1, items: ["a"] }, /items\[0\] as an object/],
  [{ event: "user", user: "u", timestamp: 1, fields: [{ name: "a", value: null }] }, /fields\[0\]\.value/],
  [
    { event: "user", user: "u", timestamp: 1, fields: [{ name: "a", value: 1 }, { name: "a", value: 2 }] },
    /"a" occurs twice/,
  ],
];

Deno.test("parseMetarank() names the field that is wrong", () => {
  for (const [bad, message] of BAD_METARANK) {
    assert.throws(() => parseMetarank(bad), { name: "SyntaxError", message }, JSON.stringify(bad));
  }
});

const labels = fc.oneof(
  fc.dictionary(name.filter((key) => key !== "labels"), value, {
    minKeys: 1,
    maxKeys: 5,
    noNullPrototype: true,
  }),
  fc.array(id, { minLength: 1, maxLength: 5 }),
);
const comment = fc.oneof(id, fc.constant("long ".repeat(500)));
const date = time.map((ms) => new Date(ms).toISOString());
const gorse = fc.oneof(
  record({ UserId: id }, { Labels: labels, Comment: comment }),
  record(
    { ItemId: id, IsHidden: fc.boolean(), Categories: fc.array(id, { maxLength: 5 }), Timestamp: date },
    {
      Labels: labels,
      Comment: comment,
    },
  ),
  record({ FeedbackType: fc.constantFrom("read", "star", "like"), UserId: id, ItemId: id, Timestamp: date }, {
    Value: fc.double({ noNaN: true, min: 0, max: 9 }),
    Updated: date,
    Labels: labels,
    Comment: comment,
  }),
);

Deno.test("parseGorse() round-trips records without loss", () => {
  fc.assert(fc.property(gorse, (one) => {
    assert.deepEqual(checked(parseGorse(one, { time: 700_000_000_000 })).map(toGorse), [one]);
  }));
});

Deno.test("parseGorse() turns read feedback into impressions and other feedback into interactions", () => {
  const feedback = { UserId: "u", ItemId: "i", Timestamp: "2023-11-14T22:13:20Z", Value: 1 };
  const type = (FeedbackType: string, readTypes?: readonly string[]) =>
    parseGorse({ ...feedback, FeedbackType }, { time: 0, ...(readTypes === undefined ? {} : { readTypes }) })
      .events?.[0]?.type;
  assert.equal(type("read"), "impression");
  assert.equal(type("star"), "interaction");
  assert.equal(type("view", ["view"]), "impression");
  const seen = parseGorse({ ...feedback, FeedbackType: "view" }, { time: 0, readTypes: ["view"] });
  assert.equal(toGorse(seen.events?.[0] ?? assert.fail())["FeedbackType"], "view");
});

Deno.test("parseGorse() names the field that is wrong, and treats an empty or zero time as missing", () => {
  const parse = (value: unknown) => parseGorse(value, { time: 700_000_000_000 });
  const bad: readonly (readonly [unknown, RegExp])[] = [
    ["x", /the record as an object/],
    [{}, /no UserId and no ItemId/],
    [{ FeedbackType: "star", UserId: "u" }, /field ItemId as a string: it is missing/],
    [{ FeedbackType: "star", UserId: "u", ItemId: "i", Value: "1" }, /field Value as a number/],
    [{ FeedbackType: "star", UserId: "u", ItemId: "i", Timestamp: "x" }, /field Timestamp as a date/],
    [{ ItemId: "i", IsHidden: 1 }, /field IsHidden as true or false/],
    [{ ItemId: "i", Categories: "a" }, /field Categories as a list/],
  ];
  for (const [value, message] of bad) assert.throws(() => parse(value), { name: "SyntaxError", message });
  const nothing = { FeedbackType: "star", UserId: "u", ItemId: "i", Timestamp: "" };
  assert.equal(parseGorse(nothing, { time: 9 }).events?.[0]?.time, 9, "empty means missing, as in Gorse");
  const item = { ItemId: "i", Timestamp: "0001-01-01T00:00:00Z" };
  assert.equal(parse(item).items?.[0]?.time, 700_000_000_000);
});

Deno.test("gorseRow() reads the rows of the CSV exports", () => {
  const row = {
    item_id: "1",
    is_hidden: "true",
    categories: "x|y",
    time_stamp: "2020-01-01 01:01:01.000000001 +0000 UTC",
    labels: '{"genre":["comedy","sci-fi"]}',
    description: "o,n,e",
  };
  assert.deepEqual(parseGorse(gorseRow(row), { time: 0 }).items, [{
    item: "1",
    time: Date.UTC(2020, 0, 1, 1, 1, 1),
    hidden: true,
    categories: ["x", "y"],
    title: "o,n,e",
    attributes: { genre: ["comedy", "sci-fi"] },
  }]);
  assert.throws(() => gorseRow({ user_id: "1", labels: "{" }), {
    name: "SyntaxError",
    message: /column labels/,
  });
});

const behaviour = record(
  {
    user_id: id,
    item_id: id,
    event_type: fc.constantFrom("exposure", "click", "buy", "like", "play"),
    event_time: fc.integer({ min: 700_000_000, max: 4_000_000_000 }),
  },
  { request_id: id, duration: fc.double({ noNaN: true, min: 0, max: 1e6 }).map((x) => x + 0), scene_id: id },
);

Deno.test("parseEasyRec() round-trips rows without loss", () => {
  fc.assert(fc.property(behaviour, (row) => {
    const { events = [] } = parseEasyRec(row);
    checked({ events });
    assert.deepEqual(events.map(toEasyRec), [row]);
    const text = Object.fromEntries(Object.entries(row).map(([column, cell]) => [column, String(cell)]));
    assert.deepEqual(parseEasyRec(text), { events }, "text cells give the same events");
  }));
});

Deno.test("parseEasyRec() names the field that is wrong", () => {
  const row = { user_id: 1, item_id: 2, event_type: "click", event_time: 1_700_000_000 };
  assert.equal(parseEasyRec(row).events?.[0]?.user, "1");
  assert.equal(
    parseEasyRec({ ...row, event_time: "2023-11-14 22:13:20" }).events?.[0]?.time,
    1_700_000_000_000,
  );
  const bad: readonly (readonly [unknown, RegExp])[] = [
    [null, /the row as an object/],
    [{ ...row, user_id: undefined }, /user_id as an id: it is missing/],
    [{ ...row, item_id: 1.5 }, /item_id as an id: current value is 1.5/],
    [{ ...row, event_type: 1 }, /event_type as a string/],
    [{ ...row, event_time: "late" }, /event_time as seconds/],
    [{ ...row, duration: "long" }, /duration as a number of seconds/],
  ];
  for (const [value, message] of bad) {
    assert.throws(() => parseEasyRec(value), { name: "SyntaxError", message });
  }
});

Deno.test("parseDate() returns NaN when the text is not a date", () => {
  for (const text of ["", "2020", "2020-13-01", "2020-01-01T25:00:00Z", "1700000000", "2020-01-01 x"]) {
    assert.ok(Number.isNaN(parseDate(text)), text);
  }
  assert.equal(parseDate("2020-01-01"), Date.UTC(2020, 0, 1));
  assert.equal(parseDate("2020-01-01 10:00"), Date.UTC(2020, 0, 1, 10));
});
