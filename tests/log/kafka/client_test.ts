import assert from "node:assert/strict";
import { freePort } from "../../../scripts/kafka/java_process.ts";
import { about, KafkaClient } from "../../../streams/log/kafka/client.ts";
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

Deno.test("about() says what is wrong with a clock that brokers refuse", () => {
  const error = (type: string) => Object.assign(new Error("refused"), { name: "KafkaJSProtocolError", type });
  const clock = about("append to events/1", error("INVALID_TIMESTAMP"));
  assert.match(
    clock.message,
    /^Cannot append to events\/1: refused: the clock of this machine is more than an hour ahead/,
  );
  assert.equal(
    about("append to events/1", error("INVALID_RECORD")).message,
    "Cannot append to events/1: refused",
  );
});
