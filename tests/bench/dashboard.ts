/**
 * What an open dashboard costs: the server with 1,000 events a second that flow in, without a viewer and with one in
 * turn, and the frames of the page in headless Chromium beside those of an empty page.
 *
 *     deno run -A tests/bench/dashboard.ts [base|din|dien|mimn] [turns, 4]
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import { chromium, type Page } from "playwright-core";
import { findChromium } from "../browser.ts";
import { taskV8Flags } from "../service/task_command.ts";
import { endWith } from "./end_with.ts";

const [model = "base", turns = "4"] = Deno.args;
const SECONDS = 10;
const EVENTS_A_SECOND = 1000;
const EVERY_MS = 50;
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const folder = await Deno.makeTempDir({ prefix: "meander-dashboard-" });
const port = 20_000 + Math.floor(Math.random() * 20_000);
const url = `http://127.0.0.1:${port}`;
const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

const log = ["--log", "sqlite", "--log-path", `${folder}/log.sqlite`];
const flags = ["--config", "fixtures/shop/meander.json", "--model", model, "--http", `127.0.0.1:${port}`];
await using server = endWith(
  new Deno.Command(Deno.execPath(), {
    args: ["run", ...await taskV8Flags("run"), "-A", "--no-check", `${ROOT}scripts/run.ts`, ...log, ...flags],
    cwd: ROOT,
    stdout: "null",
    stderr: "null",
  }).spawn(),
);
while (!await fetch(`${url}/ready`).then((response) => response.ok, () => false)) await delay(100);

const stop = new AbortController();
let sent = 0;
const flow = (async () => {
  for (let due = performance.now(); !stop.signal.aborted; due += EVERY_MS) {
    const lines = Array.from({ length: EVENTS_A_SECOND * EVERY_MS / 1000 }, () =>
      JSON.stringify({
        type: "interaction",
        user: `w${sent++ % 5000}`,
        item: `i${sent % 300}`,
        action: sent % 10 === 0 ? "click" : "view",
      }));
    const headers = { "content-type": "application/x-ndjson" };
    const body = lines.join("\n");
    const response = await fetch(`${url}/v1/events`, { method: "POST", body, headers });
    if (!response.ok) throw new Error(await response.text());
    await response.body?.cancel();
    await delay(Math.max(0, due + EVERY_MS - performance.now()));
  }
})();

/** Share of a core that the server has used in a while. */
async function coreShare(during: () => Promise<unknown>): Promise<number> {
  const before = await cpuSeconds();
  const begun = performance.now();
  await during();
  return (await cpuSeconds() - before) / ((performance.now() - begun) / 1000);
}

async function cpuSeconds(): Promise<number> {
  const text = await fetch(`${url}/metrics`).then((response) => response.text());
  return Number(/^process_cpu_seconds_total (\S+)/m.exec(text)?.[1]);
}

/** Frames of a page for a while, and what its thread was busy with. */
async function frames(page: Page): Promise<string> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const measures = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return new Map(metrics.map(({ name, value }) => [name, value]));
  };
  const before = await measures();
  const times: readonly number[] = await page.evaluate(`new Promise((resolve) => {
    const times = [];
    const frame = (now) => {
      times.push(now);
      if (now - times[0] < ${SECONDS * 1000}) requestAnimationFrame(frame);
      else resolve(times);
    };
    requestAnimationFrame(frame);
  })`);
  const after = await measures();
  await session.detach();
  const gaps = times.slice(1).map((time, i) => time - times[i]!).sort((a, b) => a - b);
  const at = (share: number) => (gaps[Math.floor(gaps.length * share)] ?? NaN).toFixed(1);
  const busy = (name: string) => ((after.get(name)! - before.get(name)!) / SECONDS * 1000).toFixed(1);
  const rate = (gaps.length / ((times.at(-1)! - times[0]!) / 1000)).toFixed(1);
  return `${rate} frames/s, gaps p50 ${at(0.5)} p99 ${at(0.99)} max ${
    gaps.at(-1)?.toFixed(0)
  } ms; ms a second in ` +
    `scripts ${busy("ScriptDuration")}, style ${busy("RecalcStyleDuration")}, layout ${
      busy("LayoutDuration")
    }, ` +
    `all tasks ${busy("TaskDuration")}`;
}

/** A viewer that draws nothing: what the server has to do for it is the same. */
async function watch(): Promise<void> {
  const leave = new AbortController();
  const reading = fetch(`${url}/v1/live`, { signal: leave.signal }).then(async ({ body }) => {
    for await (const _ of body ?? []) { /* as fast as it comes */ }
  }).catch(() => {});
  await delay(SECONDS * 1000);
  leave.abort();
  await reading;
}

await delay(5000);
const shares: Record<"alone" | "watched", number[]> = { alone: [], watched: [] };
for (let turn = 0; turn < Number(turns); turn++) {
  shares.alone.push(await coreShare(() => delay(SECONDS * 1000)));
  shares.watched.push(await coreShare(watch));
}
const percent = (of: readonly number[]) => of.map((share) => `${(100 * share).toFixed(1)} %`).join(", ");
const differences = shares.watched.map((share, i) => share - shares.alone[i]!).sort((a, b) => a - b);
print(
  `model ${model}, ${Math.round(sent / performance.now() * 1000)} events/s sent, load ${Deno.loadavg()[0]}`,
);
print(`server without a viewer: ${percent(shares.alone)} of a core`);
print(`server with one:         ${percent(shares.watched)}; more, in turn: ${percent(differences)}`);
const executablePath = await findChromium("frames");
if (executablePath !== null) {
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  for (const path of ["about:blank", `${url}/`, "about:blank", `${url}/`]) {
    await page.goto(path);
    if (path !== "about:blank") await page.locator("#state.live").waitFor();
    await delay(2000);
    print(`${path === "about:blank" ? "empty page" : "dashboard "}: ${await frames(page)}`);
  }
  await browser.close();
}
stop.abort();
await flow;
server.kill("SIGTERM");
await server.status;
await Deno.remove(folder, { recursive: true });
