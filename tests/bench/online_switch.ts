/**
 * A service under load while another generation is built next to it and takes over: requests that failed, the pause,
 * and whether each request has one answer on the log.
 *
 *     deno run -A tests/bench/online_switch.ts --rate 50 --seconds 60
 *     deno run -A tests/bench/online_switch.ts --log kafka --processes 2 --kill builder --at closing --after 100
 *     deno run -A tests/bench/online_switch.ts --log kafka --processes 2 --back
 *
 * It feeds the shop, serves it without one of the features until it has caught up, then starts `run --rebuild` with
 * that feature and more tasks. `--warm` sends requests for some seconds before that: a broker's compiler takes half a
 * processor of its first minute. With `--kill` the process that builds, or another one, is killed so many milliseconds
 * after a record of the switch, or after both generations were compared (`--at rows`), and restarted. With `--back`
 * process 1 is restarted with the old configuration once it has switched, and takes the group back.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { setTimeout as delay } from "node:timers/promises";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import type { Log } from "../../streams/log/log.ts";
import { startMeasuredBroker } from "./end_with.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { topicNames } from "../../streams/topics/topics.ts";

const { values } = parseArgs({
  options: {
    rate: { type: "string", default: "50" },
    seconds: { type: "string", default: "60" },
    limit: { type: "string", default: "31000" },
    model: { type: "string", default: "dien" },
    share: { type: "string", default: "0.5" },
    port: { type: "string", default: "18723" },
    log: { type: "string", default: "sqlite" },
    partitions: { type: "string", default: "2" },
    tasks: { type: "string", default: "6" },
    processes: { type: "string", default: "1" },
    kill: { type: "string" },
    at: { type: "string", default: "closing" },
    after: { type: "string", default: "0" },
    back: { type: "boolean", default: false },
    warm: { type: "string", default: "0" },
  },
});
const [rate, seconds] = [Number(values.rate), Number(values.seconds)];
const processes = Number(values.processes);
const urls = Array.from({ length: processes }, (_, n) => `http://127.0.0.1:${Number(values.port) + n}`);
const folder = await Deno.makeTempDir();
const path = join(folder, "log");
const shop = JSON.parse(await Deno.readTextFile("fixtures/shop/meander.json"));
const configs = [join(folder, "old.json"), join(folder, "new.json")] as const;
await Deno.writeTextFile(
  configs[0],
  JSON.stringify({ ...shop, features: { ...shop.features, itemFields: ["band"] } }),
);
await Deno.writeTextFile(configs[1], JSON.stringify(shop));

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

/** Longest wait for a process to make progress. */
const PATIENCE_MS = 600_000;
const started: Deno.ChildProcess[] = [];

/** The command of `deno task run`: `NAME=value ... deno run --flag ... scripts/run.ts`. */
const words: string[] = JSON.parse(await Deno.readTextFile("deno.json")).tasks.run.command.split(" ");
const service = {
  env: Object.fromEntries(words.slice(0, words.indexOf("deno")).map((word) => word.split("="))),
  flags: words.slice(words.indexOf("run") + 1, -1),
};

/** Runs a command of the repository with the flags of the service; its lines go to a function. */
function start(args: readonly string[], onLine: (line: string) => void): Deno.ChildProcess {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", ...service.flags, ...args],
    env: service.env,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  started.push(process);
  for (const stream of [process.stdout, process.stderr]) {
    void (async () => {
      let rest = "";
      for await (const text of stream.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) onLine(line);
      }
    })();
  }
  return process;
}

await using broker = values.log === "kafka" ? await startMeasuredBroker() : undefined;
const place = broker === undefined ? ["--log-path", path] : ["--log", "kafka", "--brokers", broker.address];

/** Runs process n of a deployment. */
function serve(n: number, config: string, flags: readonly string[], onLine: (line: string) => void) {
  const own = broker === undefined
    ? []
    : ["--snapshots", `${folder}/snapshots-${n}`, "--members", `${folder}/members-${n}`];
  const log = [...place, ...own, "--config", config, "--model", values.model];
  return start(
    ["scripts/run.ts", ...log, "--http", `127.0.0.1:${Number(values.port) + n}`, ...flags],
    onLine,
  );
}

/** Reports the records of switches. */
async function watch(onStep: (key: string) => void, isOver: () => boolean): Promise<void> {
  await using log = await KafkaLog.open({ brokers: [broker!.address] });
  const { generations } = topicNames();
  for (let next = (await log.bounds(generations, 0)).end; !isOver();) {
    const read = await log.read(generations, 0, next, { waitMs: 200 });
    for (const { key, value } of read.records) if (value !== null) onStep(key ?? "");
    next = read.next;
  }
}

