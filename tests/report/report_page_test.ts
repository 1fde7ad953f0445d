import assert from "node:assert/strict";
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
  },
});
