/** What administrators and retention do to a deployment on a real broker. */

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { mulberry32 } from "../../src/draws/random.ts";
import { inspect } from "../../streams/service/inspection.ts";
import type { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import { Service } from "../../streams/service/service.ts";
import { surfaceTopicsOn } from "../../streams/topics/surfaces.ts";
import { topicNames, TOPICS } from "../../streams/topics/topics.ts";
import { addPartitions, administer, openLog, ownPrefix, testBroker } from "../log/kafka_broker.ts";
import { listen } from "../log/warnings.ts";
import { testSources } from "./kafka_sources.ts";
import {
  answersOn,
  OPTIONS,
  recordsOf,
  requestsOf,
  shopEvents,
  until,
  untilCommitted,
} from "./deployment.ts";

const broker = await testBroker();
const PARTITIONS = 2;

if (broker !== undefined) {
  testSources(broker);

  const start = (log: KafkaLog, prefix: string) =>
    Service.start(log, { ...OPTIONS, prefix, partitions: PARTITIONS, roles: ["task", "learner"] });

  const untilUnready = (service: Service, says: RegExp) =>
    until(async () => says.test((await service.unready()).join("; ")), `it says ${says}`);

  const requested = async (log: KafkaLog, prefix: string) =>
    (await answersOn(log, prefix)).map(({ request }) => request).sort();

  Deno.test("Service on Kafka answers nothing twice when the offsets of its group are gone", async ({ name }) => {
    const prefix = ownPrefix(import.meta.url, name);
    const topics = topicNames(prefix);
    const events = shopEvents(60, 10);
    await using log = await openLog(broker);
    for (const part of [events.slice(0, 80), events.slice(80)]) {
      {
        await using _service = await start(log, prefix);
        await log.append(recordsOf(part, prefix));
        await untilCommitted(log, prefix);
      }
      await administer(broker, (admin) => admin.deleteGroups([`${topics.events}-tasks`]));
      assert.equal(await log.committed(`${topics.events}-tasks`, topics.events, 0), null);
    }
    const { problems } = await inspect(log, { prefix });
    assert.ok(problems.some(({ what }) => what.includes("has no offset: it expired or was deleted")));
    await using _again = await start(log, prefix);
    await untilCommitted(log, prefix);
    assert.deepEqual(await requested(log, prefix), requestsOf(events).sort());
  });

  Deno.test("Service on Kafka counts events that were dropped before they were applied, and goes on", async ({ name }) => {
    const prefix = ownPrefix(import.meta.url, name);
    const { events: topic } = topicNames(prefix);
    await using log = await openLog(broker);
    {
      await using _service = await start(log, prefix);
      await log.append(recordsOf(shopEvents(20, 6), prefix));
      await untilCommitted(log, prefix);
    }
    const ends = await Promise.all([0, 1].map(async (p) => (await log.bounds(topic, p)).end));
    const later = shopEvents(30, 6, 9);
    await log.append(recordsOf(later.slice(0, 40), prefix));
    const dropped = await Promise.all(ends.map(async (end, p) => (await log.bounds(topic, p)).end - end));
    for (const [p, end] of ends.entries()) await log.trim(topic, p, end + dropped[p]!);
    await using service = await start(log, prefix);
    await log.append(recordsOf(later.slice(40), prefix));
    await untilCommitted(log, prefix);
    const lost = [...service.tasks].sort(([a], [b]) => a - b).map(([, { state }]) => state.counters.lost);
    assert.deepEqual(lost, dropped);
    const { problems } = await inspect(log, { prefix });
    assert.ok(problems.some(({ what }) => what.includes("were dropped before they were applied")));
  });

  Deno.test("Service on Kafka stands still, unready, when its events topic is recreated, running or not", async ({ name }) => {
    const prefix = ownPrefix(import.meta.url, name);
    const { events: topic } = topicNames(prefix);
    const events = shopEvents(20, 6);
    await using log = await openLog(broker);
    await using service = await start(log, prefix);
    await log.append(recordsOf(events, prefix));
    await untilCommitted(log, prefix);
    const { id } = (await log.identify(topic))!;
    await administer(broker, async (admin) => {
      await admin.deleteTopics({ topics: [topic] });
      await until(async () => {
        // Not its result: an attempt that fails may have created the topic.
        await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS }] }).catch(() => {});
        return ![id, undefined].includes((await log.identify(topic))?.id);
      }, "it is created again");
    });
    await untilUnready(service, /was deleted/);
    {
      await using producer = await openLog(broker);
      await until(async () => {
        try {
          await producer.append(recordsOf(shopEvents(60, 6, 5), prefix));
          return true;
        } catch {
          await delay(100);
          return false;
        }
      }, "the new topic takes events");
    }
    await untilUnready(service, /created again \(its id was [0-9a-f]{32}, and is [0-9a-f]{32}\)/);
    await using other = await openLog(broker);
    await using again = await start(other, prefix);
    await untilUnready(again, /created again/);
    assert.deepEqual(
      await requested(other, prefix),
      requestsOf(events).sort(),
      "the new events are not applied",
    );
  });

  Deno.test("Service on Kafka stays ready when its events topic gains partitions, and starts with the old ones", async ({ name }) => {
    const prefix = ownPrefix(import.meta.url, name);
    const { events: topic } = topicNames(prefix);
    const events = shopEvents(30, 6);
    await using log = await openLog(broker);
    await using service = await start(log, prefix);
    await log.append(recordsOf(events.slice(0, 40), prefix));
    await untilCommitted(log, prefix);
    await addPartitions(broker, [topic], 4);
    await until(() => Promise.resolve(service.unreadPartitions === 2), "it sees them");
    assert.deepEqual([await service.unready(), service.faults], [[], []]);
    const { log: own } = service.deployment;
    const random = mulberry32(1);
    const value = new Uint8Array(9 << 20).map(() => random() * 256);
    const large = { topic, key: "ann", value, time: 1 };
    await assert.rejects(own.append([large]), { code: "too-large" }, "the producer looks the topic up again");
    await own.append(recordsOf(events.slice(40), prefix));
    const asked = requestsOf(events).sort();
    await until(
      async () => (await requested(log, prefix)).length === asked.length,
      "it answers what reaches its partitions",
    );
    await service.stop();
    await using other = await openLog(broker);
    await using again = await start(other, prefix);
    await until(() => Promise.resolve(again.unreadPartitions === 2), "so does one that starts");
    await again.deployment.log.append(recordsOf(shopEvents(30, 6, 5), prefix));
    await untilCommitted(other, prefix);
    assert.deepEqual([await again.unready(), again.faults], [[], []]);
  });

  Deno.test("Service on Kafka runs and starts when all topics that only it writes have gained partitions", async ({ name }) => {
    const prefix = ownPrefix(import.meta.url, name);
    const { events: _events, items, ...own } = topicNames(prefix);
    const surface = `${own.recommendations}.home`;
    const events = shopEvents(60, 10);
    const open = (log: KafkaLog) =>
      Service.start(log, { ...OPTIONS, prefix, partitions: PARTITIONS, surfaceTopics: { home: "home" } });
    const asked = requestsOf(events).sort();
    await using heard = await listen();
    {
      await using log = await openLog(broker);
      await using service = await open(log);
      await log.append(recordsOf(events.slice(0, 80), prefix));
      await untilCommitted(log, prefix);
      await addPartitions(broker, [...Object.values(own), surface], 5);
      const hasSeen = () =>
        Promise.resolve(heard.messages.join().includes(`${own.signals} has 5 partitions`));
      await until(hasSeen, "it sees the partitions");
      await log.append(recordsOf(events.slice(80, 120), prefix));
      await untilCommitted(log, prefix);
      assert.deepEqual([await service.unready(), service.faults], [[], []]);
    }
    await using log = await openLog(broker);
    await using service = await open(log);
    await using other = await openLog(broker);
    await using standby = await open(other);
    await log.append(recordsOf(events.slice(120), prefix));
    await untilCommitted(log, prefix);
    await until(async () => (await service.unready()).concat(await standby.unready()).length === 0, "ready");
    assert.deepEqual([service.faults, standby.faults], [[], []]);
    assert.deepEqual(await requested(log, prefix), asked);
    const learners = [service, standby].filter(({ models: [{ learner }] }) => learner !== undefined);
    assert.equal(learners.length, 1, "the other stands by");
    for (const topic of [...Object.values(own), surface]) {
      const single = TOPICS[topic.slice(prefix.length) as keyof typeof TOPICS]?.isSingle;
      for (let p = single ? 1 : PARTITIONS; p < 5; p++) {
        assert.equal((await log.bounds(topic, p)).end, 0, `nothing is in ${topic}/${p}`);
      }
    }
    const { problems } = await inspect(log, { prefix });
    assert.deepEqual(problems.filter(({ what }) => what.includes("partitions")), []);
    assert.ok((await surfaceTopicsOn(log, topicNames(prefix))).includes(surface));
    await addPartitions(broker, [items], 5);
    await using last = await openLog(broker);
    await using again = await open(last);
    await until(
      () => Promise.resolve(again.unreadPartitions === 4),
      "it counts the partitions that others may write to",
    );
  });
}
