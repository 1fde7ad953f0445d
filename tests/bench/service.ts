/**
 * Latency and throughput of `deno task run` on Kafka; broker, engine and this client share the machine. Needs Java and
 * Maven.
 *
 * - latency: from the append of a request to its answer on `recommendations`, at a steady rate
 * - throughput: from the first to the last commit of the fixture's events, appended in one go
 *
 * `deno run -A tests/bench/service.ts [requests a second, 50] [model, base] [delivery, exactly-once]`
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { encodeEvent } from "../../src/events/codec.ts";
import { Feeder } from "../../streams/feeder.ts";
import { startBroker } from "../../streams/log/kafka/dev_broker.ts";
import { KafkaLog } from "../../streams/log/kafka_log.ts";
import { openSource } from "../../streams/sources/open.ts";
import { topicNames, topicSpecs } from "../../streams/topics.ts";

const PARTITIONS = 4;
const SECONDS = 20;
/** Event time between requests: so fast do windows end, and samples come to be learnt beside. */
const STEP_MS = 60_000;
const [rate = "50", model = "base", delivery = "exactly-once"] = Deno.args;
const root = fileURLToPath(new URL("../../", import.meta.url));
const topics = topicNames();

await using broker = await startBroker();
await using log = await KafkaLog.open({ brokers: [broker.address] });
await log.createTopics(topicSpecs(topics, PARTITIONS));
await using feeder = await Feeder.open(log, topics, openSource("meander", `${root}fixtures/shop`), {
  name: "bench",
});
while (await feeder.feed());
const { end: last } = await log.bounds(topics.events, 0);
const time = (await log.read(topics.events, 0, last - 3)).records.at(-1)?.time ?? 0;

await using _engine = new Deno.Command(Deno.execPath(), {
  args: [
    "run",
    "-A",
    `${root}scripts/run.ts`,
    ...["--log", "kafka", "--brokers", broker.address, "--model", model, "--delivery", delivery],
    ...["--config", `${root}fixtures/shop/meander.json`],
  ],
  stdout: "null",
  stderr: "null",
}).spawn();
let begun: number | undefined;
for (;;) {
  const { committed, end } = await progress();
  if (begun === undefined && committed > 0) begun = performance.now();
  if (begun !== undefined && committed >= end) break;
  await delay(20);
}
const seconds = (performance.now() - begun) / 1000;
print(`throughput: ${Math.round(feeder.events / seconds)} events/s, ${model}, ${feeder.events} events\n`);

while (await waiting() > 200) await delay(100);
const sent = new Map<string, number>();
const latencies: number[] = [];
const stop = new AbortController();
const readers = Array.from({ length: PARTITIONS }, async (_, partition) => {
  let { end: next } = await log.bounds(topics.recommendations, partition);
  while (!stop.signal.aborted) {
    const result = await log.read(topics.recommendations, partition, next, { waitMs: 500 });
    next = result.next;
    for (const { value } of result.records) {
      const at = sent.get(JSON.parse(new TextDecoder().decode(value ?? new Uint8Array(0))).request);
      if (at !== undefined) latencies.push(performance.now() - at);
    }
  }
});
const started = performance.now();
for (let n = 0; n < SECONDS * Number(rate); n++) {
  const due = started + n * 1000 / Number(rate) - performance.now();
  if (due > 0) await delay(due);
  const request = `bench-${n}`;
  sent.set(request, performance.now());
  const user = `u${n % 500}`;
  const value = encodeEvent({ type: "request", user, time: time + n * STEP_MS, request, count: 10 });
  log.append([{ topic: topics.events, key: user, value, time: time + n * STEP_MS }]);
}
await delay(2000);
stop.abort();
await Promise.all(readers);
latencies.sort((a, b) => a - b);
const at = (q: number) => latencies[Math.floor(q * latencies.length)]?.toFixed(0);
print(
  `latency at ${rate} requests/s: p50 ${at(0.5)} ms, p99 ${
    at(0.99)
  } ms, ${latencies.length} of ${sent.size}\n`,
);

async function progress(): Promise<{ committed: number; end: number }> {
  let committed = 0, end = 0;
  for (let p = 0; p < PARTITIONS; p++) {
    committed += await log.committed(`${topics.events}-tasks`, topics.events, p) ?? 0;
    end += (await log.bounds(topics.events, p)).end;
  }
  return { committed, end };
}

/** Samples that were not learnt yet. */
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
