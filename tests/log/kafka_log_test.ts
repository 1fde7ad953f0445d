import assert from "node:assert/strict";
import { capabilitiesOf } from "../contracts/log_suite.ts";
import { KAFKA_KIND } from "../../streams/log/kafka/kind.ts";
import { logContract } from "../contracts/log_contract.ts";
import { newPlace } from "../contracts/log_suite.ts";
import { openLog, testBroker } from "./kafka_broker.ts";

const broker = await testBroker();

if (broker !== undefined) {
  Deno.test("KafkaLog can do what its kind declares", async () => {
    await using log = await openLog(broker);
    const { isDurable: _, ...declared } = KAFKA_KIND.capabilities;
    assert.deepEqual(capabilitiesOf(log), declared);
  });

  Deno.test("KafkaLog.createTopics() names the topic that stands in the way of one that differs only in . and _", async () => {
    await using log = await openLog(broker);
    const place = newPlace();
    await log.createTopics([{ name: `${place}_lists`, partitions: 1, cleanup: "delete" }]);
    await assert.rejects(
      log.createTopics([{ name: `${place}.lists`, partitions: 1, cleanup: "delete" }]),
      new RegExp(`Cannot create topic ${place}\\.lists: .*: there is ${place}_lists,`),
    );
  });

  logContract("KafkaLog", () => openLog(broker), {
    excused: {
      "steps": "a crash is kill -9 of a process, not a step",
      "latest": "Kafka has no index of keys",
      "prompt compaction": "Kafka compacts when it likes",
    },
    runs: 10,
  });
}
