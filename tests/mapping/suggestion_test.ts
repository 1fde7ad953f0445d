import assert from "node:assert/strict";
import fc from "fast-check";
import { FORBIDDEN_KEYS } from "../../src/events/limits.ts";
import { knownNames, parseConfig } from "../../streams/config/config.ts";
import { compileMapping } from "../../src/mapping/mapping.ts";
import { NameCheck } from "../../src/mapping/name_check.ts";
import { pathOf, stepsOf } from "../../src/mapping/path.ts";
import { compileExpression } from "../../streams/mapping/expression.ts";
import { registryAt } from "../../scripts/map/registry.ts";
import { suggest } from "../../src/mapping/suggestions/suggestion.ts";
import { survey } from "../../src/mapping/suggestions/survey.ts";

const TIME = Date.UTC(2026, 10, 27, 10);

/** What the suggested mapping makes of records, by type. */
function made(
  records: readonly unknown[],
): { readonly counts: Readonly<Record<string, number>>; readonly open: string } {
  const { mapping, open } = suggest(records);
  const { map } = compileMapping(mapping);
  const counts: Record<string, number> = {};
  for (const record of records) {
    const mapped = map(record, { time: TIME });
    const words = mapped.ok
      ? mapped.records.map((own) => own.kind === "event" ? own.event.type : "item")
      : [mapped.code];
    for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  }
  return { counts, open: open.join("; ") };
}

Deno.test("suggest() finds a mapping of clicks by names, types and cardinalities", () => {
  const records = Array.from({ length: 50 }, (_, i) => ({
    evt: ["product_view", "product_click", "added_to_cart", "zoom"][i % 4],
    ctx: { uid: `u${i % 7}`, ts: new Date(TIME + i * 1000).toISOString() },
    sku: `A${i % 9}`,
  }));
  const { mapping, open } = suggest(records);
  assert.deepEqual(mapping.rules?.[0], {
    name: "interactions",
    as: "interaction",
    when: { evt: ["product_view", "product_click", "added_to_cart"] },
    fields: {
      user: "ctx.uid",
      time: "ctx.ts",
      item: "sku",
      action: {
        path: "evt",
        values: { product_view: "view", product_click: "click", added_to_cart: "cart" },
      },
    },
  });
  assert.match(open.join(), /zoom/);
  assert.deepEqual(made(records).counts, { interaction: 38 });
});

Deno.test("suggest() takes NA for no user: the session stands in, or the record is rejected", () => {
  const records = Array.from({ length: 40 }, (_, i) => ({
    user_id: i % 2 === 0 ? "NA" : `${i % 5}`,
    session_id: `${i % 9}`,
    item_id: `A${i % 7}`,
    at: TIME + i,
  }));
  const { mapping, open } = suggest(records);
  const { map } = compileMapping(mapping);
  const usersOf = (record: object) => {
    const mapped = map(record, {});
    return mapped.ok ? mapped.records.map((own) => own.kind === "event" ? own.event.user : "") : mapped.code;
  };
  assert.deepEqual(records.slice(0, 2).map(usersOf), [["session_id-0"], ["1"]]);
  assert.match(open.join(), /user_id is NA in 20 records, taken as nobody: their user is session_id/);
  const alone = records.map(({ session_id: _, ...record }) => record);
  assert.deepEqual(made(alone).counts, { "missing-field": 20, interaction: 20 });
  assert.match(made(alone).open, /user_id is NA in 20 records, taken as nobody: they are rejected/);
});

Deno.test("suggest() takes lists for impressions, epochs for times, and a field unique to each record for an id", () => {
  const records = Array.from(
    { length: 40 },
    (_, i) =>
      i % 4 === 0
        ? {
          event_type: "list_shown",
          message_id: `m${i}`,
          user_id: i % 5,
          event_time: TIME / 1000 + i,
          products: [{ id: "A" }, { id: "B" }],
        }
        : {
          event_type: "buy",
          message_id: `m${i}`,
          user_id: i % 5,
          event_time: TIME / 1000 + i,
          product_id: "A",
          price: 3,
        },
  );
  assert.deepEqual(made(records).counts, { impression: 10, interaction: 30 });
  const { mapping } = suggest(records);
  assert.equal(mapping.rules?.[0]?.fields?.["id"], "message_id");
});

Deno.test("suggest() maps records without the list of items that others have to nothing, without rejecting them", () => {
  const names = ["view_item_list", "view_item", "page_view", "purchase", "page_view"];
  const records = Array.from({ length: 60 }, (_, i) => ({
    event_name: names[i % 5],
    user_id: i % 7,
    event_timestamp: TIME + i,
    ...(names[i % 5] !== "page_view" && { items: [{ item_id: i % 9 }, { item_id: "x" }] }),
  }));
  const { counts, open } = made(records);
  assert.deepEqual(counts, { impression: 12, interaction: 48 });
  assert.match(open, /records without items become nothing/);
});

