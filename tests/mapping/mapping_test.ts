import assert from "node:assert/strict";
import fc from "fast-check";
import { checkEvent } from "../../src/events/check.ts";
import { parseJson } from "../../src/events/json.ts";
import { MAX_MAPPED } from "../../src/mapping/entries.ts";
import { compileMapping } from "../../src/mapping/mapping.ts";
import { MappingError } from "../../src/mapping/mapping_error.ts";
import { compileSource } from "../../streams/mapping/record_source.ts";
import type { MappingSettings, RuleSettings, ValueSpec } from "../../src/mapping/mapping_options.ts";
import type { RecordMeta } from "../../src/mapping/scope.ts";

const TIME = Date.UTC(2026, 10, 27, 10);
const CLICK: RuleSettings = {
  name: "views",
  as: "interaction",
  when: { evt: ["product_view", "product_click"] },
  fields: {
    user: "ctx.uid",
    time: "ctx.ts",
    item: "sku",
    action: { path: "evt", values: { product_view: "view", product_click: "click" } },
  },
};
const view = (over: object = {}) => ({
  evt: "product_view",
  ctx: { uid: "u1", ts: "2026-11-27T10:00:00Z" },
  sku: "A1",
  ...over,
});

function map(settings: MappingSettings, record: unknown, meta: RecordMeta = {}) {
  const mapped = compileMapping(settings).map(record, meta);
  assert.ok(mapped.ok, JSON.stringify(mapped));
  return mapped.records.map((one) => one.kind === "event" ? one.event : one.item);
}

function rejection(settings: MappingSettings, record: unknown, meta: RecordMeta = {}) {
  const mapped = compileMapping(settings).map(record, meta);
  assert.ok(!mapped.ok, JSON.stringify(mapped));
  return mapped;
}

const event = { type: "interaction", user: "u1", time: TIME, item: "A1", action: "view" };

Deno.test("compileMapping() maps a record by paths, with replaced values and an ISO 8601 time", () => {
  assert.deepEqual(map({ rules: [CLICK] }, view()), [event]);
});

Deno.test("the first matching rule decides what a record becomes; without one, it is rejected or skipped", () => {
  const rules: RuleSettings[] = [
    { as: "nothing", when: { evt: "heartbeat" } },
    CLICK,
    { as: "forget", when: { evt: { startsWith: "gdpr." } }, fields: { user: "ctx.uid", time: "ctx.ts" } },
  ];
  assert.deepEqual(map({ rules }, view({ evt: "heartbeat" })), []);
  assert.deepEqual(map({ rules }, view({ evt: "gdpr.erase" })), [{ type: "forget", user: "u1", time: TIME }]);
  const rejected = rejection({ rules }, view({ evt: "zoom" }));
  assert.equal(rejected.code, "unmapped");
  assert.equal(rejected.reason, 'Cannot map the record: no rule matches; evt is "zoom"');
  assert.deepEqual(map({ rules, otherwise: "skip" }, view({ evt: "zoom" })), []);
});

Deno.test("a rejection names the rule, the field and the path that it comes from", () => {
  const rejected = rejection({ rules: [CLICK] }, view({ ctx: { uid: "u1", ts: "yesterday" } }));
  assert.equal(rejected.code, "wrong-type");
  assert.equal(rejected.rule, "views");
  assert.equal(
    rejected.reason,
    "Cannot take time of the interaction event as a time: seconds, milli-, micro- or nanoseconds since 1970, or a " +
      'date of ISO 8601: current value is "yesterday" (views: time is ctx.ts)',
  );
  const missing = rejection({ rules: [CLICK] }, view({ ctx: { uid: "", ts: TIME } }));
  assert.equal(missing.code, "missing-field");
  assert.match(missing.reason, /user of the interaction event.*it is missing.* \(views: user is ctx\.uid\)$/);
});

