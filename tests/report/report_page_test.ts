import assert from "node:assert/strict";
import type { Locator } from "playwright-core";
import { renderReport } from "../../streams/report/report.ts";
import { EXAMPLE } from "./example_report.ts";
import { testPage } from "./page_tests.ts";

await testPage({
  name: "renderReport()",
  html: renderReport(EXAMPLE),
  ready: "#chart-calibration svg",
  async check(page) {
    assert.equal(await page.evaluate("globalThis.hacked"), undefined);
    assert.equal(await page.locator("img").count(), 0);
    const charts = await page.locator(".chart").all();
    assert.equal(charts.length, 10);
    for (const chart of charts) {
      const box = await chart.locator("svg").boundingBox();
      assert.ok(box !== null && box.width > 200 && box.height > 200);
      assert.ok((await chart.locator("svg path").count()) > 5, "an empty drawing");
      assert.match(await chart.getAttribute("aria-label") ?? "", /\d/);
      assert.doesNotMatch(await chart.innerHTML(), /"--/, "a colour that the style sheet does not have");
    }
    for (const id of ["auc", "normalized-entropy", "log-loss"]) {
      await checkNames(page.locator(`#chart-${id} svg`));
    }
  },
});

/** The names of references are beside their lines, and do not overlap. */
async function checkNames(chart: Locator): Promise<void> {
  const dashed = await boxesOf(chart.locator("path[stroke-dasharray]"));
  const names = await boxesOf(chart.locator("text", { hasText: /^(oracle|chance|constant)/ }));
  assert.deepEqual([dashed.length, names.length], [2, 2]);
  const right = Math.max(...dashed.map(({ x, width }) => x + width));
  for (const { x } of names) assert.ok(x >= right, `a name begins at ${x}, the lines end at ${right}`);
  const texts = await boxesOf(chart.locator("text"));
  for (const [i, a] of texts.entries()) {
    for (const b of texts.slice(i + 1)) {
      const wide = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
      const high = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
      assert.ok(wide <= 1 || high <= 3, `texts lie over each other by ${wide} x ${high} pixels`);
    }
  }
}

async function boxesOf(all: Locator) {
  const boxes = await Promise.all((await all.all()).map((one) => one.boundingBox()));
  return boxes.filter((box) => box !== null);
}