Deno.test("suggest() takes the lines of an order for purchases, whatever its ids are called", () => {
  const records = Array.from({ length: 60 }, (_, i) => ({
    header: { eventId: `e${i}`, occurredAt: (TIME + i) * 1000, channel: ["WEB", "APP"][i % 2] },
    customer: i % 10 === 9 ? null : { id: 5_000_000_000 + i % 7 },
    status: i % 20 === 19 ? "CANCELLED" : "PLACED",
    lines: Array.from(
      { length: 1 + i % 3 },
      (_, k) => ({ articleNo: 1000 + (i + k) % 9, qty: 1, price: 9.99 }),
    ),
  }));
  const { mapping: { rules: [rule] = [] } } = suggest(records);
  assert.deepEqual(rule, {
    name: "purchases",
    as: "interaction",
    when: { lines: { exists: true } },
    each: "lines",
    fields: {
      id: "header.eventId",
      user: "customer.id",
      time: { path: "header.occurredAt", unit: "us" },
      item: "@.articleNo",
      action: { value: "purchase" },
      value: "@.price",
      surface: "header.channel",
    },
  });
  const { counts, open } = made(records);
  assert.deepEqual(counts, { interaction: 108, "missing-field": 6 });
  assert.match(open, /those with lines are taken as purchase;.*status \(PLACED, CANCELLED\)/);
});

Deno.test("suggest() takes an id that a few resent records share, and the lines of orders besides clicks", () => {
  const kinds = ["LIST_SHOWN", "PRODUCT_CLICKED", "ORDER_PLACED"];
  const records = Array.from({ length: 60 }, (_, i) => ({
    eventId: `e-${i - (i % 20 === 19 ? 1 : 0)}`,
    eventType: kinds[i % 3],
    occurredAt: new Date(TIME + i).toISOString(),
    client: { userId: 1_000_000 + i % 7 },
    payload: {
      ...(i % 3 === 0 && { listId: `l${i}`, products: [{ productId: "a" }, { productId: "b" }] }),
      ...(i % 3 === 1 && { productId: `p${i % 9}` }),
      ...(i % 3 === 2 && { lines: [{ productId: "a", price: "9.50" }, { productId: "b" }] }),
    },
  }));
  assert.deepEqual(made(records).counts, { impression: 20, interaction: 20 + 2 * 20 });
  const { mapping: { rules = [] } } = suggest(records);
  assert.deepEqual(rules.map(({ fields = {} }) => fields["id"]), ["eventId", "eventId", "eventId"]);
  assert.deepEqual([rules[1]?.each, rules[1]?.fields?.["item"], rules[1]?.fields?.["value"]], [
    "payload.lines",
    "@.productId",
    "@.price",
  ]);
  const twice = records.map((record, i) => ({ ...record, eventId: `e-${i % 40}` }));
  assert.equal(
    suggest(twice).mapping.rules?.[0]?.fields?.["id"],
    undefined,
    "shared by too many, it is no id",
  );
});

Deno.test("suggest() takes records with one item and no user for a catalogue, whose tombstones remove items", () => {
  const records = Array.from({ length: 40 }, (_, i) => ({
    productId: 9_000 + i,
    displayName: `tent ${i}`,
    categoryPath: ["Outdoor", "tents"],
    pricing: { listPrice: `${i}.50` },
    updatedAt: new Date(TIME).toISOString(),
    status: "ACTIVE",
  }));
  const { mapping: { rules = [] } } = suggest(records, { isKeyed: true });
  assert.deepEqual(rules, [
    { name: "removed", as: "removal", when: { $tombstone: true }, fields: { item: "$key" } },
    {
      name: "items",
      as: "item",
      fields: { item: "productId", time: "updatedAt", title: "displayName", categories: "categoryPath" },
      attributes: { price: { path: "pricing.listPrice", as: "number" } },
    },
  ]);
  assert.deepEqual(made(records).counts, { item: 40 });
  const flat = records.map(({ productId, displayName }) => ({
    id: productId,
    name: displayName,
    genre: "a",
  }));
  assert.deepEqual(suggest(flat).mapping.rules?.[0]?.fields, {
    item: "id",
    title: "name",
    category: "genre",
  });
  const clicks = records.map((record, i) => ({ ...record, userId: i % 7 }));
  assert.equal(suggest(clicks).mapping.rules?.[0]?.as, "interaction");
});

Deno.test("suggest() takes a list of plain ids for a shown list, and joins clicks to it by a common id", () => {
  const records = Array.from({ length: 80 }, (_, i) => ({
    visitor_id: 70 + i % 7,
    occurred_us: (TIME + i) * 1000,
    surface: ["HOME", "CART"][i % 3 % 2],
    ...(i % 4 === 0 && { teaser_shown: { teaser_id: `tz-${i}`, article_nos: [1 + i % 9, 11, 12] } }),
    ...(i % 4 === 1 && { tap: { article_no: 1 + (i - 1) % 9, teaser_id: `tz-${i - 1}`, slot: i % 5 } }),
    ...(i % 4 === 2 && { page_view: { article_no: 1 + i % 9, campaign: "c" } }),
    ...(i % 4 === 3 && { search: { terms: "tent" } }),
  }));
  const { mapping: { rules = [] }, open } = suggest(records);
  assert.deepEqual(
    rules.map(({ as, fields = {} }) => [as, fields["items"] ?? fields["item"], fields["request"]]),
    [
      ["impression", "teaser_shown.article_nos[*]", "teaser_shown.teaser_id"],
      ["interaction", "tap.article_no", "tap.teaser_id"],
      ["interaction", "page_view.article_no", undefined],
    ],
  );
  assert.match(open.join("; "), /tap.teaser_id names the list .* those of teaser_shown.teaser_id/);
  const flat = records.map((_, i) => ({ user_id: i % 7, ts: TIME + i, product_ids: [i % 9, 11] }));
  assert.deepEqual(made(flat).counts, { impression: 80 });
});