Deno.test("times are read in any recognisable unit, or in the configured one", () => {
  const time = (ts: unknown, unit?: "s" | "ms" | "us" | "ns" | "iso") => {
    const spec: ValueSpec = unit === undefined ? "ts" : { path: "ts", unit };
    const rules: RuleSettings[] = [{ as: "forget", fields: { user: { value: "u" }, time: spec } }];
    const mapped = compileMapping({ rules }).map({ ts }, {});
    return mapped.ok ? map({ rules }, { ts }).map(({ time }) => time)[0] : mapped.code;
  };
  for (
    const ts of [
      TIME / 1000,
      TIME,
      TIME * 1000,
      TIME * 1e6,
      `${TIME}`,
      `${TIME / 1000}`,
      "2026-11-27t10:00:00z",
    ]
  ) {
    assert.equal(time(ts), TIME, String(ts));
  }
  assert.equal(time(TIME / 1000 + 0.25), TIME + 250);
  assert.equal(time(TIME + 0.7), TIME);
  assert.equal(time("2026-11-27T10:00:00.123456789Z"), TIME + 123);
  assert.equal(time("2026-11-27 12:00:00+02:00"), TIME);
  assert.equal(time(TIME, "us"), "time-out-of-range", "a wrong unit is noticed");
  assert.equal(time(TIME / 1000, "ms"), "time-out-of-range");
  for (
    const ts of [
      "NaN",
      "",
      "1e400",
      "2026-02-30T00:00:00Z",
      "2026-11-27T25:00:00Z",
      true,
      {},
      [],
      "١٢٣٤٥٦٧٨٩٠",
    ]
  ) {
    assert.equal(time(ts), "wrong-type", String(ts));
  }
  for (const ts of [0, -1, 1e18 * 5, NaN, 1e308]) {
    assert.match(String(time(ts)), /time-out-of-range|wrong-type/, String(ts));
  }
  assert.equal(time(null), "missing-field");
  assert.equal(time(TIME, "iso"), "wrong-type");
});

Deno.test("an event has the time of its record only if its rule maps none", () => {
  const rule: RuleSettings = { as: "forget", fields: { user: "u" } };
  assert.deepEqual(map({ rules: [rule] }, { u: "a" }, { time: TIME }), [{
    type: "forget",
    user: "a",
    time: TIME,
  }]);
  const told: RuleSettings = { as: "forget", fields: { user: "u", time: "t" } };
  assert.equal(rejection({ rules: [told] }, { u: "a" }, { time: TIME }).code, "missing-field");
  const header: RuleSettings = { as: "forget", fields: { user: "$headers.who", time: "$time" } };
  const meta = { time: TIME, headers: { who: "ann" } };
  assert.deepEqual(map({ rules: [header] }, {}, meta), [{ type: "forget", user: "ann", time: TIME }]);
});

Deno.test("ids may be whole numbers that keep all their digits, but no other numbers", () => {
  const rule: RuleSettings = { as: "forget", fields: { user: "u" } };
  const user = (u: unknown) => {
    const mapped = compileMapping({ rules: [rule] }).map({ u }, { time: TIME });
    return mapped.ok && mapped.records[0]?.kind === "event"
      ? mapped.records[0].event.user
      : !mapped.ok && mapped.code;
  };
  assert.equal(user(42), "42");
  assert.equal(user(12345678901234567890n), "12345678901234567890");
  assert.equal(user("日本🙂"), "日本🙂");
  for (const wrong of [2 ** 53, 1.5, Infinity, true, {}, ["a"]]) {
    assert.equal(user(wrong), "wrong-type", String(wrong));
  }
  assert.equal(user("\ud800"), "lone-surrogate");
  assert.equal(user("a\u0000"), "control-character");
  assert.equal(user("x".repeat(257)), "string-too-long");
});

Deno.test("a rejection for a missing field suggests a field of the record with a similar name", () => {
  const fields = { user: "ctx.uid", item: "sku", time: "at", action: { value: "view" } };
  const { map } = compileMapping({ rules: [{ as: "interaction", fields }] });
  const reasonOf = (record: object) => {
    const mapped = map(record, {});
    return mapped.ok ? "" : mapped.reason;
  };
  const record = { ctx: { uid: "ann" }, sku: "tent", at: TIME };
  assert.equal(reasonOf(record), "");
  assert.match(
    reasonOf({ ...record, ctx: { UID: "ann" } }),
    /\(rule 1: user is ctx\.uid; is "UID" meant\?\)$/,
  );
  assert.match(reasonOf({ ctx: record.ctx, at: TIME, " sku": "tent" }), /item is sku; is " sku" meant\?\)$/);
  for (const other of [{ ctx: record.ctx, at: TIME, product: "tent" }, { ...record, sku: null }]) {
    assert.match(reasonOf(other), /\(rule 1: item is sku\)$/);
  }
});

