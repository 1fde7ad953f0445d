import assert from "node:assert/strict";
import { Metrics } from "../../streams/http/metrics.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { meteredLog } from "../../streams/log/metered_log.ts";
import { topicNames } from "../../streams/topics/topics.ts";

class LogWithQuota extends MemoryLog {
  wait: ((ms: number) => void) | undefined;

  watchThrottling(listener: (ms: number) => void): void {
    this.wait = listener;
  }
}

Deno.test("metrics show the time lost to a log's quotas", async () => {
  const log = new LogWithQuota();
  const metrics = new Metrics(topicNames());
  await using _metered = meteredLog(log, metrics);
  for (const ms of [1000, 500]) log.wait?.(ms);
  assert.match(await metrics.render(), /^meander_log_throttled_seconds_total 1.5$/m);
});
