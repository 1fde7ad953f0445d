/**
 * The HTTP API under load: server and clients on this machine, the events of `fixtures/shop` before it.
 *
 *     deno run -A tests/bench/http.ts [base|din|dien|mimn] [clients] [options of `run`, such as --no-learner-thread]
 *
 * Recommendations of 100 given candidates for users with a past; then events one by one and in batches; then the time
 * from a click to a list that knows it. Outcomes are final after a second, so that every list that is served comes to
 * be learnt while others are asked for.
 *
 * @module
 */

import process from "node:process";
import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import { openSource } from "../../streams/sources/open.ts";
import { endWith } from "./end_with.ts";
import { HttpClient } from "./http_client.ts";
import { machineLine } from "./machine.ts";
import { taskEnvironment, taskV8Flags } from "../service/task_command.ts";

const [model = "dien", clients = "8", ...options] = Deno.args;
const CLIENTS = Number(clients);
const SECONDS = 10;
/** Asked for so long before anything is measured: the server is compiled as it runs. */
const WARM_SECONDS = 10;
const EVENTS = 12_000;
/** Who send events, each in turn. */
const USERS = 5000;
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const folder = await Deno.makeTempDir({ prefix: "meander-http-" });
const log = ["--log", "sqlite", "--log-path", `${folder}/log.sqlite`];
/** As `deno task run` starts it. */
const [V8_FLAGS, ENVIRONMENT] = [await taskV8Flags("run"), await taskEnvironment("run")];
const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

/** Processor time of this process, milliseconds. */
const ownCpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const command = (script: string, ...args: string[]) =>
  new Deno.Command(Deno.execPath(), {
    args: ["run", ...V8_FLAGS, "-A", "--no-check", `${ROOT}scripts/${script}.ts`, ...log, ...args],
    cwd: ROOT,
    env: ENVIRONMENT,
    stdout: "null",
    stderr: Deno.env.get("VERBOSE") === undefined ? "null" : "inherit",
  });

print(await machineLine());
await command("ingest", "--from", "fixtures/shop", "--limit", String(EVENTS)).output();
const port = 20_000 + Math.floor(Math.random() * 20_000);
const url = `http://127.0.0.1:${port}`;
// Nobody clicks on what is shown here, so the guard would hold versions back.
const shop = JSON.parse(await Deno.readTextFile(`${ROOT}fixtures/shop/meander.json`));
const config = `${folder}/meander.json`;
const soon = { outcomeWindowMs: 1000, allowedLatenessMs: 0, guard: null };
await Deno.writeTextFile(config, JSON.stringify({ ...shop, ...soon }));
const flags = ["--config", config, "--model", model, "--http", `127.0.0.1:${port}`, ...options];
await using server = endWith(command("run", ...flags).spawn());
/** Events that were not committed, samples that were not learnt, and the newest version made. */
const status = async (): Promise<{ lag: number; waiting: number; version: number }> => {
  const { partitions, learner } = await fetch(`${url}/v1/status`).then(
    (response) => response.json(),
    () => ({ partitions: [], learner: null }),
  );
  return {
    lag: partitions[0]?.lag ?? Infinity,
    waiting: learner?.lag ?? Infinity,
    version: learner?.version ?? 0,
  };
};
while (await status().then(({ lag, waiting }) => lag > 0 || waiting > 50)) await delay(200);

const users = Array.from({ length: 300 }, (_, n) => `u${n}`);
/** Behind the newest event that was ingested, and time that goes on from there. */
const START = 1_741_864_100_000;
const time = () => Math.round(START + performance.now());
const candidates: string[] = [];
for await (const record of openSource("meander", `${ROOT}fixtures/shop`)) {
  if (record.kind === "event" || candidates.length === 100) break;
  if (record.kind !== "item") continue;
  const { item, time, expires = Infinity } = record.item;
  // What is not on sale is not scored.
  if (time < START && expires > START + 3_600_000) candidates.push(item);
}
let turn = 0;

