import assert from "node:assert/strict";
import { type Browser, chromium } from "playwright-core";
import { renderSimulation, type SimulationData } from "../../streams/report/simulation_report.ts";
import { findChromium } from "../browser.ts";

const NAME = "<b>popularity</b>";
const STRETCHES = Array.from({ length: 20 }, (_, n) => n + 1);
const arm = (served: number) => ({ requests: 50, ctr: served + 0.01, served, best: 0.4, random: 0.05 });

const DATA: SimulationData = {
  title: "dien in a closed loop",
  command: "deno task simulate --requests 2000",
  started: 0,
  finished: 65_000,
  variants: [NAME, "dien"],
  requests: 2000,
  curve: STRETCHES.map((n) => ({ requests: 100 * n, arms: [arm(0.15), arm(0.2 + 0.005 * n)] })),
  tail: [arm(0.15), arm(0.33)],
  tailRequests: 400,
  overall: [arm(0.15), arm(0.25)],
  lacks: [[-0.43, 0, 0.16, 1.57, 0.39, 0.51, 0.08], [0, 0, 0.12, -0.001, 0.13, 0.08, 0.07]],
  regret: STRETCHES.map((n) => [25 * n, 10 * n]),
  looks: STRETCHES.map((n) => ({
    ...{ requests: 100 * n, lift: 0.4, low: 0.4 - 1 / n, high: 0.4 + 1 / n },
    text: n < 4 ? "cannot say yet: about 30 more users" : "dien is better: +40.0 % [5.1, 74.9] ctr",
  })),
  notes: ["The simulated weeks ended early."],
};

const executablePath = await findChromium("the report of a simulation");

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of [1280, 360]) {
    Deno.test({
      name: `renderSimulation() shows in a ${colorScheme} browser ${width} pixels wide what it should`,
      ignore: executablePath === null,
      fn: () => checkPage(colorScheme, width),
    });
  }
}

async function checkPage(colorScheme: "light" | "dark", width: number): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".html" });
  await Deno.writeTextFile(file, renderSimulation(DATA));
  let browser: Browser | undefined;
  try {
    browser = await chromium.launch({ executablePath: executablePath ?? "", args: ["--no-sandbox"] });
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 800 } });
    const [messages, requests]: [string[], string[]] = [[], []];
    page.on("console", (message) => messages.push(message.text()));
    page.on("pageerror", (error) => messages.push(error.message));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(`file://${file}`);
    await page.waitForSelector(".chart svg");
    assert.deepEqual(messages, []);
    assert.deepEqual(requests, [`file://${file}`]);
    assert.ok(
      Number(await page.evaluate("document.documentElement.scrollWidth")) <= width,
      "scrolls sideways",
    );
    const charts = await page.locator(".chart svg").all();
    assert.equal(charts.length, 4);
    for (const chart of charts) assert.ok((await chart.locator("path").count()) > 5, "an empty drawing");
    const text = await page.locator("body").innerText();
    for (
      const wanted of [
        ...[NAME, "dien is better: +40.0 % [5.1, 74.9] ctr", "80.0 %", "requests in 1 min 5 s"],
        ...["−0.43", "1.57", "The simulated weeks ended early."],
      ]
    ) assert.ok(text.includes(wanted), wanted);
    const lacks = await page.locator('section[aria-labelledby="lacks"]').innerText();
    assert.doesNotMatch(lacks, /-\d|−0\.00/, "a minus is no hyphen, and nothing is less than nothing");
  } finally {
    await browser?.close();
    await Deno.remove(file);
  }
}