Deno.test("a source refuses two columns of the same name", () => {
  const rules = [{ as: "forget", fields: { user: "who", time: "at" } }] as const;
  assert.throws(
    () => compileSource("gone", { format: "csv", columns: ["who", "at", "who"], rules }),
    { name: "MappingError", message: "who appears twice" },
  );
});

Deno.test("a source reads long integers exactly, wherever they are", () => {
  const source = compileSource("clicks", {
    parse: ["inner"],
    rules: [{
      as: "interaction",
      fields: {
        user: "user",
        item: "inner.item",
        time: "at",
        value: "n",
        id: { template: "{inner.item}/{n}" },
        action: { value: "view" },
      },
    }],
  });
  const text = `{"user":9007199254740993,"at":1795773600000000001,"n":-1795773600000000001,"more":[
    0.12345678901234567, 12345678901234567e0, "[12345678901234567]"],
    "inner":"{\\"item\\": 9223372036854775807 }"}`;
  const read = source.read(new TextEncoder().encode(text));
  assert.ok(read.ok);
  assert.deepEqual((read.value as { readonly more: unknown }).more, [
    0.12345678901234567,
    12345678901234567,
    "[12345678901234567]",
  ]);
  const mapped = source.map(read.value, {});
  assert.ok(mapped.ok, JSON.stringify(mapped));
  assert.deepEqual(mapped.records.map((own) => own.kind === "event" && own.event), [{
    type: "interaction",
    user: "9007199254740993",
    item: "9223372036854775807",
    action: "view",
    time: TIME,
    value: -1795773600000000001,
    id: "9223372036854775807/-1795773600000000001",
  }]);
});

Deno.test("each entry of a list becomes an event with its own id", () => {
  const rule: RuleSettings = {
    as: "interaction",
    each: "lines",
    when: { "@.quantity": { above: 0 } },
    fields: { id: "order", user: "who", item: "@.sku", action: { value: "purchase" }, value: "@.price" },
  };
  const lines = [{ sku: "A", quantity: 1, price: "9.5" }, { sku: "B", quantity: 0 }, {
    sku: "C",
    quantity: 2,
    price: 3,
  }];
  const mapped = map({ rules: [rule] }, { order: "o1", who: "ann", lines }, { time: TIME });
  const shared = { type: "interaction", user: "ann", time: TIME, action: "purchase" };
  assert.deepEqual(mapped, [
    { ...shared, id: "o1", item: "A", value: 9.5 },
    { ...shared, id: "o1/2", item: "C", value: 3 },
  ]);
  const own: RuleSettings = { ...rule, fields: { ...rule.fields, id: { template: "{order}-{#}" } } };
  const ids = map({ rules: [own] }, { order: "o1", who: "ann", lines }, { time: TIME });
  assert.deepEqual(ids.map((one) => "id" in one && one.id), ["o1-0", "o1-2"]);
  const record = { order: "o1", who: "ann", lines: [{ quantity: 0 }, { quantity: 1 }] };
  const gap = rejection({ rules: [rule] }, record, { time: TIME });
  assert.match(gap.reason, /item of .*it is missing.* \(rule 1: item is @\.sku\), in entry 1 of lines$/);
});

