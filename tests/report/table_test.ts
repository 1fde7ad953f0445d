import fc from "fast-check";
import assert from "node:assert/strict";
import { renderMetrics, renderRejected, renderSummary } from "../../streams/report/summary.ts";
import { renderTable, textWidth, wantsColour } from "../../streams/report/table.ts";
import { EXAMPLE, HOSTILE, UNKNOWN } from "./example_report.ts";

Deno.test("textWidth() counts terminal cells", () => {
  const cases: [string, number][] = [
    ["", 0],
    ["abc", 3],
    ["e\u0301", 1],
    ["推荐", 4],
    ["ｆｕｌｌ", 8],
    ["한국", 4],
    ["👍🏽", 2],
    ["🇪🇺", 2],
    ["❤️", 2],
    ["–", 1],
  ];
  for (const [text, width] of cases) assert.equal(textWidth(text), width, text);
});

Deno.test("renderTable() aligns columns whatever the width of characters", () => {
  const table = renderTable([{ title: "item" }, { title: "score", align: "right" }], [
    ["推荐", "1.5"],
    ["naïve", "12.25"],
    ["x"],
  ]);
  assert.equal(table, "item   score\n─────  ─────\n推荐     1.5\nnaïve  12.25\nx\n");
});

Deno.test("renderTable() ends right-aligned lines in the same column", () => {
  const cell = fc.string({ unit: "grapheme", maxLength: 8 }).filter((text) =>
    !/[\p{C}\p{Z}]/u.test(text) && text !== ""
  );
  fc.assert(fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 6 }), (rows) => {
    const lines = renderTable([{ title: "a" }, { title: "b", align: "right" }], rows).trimEnd().split("\n");
    assert.equal(new Set(lines.map(textWidth)).size, 1);
  }));
});

Deno.test("renderMetrics() omits columns without figures", () => {
  const full = renderMetrics(EXAMPLE.metrics);
  assert.match(full, /^segment +rows +AUC .*oracle AUC$/m);
  assert.match(full, /^new users +1,240 +0\.6621 +–/m);
  const empty = { overall: UNKNOWN, tail: UNKNOWN, newUsers: UNKNOWN, returningUsers: UNKNOWN };
  assert.match(renderMetrics(empty), /^segment +rows\n/);
});

Deno.test("renderRejected() shows the most frequent code first, with one example", () => {
  const lines = renderRejected(EXAMPLE.rejected).split("\n");
  assert.match(lines[2] ?? "", /^control-character +157 +events\.jsonl\.gz:77 /);
  assert.match(
    lines[3] ?? "",
    /^truncated-json +94 +events\.jsonl\.gz:1042 +the record ends inside a string/,
  );
  assert.match(renderRejected([{ code: "too-large", count: 2, examples: [] }]), /too-large +2 +– +–\n$/);
});

Deno.test("renderSummary() lets no control character of the data reach the terminal", () => {
  const hostile = renderSummary({
    ...EXAMPLE,
    command: HOSTILE,
    model: HOSTILE,
    dataSet: HOSTILE,
    digests: { [HOSTILE]: HOSTILE },
    rejected: [{ code: HOSTILE, count: 1, examples: [{ where: HOSTILE, reason: HOSTILE, text: HOSTILE }] }],
  });
  assert.doesNotMatch(hostile, /[^\P{C}\n]/u);
});

Deno.test("renderSummary() has sections only for what exists", () => {
  const headings = (text: string): string[] => text.split("\n").filter((line) => /^[A-Z]/.test(line));
  assert.deepEqual(headings(renderSummary(EXAMPLE)), [
    "Summary",
    "Quality of frozen predictions, from row 20,001 on",
    "Rejected",
    "Notes",
  ]);
  assert.equal(headings(renderSummary({ ...EXAMPLE, rejected: [], notes: [] })).length, 2);
});

Deno.test("renderSummary() sets headings in bold only when asked for colour", () => {
  assert.ok(renderSummary(EXAMPLE, { colour: true }).startsWith("\x1b[1mSummary\x1b[22m\n"));
  assert.ok(renderSummary(EXAMPLE).startsWith("Summary\n"));
});

Deno.test("wantsColour() needs a terminal and no NO_COLOR", () => {
  assert.equal(wantsColour(true, undefined), true);
  assert.equal(wantsColour(true, ""), true);
  assert.equal(wantsColour(true, "1"), false);
  assert.equal(wantsColour(false, undefined), false);
});