Deno.test("suggest() takes an order's number for the id of its lines unless two records share it", () => {
  const records = Array.from({ length: 40 }, (_, i) => ({
    order_no: 9000 + i,
    buyer: { buyer_id: i % 7 },
    placed_at: (TIME + i) * 1000,
    lines: [{ article_no: 1 + i % 9, qty: 1 }, { article_no: 11, qty: 2 }],
  }));
  const idOf = (orders: typeof records) => suggest(orders).mapping.rules?.[0]?.fields?.["id"];
  assert.equal(idOf(records), "order_no");
  assert.equal(idOf(records.map((one, i) => i === 1 ? { ...one, order_no: 9000 } : one)), undefined);
});

Deno.test("suggest() knows a catalogue by names such as article_no, and hides items that cannot be bought", () => {
  const records = Array.from({ length: 40 }, (_, i) => ({
    article_no: 410_000 + i,
    article_name: `thing ${i}`,
    sellable: i % 9 > 0,
    stock_qty: i % 5,
    department: { dept_id: i % 3, dept_name: ["Tents", "Boots", "Maps"][i % 3] },
    price: { list_cents: 500 + i, sale_cents: 400 + i },
    updated_us: TIME * 1000,
  }));
  const { mapping, open } = suggest(records, { isKeyed: true });
  assert.deepEqual(mapping.rules?.[1], {
    name: "items",
    as: "item",
    fields: {
      item: "article_no",
      time: { path: "updated_us", unit: "us" },
      title: "article_name",
      category: "department.dept_name",
      hidden: {
        first: ["sellable", "stock_qty"],
        values: { true: null, false: true, 0: true, "*": false },
      },
    },
    attributes: { price: { path: "price.list_cents", as: "number" } },
  });
  assert.match(open.join("; "), /not for sale or out of stock are hidden/);
  const { map } = compileMapping(mapping);
  const isHidden = (sellable: boolean, stock: number) => {
    const mapped = map({ ...records[1], sellable, stock_qty: stock }, {});
    return mapped.ok && mapped.records.map((own) => own.kind === "item" && own.item.hidden).join();
  };
  assert.deepEqual([isHidden(true, 0), isHidden(true, 3), isHidden(false, 3), isHidden(false, 0)], [
    "true",
    "false",
    "true",
    "true",
  ]);
});

Deno.test("suggest() makes a rule for each branch of a oneof, and impressions of its lists", () => {
  const records = Array.from({ length: 60 }, (_, i) => ({
    member_no: 700 + i % 7,
    at: TIME + i,
    session: `s${i % 20}`,
    ...(i % 3 === 0 && { play: { track_no: 9000 + i % 9, seconds: 30 } }),
    ...(i % 3 === 1 && { rate: { track_no: 9000 + i % 9, stars: 4 } }),
    ...(i % 3 === 2 && { shelf: { slot: "top", tiles: [{ track_no: 9001, badges: [{ label: "new" }] }] } }),
  }));
  const { mapping: { rules = [] } } = suggest(records);
  const brief = rules.map((
    { as, when, fields = {} },
  ) => [as, when, fields["action"], fields["value"], fields["surface"]]);
  assert.deepEqual(brief, [
    ["impression", { "shelf.tiles": { exists: true } }, undefined, undefined, "shelf.slot"],
    ["interaction", { play: { exists: true } }, { value: "view" }, "play.seconds", undefined],
    ["interaction", { rate: { exists: true } }, { value: "rating" }, "rate.stars", undefined],
  ]);
  assert.deepEqual(made(records).counts, { interaction: 40, impression: 20 });
});

Deno.test("suggest() recognises what records are by known words in values, whatever their field is called", () => {
  const words = ["plp-render", "pdp-view", "add2basket", "heartbeat"];
  const records = Array.from({ length: 80 }, (_, i) => ({
    v: 3,
    actor: { type: "visitor", ref: 88_120_000 + i % 9 },
    e: { n: words[i % 4], t: (TIME + i) * 1000 },
    ...(i % 4 === 0 && { goods: [{ nr: 300, pos: 1 }, { nr: 301, pos: 2 }] }),
    ...((i % 4 === 1 || i % 4 === 2) && { good: { nr: 300 + i % 11 } }),
  }));
  assert.deepEqual(made(records).counts, { impression: 20, interaction: 40 });
  const events = ["view_item", "add_to_cart", "view_item_list", "purchase"];
  const tagged = Array.from({ length: 80 }, (_, i) => ({
    event: events[i % 4],
    user_pseudo_id: `${i % 9}.1`,
    event_timestamp: (TIME + i) * 1000,
    ecommerce: { items: [{ item_id: "A1", price: 3 }, { item_id: "A2", price: 4 }] },
  }));
  assert.deepEqual(made(tagged).counts, { impression: 20, interaction: 120 });
});

