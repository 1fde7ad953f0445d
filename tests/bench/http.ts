/**
 * The HTTP API under load: server and clients on this machine, the events of `fixtures/shop` before it.
 *
 *     deno run -A tests/bench/http.ts [base|din|dien|mimn] [clients]
 *
 * Recommendations of 100 given candidates for users with a past, learner on; then events one by one and in batches;
 * then the time from a click to a list that knows it.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";

const [model = "dien", clients = "8"] = Deno.args;
const CLIENTS = Number(clients);
const SECONDS = 10;
const EVENTS = 12_000;
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const folder = await Deno.makeTempDir({ prefix: "meander-http-" });
const log = ["--log", "sqlite", "--log-path", `${folder}/log.sqlite`];
const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

const command = (script: string, ...args: string[]) =>
  new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `${ROOT}scripts/${script}.ts`, ...log, ...args],
    cwd: ROOT,
    stdout: "null",
    stderr: Deno.env.get("VERBOSE") === undefined ? "null" : "inherit",
  });

await command("ingest", "--from", "fixtures/shop", "--limit", String(EVENTS)).output();
const port = 20_000 + Math.floor(Math.random() * 20_000);
const url = `http://127.0.0.1:${port}`;
const config = "fixtures/shop/meander.json";
await using server = command("run", "--config", config, "--model", model, "--http", `127.0.0.1:${port}`)
  .spawn();
const lag = async (): Promise<number> => {
  const { partitions } = await fetch(`${url}/v1/status`).then(
    (response) => response.json(),
    () => ({ partitions: [] }),
  );
  return partitions[0]?.lag ?? Infinity;
};
while (await lag() > 0) await delay(200);

const users = Array.from({ length: 300 }, (_, n) => `u${n}`);
const candidates = Array.from({ length: 100 }, (_, n) => `i${n}`);
let turn = 0;

async function post(path: string, body: string, type = "application/json"): Promise<unknown> {
  const response = await fetch(`${url}${path}`, { method: "POST", body, headers: { "content-type": type } });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${path}: ${text}`);
  return JSON.parse(text);
}

/** Calls at once from so many clients for a while; times in milliseconds. */
async function load(count: number, call: () => Promise<unknown>, seconds = SECONDS): Promise<number[]> {
  const times: number[] = [];
  const until = performance.now() + seconds * 1000;
  await Promise.all(Array.from({ length: count }, async () => {
    while (performance.now() < until) {
      const begun = performance.now();
      await call();
      times.push(performance.now() - begun);
    }
  }));
  return times.sort((a, b) => a - b);
}

/** Seconds of processor time that the server has used. */
async function cpuSeconds(): Promise<number> {
  const text = await fetch(`${url}/metrics`).then((response) => response.text());
  return Number(/^process_cpu_seconds_total (\S+)/m.exec(text)?.[1]);
}

let used = 0;

async function report(what: string, times: readonly number[], each = 1, seconds = SECONDS): Promise<void> {
  const before = used;
  used = await cpuSeconds();
  const cpuMs = (used - before) / times.length / each * 1000;
  const at = (share: number) => (times[Math.floor(times.length * share)] ?? NaN).toFixed(1);
  const rate = Math.round(times.length * each / seconds);
  const latency = `p50 ${at(0.5)} ms   p99 ${at(0.99)} ms`;
  print(
    `${what.padEnd(52)} ${String(rate).padStart(7)}/s   ${latency}   ${
      cpuMs.toFixed(3)
    } ms of processor each`,
  );
}

const recommend = () =>
  post("/v1/rank", JSON.stringify({ user: users[turn++ % users.length], count: 20, candidates }));
const event = () => ({
  type: "interaction",
  user: `w${turn++ % 5000}`,
  item: `i${turn % 300}`,
  action: "view",
});
await load(1, recommend, 1);
used = await cpuSeconds();
await report(`rank 100 candidates, ${model}, 1 client`, await load(1, recommend));
await report(`rank 100 candidates, ${model}, ${CLIENTS} clients`, await load(CLIENTS, recommend));

const changed = await load(1, async () => {
  const user = users[turn % users.length];
  await post(
    "/v1/events",
    JSON.stringify({ type: "interaction", user, item: `i${turn % 300}`, action: "click" }),
  );
  await recommend();
});
await report(`click, then the list that knows it, ${model}, 1 client`, changed);
await report(
  `events one by one, ${CLIENTS} clients`,
  await load(CLIENTS, () => post("/v1/events", JSON.stringify(event()))),
);
const lines = () => Array.from({ length: 1000 }, () => JSON.stringify(event())).join("\n");
const batches = Array.from({ length: 20 }, lines);
const batch = () => post("/v1/events", batches[turn++ % batches.length] ?? "", "application/x-ndjson");
await report("events in batches of 1000, 2 clients", await load(2, batch), 1000);
print(`behind then: ${await lag()} events`);
server.kill("SIGTERM");
print(`ended with ${(await server.status).code}`);
await Deno.remove(folder, { recursive: true });