async function post(
  client: HttpClient,
  path: string,
  body: string,
  type = "application/json",
): Promise<unknown> {
  const { status, text } = await client.post(path, body, type);
  if (status !== 200) throw new Error(`${path}: ${text}`);
  return JSON.parse(text);
}

type Call = (client: HttpClient) => Promise<unknown>;

/** Calls at once from so many clients for a while; times in milliseconds. */
async function load(count: number, call: Call, seconds = SECONDS): Promise<number[]> {
  const times: number[] = [];
  const until = performance.now() + seconds * 1000;
  await Promise.all(Array.from({ length: count }, async () => {
    using client = await HttpClient.open(port);
    while (performance.now() < until) {
      const begun = performance.now();
      await call(client);
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
let ownUsed = 0;
let version = 0;

async function report(what: string, times: readonly number[], each = 1, seconds = SECONDS): Promise<void> {
  const count = times.length * each;
  const ownMs = (ownCpuMs() - ownUsed) / count;
  const before = used;
  used = await cpuSeconds();
  const cpuMs = (used - before) / count * 1000;
  const at = (share: number) => (times[Math.floor(times.length * share)] ?? NaN).toFixed(1);
  const rate = Math.round(count / seconds);
  const latency = `p50 ${at(0.5)} ms   p99 ${at(0.99)} ms   max ${(times.at(-1) ?? NaN).toFixed(0)} ms`;
  const now = await status();
  const learnt = `${Math.round((now.version - version) / seconds)} versions/s`;
  version = now.version;
  print(
    `${what.padEnd(48)} ${String(rate).padStart(6)}/s   ${latency}   ${
      cpuMs.toFixed(3)
    } ms of processor each, clients ${ownMs.toFixed(3)}   ${learnt}, ${now.waiting} waiting`,
  );
  ownUsed = ownCpuMs();
}

async function recommend(client: HttpClient): Promise<void> {
  const request = { user: users[turn++ % users.length], time: time(), count: 20, candidates };
  const answer = await post(client, "/v1/rank", JSON.stringify(request));
  const { items } = answer as { readonly items: readonly unknown[] };
  if (items.length !== 20) throw new Error(`${items.length} items came, not 20`);
}
const event = () => ({
  type: "interaction",
  time: time(),
  user: `w${turn++ % USERS}`,
  item: `i${turn % 300}`,
  action: "view",
});
await load(CLIENTS, recommend, WARM_SECONDS);
used = await cpuSeconds();
ownUsed = ownCpuMs();
({ version } = await status());
await report(`rank 100 candidates, ${model}, 1 client`, await load(1, recommend));
await report(`rank 100 candidates, ${model}, ${CLIENTS} clients`, await load(CLIENTS, recommend));

const changed = await load(1, async (client) => {
  const user = users[turn % users.length];
  await post(
    client,
    "/v1/events",
    JSON.stringify({ type: "interaction", time: time(), user, item: `i${turn % 300}`, action: "click" }),
  );
  await recommend(client);
});
await report(`click, then the list that knows it, ${model}, 1 client`, changed);
await report(
  `events one by one, ${CLIENTS} clients`,
  await load(CLIENTS, (client) => post(client, "/v1/events", JSON.stringify(event()))),
);
// All but the time is written beforehand. The same events again would be too late, and cost what a refusal costs.
const written = Array.from({ length: USERS }, () => JSON.stringify(event()).split(/(?<="time":)\d+/));
const batch: Call = (client) => {
  const now = time();
  let lines = "";
  for (let n = 0; n < 1000; n++) {
    const [start, end] = written[turn++ % USERS] ?? [];
    lines += `${start}${now}${end}\n`;
  }
  return post(client, "/v1/events", lines, "application/x-ndjson");
};
await report("events in batches of 1000, 2 clients", await load(2, batch), 1000);
print(`behind then: ${(await status()).lag} events`);
server.kill("SIGTERM");
print(`ended with ${(await server.status).code}`);
await Deno.remove(folder, { recursive: true });
