import assert from "node:assert/strict";
import { type Browser, chromium, type Page } from "playwright-core";
import { digestOf } from "../../streams/http/contract/access.ts";
import { breadth } from "../breadth.ts";
import { findChromium } from "../browser.ts";
import { seen } from "../../streams/dashboard/page/elements.js";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import { schemasOf } from "../server/openapi_answers.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { encodeRejection, rejectionOf } from "../../src/events/rejection.ts";
import { matches } from "../events/schema_checker.ts";
import { type Api, NOW, startApi } from "../server/deployment.ts";
import { until } from "../service/deployment.ts";

const executablePath = await findChromium("the dashboard");
const KEY = { name: "people", sha256: digestOf("secret-of-a-test"), scopes: ["read", "events"] as const };

let browser: Browser | undefined;
if (executablePath !== null) {
  Deno.test.beforeAll(async () => {
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  });
  Deno.test.afterAll(async () => await browser?.close());
}

interface Look {
  readonly page: Page;
  readonly api: Api;
}

/** Opens a path of a small deployment in a browser; at the end its console must be empty. */
function look(
  name: string,
  { path, width = 1280, dark = false, keys = false, lost = false }: {
    path: string;
    width?: number;
    dark?: boolean;
    keys?: boolean;
    lost?: boolean;
  },
  check: (look: Look) => Promise<void>,
): void {
  Deno.test({
    name,
    ignore: executablePath === null,
    async fn() {
      await using api = await startApi(keys ? { keys: [KEY] } : {}, 1);
      const action = (item: string) => ({ type: "interaction", user: "ann/<b>", item, action: "click" });
      const body = [...["i1", "i2", "i3", "i2"].map(action), { type: "\u202Eklick" }];
      await api.post("/v1/events", body, { "x-api-key": "secret-of-a-test" });
      const page = await browser!.newPage({
        colorScheme: dark ? "dark" : "light",
        viewport: { width, height: 800 },
        reducedMotion: "reduce",
      });
      try {
        const messages: string[] = [];
        page.on("console", (message) => messages.push(message.text()));
        page.on("pageerror", (error) => messages.push(error.message));
        const elsewhere: string[] = [];
        page.on("request", (request) => {
          if (!/^data:/.test(request.url()) && !request.url().startsWith(api.url)) {
            elsewhere.push(request.url());
          }
        });
        await page.goto(`${api.url}${path}`);
        await check({ page, api });
        await checkBasics(page);
        assert.deepEqual(elsewhere, [], "requests go to other hosts");
        // A browser itself logs an answer of 401 or 404, whatever the page does with it.
        const expected = (text: string) => keys && text.includes("401") || lost && text.includes("404");
        assert.deepEqual(messages.filter((text) => !expected(text)), []);
      } finally {
        await page.close();
      }
    },
  });
}

