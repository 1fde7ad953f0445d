/**
 * Memory and open files of `deno task run` on Kafka over a long time at a steady rate. Linux only: reads `/proc`. Needs
 * Java and Maven.
 *
 * `deno run -A tests/bench/soak.ts [minutes, 30] [events a second, 500] [model, base]`
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { catalogue, traffic } from "../chaos/traffic.ts";
import { endWith, startMeasuredBroker } from "./end_with.ts";
import { startService } from "../service/task_command.ts";

const PARTITIONS = 4;
const USERS = 2000;
const APPEND_MS = 100;
/** Time until caches are full and code is compiled. */
const WARM_SHARE = 0.25;
const [minutes = "30", rate = "500", model = "base"] = Deno.args;
const topics = topicNames();

await using broker = await startMeasuredBroker();
await using log = await KafkaLog.open({ brokers: [broker.address] });
await log.createTopics(topicSpecs(topics, PARTITIONS));
const events = Math.ceil(Number(minutes) * 60 * Number(rate));
const people = { seed: 1, events, users: USERS, partitions: PARTITIONS };
await log.append([...catalogue(topics, people)]);
const folder = await Deno.makeTempDir({ prefix: "meander-soak-" });
await using engine = endWith(
  await startService([
    "--log",
    "kafka",
    "--brokers",
    broker.address,
    "--model",
    model,
    "--snapshots",
    `${folder}/snapshots`,
    "--members",
    `${folder}/members`,
  ]),
);

const stream = traffic(topics, people);
const samples: { readonly minute: number; readonly rss: number; readonly files: number }[] = [];
const started = performance.now();
const minute = () => (performance.now() - started) / 60_000;
let sent = 0;
for (let said = 0; sent < events;) {
  const due = Math.min(events, Math.ceil(minute() * 60 * Number(rate)));
  // Not `take()`, which closes the stream.
  const batch = Array.from({ length: due - sent }, () => stream.next().value).filter((one) =>
    one !== undefined
  );
  if (batch.length > 0) await log.append(batch);
  sent = due;
  if (minute() * 6 >= samples.length) samples.push({ minute: minute(), ...await look(engine.pid) });
  if (minute() >= said) {
    const { rss, files } = samples.at(-1) ?? { rss: 0, files: 0 };
    print(`minute ${said++}: ${rss.toFixed(0)} MB, ${files} open files, lag ${await lag()}\n`);
  }
  await delay(APPEND_MS);
}
const steady = samples.filter(({ minute }) => minute >= WARM_SHARE * Number(minutes));
const half = Math.floor(steady.length / 2);
const mean = (part: typeof steady) => part.reduce((sum, { rss }) => sum + rss, 0) / part.length;
const growth = slope(steady);
print(
  `${sent} events in ${minutes} minutes: ${mean(steady.slice(0, half)).toFixed(0)} MB, then ` +
    `${mean(steady.slice(half)).toFixed(0)} MB, ${growth.toFixed(2)} MB a minute; ` +
    `${steady[0]?.files} open files, then ${steady.at(-1)?.files}\n`,
);
engine.kill("SIGTERM");
print(`ended with ${(await engine.status).code}\n`);
await Deno.remove(folder, { recursive: true });

async function look(pid: number): Promise<{ rss: number; files: number }> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const files = await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`));
  return { rss: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024, files: files.length };
}

/** Least squares, MB per minute. */
function slope(of: typeof samples): number {
  const [x, y] = [of.map(({ minute }) => minute), of.map(({ rss }) => rss)];
  const middle = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [middle(x), middle(y)];
  let up = 0, down = 0;
  for (const [i, xi] of x.entries()) {
    up += (xi - mx) * ((y[i] ?? 0) - my);
    down += (xi - mx) ** 2;
  }
  return up / down;
}

async function lag(): Promise<number> {
  let sum = 0;
  for (let p = 0; p < PARTITIONS; p++) {
    const { end } = await log.bounds(topics.events, p);
    sum += end - (await log.committed(`${topics.events}-tasks`, topics.events, p) ?? 0);
  }
  return sum;
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
