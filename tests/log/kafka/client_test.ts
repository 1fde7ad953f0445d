import assert from "node:assert/strict";
import KafkaBroker from "kafkajs/src/broker/index.js";
import { freePort } from "../../../scripts/kafka/java_process.ts";
import { KafkaClient } from "../../../streams/log/kafka/client.ts";
import { about, isPassing, logErrorOf, unserved } from "../../../streams/log/kafka/protocol/errors.ts";
import { LogError } from "../../../streams/log/log.ts";
import { warnings } from "../warnings.ts";

Deno.test("KafkaClient.connect() says once why it cannot connect, while it tries again", async () => {
  const brokers = [`127.0.0.1:${await freePort()}`];
  const said = await warnings(async () => {
    await using client = new KafkaClient({ brokers, logLevel: 0 }, 100);
    await assert.rejects(client.connect(), /ECONNREFUSED/);
  });
  assert.equal(said.length, 1);
  assert.match(said[0]!, new RegExp(`^cannot connect, trying again: .*ECONNREFUSED ${brokers[0]}`));
});

Deno.test("KafkaClient.retry() says once what fails for seconds on end, and nothing of what soon succeeds", async () => {
  const refusal = Object.assign(new Error("too few in-sync replicas"), { type: "NOT_ENOUGH_REPLICAS" });
  const tried = async (times: number) => {
    await using client = new KafkaClient({ brokers: ["127.0.0.1:1"], logLevel: 0 }, 1e6);
    client.pause = () => Promise.resolve();
    client.refresh = () => Promise.resolve();
    let left = times;
    const act = () =>
      left-- > 0 ? Promise.reject(about("append to events/1", refusal)) : Promise.resolve("done");
    const said = await warnings(async () => assert.equal(await client.retry(act), "done"));
    return said;
  };
  assert.deepEqual(await tried(10), []);
  assert.deepEqual(await tried(40), [
    "brokers do not serve a request, which is tried again: Cannot append to events/1: too few in-sync replicas",
  ]);
});

Deno.test("about() explains what is wrong with a clock that brokers refuse, or a group", () => {
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
  assert.match(
    about("join group tasks", error("INCONSISTENT_GROUP_PROTOCOL")).message,
    /^Cannot join group tasks: refused: another program is in the group/,
  );
});

Deno.test("unserved() says which partition is not served, who leads it where, and what helps", () => {
  const cause = Object.assign(new Error("no answer"), { name: "KafkaJSConnectionError" });
  const broker = { host: "kafka2", port: 9092 };
  const [led, known, none] = [{ leader: 2, broker }, { leader: 2 }, { leader: -1 }].map((of) =>
    unserved({ topic: "rejected", partition: 3 }, cause, { triedMs: 10_000, ...of })
  );
  const head = "Cannot read rejected/3, tried for 10 s:";
  assert.equal(
    led!.message,
    `${head} its leader, broker 2 at kafka2:9092, does not serve it; start that broker, or see why it cannot be ` +
      "reached from here at the address that it advertises: no answer",
  );
  assert.match(known!.message, /its leader, broker 2, does not serve it/);
  assert.equal(
    none!.message,
    `${head} it has no leader; start the brokers that have its replicas: no answer`,
  );
  for (const error of [led, known, none]) assert.ok(error!.code === "unreachable" && isPassing(error));
});

Deno.test("logErrorOf() takes a request on a connection that is not open yet for a passing error", async () => {
  const broker = new KafkaBroker({ connectionPool: {}, logger: { namespace: () => ({}) } });
  const error = await broker.metadata([]).then(() => null, (error: unknown) => error);
  for (const one of [error, about("read events/1", error)]) {
    assert.ok(isPassing(one), String(one));
    const own = logErrorOf(one);
    assert.ok(own instanceof LogError && own.code === "unreachable", String(own));
    assert.equal(logErrorOf(own), own);
  }
});