/** What any page owes to people with poor sight, a keyboard or a small screen. */
async function checkBasics(page: Page): Promise<void> {
  const faults = await page.evaluate(`(() => {
    const faults = [];
    const named = (e) => e.ariaLabel || e.textContent.trim() || e.title ||
      (e.labels && e.labels.length > 0) || e.getAttribute("aria-labelledby");
    for (const e of document.querySelectorAll("a, button, input, select, [role=img], [role=region], [tabindex='0'], meter")) {
      if (!named(e)) faults.push("no name: " + e.outerHTML.slice(0, 120));
    }
    const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
    for (const id of new Set(ids)) if (ids.filter((x) => x === id).length > 1) faults.push("id twice: " + id);
    if (document.documentElement.lang === "") faults.push("no language");
    if (document.title === "") faults.push("no title");
    const attributes = [...document.querySelectorAll("*")].flatMap((e) => [...e.attributes].map(({ value }) => value));
    for (const text of [document.documentElement.textContent, ...attributes]) {
      if (/[\\u200b\\u202a-\\u202e\\u2066-\\u2069]/.test(text)) faults.push("invisible: " + encodeURI(text).slice(-200));
    }
    if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
    if (document.querySelectorAll("main").length !== 1) faults.push("not one main");
    const levels = [...document.querySelectorAll("h1, h2, h3, h4")].filter((e) => !e.closest("dialog"))
      .map((e) => Number(e.tagName[1]));
    levels.forEach((level, i) => {
      if (i > 0 && level > levels[i - 1] + 1) faults.push("a heading skips a level");
    });
    for (const e of document.querySelectorAll("th")) if (!e.scope) faults.push("th without scope");
    if (document.documentElement.scrollWidth > innerWidth) faults.push("scrolls sideways");
    for (const e of document.querySelectorAll("svg text")) {
      const [text, all] = [e, e.ownerSVGElement].map((one) => one.getBoundingClientRect());
      if (text.left < all.left || text.right > all.right) faults.push("cut: " + e.textContent);
    }
    for (const e of document.querySelectorAll("[style]")) faults.push("style in markup: " + e.tagName);
    const rgb = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
    const luminance = (c) => {
      const [r, g, b] = c.map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const background = (e) => {
      for (; e; e = e.parentElement) {
        const color = getComputedStyle(e).backgroundColor;
        if (!/^rgba\\(.*, 0\\)$/.test(color)) return rgb(color);
      }
      return [255, 255, 255];
    };
    for (const e of document.querySelectorAll("h1, h2, p, th, td, a, span, b, figcaption, label")) {
      if (e.textContent.trim() === "" || e.getClientRects().length === 0) continue;
      const [a, b] = [luminance(rgb(getComputedStyle(e).color)), luminance(background(e))];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (contrast < 4.5) faults.push("contrast " + contrast.toFixed(2) + ": " + e.textContent.slice(0, 40));
    }
    return faults;
  })()`);
  assert.deepEqual(faults, []);
  await page.keyboard.press("Tab");
  assert.notEqual(
    await page.evaluate("document.activeElement.tagName"),
    "BODY",
    "the keyboard reaches nothing",
  );
}

for (const dark of [false, true]) {
  for (const width of breadth([dark ? 390 : 1280], [1280, 390])) {
    const name = `the overview updates live in a ${dark ? "dark" : "light"} browser ${width} pixels wide`;
    look(name, { path: "/", dark, width }, async ({ page, api }) => {
      await page.locator("#state.live").waitFor();
      await page.locator(".station.events", { hasText: "4 applied" }).waitFor();
      await api.post("/v1/events", { type: "interaction", user: "bob", item: "i1", action: "click" });
      await page.locator(".station.events", { hasText: "5 applied" }).waitFor();
      assert.match(await page.locator("main").textContent() ?? "", /unknown-type|missing-field/);
      await api.post("/v1/rank", { user: "bob", candidates: ["i1", "i2"] });
      await page.locator("table", { hasText: "hit rate" }).locator("tr", { hasText: "given" }).waitFor();
      const plot = page.locator(".plot").first();
      await page.locator(".plot path[d*=L]").first().waitFor({ state: "attached" });
      assert.match(await plot.getAttribute("aria-label") ?? "", /^Throughput: events \d/);
      await plot.focus();
      await page.keyboard.press("ArrowLeft");
      assert.match(await page.locator(".when").first().textContent() ?? "", /^at \d\d:/);
      await page.locator("label", { hasText: "24 hours" }).click();
      await page.locator("label", { hasText: "15 minutes" }).click();
    });
  }
}

look(
  "a server with keys asks for a key, and the tab keeps it",
  { path: "/", keys: true },
  async ({ page }) => {
    const dialog = page.locator("dialog#key");
    await dialog.waitFor();
    await page.keyboard.type("wrong");
    await page.keyboard.press("Enter");
    await page.locator("#key-reason", { hasText: "not known" }).waitFor();
    await page.keyboard.type("secret-of-a-test");
    await page.keyboard.press("Enter");
    await page.locator("#state.live").waitFor();
    await page.reload();
    await page.locator("#state.live").waitFor();
    assert.equal(await dialog.isVisible(), false);
  },
);

