import assert from "node:assert/strict";
import type { KafkaClient } from "../../../streams/log/kafka/client.ts";
import { KafkaTopics } from "../../../streams/log/kafka/topics.ts";

/** Topics of one broker; `answers` sets its error for a topic of two partitions, `null` = it knows the topic. */
function topics() {
  let refusal: string | null = null;
  const broker = {
    versions: {},
    metadata: ([topic]: readonly string[]) =>
      refusal === null
        ? Promise.resolve({ topicMetadata: [{ topic, isInternal: false, partitionMetadata: [{}, {}] }] })
        : Promise.reject(
          Object.assign(new Error("refused"), { name: "KafkaJSProtocolError", type: refusal }),
        ),
    describeConfigs: () => Promise.resolve({ resources: [] }),
  };
  const client = {
    any: () => Promise.resolve(broker),
    retry: <T>(act: () => Promise<T>) => act(),
    throwIfClosed() {},
  } as unknown as KafkaClient;
  const own = new KafkaTopics(client, { replicationFactor: -1, topicConfig: {} });
  return { own, answers: (type: string | null) => refusal = type };
}

Deno.test("KafkaTopics does not mistake a topic that is denied for one that is gone", async () => {
  const [DENIED, UNKNOWN] = ["TOPIC_AUTHORIZATION_FAILED", "UNKNOWN_TOPIC_OR_PARTITION"];
  const { own, answers } = topics();
  for (const type of [DENIED, UNKNOWN]) {
    answers(type);
    assert.equal(await own.identify("events"), null, type);
    await assert.rejects(own.spec("events"), { code: "unknown-topic" }, type);
  }
  answers(null);
  assert.deepEqual(await own.identify("events"), { id: null, partitions: 2 });
  answers(DENIED);
  const denied = { code: "unreachable", message: "Cannot find topic events: refused" };
  await assert.rejects(own.identify("events"), denied);
  await assert.rejects(own.spec("events"), denied);
  await assert.rejects(own.create([{ name: "events", partitions: 2, cleanup: "delete" }]), denied);
  answers(UNKNOWN);
  assert.equal(await own.identify("events"), null);
  await assert.rejects(own.spec("events"), { code: "unknown-topic" });
});
