/**
 * The broker that the tests of the Kafka log run against.
 *
 * @module
 */

import { type DevBroker, prepareBroker, startBroker } from "../../streams/log/kafka/dev_broker.ts";
import { KafkaLog, type KafkaLogOptions } from "../../streams/log/kafka_log.ts";

/** Starts a broker for one test file; tells loudly, and gives nothing, when there cannot be one here. */
export async function testBroker(
  properties: Readonly<Record<string, string>> = {},
  scramUsers: Readonly<Record<string, string>> = {},
): Promise<DevBroker | undefined> {
  try {
    await prepareBroker();
  } catch (error) {
    const text = `SKIPPED: the tests of the Kafka log, as there is no broker: ${error}\n`;
    await Deno.stderr.write(new TextEncoder().encode(text));
    return undefined;
  }
  const broker = await startBroker({ properties, scramUsers });
  Deno.test.afterAll(async () => await broker[Symbol.asyncDispose]());
  return broker;
}

/** Opens a log with times that are short enough for tests. */
export function openLog(broker: DevBroker, options: Partial<KafkaLogOptions> = {}): Promise<KafkaLog> {
  return KafkaLog.open({ brokers: [broker.address], heartbeatMs: 50, retryMs: 20_000, ...options });
}
