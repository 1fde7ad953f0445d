import assert from "node:assert/strict";
import { configure, reset } from "@logtape/logtape";
import { freePort } from "../../../scripts/kafka/java_process.ts";
import { KafkaClient } from "../../../streams/log/kafka/client.ts";

Deno.test("KafkaClient.connect() says once why it cannot, while it tries again", async () => {
  const said: string[] = [];
  await configure({
    sinks: { said: ({ message }) => void said.push(message.join("")) },
    loggers: [
      { category: "meander", sinks: ["said"], lowestLevel: "warning" },
      { category: ["logtape", "meta"], lowestLevel: "warning" },
    ],
  });
  try {
    const brokers = [`127.0.0.1:${await freePort()}`];
    await using client = new KafkaClient({ brokers, logLevel: 0 }, 100);
    await assert.rejects(client.connect(), /ECONNREFUSED/);
    assert.equal(said.length, 1);
    assert.match(said[0]!, new RegExp(`^cannot connect, and tries again: .*ECONNREFUSED ${brokers[0]}`));
  } finally {
    await reset();
  }
});
