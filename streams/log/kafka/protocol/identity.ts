/**
 * What tells a topic of Kafka from one that had its name before: its id (KIP-516), which kafkajs does not know.
 *
 * @module
 */

import type { TopicIdentity } from "../../log.ts";
import { type Broker, checkCode, sendRaw } from "./patch.ts";
import { WireReader, WireWriter } from "./wire.ts";

const METADATA = 3;
/** The first version of Metadata that tells ids, with Kafka 2.8. */
const WITH_IDS = 10;
const ID_BYTES = 16;

/** The id and the partitions of a topic. @throws as the broker does, when there is none of that name. Metadata 10 */
export async function identifyTopic(broker: Broker, name: string): Promise<TopicIdentity> {
  if ((broker.versions[METADATA]?.maxVersion ?? 0) < WITH_IDS) {
    const { topicMetadata } = await broker.metadata([name]);
    return { id: null, partitions: topicMetadata[0]?.partitionMetadata.length ?? 0 };
  }
  const body = new WireWriter()
    .uvarint(0) // tags of the header, which kafkajs does not write
    .uvarint(2)
    .raw(new Uint8Array(ID_BYTES))
    .compactString(name)
    .uvarint(0)
    .int8(0) // creates nothing
    .int8(0)
    .int8(0)
    .uvarint(0);
  const { found } = await sendRaw(broker, {
    name: "Metadata",
    apiKey: METADATA,
    apiVersion: WITH_IDS,
    body: body.bytes,
    decode(payload) {
      const reader = new WireReader(payload);
      reader.tags();
      const clientSideThrottleTime = reader.int32();
      skipBrokers(reader);
      const [found] = reader.compactArray(() => topic(reader));
      return { clientSideThrottleTime, found };
    },
  });
  checkCode(found?.code ?? 3);
  return { id: found?.id ?? null, partitions: found?.partitions ?? 0 };
}

/** Passes over the brokers, the cluster's name and its controller. */
function skipBrokers(reader: WireReader): void {
  reader.compactArray(() => {
    reader.int32();
    compactString(reader);
    reader.int32();
    compactString(reader);
    reader.tags();
  });
  compactString(reader);
  reader.int32();
}

function topic(reader: WireReader) {
  const code = reader.int16();
  compactString(reader);
  const id = reader.take(ID_BYTES)?.toHex() ?? "";
  reader.int8();
  const partitions = reader.compactArray(() => {
    reader.int16();
    reader.take(12); // partition, leader and its epoch
    for (let lists = 3; lists > 0; lists--) reader.compactArray(() => reader.int32());
    reader.tags();
  });
  reader.int32();
  reader.tags();
  // Brokers that were upgraded and do not use ids yet give zeroes.
  return { code, id: /^0*$/.test(id) ? null : id, partitions: partitions.length };
}

function compactString(reader: WireReader): string | null {
  return reader.text(reader.uvarint() - 1);
}
