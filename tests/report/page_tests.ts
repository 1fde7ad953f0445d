/**
 * Tests that open a report in the system's Chromium.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Browser, chromium, type Page } from "playwright-core";
import { findChromium } from "../browser.ts";

/** A page, and what must hold for it. */
export interface PageTest {
  /** The function that renders it. */
  readonly name: string;
  readonly html: string;
  /** A selector of what is there once its scripts have run. */
  readonly ready: string;
  /** Checks it, after what must hold for all pages: no messages, nothing loaded, nothing to scroll sideways. */
  readonly check: (page: Page) => Promise<void>;
}

/** Registers a test with a step for light and dark, on a wide and on a small screen; skipped loudly without a browser. */
export async function testPage({ name, html, ready, check }: PageTest): Promise<void> {
  const executablePath = await findChromium(name);
  Deno.test({
    name: `${name} renders a page that works in a browser`,
    ignore: executablePath === null,
    fn: async (test) => {
      const file = await Deno.makeTempFile({ suffix: ".html" });
      await Deno.writeTextFile(file, html);
      let browser: Browser | undefined;
      try {
        browser = await chromium.launch({ executablePath: executablePath ?? "", args: ["--no-sandbox"] });
        for (const colorScheme of ["light", "dark"] as const) {
          for (const width of [1280, 360]) {
            const page = await browser.newPage({ colorScheme, viewport: { width, height: 800 } });
            await test.step(`${colorScheme}, ${width} pixels wide`, () =>
              checkPage(page, file, { ready, check, width }));
            await page.close();
          }
        }
      } finally {
        await browser?.close();
        await Deno.remove(file);
      }
    },
  });
}

async function checkPage(
  page: Page,
  file: string,
  { ready, check, width }: Pick<PageTest, "ready" | "check"> & { readonly width: number },
): Promise<void> {
  const [messages, requests]: [string[], string[]] = [[], []];
  page.on("console", (message) => messages.push(message.text()));
  page.on("pageerror", (error) => messages.push(error.message));
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(`file://${file}`);
  await page.waitForSelector(ready);
  assert.deepEqual(messages, []);
  assert.deepEqual(requests, [`file://${file}`]);
  const scrolled = Number(await page.evaluate("document.documentElement.scrollWidth"));
  assert.ok(scrolled <= width, "scrolls sideways");
  await check(page);
}