Deno.test("a condition with [*] holds if one entry meets it; with exists alone, if there is a list", () => {
  const of = (when: RuleSettings["when"], record: object) =>
    compileMapping({ rules: [{ as: "nothing", when }] }).map(record, {}).ok;
  const record = { tags: [{ n: "new" }, { n: "sale" }, {}], none: [] };
  assert.deepEqual([
    of({ "tags[*].n": "sale" }, record),
    of({ "tags[*].n": { startsWith: "ne", endsWith: "le" } }, record), // no entry meets both
    of({ "tags[*].n": "old" }, record),
    of({ "none[*].n": { not: ["old"] } }, record),
    of({ "other[*].n": null }, record),
    of({ "none[*].n": { exists: true } }, record),
    of({ "other[*].n": { exists: true } }, record),
    of({ "tags[*].n": { exists: true, startsWith: "sa" } }, record),
    of({ "tags[*].n": { exists: true, startsWith: "x" } }, record),
    of({ "other[*].n": { exists: false, not: ["sale"] } }, record),
    of({ "tags[*].n": { not: ["sale"] } }, record), // one entry is something else
  ], [true, false, false, false, true, true, false, true, false, true, true]);
});

Deno.test("a list of shown items is collected, and a rejection names a gap in it", () => {
  const rule: RuleSettings = {
    as: "impression",
    fields: { user: "u", items: "p[*].id", positions: "p[*].at" },
  };
  const record = { u: "ann", p: [{ id: "A", at: 3 }, { id: 7, at: "4" }] };
  assert.deepEqual(map({ rules: [rule] }, record, { time: TIME }), [
    { type: "impression", user: "ann", time: TIME, items: ["A", "7"], positions: [3, 4] },
  ]);
  const gap = rejection({ rules: [rule] }, { u: "ann", p: [{ id: "A", at: 1 }, {}] }, { time: TIME });
  assert.match(gap.reason, /items\[1\] of the impression event .*missing.*items is p\[\*\]\.id/);
});

Deno.test("an item that is shown twice rejects its list, or with distinct counts where it was first", () => {
  const rule = (items: ValueSpec): RuleSettings => ({ as: "impression", fields: { user: "u", items } });
  const record = { u: "ann", shelf: ["A", 7, "B", "7", "A"] };
  assert.deepEqual(map({ rules: [rule({ path: "shelf[*]", distinct: true })] }, record, { time: TIME }), [
    { type: "impression", user: "ann", time: TIME, items: ["A", "7", "B"] },
  ]);
  const { code, reason } = rejection({ rules: [rule("shelf[*]")] }, record, { time: TIME });
  assert.equal(code, "duplicate-item");
  assert.match(reason, /items\[3\] .*; "distinct": true keeps the first of equal entries\)$/);
});

Deno.test("attributes are taken by name, as a whole, or both; a whole leaves out values that cannot be one", () => {
  const rule: RuleSettings = {
    as: "item",
    fields: {
      item: "id",
      attributes: { path: "more", except: ["secret"] },
      categories: { path: "c", split: ">" },
    },
    attributes: {
      price: { path: "price", as: "number" },
      code: { path: "n", as: "text" },
      absent: "nope",
      vector: "v",
    },
  };
  const more = { brand: "X", secret: "s", nested: { a: 1 }, sizes: ["S", "M"], mixed: [1, {}], null: null };
  const record = { id: 5, more, price: "12.50", n: 7, c: "home > garden", v: [0.5, 1] };
  assert.deepEqual(map({ rules: [rule] }, record, { time: TIME }), [{
    item: "5",
    time: TIME,
    categories: ["home", "garden"],
    attributes: { brand: "X", sizes: ["S", "M"], price: 12.5, code: "7", vector: [0.5, 1] },
  }]);
});

Deno.test("records are read from envelopes, JSON texts and lists", () => {
  const settings = { record: ["payload", "@"], parse: ["props"], rules: [CLICK] };
  const plain = view();
  assert.deepEqual(map(settings, { schema: {}, payload: plain }), [event]);
  assert.deepEqual(map(settings, [plain, { payload: [plain, plain] }]).length, 3);
  const parsed: MappingSettings = {
    parse: ["after.attributes"],
    rules: [{ as: "item", fields: { item: "after.id", attributes: "after.attributes" } }],
  };
  const row = { after: { id: "A", attributes: '{"brand":"X"}' } };
  assert.deepEqual(map(parsed, row, { time: TIME }), [{ item: "A", time: TIME, attributes: { brand: "X" } }]);
  const bad = { after: { id: "A", attributes: '{"__proto__":{}}' } };
  assert.equal(rejection(parsed, bad, { time: TIME }).code, "forbidden-key");
});

