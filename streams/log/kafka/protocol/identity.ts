/**
 * What metadata say that kafkajs does not read: the id that distinguishes topics of the same name (KIP-516), and the
 * epochs of leaders (KIP-320).
 */

import type { Place, TopicIdentity } from "../../log.ts";
import { type Broker, checkCode, sendRaw } from "./patch.ts";
import { type WireReader, WireWriter } from "./wire.ts";

const METADATA = 3;
/** The first version of Metadata that has ids, in Kafka 2.8. */
const WITH_IDS = 10;
const ID_BYTES = 16;
const UNKNOWN_TOPIC = 3;

/** A leader of a partition, as a broker knows it. */
export interface Leader {
  /** -1 = none. */
  readonly node: number;
  /** Counts the leaders of the partition; -1 = the broker is too old to tell. */
  readonly epoch: number;
}

/** The id and partition count of a topic. @throws the broker's error when there is no such topic */
export async function identifyTopic(broker: Broker, name: string): Promise<TopicIdentity> {
  const { id, leaders } = await describe(broker, name);
  return { id, partitions: leaders.length };
}

/** Who leads a partition; `undefined` = the broker knows no such partition. @throws as {@linkcode identifyTopic} */
export async function leaderOf(broker: Broker, { topic, partition }: Place): Promise<Leader | undefined> {
  return (await describe(broker, topic)).leaders.find((leader) => leader.partition === partition);
}

/** A topic, with the leaders of its partitions. Metadata 10, or what kafkajs has. */
async function describe(broker: Broker, name: string): Promise<Described> {
  if ((broker.versions[METADATA]?.maxVersion ?? 0) < WITH_IDS) {
    const { topicMetadata } = await broker.metadata([name]);
    const partitions = topicMetadata[0]?.partitionMetadata ?? [];
    return {
      id: null,
      leaders: partitions.map(({ partitionId: partition, leader: node }) => ({ partition, node, epoch: -1 })),
    };
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
  return found ?? { id: null, leaders: [] };
}

interface Described {
  readonly id: string | null;
  readonly leaders: readonly (Leader & { readonly partition: number })[];
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

function topic(reader: WireReader): Described & { readonly code: number } {
  const code = reader.int16();
  reader.name();
  const id = reader.take(ID_BYTES)?.toHex() ?? "";
  reader.int8();
  const leaders = reader.list(() => {
    reader.int16();
    const leader = { partition: reader.int32(), node: reader.int32(), epoch: reader.int32() };
    for (let lists = 3; lists > 0; lists--) reader.compactArray(() => reader.int32());
    return leader;
  });
  reader.int32();
  // Upgraded brokers that do not use ids yet send zeroes.
  return { code, id: /^0*$/.test(id) ? null : id, leaders };
}
