/**
 * Latency and throughput of `deno task run` on Kafka, with both delivery modes of answers; broker, engine and this
 * client share the machine. Needs Java and Maven.
 *
 * - throughput: from the first to the last commit of the fixture's events, appended in one go
 * - most: requests a second, of a thousand appended in one go
 * - latency: from the append of a request to its answer on `recommendations`, at a steady rate, by default at half of the
 *   most that exactly-once delivery does; after a while at that rate, as engine and broker are compiled as they run
 *
 * `deno run -A tests/bench/service.ts [model, base] [requests a second, 0 = half of the most] [options of run]`
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { encodeEvent } from "../../src/events/codec.ts";
import { Feeder } from "../../streams/feeders/feeder.ts";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import { openSource } from "../../streams/sources/open.ts";
import { DELIVERIES, type Delivery } from "../../streams/topics/delivery.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { startService } from "../service/task_command.ts";
import { endWith, startMeasuredBroker } from "./end_with.ts";
import { machineLine } from "./machine.ts";

const PARTITIONS = 4;
const SECONDS = 20;
/** A broker with a server's flags is still compiling, with a third of a processor, after 20 seconds. */
const WARM_SECONDS = 60;
/** Event time between requests: it decides how soon windows end and samples are learnt. */
const STEP_MS = 60_000;
const BURST = 1000;
const [model = "base", fixed = "0", ...options] = Deno.args;
const root = fileURLToPath(new URL("../../", import.meta.url));
const topics = topicNames();

print(`${await machineLine()}\n`);
await using broker = await startMeasuredBroker();
await using log = await KafkaLog.open({ brokers: [broker.address] });
await log.createTopics(topicSpecs(topics, PARTITIONS));
await using feeder = await Feeder.open(log, topics, openSource("meander", `${root}fixtures/shop`), {
  name: "bench",
});
while (await feeder.feed());
const { end: last } = await log.bounds(topics.events, 0);
let clock = (await log.read(topics.events, 0, last - 3)).records.at(-1)?.time ?? 0;

const folder = await Deno.makeTempDir({ prefix: "meander-bench-" });
// Nobody clicks here, so the guard would hold back versions, and with them the position in the samples.
const config = `${folder}/meander.json`;
const shop = JSON.parse(await Deno.readTextFile(`${root}fixtures/shop/meander.json`));
await Deno.writeTextFile(config, JSON.stringify({ ...shop, guard: null }));

let rate = Number(fixed) || undefined;
let round = 0;
for (const delivery of DELIVERIES) {
  await using engine = endWith(await start(delivery));
  if (delivery === "exactly-once") await measureThroughput();
  while (await waiting() > 200) await delay(100);
  await ask(200, 100); // warm
  const { seconds } = await ask(BURST, Infinity);
  print(`${delivery}: most ${Math.round(BURST / seconds)} requests/s, ${model}\n`);
  rate ??= Math.max(1, Math.round(BURST / seconds / 2));
  await ask(WARM_SECONDS * rate, rate);
  while (await waiting() > 200) await delay(100);
  const { latencies } = await ask(SECONDS * rate, rate);
  const at = (q: number) => latencies[Math.floor(q * latencies.length)]?.toFixed(0);
  print(`${delivery}: at ${rate} requests/s p50 ${at(0.5)} ms, p99 ${at(0.99)} ms of ${latencies.length}\n`);
  engine.kill("SIGTERM");
  await engine.status;
}
await Deno.remove(folder, { recursive: true });

function start(delivery: Delivery): Promise<Deno.ChildProcess> {
  return startService([
    "--log",
    "kafka",
    "--brokers",
    broker.address,
    "--model",
    model,
    "--config",
    config,
    "--delivery",
    delivery,
    "--snapshots",
    `${folder}/snapshots`,
    "--members",
    `${folder}/members`,
    ...options,
  ]);
}

async function measureThroughput(): Promise<void> {
  let begun: number | undefined;
  for (;;) {
    const { committed, end } = await progress();
    if (begun === undefined && committed > 0) begun = performance.now();
    if (begun !== undefined && committed >= end) break;
    await delay(20);
  }
  const seconds = (performance.now() - begun) / 1000;
  print(`throughput: ${Math.round(feeder.events / seconds)} events/s, ${model}, ${feeder.events} events\n`);
}

/**
 * Sends `count` requests at a rate. @returns latencies, ascending, and the time from the first request to the last
 * answer
 */
async function ask(
  count: number,
  perSecond: number,
): Promise<{ readonly latencies: readonly number[]; readonly seconds: number }> {
  const name = `bench-${round++}`;
  const sent = new Map<string, number>();
  const latencies: number[] = [];
  const done = Promise.withResolvers<void>();
  const stop = new AbortController();
  const readers = Array.from({ length: PARTITIONS }, async (_, partition) => {
    let { end: next } = await log.bounds(topics.recommendations, partition);
    while (!stop.signal.aborted) {
      const result = await log.read(topics.recommendations, partition, next, { waitMs: 500 });
      next = result.next;
      for (const { value } of result.records) {
        const at = sent.get(JSON.parse(new TextDecoder().decode(value ?? new Uint8Array(0))).request);
        if (at !== undefined && latencies.push(performance.now() - at) === count) done.resolve();
      }
    }
  });
  await delay(600); // the readers are at the end
  const started = performance.now();
  const record = (n: number) => {
    const request = `${name}-${n}`;
    sent.set(request, performance.now());
    const user = `u${n % 500}`;
    clock += STEP_MS;
    const value = encodeEvent({ type: "request", user, time: clock, request, count: 10 });
    return { topic: topics.events, key: user, value, time: clock };
  };
  if (perSecond === Infinity) await log.append(Array.from({ length: count }, (_, n) => record(n)));
  else {
    for (let n = 0; n < count; n++) {
      const due = started + n * 1000 / perSecond - performance.now();
      if (due > 0) await delay(due);
      log.append([record(n)]);
    }
  }
  await done.promise;
  const seconds = (performance.now() - started) / 1000;
  stop.abort();
  await Promise.all(readers);
  return { latencies: latencies.toSorted((a, b) => a - b), seconds };
}

async function progress(): Promise<{ committed: number; end: number }> {
  let committed = 0, end = 0;
  for (let p = 0; p < PARTITIONS; p++) {
    committed += await log.committed(`${topics.events}-tasks`, topics.events, p) ?? 0;
    end += (await log.bounds(topics.events, p)).end;
  }
  return { committed, end };
}

/** Number of samples not yet learnt. */
async function waiting(): Promise<number> {
  let sum = 0;
  for (let p = 0; p < PARTITIONS; p++) {
    const { end } = await log.bounds(topics.samples, p);
    sum += end - (await log.committed(`${topics.samples}-learner-${model}`, topics.samples, p) ?? 0);
  }
  return sum;
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
