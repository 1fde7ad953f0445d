import assert from "node:assert/strict";
import { LogError } from "../../../streams/log/log.ts";
import { KafkaWriter } from "../../../streams/log/kafka/writers.ts";

Deno.test("KafkaWriter.commit() names the writer when brokers do not", async () => {
  const cause = new LogError("unreachable", "Transactional Id authorization failed");
  const fails = () => Promise.resolve(() => Promise.reject(cause));
  await using writer = new KafkaWriter("shop-0", fails, () => Promise.resolve());
  const commit = () => writer.commit({ records: [], group: "", offsets: [] });
  await assert.rejects(commit(), {
    code: "unreachable",
    message: "Cannot commit with writer shop-0: Transactional Id authorization failed",
  });
  await assert.rejects(commit(), { code: "closed" });
});