/** Waits until a condition holds. @throws Error when it does not within ten minutes */
async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${PATIENCE_MS / 1000} s`);
    await delay(100);
  }
}

async function isReady(of: readonly string[] = urls): Promise<boolean> {
  try {
    const responses = await Promise.all(of.map((url) => fetch(`${url}/ready`)));
    await Promise.all(responses.map(({ body }) => body?.cancel()));
    return responses.every(({ ok }) => ok);
  } catch {
    return false;
  }
}

/** Sends requests at the rate for some seconds, which do not count: a new broker compiles what it runs. */
async function warmUp(seconds: number): Promise<void> {
  const begun = performance.now();
  const pending: Promise<unknown>[] = [];
  for (let n = 0; n < seconds * rate; n++) {
    await delay(Math.max(0, begun + 1000 * n / rate - performance.now()));
    const response = post(0, "/v1/recommend", { user: `u${1 + n * 7 % 400}`, count: 5 });
    pending.push(response.then(({ body }) => body?.cancel(), () => {}));
  }
  await Promise.all(pending);
}

async function stop(process: Deno.ChildProcess): Promise<void> {
  process.kill("SIGTERM");
  await process.status;
}

/** The slowest request of each second that had one above 300 ms. */
function slowestBySecond(begun: number): Record<string, number> {
  const slowest: Record<string, number> = {};
  for (const { at, ms } of asked) {
    const second = `${Math.floor((at - begun) / 1000)}`;
    if (ms > 300) slowest[second] = Math.max(slowest[second] ?? 0, Math.round(ms));
  }
  return slowest;
}

interface Asked {
  readonly request: string;
  readonly at: number;
  readonly ms: number;
  readonly isFailed: boolean;
}

const asked: Asked[] = [];
let failedClicks = 0, clicks = 0;
/** Failed requests: when each was sent, and how long it had waited, milliseconds. */
const failures: { readonly what: string; readonly at: number; readonly ms: number }[] = [];
/** Processes that get no requests, as a load balancer would know. */
const down = new Set<number>();
/** Requests pending at a process when it was killed. */
let killed = 0;
/** No other client uses these names. */
const own = `drill-${crypto.randomUUID().slice(0, 8)}`;

function fail(n: number, at: number, why: string): void {
  failures.push({ what: `${n}, process ${processOf(n)}: ${why}`, at, ms: performance.now() - at });
}

/** The processes that get requests. */
function processOf(n: number): number {
  return down.has(n % processes) ? (n + 1) % processes : n % processes;
}

/** Requests a list, and clicks on one of five. */
async function ask(n: number): Promise<void> {
  const at = performance.now();
  const request = `${own}-${n}`, user = `u${1 + n * 7 % 400}`, asks = processOf(n);
  try {
    const response = await post(n, "/v1/recommend", { user, count: 5, request });
    const list = await response.json() as Recommendation;
    if (!response.ok) fail(n, at, `${response.status} ${JSON.stringify(list)}`);
    asked.push({ request, at, ms: performance.now() - at, isFailed: !response.ok });
    if (!response.ok || n % 5 > 0) return;
    const item = list.items[n % 25 / 5]?.item;
    if (item === undefined) return;
    clicks++;
    const event = {
      type: "interaction",
      id: `${own}-click-${n}`,
      user,
      item,
      request,
      action: "click",
      time: Date.now(),
    };
    const taken = await post(n, "/v1/events", event);
    const said = await taken.text();
    if (taken.ok) return;
    failedClicks++;
    fail(n, at, `click: ${taken.status} ${said}`);
  } catch (error) {
    if (down.has(asks)) return void killed++;
    fail(n, at, `${error}`);
    asked.push({ request, at, ms: performance.now() - at, isFailed: true });
  }
}

async function post(n: number, route: string, body: unknown): Promise<Response> {
  return await fetch(`${urls[processOf(n)]}${route}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