for (const width of [1280, 390]) {
  const name = `the page of a user, ${width} pixels wide, is found by search and explains the list`;
  look(name, { path: "/users", width, dark: width === 390 }, async ({ page, api }) => {
    const title = "A tent for two persons, <b>red</b>, with a name of more than a line";
    await api.post(
      "/v1/items",
      ["i0", "i2"].map((item) => ({ item, title, category: "tents", time: Date.UTC(2025, 0, 1) })),
    );
    const { href } = new URL("/v1/users/ann%2F%3Cb%3E", api.url);
    await until(async () => (await (await fetch(href)).text()).includes("tent for two"), "titles are known");
    await page.locator("#user").fill("ann/<b>");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/users/ann%2F%3Cb%3E");
    assert.equal(await page.locator("h1").textContent(), "ann/<b>");
    await page.locator(".items label").first().waitFor();
    assert.equal(await page.locator(".timeline .act").count(), 4);
    const effects = page.locator("table", { hasText: "effect" }).locator("tbody tr");
    assert.equal(await effects.count(), 4);
    assert.match(
      await effects.first().textContent() ?? "",
      /^click i2A tent for two persons, <b>red.*…tents.*[+−]\d/,
    );
    assert.match(await page.locator(".items").textContent() ?? "", /i0A tent for two persons/);
    const shot = Deno.env.get("MEANDER_SCREENSHOT");
    if (shot !== undefined) {
      await page.screenshot({ path: `${shot}-user-${width}.png`, fullPage: true, caret: "initial" });
    }
    // Nothing is learnt yet: the model explains an order that is not its own.
    const order = await page.locator("section, .card", { hasText: "What would be recommended" }).last()
      .textContent();
    assert.match(
      order ?? "",
      /Ordered by \w+; effects are those of base, version \d+, which does not affect the order, as of/,
    );
    const first = await page.locator(".about", { hasText: "has a share of" }).textContent();
    // Nobody has clicked yet: a score is not a probability, so it is not compared with one.
    assert.doesNotMatch(await page.locator(".items").textContent() ?? "", /prior/);
    await page.locator(".items input").first().focus();
    await page.keyboard.press("ArrowRight");
    const second = await page.locator(".about", { hasText: "has a share of" }).textContent();
    assert.notEqual(first, second, "another item has another reason");
  });
}

look("ids and dates in a user's timeline do not overlap", {
  path: "/users/eve",
  lost: true,
}, async ({ page, api }) => {
  const visits = [3, 3, 1.5, 0, 0].map((days, i) => ({
    type: "interaction",
    user: "eve",
    action: "view",
    item: `article-${20_410 + i}`,
    time: NOW - days * 86_400_000 + i,
  }));
  await api.post("/v1/events", visits);
  await page.reload();
  await page.locator(".timeline .act").nth(4).waitFor();
  const texts: readonly DOMRect[] = await page.evaluate(`(() => {
    const texts = [...document.querySelectorAll(".timeline text")];
    return texts.map((text) => text.getBoundingClientRect().toJSON());
  })()`);
  assert.equal(texts.length, 5 + 3);
  const drawn = await page.locator(".timeline").boundingBox();
  const shown = await page.locator(".scroll.end").boundingBox();
  assert.equal(drawn?.x, shown?.x, "a short timeline begins on the left");
  for (const [i, a] of texts.entries()) {
    for (const b of texts.slice(i + 1)) {
      const apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
      assert.ok(apart, `text ${i}: ${JSON.stringify([a, b])}`);
    }
  }
});

look(
  "the links to all pages fit a screen of 360 pixels",
  { path: "/experiments", width: 360 },
  async ({ page }) => {
    await page.locator("h1", { hasText: "Experiments" }).waitFor();
  },
);

const SPOOFED = "nimda\u202E\u200B";
look("characters that hide or reorder text are made visible on the page of a user", {
  path: `/users/${encodeURIComponent(SPOOFED)}`,
  lost: true,
}, async ({ page, api }) => {
  await api.post("/v1/items", { item: SPOOFED, title: SPOOFED, category: SPOOFED });
  await api.post("/v1/events", { type: "interaction", user: SPOOFED, item: SPOOFED, action: SPOOFED });
  await api.post("/v1/events", { type: "profile", user: SPOOFED, attributes: { [SPOOFED]: SPOOFED } });
  await page.reload();
  await page.locator(".items label").first().waitFor();
  assert.equal(await page.locator("h1").textContent(), "nimda\\u{202e}\\u{200b}");
  assert.equal(await page.title(), "nimda\\u{202e}\\u{200b} – meander");
});

Deno.test("seen() keeps joiners after letters and emoji that they may join", () => {
  const cook = "\u{1F469}\u200D\u{1F373}", persian = "\u0645\u06CC\u200C\u062E";
  assert.equal(seen(`${cook} ${persian}\n`), `${cook} ${persian}\n`);
  assert.equal(seen("ad\u200Cmin\u200D"), "ad\\u{200c}min\\u{200d}");
});