Deno.test("suggest() guesses user and item by how values repeat, says so, and falls back if some have no id", () => {
  const records = Array.from(
    { length: 60 },
    (_, i) => ({ a: `x${i % 8}`, b: 3 * (i % 13), c: TIME + i, d: i }),
  );
  const { mapping, open } = suggest(records);
  assert.deepEqual([mapping.rules?.[0]?.fields?.["user"], mapping.rules?.[0]?.fields?.["item"]], ["b", "a"]);
  assert.match(
    open.join("; "),
    /id of a user: judging by values, it may be b, or a; .*id of an item: judging by values, it may be a/,
  );
  const some = records.map(({ c, d }) => ({
    ...(d % 2 === 0 && { userId: `u${d % 5}` }),
    anonymousId: `s${d % 9}`,
    sku: "A",
    c,
  }));
  assert.deepEqual(suggest(some).mapping.rules?.[0]?.fields?.["user"], {
    first: ["userId", "anonymousId"],
  });
});

Deno.test("suggest() looks into nested lists and JSON texts, and tolerates a few broken times", () => {
  const orders = Array.from({ length: 60 }, (_, i) => ({
    order: {
      no: `O-${i}`,
      placed: i === 7 ? "soon" : String(TIME / 1000 + i),
      customer: { nr: 100 + i % 9 },
    },
    parcels: [{ box: 1, lines: [{ product: { nr: 7 + i % 11 }, qty: 1 }] }, {
      box: 2,
      lines: [{ product: { nr: 7 }, qty: 1 }],
    }],
  }));
  const { mapping: { rules: [rule] = [] } } = suggest(orders);
  assert.deepEqual([rule?.each, rule?.fields?.["item"], rule?.fields?.["time"], rule?.fields?.["user"]], [
    "parcels[*].lines[*]",
    "@.product.nr",
    "order.placed",
    "order.customer.nr",
  ]);
  assert.deepEqual(made(orders).counts, { interaction: 118, "wrong-type": 1 });
  const body = (i: number) =>
    JSON.stringify({ verb: i % 3 ? "played" : "clicked", asset: { id: `m${i % 9}` } });
  const nested = Array.from({ length: 40 }, (_, i) => ({
    message: {
      data: new TextEncoder().encode(body(i)).toBase64(),
      publishTime: new Date(TIME + i).toISOString(),
    },
    who: JSON.stringify({ anon: { id: i % 5 } }),
    unused: "{}",
  }));
  assert.deepEqual(suggest(nested).mapping.parse, ["message.data", "who"]);
  assert.deepEqual(made(nested).counts, { interaction: 40 });
});

Deno.test("suggest() guesses ids by cardinality, takes no amount for an id, and asks about flags and numbers", () => {
  const records = Array.from({ length: 100 }, (_, i) => ({
    k: i % 6,
    who: i % 7,
    ms: TIME + i,
    bought: i % 9 === 0,
    cost: 0.5 + i % 50,
    ...(i % 2 === 0 && { p: `p${i % 25}` }),
  }));
  const { mapping, open } = suggest(records);
  assert.equal(mapping.rules?.[0]?.fields?.["item"], "p");
  assert.match(open.join("; "), /k \(0, 1, 2, 3\).*bought \(true, false\)/);
});

const word = fc.constantFrom(
  "user",
  "user.id",
  "uid",
  "item",
  "sku",
  "click.item_id",
  "view.item_id",
  "products",
  "lines",
  "order",
  "time",
  "event",
  "price",
  "session",
  "id",
  "",
);
const odd = fc.constantFrom(..." .\"[]{}@#$*\\'\n\u2028é日", "[*]", "\ud800", "");
const name = fc.oneof(word, fc.tuple(odd, word, odd).map((parts) => parts.join("")));

Deno.test("suggest() takes no price for a user's id, however it is written", () => {
  const records = Array.from({ length: 100 }, (_, i) => ({
    sku: `A${i % 9}`,
    price: `1.${100 + i % 60},50 €`,
    at: TIME + i,
    who: { ids: [{ v: `u${i % 30}` }] },
    hash: `h${i % 20}`,
  }));
  const { mapping } = suggest(records);
  assert.equal(mapping.rules?.[0]?.fields?.["user"], "hash");
});

Deno.test("pathOf() and stepsOf() are inverse for any names", () => {
  const any = fc.string().filter((text) => !FORBIDDEN_KEYS.includes(text));
  const step = fc.oneof(name, any, fc.constant(null), fc.nat(1000));
  fc.assert(fc.property(name, fc.array(step), (first, more) => {
    assert.deepEqual(stepsOf(pathOf([first, ...more])), [first, ...more]);
    assert.deepEqual(stepsOf(pathOf(more, "@")), more);
  }));
});

Deno.test("suggest() makes a mapping that compiles, whatever names records have", () => {
  const { record } = fc.letrec<{ readonly value: unknown; readonly record: Record<string, unknown> }>((
    tie,
  ) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom("a", "b", "click", "view", "shown", 1, 2, TIME, true, null),
      fc.array(tie("value"), { maxLength: 3 }),
      tie("record"),
    ),
    record: fc.dictionary(name, tie("value"), { maxKeys: 6 }),
  }));
  const come = fc.oneof({ weight: 20, arbitrary: record }, {
    weight: 1,
    arbitrary: fc.constantFrom(1, [[{ id: 1 }]]),
  });
  fc.assert(
    fc.property(fc.array(come, { maxLength: 12 }), (records) => void made(records)),
    { numRuns: 500 },
  );
});

