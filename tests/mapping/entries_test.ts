/** What becomes of a list in a record: each entry is taken or rejected on its own. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type MappedRecords, MAX_MAPPED, onlyEntries } from "../../src/mapping/entries.ts";
import { compileMapping } from "../../src/mapping/mapping.ts";
import type { RuleSettings } from "../../src/mapping/mapping_options.ts";

const TIME = Date.UTC(2026, 10, 27, 10);
const BOUGHT: RuleSettings = {
  name: "bought",
  as: "interaction",
  each: "lines",
  fields: { id: "order", user: "who", item: "@.sku", action: { value: "purchase" }, value: "@.price" },
};
const map = (record: unknown, rules: readonly RuleSettings[] = [BOUGHT], record_: readonly string[] = []) =>
  compileMapping({ rules, record: record_ }).map(record, { time: TIME });
const line = (sku: unknown, price: unknown = 1) => ({ sku, price });

function taken(mapped: MappedRecords) {
  assert.ok(mapped.ok, JSON.stringify(mapped));
  return mapped.records.map((own) =>
    own.kind === "event" ? "item" in own.event && own.event.item : own.item.item
  );
}
const ids = (mapped: MappedRecords) =>
  mapped.ok ? mapped.records.map((own) => own.kind === "event" ? own.event.id : "item") : mapped.code;
const bad = (mapped: MappedRecords) =>
  mapped.ok ? (mapped.rejected ?? []).map(({ code, entries }) => [code, ...entries ?? []]) : mapped.code;

Deno.test("each entry of a list is taken or rejected on its own, and a rejection says where the entry is", () => {
  const mapped = map({ order: "o1", who: "ann", lines: [line("A"), line("B", "much"), {}, line("D")] });
  assert.deepEqual(taken(mapped), ["A", "D"]);
  assert.deepEqual(bad(mapped), [["wrong-type", "lines[1]"], ["missing-field", "lines[2]"]]);
  assert.ok(mapped.ok);
  const [first] = mapped.rejected ?? [];
  assert.match(
    first?.reason ?? "",
    /current value is "much" \(bought: value is @\.price\), in entry 1 of lines$/,
  );
  assert.equal(first?.rule, "bought");
});

Deno.test("entries that are wrong in the same way share a rejection, of which a record has at most eight", () => {
  const lines = Array.from({ length: MAX_MAPPED }, (_, i) => i === 0 ? line("A") : line(`${i}`, "much"));
  const mapped = map({ order: "o1", who: "ann", lines });
  assert.ok(mapped.ok);
  assert.equal(mapped.rejected?.length, 1);
  assert.equal(mapped.rejected[0]?.entries?.length, MAX_MAPPED - 1);
  assert.match(mapped.rejected[0]?.reason ?? "", /, in entry 1 of lines, and 998 others$/);
  const rules = Array.from({ length: 30 }, (_, i): RuleSettings => ({
    ...BOUGHT,
    name: `rule of ${i}`,
    each: `l${i}`,
    goOn: true,
  }));
  const many = map(
    { who: "ann", ...Object.fromEntries(rules.map((_, i) => [`l${i}`, [line("A"), {}]])) },
    rules,
  );
  assert.ok(many.ok);
  assert.equal(many.records.length, 30);
  assert.ok((many.rejected?.length ?? 99) <= 8);
  assert.equal(new Set(many.rejected?.flatMap(({ entries = [] }) => entries)).size, 30);
});

Deno.test("a record is rejected as a whole if no entry can be taken or too many are wrong", () => {
  const none = map({ order: "o1", who: "ann", lines: [{}, line("B", "much")] });
  assert.ok(!none.ok);
  assert.equal(none.entries, undefined);
  assert.match(none.reason, /in entry 0 of lines, and 1 other$/);
  const many = map([{ who: "ann", lines: [line("A")] }, ...Array.from({ length: 100_000 }, () => ({}))]);
  assert.ok(!many.ok);
  assert.equal(many.entries, undefined);
  assert.match(many.reason, /, in record 1 of the list, and more than 1000 others$/);
});

Deno.test("a record is rejected as a whole if it fails itself; in a list of records, only that one", () => {
  const shown: RuleSettings = {
    as: "impression",
    goOn: true,
    fields: { user: "who", items: "lines[*].sku" },
  };
  const good = { order: "o1", who: "ann", lines: [line("A")] };
  const wrong = { order: "o2", who: {}, lines: [line("B")] };
  assert.ok(!map(wrong, [shown, BOUGHT]).ok);
  const both = map([good, wrong, good], [shown, BOUGHT]);
  assert.ok(both.ok);
  assert.deepEqual(both.records.map((own) => own.kind === "event" && own.event.type), [
    "impression",
    "interaction",
    "impression",
    "interaction",
  ]);
  assert.deepEqual(bad(both), [["wrong-type", "[1]"]]);
  const nested = map([{ batch: [good, { ...good, lines: [line("A"), {}] }] }], [BOUGHT], ["batch"]);
  assert.deepEqual(bad(nested), [["missing-field", "[0][1].lines[1]"]]);
  assert.ok(nested.ok);
  assert.match(nested.rejected?.[0]?.reason ?? "", /in entry 1 of lines, in record 1 of the list$/);
});

Deno.test("an entry is taken by all matching rules or by none", () => {
  const priced: RuleSettings = {
    ...BOUGHT,
    name: "listed",
    as: "item",
    fields: { item: "@.sku" },
    goOn: true,
  };
  const mapped = map({ order: "o", who: "ann", lines: [line("A"), line("B", "much")] }, [priced, BOUGHT]);
  assert.deepEqual(taken(mapped), ["A", "A"]);
  assert.deepEqual(bad(mapped), [["wrong-type", "lines[1]"]]);
});

Deno.test("the ids of entries do not depend on which others are rejected or left out", () => {
  const lines = [line("A", "much"), line("B"), line("C", "much"), line("D")];
  const record = { order: "o", who: "ann", lines };
  assert.deepEqual(ids(map(record)), ["o/1", "o/3"]);
  const mended: RuleSettings = { ...BOUGHT, fields: { ...BOUGHT.fields, value: { value: 1 } } };
  assert.deepEqual(ids(map(record, [mended])), ["o", "o/1", "o/2", "o/3"]);
  const filtered: RuleSettings = { ...mended, when: { "@.sku": ["C", "D"] } };
  assert.deepEqual(ids(map(record, [filtered])), ["o/2", "o/3"]);
  // Entries' own ids stay as they are unless they are equal; a rejected entry keeps its own.
  const own = (value: RuleSettings["fields"]): RuleSettings => ({
    ...BOUGHT,
    fields: { ...value, id: "@.sku" },
  });
  const twice = { ...record, lines: [line("A", "much"), line("A"), line("B")] };
  assert.deepEqual(ids(map(twice, [own(BOUGHT.fields)])), ["A/1", "B"]);
  assert.deepEqual(ids(map(twice, [own(mended.fields)])), ["A", "A/1", "B"]);
});

Deno.test("onlyEntries() keeps the entries that were rejected, and rejects those again that still fail", () => {
  const record = { order: "o", who: "ann", lines: [line("A"), line("B", "much"), line("C", "much")] };
  const mended: RuleSettings = {
    ...BOUGHT,
    fields: { ...BOUGHT.fields, value: { path: "@.price", values: { much: 9 } } },
  };
  assert.deepEqual(taken(onlyEntries(map(record, [mended]), ["lines[1]"])), ["B"]);
  assert.deepEqual(bad(onlyEntries(map(record), ["lines[2]"])), [["wrong-type", "lines[2]"]]);
  const whole = onlyEntries(map({ ...record, who: {} }), ["lines[1]"]);
  assert.ok(!whole.ok);
  assert.deepEqual(whole.entries, ["lines[1]"], "otherwise the entries taken before would be taken again");
});

Deno.test("records taken at first and those replayed by a mended mapping add up to what that mapping takes", () => {
  const someLine = fc.record({
    sku: fc.constantFrom("A", "B", "C"),
    price: fc.constantFrom<unknown>(1, "2", "much", "more"),
  });
  const record = fc.record({
    who: fc.constantFrom("ann", "bob"),
    order: fc.constantFrom("o1", "o2"),
    lines: fc.array(someLine, { maxLength: 6 }),
    others: fc.array(someLine, { maxLength: 3 }),
  });
  const rulesOf = (id: string, values: Readonly<Record<string, number>>): RuleSettings[] => {
    const fields = { ...BOUGHT.fields, id };
    return ["lines", "others"].map((each, i) => ({
      ...BOUGHT,
      name: each,
      each,
      goOn: i === 0,
      when: { "@.sku": ["A", "B"] },
      fields: { ...fields, value: { path: "@.price", values } },
    }));
  };
  fc.assert(
    fc.property(
      fc.oneof(record, fc.array(record, { maxLength: 4 })),
      fc.constantFrom("order", "@.sku"),
      (value, id) => {
        const first = map(value, rulesOf(id, {}));
        const mended = map(value, rulesOf(id, { much: 8, more: 9 }));
        const places = first.ok ? first.rejected?.flatMap(({ entries = [] }) => entries) ?? [] : undefined;
        const replayed = onlyEntries(mended, places);
        const texts = (mapped: MappedRecords) =>
          mapped.ok ? mapped.records.map((own) => JSON.stringify(own)) : [];
        assert.deepEqual([...texts(first), ...texts(replayed)].toSorted(), texts(mended).toSorted());
      },
    ),
    { numRuns: 500 },
  );
});
