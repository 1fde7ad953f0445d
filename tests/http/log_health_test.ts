/** A disk that is full: whoever writes is told to come again, and whoever balances load to ask others. */

import assert from "node:assert/strict";
import type { NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { startHttp } from "../../streams/server/http.ts";
import { LogHealth } from "../../streams/http/log_health.ts";
import { Metrics } from "../../streams/http/metrics.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { ask } from "../server/deployment.ts";

const topics = topicNames();

class FullLog extends MemoryLog {
  isFull = true;

  override append(records: readonly NewRecord[]): Promise<readonly number[]> {
    if (!this.isFull) return super.append(records);
    const error = Object.assign(new Error("database or disk is full"), {
      code: "ERR_SQLITE_ERROR",
      errcode: 13,
    });
    return Promise.reject(error);
  }
}

Deno.test("a full disk is 503 with Retry-After for whoever writes, and no readiness until something is written", async () => {
  await using log = new FullLog();
  await log.createTopics(topicSpecs(topics, 1));
  await using server = await startHttp({ hostname: "127.0.0.1", port: 0, log, metrics: new Metrics(topics) });
  const json = { "content-type": "application/json" };
  const send = (path: string, body: unknown) =>
    ask(`${server.url}${path}`, { method: "POST", headers: json, body: JSON.stringify(body) });
  const event = { type: "interaction", user: "ann", item: "tent", action: "click" };
  assert.equal((await ask(`${server.url}/ready`, {})).status, 200);
  for (const [path, body] of [["/v1/events", event], ["/v1/recommend", { user: "ann" }]] as const) {
    const { status, json, headers } = await send(path, body);
    assert.deepEqual([status, json.code, headers.get("retry-after")], [503, "unavailable", "10"], path);
  }
  const { status, json: ready } = await ask(`${server.url}/ready`, {});
  assert.deepEqual([status, ready.ready], [503, false]);
  assert.match(ready.reasons.join(), /the log cannot be written: database or disk is full/);
  log.isFull = false;
  assert.equal((await send("/v1/events", event)).status, 200);
  assert.equal((await ask(`${server.url}/ready`, {})).status, 200);
});

Deno.test("LogHealth lets another try come after a while, and takes no other error for a full disk", () => {
  let now = 0;
  const health = new LogHealth(() => now);
  assert.equal(health.failed(new Error("something else")), false);
  assert.equal(health.reason, undefined);
  assert.equal(health.failed(new Error("database or disk is full")), true);
  assert.match(health.reason ?? "", /full/);
  now += 10_000;
  assert.equal(health.reason, undefined);
});