Deno.test("suggest() takes records with a rating for ratings, not for views with a value", () => {
  const records = Array.from({ length: 40 }, (_, i) => ({
    userId: `${i % 7}`,
    movieId: `${i % 9}`,
    rating: `${1 + i % 5}`,
    timestamp: `${964982703 + i}`,
  }));
  const { mapping } = suggest(records);
  assert.deepEqual(mapping.rules?.[0]?.fields, {
    user: "userId",
    time: "timestamp",
    item: "movieId",
    action: { value: "rating" },
    value: "rating",
  });
});

Deno.test("suggest() handles flat records whose names contain dots", () => {
  const records = Array.from(
    { length: 30 },
    (_, i) => ({
      "user.id": `u${i % 4}`,
      [`${i % 2 ? "view" : "click"}.item_id`]: `A${i % 9}`,
      "a.time": TIME + i,
    }),
  );
  const { mapping: { rules = [] } } = suggest(records);
  assert.deepEqual(rules.map(({ when, fields = {} }) => [when, fields["user"], fields["action"]]), [
    [{ '["click.item_id"]': { exists: true } }, '["user.id"]', { value: "click" }],
    [{ '["view.item_id"]': { exists: true } }, '["user.id"]', { value: "view" }],
  ]);
  assert.deepEqual(made(records).counts, { interaction: 30 });
});

Deno.test("suggest() makes no more rules than a mapping may have", () => {
  const records = Array.from(
    { length: 400 },
    (_, i) => ({ user: `u${i % 4}`, [`b${i}`]: { sku: "A" }, time: TIME }),
  );
  assert.equal(made(records).counts["interaction"], 50);
});

Deno.test("registryAt() takes the configured login of that registry, or another user's name", () => {
  const tls = { certFile: "me.pem", keyFile: "me.key" };
  const config = { sources: { a: { registry: { url: "http://r", username: "ann", tls } } } };
  assert.deepEqual(registryAt("http://r", undefined, config), { url: "http://r", username: "ann", tls });
  assert.deepEqual(registryAt("http://r", "bob", config), { url: "http://r", username: "bob", tls });
  assert.deepEqual(registryAt("http://q", undefined, config), { url: "http://q" });
});

Deno.test("suggest() says what is missing, and suggests nothing without users or items", () => {
  const { mapping, open } = suggest([{ temperature: 3 }, { temperature: 4 }]);
  assert.deepEqual(mapping.rules, []);
  assert.match(open.join("; "), /id of a user.*id of an item/);
  assert.deepEqual(suggest([]).mapping.rules, []);
  assert.deepEqual(suggest([null, 7, "text", []]).mapping.rules, []);
});

Deno.test("survey() is bounded for absurd records, and its paths can be mapped", () => {
  const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, i]));
  const deep = JSON.parse(`${'{"a":'.repeat(30)}1${"}".repeat(30)}`);
  const odd = { "a.b": 1, "": 2, " x ": 3, '"': 4, "@": 5, "日本": 6 };
  const fields = survey([wide, deep, odd, { list: Array.from({ length: 100_000 }, (_, i) => ({ id: i })) }]);
  assert.ok(fields.length <= 500);
  for (const { path } of survey([odd])) {
    const rule = { as: "forget" as const, fields: { user: path } };
    assert.ok(compileMapping({ rules: [rule] }).map(odd, { time: TIME }).ok, path);
  }
});

Deno.test("suggest() takes words for looking and browsing for views", () => {
  const records = Array.from({ length: 30 }, (_, i) => ({
    customer: `C${i % 7}`,
    when: TIME + i,
    product: `P${i % 9}`,
    what: ["BUY", "LOOK", "browse"][i % 3],
  }));
  assert.deepEqual(made(records).counts, { interaction: 30 });
});

Deno.test("NameCheck reports an unknown name once, with a suggestion, and a limited number of names", () => {
  const names = new NameCheck({
    actions: ["click", "view"],
    userFields: ["age"],
    itemFields: ["brand"],
    contextFields: ["hour", "device"],
  });
  const act = (action: string) =>
    names.see({ kind: "event", event: { type: "interaction", user: "u", time: TIME, item: "i", action } });
  assert.deepEqual(act("view"), []);
  assert.match(act("veiw").join(), /did you mean view/);
  assert.deepEqual(act("veiw"), []);
  assert.match(act("zoom").join(), /define it in the configuration/);
  assert.match(act("product_view").join(), /did you mean view/);
  assert.match(act("remove_view").join(), /define it in the configuration/);
  const item = (more: object) => names.see({ kind: "item", item: { item: "i", time: TIME, ...more } });
  assert.match(
    item({ attributes: { brnad: "x", size: 3 } }).join(),
    /"brnad" of items is not a feature; did you mean brand/,
  );
  assert.deepEqual(item({ attributes: { brand: "x", brands: "y" } }), []);
  assert.match(item({ attributes: { brands: "y" } }).join(), /did you mean brand/);
  assert.match(item({ brand: "x" }).join(), /move it into attributes/);
  for (let i = 0; i < 200; i++) act(`a${i}`);
  assert.deepEqual(act("one-more"), []);
});

