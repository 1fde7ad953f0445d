/** What `/ready` says while the past is read: states restored, events caught up with, samples learnt. */

import assert from "node:assert/strict";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import type { ReadOptions, ReadResult } from "../../streams/log/log.ts";
import { startHttp } from "../../streams/server/http.ts";
import { Metrics } from "../../streams/http/metrics.ts";
import { Service } from "../../streams/service/service.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { OPTIONS, recordsOf, shopEvents, until, untilCommitted } from "../service/deployment.ts";
import type { Role } from "../../streams/service/jobs/options.ts";

const topics = topicNames();
const PARTITIONS = 2;

/** A log whose reads of one topic wait until it is opened, except those that look whether one record is there. */
class GatedLog extends MemoryLog {
  #topic = "";
  #gate = Promise.withResolvers<void>();

  close(topic: string): void {
    this.#topic = topic;
    this.#gate = Promise.withResolvers();
  }

  open(): void {
    this.#topic = "";
    this.#gate.resolve();
  }

  override async read(
    topic: string,
    partition: number,
    from: number,
    options?: ReadOptions,
  ): Promise<ReadResult> {
    if (topic === this.#topic && options?.maxRecords !== 1) await this.#gate.promise;
    return await super.read(topic, partition, from, options);
  }
}

/** Runs a service with these roles until all events are committed. */
async function work(log: MemoryLog, roles: readonly Role[]): Promise<void> {
  await using service = await Service.start(log, { ...OPTIONS, partitions: PARTITIONS, roles });
  await untilCommitted(log);
  await service.stop();
  await service.ended;
}

/** A service with these roles, and a way to ask whether it is ready. */
async function start(log: MemoryLog, roles: readonly Role[]) {
  const service = await Service.start(log, { ...OPTIONS, partitions: PARTITIONS, roles });
  const server = await startHttp({
    hostname: "127.0.0.1",
    port: 0,
    log,
    service,
    metrics: new Metrics(topics),
  });
  const ready = async () => {
    const response = await fetch(`${server.url}/ready`);
    const { ready, reasons } = await response.json();
    assert.equal(response.status, ready ? 200 : 503);
    return reasons.join("; ");
  };
  return {
    ready,
    async says(pattern: RegExp) {
      let last = "";
      await until(async () => pattern.test(last = await ready()), `${pattern} and not ${last}`);
      return last;
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      await service.stop();
      await service.ended;
    },
  };
}

async function filledLog(): Promise<GatedLog> {
  const log = new GatedLog();
  await Service.start(log, { ...OPTIONS, partitions: PARTITIONS, roles: [] }).then((one) => one.stop());
  await log.append(recordsOf(shopEvents(100, 10)));
  await work(log, ["task", "learner"]);
  return log;
}

Deno.test("/ready says how far states are restored, then how many events are left, then is 200", async () => {
  await using log = await filledLog();
  log.close(topics.statistics);
  await log.append(recordsOf(shopEvents(100, 10, 4)));
  await using api = await start(log, ["task"]);
  await api.says(/partition 0 is being restored from statistics: \d+ %.*\d+ records so far/);
  log.open();
  log.close(topics.events);
  const says = await api.says(/partition 0 reads events from before it started: 0 %, \d+ events left/);
  assert.doesNotMatch(says, /restored from/);
  log.open();
  await api.says(/^$/);
  await untilCommitted(log);
  assert.equal(await api.ready(), "");
});

Deno.test("/ready of a process that only learns says how many samples are left", async () => {
  await using log = await filledLog();
  await log.append(recordsOf(shopEvents(900, 30, 5)));
  await work(log, ["task"]);
  log.close(topics.samples);
  await using api = await start(log, ["learner"]);
  await api.says(/^the learner has [1-9]\d\d+ samples to learn from before it started$/);
  log.open();
  await api.says(/^$/);
});

Deno.test("/ready of a learner on standby is 200", async () => {
  await using log = await filledLog();
  await using first = await start(log, ["learner"]);
  await first.says(/^$/);
  await using second = await start(log, ["learner"]);
  await second.says(/^$/);
});