try {
  const ingest = ["scripts/ingest.ts", "--from", "fixtures/shop", "--recent", ...place];
  const fed = start([...ingest, "--limit", values.limit, "--partitions", values.partitions], () => {});
  assert.ok((await fed.status).success, "the shop is on the log");
  let isCaughtUp = false;
  const first = serve(0, configs[0], [], (line) => isCaughtUp ||= /lag 0\b/.test(line));
  await until("the shop is served to its end", () => isCaughtUp);
  await warmUp(Number(values.warm));
  await stop(first);
  let said: string | undefined, began = 0, switched = 0, builder = 0, isKilled = values.kill === undefined;
  const pauses: string[] = [];
  /** Called with the events of a switch. */
  let onStep = (_step: string) => {};
  const common = ["--rebuild", "--anyway", "--rebuild-share", values.share];
  const flags = [...common, "--partitions", values.tasks];
  const rebuild = (n: number, config: string, flags: readonly string[]) =>
    serve(n, config, flags, (line) => {
      if (/rebuild|generation|changed|error|warn/i.test(line)) print(`${n}: ${line}`);
      if (/building generation/.test(line)) [began, builder] = [began || performance.now(), n];
      if (/rows that both have/.test(line)) onStep("rows");
      const [pause] = /(?<=serves, after a pause of )\d+/.exec(line) ?? [];
      if (pause !== undefined) [said, switched] = [pause, performance.now()], pauses.push(pause);
      // Where the builder is killed, only its followers report it.
      else if (/serves: this process switches to it/.test(line)) said ??= "none";
    });
  const running = urls.map((_, n) => rebuild(n, configs[1], flags));
  /** Kills a process and restarts it. */
  const kill = async () => {
    await delay(Number(values.after));
    const n = values.kill === "builder" ? builder : (builder + 1) % processes;
    print(`kills process ${n}`);
    down.add(n);
    running[n]!.kill("SIGKILL");
    await delay(2000);
    running[n] = rebuild(n, configs[1], flags);
    await until("it is ready again", () => isReady([urls[n]!]));
    down.delete(n);
    isKilled = true;
  };
  if (values.kill !== undefined) {
    onStep = (step) => {
      if (step !== values.at) return;
      onStep = () => {};
      void kill();
    };
    void watch((step) => onStep(step), () => isKilled);
  }
  /** Makes process 1 go back to the previous generation. */
  const goBack = async () => {
    await delay(3000);
    down.add(1);
    await delay(500);
    await stop(running[1]!);
    said = undefined;
    const begun = performance.now();
    running[1] = rebuild(1, configs[0], [...common, "--roll-back", "--partitions", values.partitions]);
    await until("it is ready again", () => isReady([urls[1]!]));
    down.delete(1);
    await until("it has gone back", () => said !== undefined);
    print(`back within ${Math.round(performance.now() - begun)} ms of the start`);
  };
  let back: Promise<void> | undefined, isBack = !values.back;
  await until("all processes are ready", isReady);
  const begun = performance.now();
  const pending: Promise<void>[] = [];
  const isOver = () => said !== undefined && isKilled && isBack;
  for (let n = 0; performance.now() - begun < 1000 * seconds || !isOver(); n++) {
    if (performance.now() - begun > 10_000 * seconds) break;
    if (values.back && said !== undefined) back ??= goBack().then(() => void (isBack = true));
    await delay(Math.max(0, begun + 1000 * n / rate - performance.now()));
    pending.push(ask(n));
  }
  await Promise.all(pending);
  await back;
  await delay(2000);
  await Promise.all(running.map(stop));

  const topics = topicNames();
  await using log: Log = broker === undefined
    ? await SqliteLog.open(path)
    : await KafkaLog.open({ brokers: [broker.address] });
  /** Where the answers to a request are, and what they are. */
  const answers = new Map<string, string[]>();
  const ids = new Map<string, number>();
  for (let partition = 0; partition < Number(values.partitions); partition++) {
    for await (const { value, offset, time, headers } of readAll(log, topics.recommendations, partition)) {
      const { request, version } = JSON.parse(new TextDecoder().decode(value!)) as Recommendation;
      if (!request.startsWith(own)) continue;
      const at = `${partition}/${offset} at ${time}: version ${version}, input ${headers["input"]}`;
      answers.set(request, [...answers.get(request) ?? [], at]);
    }
    for await (const { value } of readAll(log, topics.events, partition)) {
      const { id } = JSON.parse(new TextDecoder().decode(value!)) as { id?: string };
      if (id?.startsWith(own)) ids.set(id, (ids.get(id) ?? 0) + 1);
    }
  }
  const doubled = [...answers].filter(([, at]) => at.length > 1);
  const sorted = asked.map(({ ms }) => ms).sort((a, b) => a - b);
  const near = asked.filter(({ at }) => Math.abs(at - switched) < 2000).map(({ ms }) => ms);
  print(JSON.stringify(
    {
      epochOfSwitch: Math.round(performance.timeOrigin + switched),
      rate: asked.length / ((performance.now() - begun) / 1000),
      requests: asked.length,
      failed: asked.filter(({ isFailed }) => isFailed).length + failedClicks,
      failures: failures.map(({ what, at, ms }) =>
        `${(at - switched).toFixed(0)} ms from the switch, after ${ms.toFixed(0)} ms: ${what}`
      ),
      unanswered: asked.filter(({ request }) => !answers.has(request)).length,
      doubled,
      clicks,
      lostClicks: clicks - ids.size,
      doubledClicks: [...ids.values()].filter((times) => times > 1).length,
      buildSeconds: (switched - began) / 1000,
      pauses,
      killed,
      p50: sorted[Math.floor(sorted.length * 0.5)],
      p99: sorted[Math.floor(sorted.length * 0.99)],
      slowest: sorted.at(-1),
      slowestAtTheSwitch: Math.max(...near),
      slowestBySecond: slowestBySecond(begun),
    },
    null,
    2,
  ));
  assert.ok(said !== undefined, "it has switched");
} finally {
  for (const process of started) {
    try {
      process.kill("SIGKILL");
    } catch { // it has ended
    }
  }
  await Deno.remove(folder, { recursive: true });
}
