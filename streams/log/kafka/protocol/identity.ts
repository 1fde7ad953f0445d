/**
 * The id that distinguishes topics of the same name (KIP-516), which kafkajs does not support.
 *
 * @module
 */

import type { TopicIdentity } from "../../log.ts";
import { type Broker, checkCode, sendRaw } from "./patch.ts";
import { type WireReader, WireWriter } from "./wire.ts";

const METADATA = 3;
/** The first version of Metadata that has ids, in Kafka 2.8. */
const WITH_IDS = 10;
const ID_BYTES = 16;
const UNKNOWN_TOPIC = 3;

/** The id and partition count of a topic. Metadata 10. @throws the broker's error when there is no such topic */
export async function identifyTopic(broker: Broker, name: string): Promise<TopicIdentity> {
  if ((broker.versions[METADATA]?.maxVersion ?? 0) < WITH_IDS) {
    const { topicMetadata } = await broker.metadata([name]);
    return { id: null, partitions: topicMetadata[0]?.partitionMetadata.length ?? 0 };
  }
  const body = new WireWriter(256, true);
  body.list([name], () => {
    body.raw(new Uint8Array(ID_BYTES)).name(name);
  });
  const { found } = await sendRaw(broker, {
    name: "Metadata",
    apiKey: METADATA,
    apiVersion: WITH_IDS,
    body: body.int8(0).int8(0).int8(0).end(), // must not create the topic
    decode(reader) {
      const clientSideThrottleTime = reader.int32();
      skipBrokers(reader);
      const [found] = reader.list(() => topic(reader));
      return { clientSideThrottleTime, found };
    },
  });
  checkCode(found?.code ?? UNKNOWN_TOPIC);
  return { id: found?.id ?? null, partitions: found?.partitions ?? 0 };
}

/** Skips the brokers, the cluster's name and its controller. */
function skipBrokers(reader: WireReader): void {
  reader.list(() => {
    reader.int32();
    reader.name();
    reader.int32();
    reader.name();
  });
  reader.name();
  reader.int32();
}

function topic(reader: WireReader) {
  const code = reader.int16();
  reader.name();
  const id = reader.take(ID_BYTES)?.toHex() ?? "";
  reader.int8();
  const partitions = reader.list(() => {
    reader.int16();
    reader.take(12); // partition, leader and its epoch
    for (let lists = 3; lists > 0; lists--) reader.compactArray(() => reader.int32());
  });
  reader.int32();
  // Upgraded brokers that do not use ids yet send zeroes.
  return { code, id: /^0*$/.test(id) ? null : id, partitions: partitions.length };
}
