/** One client in a hundred sends times 59 minutes ahead, over HTTP, with a restart in between. */

import assert from "node:assert/strict";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { startHttp } from "../../streams/server/http.ts";
import { Metrics } from "../../streams/http/metrics.ts";
import { Service } from "../../streams/service/service.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { OPTIONS, recordsOf, until, untilCommitted } from "../service/deployment.ts";
import { MINUTE } from "../engine/durations.ts";
import { ask } from "./deployment.ts";

const topics = topicNames();
const START = 1_700_000_000_000;
const USERS = 100;
const WINDOW_MS = 10 * MINUTE;

/** A server and a service on a log. */
class Deployment implements AsyncDisposable {
  private constructor(readonly service: Service, readonly url: string, readonly stop: () => Promise<void>) {}

  static async start(log: MemoryLog, now: () => number): Promise<Deployment> {
    const metrics = new Metrics(topics);
    const task = { ...OPTIONS.task, outcomeWindowMs: WINDOW_MS, allowedLatenessMs: 5 * MINUTE };
    const service = await Service.start(log, { ...OPTIONS, task, partitions: 1 });
    const settings = { answerTimeoutMs: 60_000 };
    const server = await startHttp({ hostname: "127.0.0.1", port: 0, log, service, metrics, settings, now });
    return new Deployment(service, server.url, async () => {
      await server.stop();
      await service.stop();
    });
  }

  // deno-lint-ignore no-explicit-any -- as in `Answer`
  async post(path: string, body: unknown): Promise<any> {
    const headers = { "content-type": "application/json" };
    const { status, json } = await ask(`${this.url}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers,
    });
    assert.equal(status, 200, JSON.stringify(json));
    return json;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

Deno.test("one client in 100 with a clock 59 minutes ahead changes no label of the others, even over a restart", async () => {
  await using log = new MemoryLog();
  let now = START;
  const clicks = new Map<string, string>();
  const coming: { readonly at: number; readonly body: object }[] = [];
  let own = 0;
  const half = async (first: number, count: number) => {
    await using deployment = await Deployment.start(log, () => now);
    if (first === 0) await log.append(recordsOf([]));
    for (let n = first; n < first + count; n++) {
      now = START + n * 20_000;
      while (coming[0] !== undefined && coming[0].at <= now) {
        await deployment.post("/v1/events", coming.shift()?.body);
      }
      const user = `u${n % USERS}`;
      if (n % 10 === 0) {
        const ahead = {
          type: "interaction",
          user: "u0",
          item: "i1",
          action: "view",
          time: now + 59 * MINUTE,
        };
        assert.equal((await deployment.post("/v1/events", ahead)).accepted, 1);
        own++;
      }
      const { request, items } = await deployment.post("/v1/recommend", { user, count: 3 });
      if (n % 5 !== 1) continue;
      const at = now + 8 * MINUTE;
      const item = items[0].item;
      clicks.set(request, item);
      coming.push({ at, body: { type: "interaction", user, request, item, action: "click", time: at } });
    }
    if (first > 0) {
      now += 30 * MINUTE;
      for (const { body } of coming) await deployment.post("/v1/events", body);
      const { time } = await deployment.post("/v1/recommend", { user: "last", count: 1 });
      assert.equal(time, now);
    }
    await untilCommitted(log);
    const [task] = deployment.service.tasks.values();
    const { lateOutcomes, ahead } = task!.state.counters;
    assert.deepEqual([lateOutcomes, ahead], [0, own]);
    if (first > 0) {
      const rows = task!.state.counters.rows;
      await until(
        async () => ((await deployment.service.status()).learner?.rows ?? 0) > rows - 64,
        "samples are learnt",
      );
    }
  };
  await half(0, 60);
  await half(60, 60);
  const records = await Array.fromAsync(readAll(log, topics.samples, 0));
  const samples = records.flatMap(({ value }) => value === null ? [] : [decodeSample(value)]);
  assert.equal(samples.length, 120);
  let positives = 0;
  for (const { request, time, closedTime, rows } of samples) {
    assert.equal(closedTime, time + WINDOW_MS);
    const clicked = [...rows].filter(({ label }) => label === 1).map(({ item }) => item);
    assert.deepEqual(clicked, clicks.has(request) ? [clicks.get(request)] : []);
    positives += clicked.length;
  }
  assert.equal(positives, 24);
});