Deno.test("JSON texts may be base64, in either alphabet", () => {
  const settings: MappingSettings = {
    parse: ["message.data"],
    rules: [{ as: "nothing", when: { "message.data.ÿ?": "~~" } }],
  };
  const text = new TextEncoder().encode('{"ÿ?":"~~"}');
  for (const data of [text.toBase64(), text.toBase64({ alphabet: "base64url", omitPadding: true })]) {
    assert.deepEqual(map(settings, { message: { data } }), []);
  }
  for (const data of ["e", "W===", "e#", "true!", new TextEncoder().encode("{x").toBase64()]) {
    assert.equal(rejection(settings, { message: { data } }).code, "invalid-json", data);
  }
});

Deno.test("`first` takes templates, escaped names with braces and paths", () => {
  const first = ["{a}/{b}", '["{a}"]', "b"];
  const user = (record: object) =>
    map({ rules: [{ as: "forget", fields: { user: { first } } }] }, record, { time: TIME })
      .map((made) => (made as { user?: string }).user);
  assert.deepEqual([{ a: 1, b: 2 }, { "{a}": "x", b: 2 }, { b: "y" }].map(user), [["1/2"], ["x"], ["y"]]);
});

Deno.test("`first` passes over values that are replaced by null", () => {
  const time = { first: ["source.ts", "ts"], values: { 0: null } };
  const rules: RuleSettings[] = [{ as: "forget", fields: { user: "who", time } }];
  const forget = { type: "forget", user: "ann", time: TIME };
  assert.deepEqual(map({ rules }, { who: "ann", source: { ts: 0 }, ts: TIME }), [forget]);
  assert.deepEqual(map({ rules }, { who: "ann", source: { ts: TIME }, ts: TIME + 1 }), [forget]);
  const user = { first: ["a", "b"], values: { x: "y", y: "z" } };
  const own: RuleSettings[] = [{ as: "forget", fields: { user, time: "ts" } }];
  assert.deepEqual(
    map({ rules: own }, { b: "x", ts: TIME }),
    [{ ...forget, user: "y" }],
    "values are replaced once",
  );
});

Deno.test("a removal becomes an item record with isRemoved", () => {
  const rules: RuleSettings[] = [{ as: "removal", when: { op: "d" }, fields: { item: "before.id" } }];
  assert.deepEqual(compileMapping({ rules }).map({ op: "d", before: { id: 3 } }, { time: TIME }), {
    ok: true,
    records: [{ kind: "item", item: { item: "3", time: TIME }, isRemoved: true }],
  });
});

Deno.test("a record cannot become more than MAX_MAPPED events, whatever lists it has", () => {
  const rule: RuleSettings = { as: "forget", each: "all", fields: { user: "@" } };
  const all = Array.from({ length: 100_000 }, (_, i) => `u${i}`);
  assert.equal(rejection({ rules: [rule] }, { all }, { time: TIME }).code, "too-many-items");
  assert.equal(
    rejection({ rules: [rule] }, all.map((one) => ({ all: [one] })), { time: TIME }).code,
    "too-many-items",
  );
  assert.equal(map({ rules: [rule] }, { all: all.slice(0, MAX_MAPPED) }, { time: TIME }).length, MAX_MAPPED);
  const items: RuleSettings = { as: "impression", fields: { user: { value: "u" }, items: "all[*]" } };
  assert.equal(rejection({ rules: [items] }, { all }, { time: TIME }).code, "too-many-items");
  const nested: RuleSettings = { as: "impression", fields: { user: { value: "u" }, items: "all[*].x[*]" } };
  const wide = Array.from({ length: 400 }, () => ({ x: all.slice(0, 400) }));
  assert.equal(rejection({ rules: [nested] }, { all: wide }, { time: TIME }).code, "too-many-items");
});

