import assert from "node:assert/strict";
import { compileMapping } from "../../src/mapping/mapping.ts";
import { NameCheck } from "../../src/mapping/name_check.ts";
import { suggest } from "../../src/mapping/suggestion.ts";
import { survey } from "../../src/mapping/survey.ts";

const TIME = Date.UTC(2026, 10, 27, 10);

/** What the mapping that is suggested for records makes of them, by type. */
function made(
  records: readonly unknown[],
): { readonly counts: Readonly<Record<string, number>>; readonly open: string } {
  const { mapping, open } = suggest(survey(records), records.length);
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

Deno.test("suggest() finds the mapping of the issue's clicks by names, types and cardinalities", () => {
  const records = Array.from({ length: 50 }, (_, i) => ({
    evt: ["product_view", "product_click", "added_to_cart", "zoom"][i % 4],
    ctx: { uid: `u${i % 7}`, ts: new Date(TIME + i * 1000).toISOString() },
    sku: `A${i % 9}`,
  }));
  const { mapping, open } = suggest(survey(records), records.length);
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

Deno.test("suggest() takes lists for impressions, epochs for times, and what differs everywhere for an id", () => {
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
  const { mapping } = suggest(survey(records), records.length);
  assert.equal(mapping.rules?.[0]?.fields?.["id"], "message_id");
});

Deno.test("suggest() says what is missing, and suggests nothing without users or items", () => {
  const { mapping, open } = suggest(survey([{ temperature: 3 }, { temperature: 4 }]), 2);
  assert.deepEqual(mapping.rules, []);
  assert.match(open.join("; "), /id of a user.*id of an item/);
  assert.deepEqual(suggest(survey([]), 0).mapping.rules, []);
  assert.deepEqual(suggest(survey([null, 7, "text", []]), 4).mapping.rules, []);
});

Deno.test("survey() is bounded for absurd records", () => {
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

Deno.test("NameCheck tells an unknown name once, with what was meant, and no more than so many", () => {
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
  assert.match(act("zoom").join(), /say in the configuration/);
  const item = (more: object) => names.see({ kind: "item", item: { item: "i", time: TIME, ...more } });
  assert.match(
    item({ attributes: { brnad: "x", size: 3 } }).join(),
    /"brnad" of items is no feature; did you mean brand/,
  );
  assert.deepEqual(item({ attributes: { brand: "x", brands: "y" } }), []);
  assert.match(item({ brand: "x" }).join(), /beside the attributes/);
  for (let i = 0; i < 200; i++) act(`a${i}`);
  assert.deepEqual(act("one-more"), []);
});
