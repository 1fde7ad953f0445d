/**
 * The processor time of single events over HTTP, until they are on a SQLite log, in two checkouts. Both serve in one
 * process, in turns of some milliseconds, so that what else the machine does falls on both: runs differ by some 3 %, where those
 * of processes of their own differ by 15 %. Whichever is named second gains 1 %, so swap them for a second run.
 *
 *     deno run -A --no-check tests/bench/event_pair.ts <folder of a checkout> <folder of another> [turns]
 *
 * @module
 */

import { HttpClient } from "./http_client.ts";

/** A turn that a thread of clients is told to take. */
interface Order {
  readonly port: number;
  readonly events: number;
}

const CLIENTS = 8;
const EVENTS = 200;
const WARM_TURNS = 60;

const isClient = "onmessage" in self && "postMessage" in self;
if (isClient) sendOnOrder();
else await compare(Deno.args.slice(0, 2), Number(Deno.args[2] ?? 150));

/** Sends events from a thread of its own, which does not count. */
function sendOnOrder(): void {
  const clients = new Map<number, HttpClient[]>();
  let sent = 0;
  const body = () => {
    const [user, item] = [`w${sent % 5000}`, `i${sent++ % 300}`];
    return JSON.stringify({ type: "interaction", time: Date.now(), user, item, action: "view" });
  };
  const scope = self as unknown as Worker; // the library types `self` as a window's
  scope.onmessage = async ({ data: { port, events } }: MessageEvent<Order>) => {
    const own = clients.get(port) ??
      await Promise.all(Array.from({ length: CLIENTS }, () => HttpClient.open(port)));
    clients.set(port, own);
    let left = events;
    await Promise.all(own.map(async (client) => {
      while (left-- > 0) {
        const { status, text } = await client.post("/v1/events", body(), "application/json");
        if (status !== 200) throw new Error(text);
      }
    }));
    scope.postMessage("done");
  };
}

async function compare(folders: readonly string[], turns: number): Promise<void> {
  if (folders.length < 2) throw new Error("Cannot compare without the folders of two checkouts");
  const clients = new Worker(import.meta.url, { type: "module" });
  const ports: number[] = [];
  for (const folder of folders) ports.push(await serve(`file://${await Deno.realPath(folder)}`));
  const take = async (port: number) => {
    const begun = threadMicros();
    const { promise, resolve } = Promise.withResolvers<unknown>();
    clients.onmessage = resolve;
    clients.postMessage({ port, events: EVENTS } satisfies Order);
    await promise;
    return (threadMicros() - begun) / EVENTS;
  };
  for (let i = 0; i < WARM_TURNS; i++) for (const port of ports) await take(port);
  const taken: (readonly [first: number, second: number])[] = [];
  const [one = 0, two = 0] = ports;
  for (let i = 0; i < turns; i++) {
    const [first, second] = i % 2 === 0 ? [one, two] : [two, one];
    const [a, b] = [await take(first), await take(second)];
    taken.push(i % 2 === 0 ? [a, b] : [b, a]);
  }
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
  const micros = folders.map((folder, i) =>
    `${folder} ${median(taken.map((turn) => turn[i]!)).toFixed(1)} us`
  );
  const ratio = median(taken.map(([a, b]) => b / a));
  const line = `${micros.join("   ")}   second to first ${ratio.toFixed(3)}\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(line));
  Deno.exit(0);
}

/** Serves with the modules of a checkout. @returns the port */
async function serve(root: string): Promise<number> {
  const { startHttp }: typeof import("../../streams/server/http.ts") = await import(
    `${root}/streams/server/http.ts`
  );
  const { Metrics }: typeof import("../../streams/http/metrics.ts") = await import(
    `${root}/streams/http/metrics.ts`
  );
  const { SqliteLog }: typeof import("../../streams/log/sqlite/sqlite_log.ts") = await import(
    `${root}/streams/log/sqlite/sqlite_log.ts`
  );
  const { meteredLog }: typeof import("../../streams/log/metered_log.ts") = await import(
    `${root}/streams/log/metered_log.ts`
  );
  const { topicNames, topicSpecs }: typeof import("../../streams/topics/topics.ts") = await import(
    `${root}/streams/topics/topics.ts`
  );
  const folder = await Deno.makeTempDir({ prefix: "meander-event-pair-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  const topics = topicNames(), metrics = new Metrics(topics);
  const log = meteredLog(await SqliteLog.open(`${folder}/log.sqlite`), metrics);
  await log.createTopics(topicSpecs(topics, 1));
  const settings = { maxBehindMs: 3_600_000 }; // no task applies them
  const { url } = await startHttp({ log, metrics, hostname: "127.0.0.1", port: 0, settings });
  return Number(new URL(url).port);
}

/** Processor time of the main thread. */
function threadMicros(): number {
  const [nanos] = Deno.readTextFileSync(`/proc/self/task/${Deno.pid}/schedstat`).split(" ");
  return Number(nanos) / 1000;
}
