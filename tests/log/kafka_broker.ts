/**
 * The broker that the tests of the Kafka log run against.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import {
  type DevBroker,
  type DevBrokerOptions,
  prepareBroker,
  startBroker,
} from "../../scripts/kafka/dev_broker.ts";
import { freePort } from "../../scripts/kafka/java_process.ts";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import type { KafkaLogOptions } from "../../streams/log/kafka/options.ts";

/** What a test needs of its broker. */
export type TestBroker = Pick<DevBroker, "address" | "jars">;

/**
 * A prefix of topics and groups that no other test has on the shared broker.
 *
 * @param file URL of the test's module
 * @param test name of the test, or what tells two prefixes of one test apart
 */
export function ownPrefix(file: string, test: string): string {
  const [, path = ""] = /tests\/(.+?)(?:_test)?\.ts$/.exec(file) ?? [];
  const digest = createHash("sha256").update(test).digest("hex");
  return `${path.replaceAll(/[/_]/g, "-")}.${digest.slice(0, 8)}.`;
}

/** The variable with the address of a broker for all test processes, if scripts/test.ts has started one. */
const COMMON = "BROKER_OF_TESTS";
let common: Promise<TestBroker | undefined> | undefined;

/**
 * A broker for the test files of all processes, whose topics and groups carry an {@linkcode ownPrefix}; or, with options, for
 * one file. It starts when the first test does, so that a filter that leaves none costs nothing. Warns and returns
 * nothing when there cannot be one here.
 */
export function testBroker(
  options?: Omit<DevBrokerOptions, "port" | "data">,
): Promise<TestBroker | undefined> {
  return options === undefined ? common ??= running() : register(options);
}

/** The broker that runs, or one for the test files of this process. */
async function running(): Promise<TestBroker | undefined> {
  const address = Deno.env.get(COMMON);
  return address === undefined ? await register({}) : { address, jars: await prepareBroker() };
}

async function register(options: DevBrokerOptions): Promise<TestBroker | undefined> {
  let jars: string;
  try {
    jars = await prepareBroker();
  } catch (error) {
    const text = `SKIPPED: the tests of the Kafka log, as there is no broker: ${error}\n`;
    await Deno.stderr.write(new TextEncoder().encode(text));
    return undefined;
  }
  const port = await freePort();
  let broker: DevBroker | undefined;
  Deno.test.beforeEach(async () => {
    broker ??= await startBroker({ ...options, port });
  });
  Deno.test.afterAll(async () => await broker?.[Symbol.asyncDispose]());
  return { address: `127.0.0.1:${port}`, jars };
}

/** Opens a log whose groups are quick enough for tests. */
export function openLog(
  broker: Pick<TestBroker, "address">,
  options: Partial<KafkaLogOptions> = {},
): Promise<KafkaLog> {
  return KafkaLog.open({ brokers: [broker.address], heartbeatMs: 50, ...options });
}

/** An administrator's client of kafkajs. */
export type Admin = ReturnType<Kafka["admin"]>;

/** Lets an administrator act on the broker, by a client of its own. */
export async function administer(
  broker: Pick<TestBroker, "address">,
  act: (admin: Admin) => Promise<unknown>,
): Promise<void> {
  const admin = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    await act(admin);
  } finally {
    await admin.disconnect();
  }
}

/**
 * Gives topics more partitions, and waits until the broker says so: the controller answers before the broker knows
 * them.
 */
export function addPartitions(
  broker: Pick<TestBroker, "address">,
  topics: readonly string[],
  count: number,
): Promise<void> {
  return administer(broker, async (admin) => {
    await admin.createPartitions({ topicPartitions: topics.map((topic) => ({ topic, count })) });
    for (;;) {
      const { topics: known } = await admin.fetchTopicMetadata({ topics: [...topics] });
      if (known.every(({ partitions }) => partitions.length === count)) return;
      await delay(20);
    }
  });
}
