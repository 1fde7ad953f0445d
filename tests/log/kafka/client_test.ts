import assert from "node:assert/strict";
import { freePort } from "../../../scripts/kafka/java_process.ts";
import { KafkaClient } from "../../../streams/log/kafka/client.ts";
import { warnings } from "../warnings.ts";

Deno.test("KafkaClient.connect() says once why it cannot, while it tries again", async () => {
  const brokers = [`127.0.0.1:${await freePort()}`];
  const said = await warnings(async () => {
    await using client = new KafkaClient({ brokers, logLevel: 0 }, 100);
    await assert.rejects(client.connect(), /ECONNREFUSED/);
  });
  assert.equal(said.length, 1);
  assert.match(said[0]!, new RegExp(`^cannot connect, and tries again: .*ECONNREFUSED ${brokers[0]}`));
});