Deno.test("prototype names are refused in paths, and inherited fields are never read from records", () => {
  const rule = (path: string): MappingSettings => ({ rules: [{ as: "forget", fields: { user: path } }] });
  for (const path of ["__proto__.x", "a.constructor", '["prototype"]', 'a["__proto__"]']) {
    assert.throws(() => compileMapping(rule(path)), /no record may have a field/, path);
  }
  for (const path of ["toString", "hasOwnProperty.name", "a.length", "valueOf"]) {
    assert.equal(rejection(rule(path), { a: "text" }, { time: TIME }).code, "missing-field", path);
  }
  const values = {
    rules: [{ ...CLICK, fields: { ...CLICK.fields, action: { path: "evt", values: { a: "b" } } } }],
  };
  assert.deepEqual(
    map({ rules: values.rules.map((own) => ({ ...own, when: {} })) }, view({ evt: "toString" })),
    [
      { ...event, action: "toString" },
    ],
  );
});

Deno.test("compileMapping() says where a mapping is wrong, and suggests what was meant", () => {
  const wrong = (rule: object, settings: object = {}): readonly [string, string] => {
    try {
      compileMapping({ rules: [rule as RuleSettings], ...settings });
    } catch (error) {
      assert.ok(error instanceof MappingError, String(error));
      return [error.path.join("."), error.message];
    }
    throw new Error(`taken: ${JSON.stringify(rule)}`);
  };
  const [path, message] = wrong({ as: "interaction", fields: { usr: "a" } });
  assert.equal(path, "rules.0.fields.usr");
  assert.match(message, /did you mean user\?/);
  assert.equal(wrong({ as: "forget", attributes: {} })[0], "rules.0.attributes");
  assert.match(wrong({ as: "forget", fields: { user: { path: "a", value: 1 } } })[1], /path and value/);
  assert.match(wrong({ as: "forget", fields: { user: {} } })[1], /none of them/);
  assert.match(wrong({ as: "forget", fields: { time: { value: "soon" } } })[1], /it must be a time/);
  assert.match(wrong({ as: "forget", fields: { user: { template: "{a" } } })[1], /its braces do not match/);
  assert.match(
    wrong({ as: "forget", fields: { user: { expression: "a" } } })[1],
    /expressions are not available/,
  );
  assert.equal(wrong({ as: "nothing", when: { a: {} } })[1], "the condition is empty");
  for (const bad of ["", "a.", ".a", "a..b", "a[", "a[x]", "@a", "#.a", "$", "a b[0", 'a"b']) {
    assert.match(wrong({ as: "forget", fields: { user: bad } })[1], /as a path/, bad);
  }
});

Deno.test("compileMapping() maps any record to valid events or rejects it, the same way each time", () => {
  const rules: RuleSettings[] = [
    { ...CLICK, when: { evt: { exists: true } } },
    {
      as: "impression",
      each: "lists",
      fields: {
        id: { template: "{id}-{#}" },
        user: { first: ["u", "@.u"] },
        items: "@.items[*]",
        context: "@.c",
      },
      goOn: true,
    },
    { as: "item", fields: { item: "id", title: "t", attributes: "c", hidden: "h" } },
  ];
  const mapping = compileMapping({ rules });
  const key = fc.constantFrom(
    "evt",
    "ctx",
    "uid",
    "ts",
    "sku",
    "id",
    "u",
    "lists",
    "items",
    "c",
    "t",
    "h",
    "x",
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom(null, true, "", "u1", "2026-11-27T10:00:00Z", TIME, 1.5, -0, 2 ** 60),
      fc.string({ unit: "binary", maxLength: 5 }),
      fc.array(tie("any"), { maxLength: 4 }),
      fc.dictionary(key, tie("any"), { maxKeys: 6 }),
    ),
  })).any;
  fc.assert(
    fc.property(value, (record) => {
      const text = new TextEncoder().encode(JSON.stringify(record));
      const twice = [0, 1].map(() => {
        const parsed = parseJson(text, "record");
        return parsed.ok ? mapping.map(parsed.value, { time: TIME }) : parsed;
      });
      assert.deepEqual(twice[0], twice[1], "a pure function of the record");
      const [mapped] = twice;
      if (mapped === undefined || !mapped.ok || !("records" in mapped)) return;
      for (const one of mapped.records) if (one.kind === "event") assert.ok(checkEvent(one.event).ok);
    }),
    { numRuns: 200 },
  );
});