Deno.test("NameCheck recognises vectors by attribute name, and says how to make a list of numbers a feature", () => {
  const known = (itemFields: readonly string[]) => {
    const config = parseConfig(JSON.stringify({ features: { itemFields } }), "meander.json");
    return new NameCheck(knownNames(config));
  };
  const item = { item: "i", time: TIME, attributes: { vector: [1, 2, 3], tags: ["a"] } };
  assert.deepEqual(known(["vector[3]", "tags"]).see({ kind: "item", item }), []);
  const [told, ...more] = known(["vector", "tags"]).see({ kind: "item", item });
  assert.match(
    told ?? "",
    /"vector" of items is a list of 3 numbers, .*name it vector\[3\] in features.itemFields/,
  );
  assert.deepEqual(more, []);
});

Deno.test("NameCheck compares each attribute's name once, and at most 1,000 names", () => {
  let looks = 0;
  const names = new NameCheck(
    { actions: [], userFields: ["age"], itemFields: ["brand"], contextFields: [] },
    () => {
      looks++;
      return undefined;
    },
  );
  const profile = (attributes: Record<string, number>) =>
    names.see({ kind: "event", event: { type: "profile", user: "u", time: TIME, attributes } });
  for (let i = 0; i < 100; i++) {
    profile({ height: i, weight: i, ["w".repeat(65)]: i });
    const item = { item: "i", time: TIME, height: i, attributes: { height: i } };
    names.see({ kind: "item", item });
  }
  assert.equal(looks, 3);
  for (let i = 0; i < 20_000; i++) profile({ [`a${i}`]: i });
  assert.equal(looks, 1000);
});

Deno.test("NameCheck reports at most a hundred names, even of one record", () => {
  const names = new NameCheck({ actions: [], userFields: [], itemFields: ["brand"], contextFields: [] });
  const near = Array.from({ length: 200 }, (_, i) => [`bran${String.fromCharCode(0x4e00 + i)}`, i]);
  const item = { item: "i", time: TIME, ...Object.fromEntries(near) };
  assert.equal(names.see({ kind: "item", item }).length, 100);
});

Deno.test("suggest() takes no date for an item, and says when one is not in ISO 8601", () => {
  const dates = [
    (day: number) => `${day}-04-2015`,
    (day: number) => `4/${day}/15 10:00`,
    (day: number) => `201504${day}`,
    (day: number) => `${day}.4.2015`,
    (day: number) => `2015/04/${day}`,
  ];
  for (const date of dates) {
    const records = Array.from({ length: 60 }, (_, i) => ({
      Member: `${i % 50}`,
      Date: date(10 + i % 20),
      itemDescription: `food ${i % 6}`,
    }));
    const { mapping, open } = suggest(records);
    assert.equal(mapping.rules?.[0]?.fields?.["item"], "itemDescription");
    assert.match(
      open.join(),
      /Date may be a time, .*15.*, but is not of ISO 8601: an expression makes it so/,
    );
    assert.doesNotMatch(open.join(), /no field looks like a time/);
  }
});

Deno.test("suggest() takes trade numbers such as EAN for items, also in the lines of receipts", () => {
  for (const name of ["ean", "gtin", "upc", "isbn"]) {
    const records = Array.from({ length: 40 }, (_, i) => ({
      receipt: i,
      card_no: 90_000 + i % 7,
      at: TIME + i * 1000,
      lines: [{ [name]: `40${i % 9}`, qty: 1 }, { [name]: `41${i % 5}`, qty: 2 }],
    }));
    const { mapping } = suggest(records);
    const [rule] = mapping.rules ?? [];
    assert.deepEqual([rule?.each, rule?.fields?.["item"], rule?.fields?.["user"]], [
      "lines",
      `@.${name}`,
      "card_no",
    ]);
  }
});

/** Clicks as Debezium's changes of a table: a snapshot, inserts of several rows at once, updates, a deletion. */
const CHANGES = ["postgresql", "mysql"].flatMap((connector) =>
  [[], ["payload"]].map((root) => {
    const isOfPostgres = connector === "postgresql";
    const records = Array.from({ length: 60 }, (_, n) => {
      const [op, statement] = n < 10
        ? ["r", 0]
        : [n % 12 === 0 ? "u" : n % 25 === 24 ? "d" : "c", Math.floor(n / 3)];
      const row = { "click_no": n, customer: `u${n % 7}`, sku: `p${n % 11}`, "clicked_at": TIME + n * 1000 };
      const place = isOfPostgres
        ? { schema: "public", txId: 700 + statement, lsn: 24_000_100 + 56 * statement, xmin: null }
        : {
          server_id: 223_344,
          gtid: null,
          file: "binlog.000003",
          pos: 157 + 300 * statement,
          row: n % 3,
          thread: 7,
        };
      const change = {
        before: op === "d" ? row : null,
        after: op === "d" ? null : row,
        source: {
          version: "3.0.0.Final",
          connector,
          name: "shop",
          ts_ms: TIME + n * 1000,
          table: "clicks",
          ...place,
        },
        op,
        "ts_ms": TIME + n * 1000 + 300,
        transaction: null,
      };
      return root.length === 0 ? change : { schema: { type: "struct" }, payload: change };
    });
    return { name: [connector, ...root].join(" "), root: root.length === 0 ? "" : "payload.", records };
  })
);

