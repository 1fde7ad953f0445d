import assert from "node:assert/strict";
import { type Browser, chromium } from "playwright-core";
import { renderReport } from "../../streams/report/report.ts";
import { findChromium } from "../browser.ts";
import { EXAMPLE } from "./example_report.ts";

const executablePath = await findChromium("the report");

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of [1280, 360]) {
    Deno.test({
      name: `renderReport() shows in a ${colorScheme} browser ${width} pixels wide what it should`,
      ignore: executablePath === null,
      fn: () => checkPage(colorScheme, width),
    });
  }
}

async function checkPage(colorScheme: "light" | "dark", width: number): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".html" });
  await Deno.writeTextFile(file, renderReport(EXAMPLE));
  let browser: Browser | undefined;
  try {
    browser = await chromium.launch({ executablePath: executablePath ?? "", args: ["--no-sandbox"] });
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 800 } });
    const [messages, requests]: [string[], string[]] = [[], []];
    page.on("console", (message) => messages.push(message.text()));
    page.on("pageerror", (error) => messages.push(error.message));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(`file://${file}`);
    await page.waitForSelector("#chart-calibration svg");

    assert.deepEqual(messages, []);
    assert.deepEqual(requests, [`file://${file}`]);
    assert.equal(await page.evaluate("globalThis.hacked"), undefined);
    assert.equal(await page.locator("img").count(), 0);
    assert.ok(
      Number(await page.evaluate("document.documentElement.scrollWidth")) <= width,
      "scrolls sideways",
    );

    const charts = await page.locator(".chart").all();
    assert.equal(charts.length, 10);
    for (const chart of charts) {
      const box = await chart.locator("svg").boundingBox();
      assert.ok(box !== null && box.width > 200 && box.height > 200);
      assert.ok((await chart.locator("svg path").count()) > 5, "an empty drawing");
      assert.match(await chart.getAttribute("aria-label") ?? "", /\d/);
      assert.doesNotMatch(await chart.innerHTML(), /"--/, "a colour that the style sheet does not have");
    }
  } finally {
    await browser?.close();
    await Deno.remove(file);
  }
}