look("a user who is not known is said to be so", { path: "/users/nobody", lost: true }, async ({ page }) => {
  await page.locator("[role=alert]", { hasText: "does not know this user" }).waitFor();
});

look(
  "without an experiment, the page says how to start one",
  { path: "/experiments", width: 390 },
  async ({ page }) => {
    await page.locator("pre", { hasText: "deno task meander experiment start" }).waitFor();
  },
);

look("an experiment is shown with its variants", { path: "/experiments" }, async ({ page, api }) => {
  const registry = new ExperimentRegistry(api.log, topicNames(), { models: [], now: () => NOW });
  const epsilon = { name: "epsilon", policy: { name: "epsilon", epsilon: 0.1 } as const };
  await registry.start({ name: "explore", hypothesis: "it helps", variants: [{ name: "as-is" }, epsilon] });
  await page.reload();
  await page.locator(".card", { hasText: "it helps" }).waitFor();
  const text = await page.locator("table").textContent() ?? "";
  assert.match(text, /as-is.*epsilon/);
  assert.match(text, /undecided/);
  const { Experiments } = await schemasOf(api);
  assert.ok(Experiments !== undefined && matches(Experiments, (await api.get("/v1/experiments")).json));
  await api.post("/v1/experiments/explore/stop", { reason: "it breaks a guard rail" });
  await page.reload();
  await page.locator(".card", { hasText: "stopped: it breaks a guard rail" }).waitFor();
});

/** Bytes and reasons that try to make the page do something for an attacker. */
const HOSTILE = [
  `<img src=x onerror="document.title='taken'"><script>document.title='taken'</script>`,
  `</code></pre><svg onload=alert(1)>{"user":"\u202Ennacs"}`,
  "javascript:alert(1)//\u0000\u0007",
];

for (const width of [1280, 390]) {
  const name = `rejected records are counted and decoded, and bytes stay text, ${width} pixels wide`;
  look(name, { path: "/rejected", width, dark: width === 390 }, async ({ page, api }) => {
    await page.locator("h2", { hasText: "Nothing has been rejected" }).waitFor();
    const encoder = new TextEncoder();
    const rejections = [...HOSTILE.map((text) => encoder.encode(text)), Uint8Array.of(0, 1, 0xff, 0x41)];
    await api.log.append(rejections.map((bytes, n) => ({
      topic: "meander.rejected",
      partition: 0,
      key: HOSTILE[0]!,
      time: NOW + n,
      headers: { [HOSTILE[0]!]: HOSTILE[1]! },
      value: encodeRejection({
        ...rejectionOf(
          { topic: HOSTILE[n] ?? "clicks", partition: 0, offset: n, source: HOSTILE[0]! },
          { ok: false, code: "unmapped", reason: `${HOSTILE[n % 3]} has no rule` },
          bytes,
        ),
        rule: HOSTILE[1]!,
      }),
    })));
    await page.reload();
    await page.locator("details.record").nth(3).waitFor();
    await page.evaluate("for (const e of document.querySelectorAll('details')) e.open = true");
    const codes = await page.locator("details pre").allTextContents();
    assert.match(codes[0] ?? "", /^0000 {2}00 01 ff 41 +···A$/);
    assert.match(codes[1] ?? "", /^0000 {2}6a 61 76 61/, "control characters are no text");
    assert.equal(codes[2], HOSTILE[1]!.replace("\u202E", "\\u{202e}"));
    assert.equal(codes[3], HOSTILE[0]);
    assert.equal(
      await page.locator("main img, main script, main svg, main [onerror], main [onload]").count(),
      0,
    );
    assert.equal(await page.title(), "Rejected – meander");
    const text = await page.locator("main").textContent() ?? "";
    assert.ok(text.includes(HOSTILE[0]!) && !text.includes("\u202E") && !text.includes("\0"));
    assert.match(text, /rejected replay '<img/);
    const { Rejected } = await schemasOf(api);
    assert.ok(Rejected !== undefined && matches(Rejected, (await api.get("/v1/rejected")).json));
    const shot = Deno.env.get("MEANDER_SCREENSHOT");
    if (shot !== undefined) {
      await page.screenshot({ path: `${shot}-${width}.png`, fullPage: true, caret: "initial" });
    }
  });
}
