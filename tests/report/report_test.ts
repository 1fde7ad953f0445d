import assert from "node:assert/strict";
import { renderReport } from "../../streams/report/report.ts";
import { EXAMPLE, HOSTILE, UNKNOWN } from "./example_report.ts";

/** The page up to its scripts: everything visible. */
function ownMarkup(html: string): string {
  return html.slice(0, html.indexOf('<script type="application/json"'));
}

Deno.test("renderReport() is a pure function of its data", () => {
  assert.equal(renderReport(EXAMPLE), renderReport(structuredClone(EXAMPLE)));
});

Deno.test("renderReport() escapes hostile text everywhere", () => {
  const html = renderReport({
    ...EXAMPLE,
    command: HOSTILE,
    model: HOSTILE,
    dataSet: HOSTILE,
    rejected: [{ code: HOSTILE, count: 1, examples: [{ where: HOSTILE, reason: HOSTILE, text: HOSTILE }] }],
    parameters: { dense: 1, tables: [{ name: HOSTILE, rows: 1, width: 1, bytes: 1 }] },
    digests: { [HOSTILE]: HOSTILE },
    notes: [HOSTILE],
  });
  assert.doesNotMatch(ownMarkup(html), /<img|<script/);
  assert.equal(html.match(/<script/g)?.length, 3);
  assert.doesNotMatch(ownMarkup(html), /[^\P{C}\n]/u);
});

Deno.test("renderReport() refers to nothing outside the page", () => {
  const html = ownMarkup(renderReport(EXAMPLE));
  assert.doesNotMatch(html, /<(?:link|script|img|iframe)[^>]+(?:src|href)="(?!data:)/);
  assert.doesNotMatch(html, /@import|url\(/);
});

Deno.test("renderReport() shortens a huge rejected record and says so", () => {
  const examples = [{ where: "a:1", reason: "too large", text: "x".repeat(1_000_000) }];
  const html = renderReport({ ...EXAMPLE, rejected: [{ code: "too-large", count: 1, examples }] });
  assert.ok(html.includes("x".repeat(300) + "…<"));
  assert.ok(!html.includes("x".repeat(301)));
});

Deno.test("renderReport() says what is missing in an empty run", () => {
  const html = renderReport({
    ...EXAMPLE,
    started: NaN,
    totals: { ...EXAMPLE.totals, events: 0, rows: 0, clicks: 0, rejected: 0, eventsPerSecond: NaN },
    metrics: { overall: UNKNOWN, tail: UNKNOWN, newUsers: UNKNOWN, returningUsers: UNKNOWN },
    curve: [],
    calibration: [],
    rejected: [],
    notes: [],
  });
  const markup = ownMarkup(html);
  assert.doesNotMatch(markup, /\b(?:NaN|undefined|null|Infinity)\b/);
  assert.match(markup, /No figures for this run\./);
  assert.match(markup, /every record could be read/);
});
