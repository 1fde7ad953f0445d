import { logContract } from "../contracts/log_contract.ts";
import { openLog, testBroker } from "./kafka_broker.ts";

const broker = await testBroker();

if (broker !== undefined) {
  logContract("KafkaLog", () => openLog(broker), {
    excused: {
      "steps": "a crash is kill -9 of a process, not a step",
      "latest": "Kafka has no index of keys",
      "prompt compaction": "Kafka compacts when it likes",
    },
    runs: 10,
  });
}