for (const { name, root, records } of CHANGES) {
  Deno.test(`suggest() gives changes of ${name} unique ids, which stay the same when they are sent again`, () => {
    const { mapping, open } = suggest(records, { isKeyed: true });
    const { map } = compileMapping(mapping);
    const idsOf = (from: readonly unknown[]) =>
      from.flatMap((record) => {
        const mapped = map(record, { time: TIME });
        assert.ok(mapped.ok, mapped.ok ? "" : mapped.reason);
        return mapped.records.map((own) =>
          own.kind === "event" ? `${own.event.user} ${own.event.id}` : assert.fail()
        );
      });
    const ids = idsOf(records);
    const opsOf = (op: string) => records.filter((record) => JSON.stringify(record).includes(`"op":"${op}"`));
    const others = [opsOf("u"), opsOf("d")].map(({ length }) => length);
    assert.deepEqual([others, ids.length], [[4, 1], records.length - 5], "an update is not another click");
    assert.equal(new Set(ids).size, ids.length, ids.join());
    const again = JSON.parse(JSON.stringify(records).replaceAll('"ts_ms":1', '"ts_ms":2')); // sent by another run
    assert.deepEqual(idsOf(again).map((id) => id.split(" ")[1]), ids.map((id) => id.split(" ")[1]));
    assert.deepEqual(mapping.rules?.[0], {
      name: "no new rows",
      as: "nothing",
      when: { [`${root}op`]: ["u", "d", "t", "m"] },
    });
    assert.match(open.join(), /only new rows count .* A deleted row stays counted/);
  });
}

Deno.test("suggest() tells rows without a key apart by item, and leaves a catalogue's rows as they are", () => {
  const changes = (row: (n: number) => object) =>
    Array.from({ length: 30 }, (_, n) => ({
      before: null,
      after: row(n),
      source: { table: "t", lsn: 5 + n },
      op: "c",
      ts_ms: TIME + n,
    }));
  const liked = changes((n) => ({ user_id: `u${n}`, item_id: `i${n % 5}`, note: `n${n}` }));
  const { mapping } = suggest(liked);
  assert.deepEqual(mapping.rules?.[1]?.fields?.["id"], { template: "{source.lsn}-{after.item_id}" });
  const items = changes((n) => ({ item_id: `i${n}`, title: `the ${n}`, category: `c${n % 3}` }));
  assert.deepEqual(suggest(items).mapping.rules?.map(({ as }) => as), ["removal", "item", "nothing"]);
});

/** Events of a shop whose acts name their list in another field than the list itself does. */
function clicksOfShop(): readonly Record<string, unknown>[] {
  return Array.from({ length: 80 }, (_, i) => {
    const list = `lst-${i >> 3}`, sku = 1000200 + i % 9;
    const act = { price: { amount: 9.5 + i % 9 }, sku };
    const parts: readonly (readonly [name: string, more: object])[] = [
      ["product_list_viewed", { list: { list_id: list, products: [{ sku }, { sku: sku + 1 }] } }],
      ["product_view", { product: act, list_id: list }],
      ["add_to_cart", { product: act }],
      ["remove_from_cart", { product: act }],
      ["order_placed", { order: { lines: [{ sku, unit_price: 9.5 }] } }],
      ["order_cancelled", { order: { lines: [{ sku, unit_price: 9.5 }] } }],
      ["product_view", { product: act }],
      [i < 8 ? "login" : "refund", { order: { lines: [{ sku, unit_price: -9.5 }] } }],
    ];
    const [name, more] = parts[i % 8]!;
    return {
      event_id: `e${i}`,
      event_name: name,
      occurred_at: new Date(TIME + i).toISOString(),
      visitor: {
        anonymous_id: `a-${i % 7}`,
        customer_id: i % 3 ? null : 500 + i % 5,
        is_bot: i % 40 === 6,
      },
      ...more,
    };
  });
}

Deno.test("suggest() takes no removal, cancellation or refund for an interaction, and no records of bots", () => {
  const records = clicksOfShop();
  const { mapping, open } = suggest(records);
  const { map } = compileMapping(mapping);
  const kinds = records.map((record) => {
    const mapped = map(record, {});
    assert.ok(mapped.ok, JSON.stringify(mapped));
    const made = mapped.records.map((own) =>
      own.kind === "event" && own.event.type === "interaction" ? own.event.action : "other"
    );
    return `${record["event_name"]}${isOfBot(record) ? " of a bot" : ""}: ${made.join()}`;
  });
  assert.deepEqual([...new Set(kinds)].toSorted(), [
    "add_to_cart: cart",
    "login: ",
    "order_cancelled: ",
    "order_placed: purchase",
    "product_list_viewed: other",
    "product_view of a bot: ",
    "product_view: view",
    "refund: ",
    "remove_from_cart: ",
  ]);
  assert.match(open.join("; "), /product_view becomes view, which is no positive outcome; is it a click\?/);
  assert.match(open.join("; "), /^(?!.*without items).*records of bots become nothing/);
  assert.match(open.join("; "), /does login tell whose a session is\? If so, a rule "as": "alias"/);
});

function isOfBot(record: Readonly<Record<string, unknown>>): boolean {
  return (record["visitor"] as { readonly is_bot: boolean }).is_bot;
}

Deno.test("suggest() finds the field in which interactions name their list, and the price of an order's line", () => {
  const records = clicksOfShop();
  const { mapping } = suggest(records);
  const of = (name: string) => mapping.rules?.find((rule) => rule.name === name)?.fields;
  assert.equal(of("lists")?.["request"], "list.list_id");
  assert.equal(of("interactions")?.["request"], "list_id");
  assert.equal(of("orders")?.["value"], "@.unit_price");
});

Deno.test("suggest() reads decimal commas and stock as text, as in CSV, and mentions unused fields", () => {
  const records = Array.from({ length: 30 }, (_, i) => ({
    article_no: `${1000 + i}`,
    title: `Article ${i}`,
    category_path: `C${i % 4}`,
    "price-eur": `${i},99`,
    stock: `${i % 3}`,
    brand: ["Nord", "Alpa"][i % 2],
  }));
  const { mapping, open } = suggest(records);
  const { map } = compileMapping(mapping, { expressions: compileExpression });
  const made = records.slice(0, 2).map((record) => {
    const mapped = map(record, { time: TIME });
    const [own] = mapped.ok ? mapped.records : [];
    return own?.kind === "item" && !own.isRemoved ? [own.item.hidden, own.item.attributes] : mapped;
  });
  assert.deepEqual(made, [[true, { price: 0.99 }], [false, { price: 1.99 }]]);
  assert.match(open.join("; "), /There are also brand$|There are also brand;/);
});

/** Plays of episodes as they come from devices: some before a login, with times in microseconds. */
const PLAYS = Array.from({ length: 80 }, (_, n) => ({
  playId: `p-${n}`,
  userId: n % 3 === 0 ? null : `u${n % 7}`,
  deviceId: `d${n % 7}`,
  episodeId: `e${n % 11}`,
  progressPct: n % 50 + 0.5,
  startedAt: (TIME + n) * 1000,
  shelfViewId: `l${n >> 1}`,
}));

Deno.test("suggest() takes a unique id for the event's, and asks about the list, skips and logins of plays", () => {
  const { mapping: { rules = [] }, open } = suggest(PLAYS);
  assert.equal(rules[0]?.fields?.["id"], "playId");
  for (
    const words of [
      /does shelfViewId name the list .* add "request": "shelfViewId"/,
      /does progressPct tell a skip .*"below": 10/,
      /without userId .* user named by deviceId.* "as": "alias" .*: "user" is deviceId, "of" is userId/,
    ]
  ) assert.match(open.join("; "), words);
  const known = PLAYS.map(({ userId: _, ...play }) => play);
  assert.doesNotMatch(suggest(known).open.join("; "), /alias/);
});

Deno.test("suggest() notes the unit of times, so that a clock of 1970 is rejected instead of misread", () => {
  const { mapping } = suggest(PLAYS);
  const wrong = { ...PLAYS[1], startedAt: 16 * 86_400_000_000 }; // 17 January 1970; as milliseconds, in 2013
  const mapped = compileMapping(mapping).map(wrong, { time: TIME });
  assert.equal(mapped.ok ? "taken" : mapped.code, "time-out-of-range");
});

Deno.test("suggest() takes the unique id of lists for their request, and items that are shown twice once", () => {
  const records = Array.from({ length: 40 }, (_, n) => ({
    shelfViewId: `l${n}`,
    deviceId: `d${n % 7}`,
    shownAt: (TIME + n) * 1000,
    episodes: [`e${n % 5}`, "e9", n % 4 === 0 ? "e9" : "e8"],
  }));
  const { mapping, open } = suggest(records);
  const { request, items } = mapping.rules?.[0]?.fields ?? {};
  assert.deepEqual([request, items], ["shelfViewId", { path: "episodes[*]", distinct: true }]);
  assert.match(open.join("; "), /shelfViewId differs in every list.*some lists show an item twice/);
  assert.deepEqual(made(records).counts, { impression: 40 });
  const once = records.map((record) => ({ ...record, episodes: record.episodes.slice(0, 2) }));
  assert.equal(suggest(once).mapping.rules?.[0]?.fields?.["items"], "episodes[*]");
});

Deno.test("suggest() maps changes of a catalogue, nested and without a source: deleted rows are removed items", () => {
  const rows = Array.from({ length: 30 }, (_, n) => ({
    show: { id: `s${n % 4}`, title: `show ${n % 4}` },
    episode: { id: `e${n}`, title: `episode ${n}`, tags: ["crime", "long"] },
  }));
  const records = rows.flatMap((row, n) => [
    { before: null, after: row, op: "c", ts_ms: TIME + n },
    ...(n % 5 === 0 ? [{ before: row, after: row, op: "u", ts_ms: TIME + 100 + n }] : []),
    ...(n % 10 === 0 ? [{ before: row, after: null, op: "d", ts_ms: TIME + 200 + n }] : []),
  ]);
  const { mapping } = suggest(records, { isKeyed: true });
  const { map } = compileMapping(mapping);
  const items = records.flatMap((record) => {
    const mapped = map(record, {});
    return mapped.ok
      ? mapped.records.map((own) => own.kind === "item" ? own : assert.fail())
      : assert.fail(mapped.reason);
  });
  assert.deepEqual(items[1], {
    kind: "item",
    item: { item: "e0", title: "episode 0", categories: ["crime", "long"], time: TIME + 100 },
  });
  assert.deepEqual(items.filter(({ isRemoved }) => isRemoved).map(({ item }) => item), [
    ...[0, 10, 20].map((n) => ({ item: `e${n}`, time: TIME + 200 + n })),
  ]);
});
