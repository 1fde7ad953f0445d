/**
 * A Kafka broker in a simulated world: one durable node that supports the requests of `streams/log/kafka`.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import type { Cleanup } from "../../../streams/log/log.ts";
import { WireReader, WireWriter } from "../../../streams/log/kafka/protocol/wire.ts";
import { EPOCH } from "../globals.ts";
import type { Owner, World } from "../world.ts";
import { type JoinRequest, type Reply, SimulatedGroup, type SyncRequest } from "./groups.ts";
import { CODE, headOf, SimulatedPartition } from "./partition.ts";
import { type ProducerIdentity, Transactions } from "./transactions.ts";

/** A topic as it is now: another one made later under the same name is a different topic. */
export interface SimulatedTopic {
  /** Different from that of any other topic, including deleted ones. */
  readonly id: number;
  readonly name: string;
  readonly cleanup: Cleanup;
  readonly partitions: SimulatedPartition[];
}

/** A request to the broker. */
export interface Asked {
  /** Name of the request. */
  readonly name: string;
  /** As `patch.ts` has it; the bytes of a raw one. */
  readonly body: unknown;
  /** The process that asks. */
  readonly host: string;
  /** Sends the answer. */
  readonly reply: Reply;
}

/** How far ahead of the broker a record's time may be. */
const MAX_AHEAD_MS = 3_600_000;
/** How long offsets of groups without members are kept. */
const OFFSETS_RETENTION_MS = 7 * 86_400_000;

/** A fetch that waits for records. */
interface Parked {
  readonly isReady: () => boolean;
  readonly answer: () => void;
}

/** See the module. */
export class Broker {
  /** The owner of the broker's steps. */
  readonly owner: Owner;
  /** Whether it is up. */
  isUp = true;
  /** How often it was started. */
  life = 0;
  readonly topics = new Map<string, SimulatedTopic>();
  /** Topics of which nothing is ever dropped. */
  readonly kept = new Set<string>();
  /** Whether it behaves like Kafka 4, rather than 2.5. */
  readonly isNew: boolean;
  readonly #world: World;
  readonly #groups = new Map<string, SimulatedGroup>();
  readonly #transactions: Transactions;
  readonly #parked = new Set<Parked>();
  #topicIds = 0;

  /** A broker without topics. */
  constructor(world: World, isImplicit: boolean) {
    this.#world = world;
    this.isNew = isImplicit;
    this.owner = world.owner("broker");
    this.#transactions = new Transactions(world, this.owner, {
      mark: (place, producer, epoch, committed) => {
        this.#at(place)?.mark(producer, epoch, committed);
        this.wake();
      },
      store: (group, offsets, committed) => this.#stored(group, offsets, committed),
    }, { isImplicit, random: world.random("markers") });
  }

  /** A group, created on demand. */
  group(name: string): SimulatedGroup {
    let group = this.#groups.get(name);
    if (group === undefined) this.#groups.set(name, group = new SimulatedGroup(this.#world, this.owner));
    return group;
  }

  /** The broker's process dies and comes back: its disk and its groups are as before. */
  restart(): void {
    this.life++;
    this.isUp = true;
    this.#parked.clear();
    for (const group of this.#groups.values()) group.restart();
  }

  /** Creates a topic, in place of any with its name: what groups had read of that is forgotten. */
  makeTopic(name: string, partitions: number, cleanup: Cleanup): void {
    for (const { offsets } of this.#groups.values()) {
      for (const place of [...offsets.keys()]) if (place.startsWith(`${name}/`)) offsets.delete(place);
    }
    this.topics.set(name, {
      id: ++this.#topicIds,
      name,
      cleanup,
      partitions: Array.from({ length: partitions }, () => new SimulatedPartition()),
    });
  }

  /** Adds partitions to a topic. */
  grow(name: string, by: number): void {
    const { partitions = [] } = this.topics.get(name) ?? {};
    for (let n = 0; n < by; n++) partitions.push(new SimulatedPartition());
  }

  /** Drops the offsets of groups that have been empty for long. */
  expireOffsets(): void {
    for (const group of this.#groups.values()) {
      if (!group.isEmpty || this.#world.now - group.emptySince < OFFSETS_RETENTION_MS) continue;
      for (const [place, offset] of group.offsets) group.expired.set(place, offset);
      group.offsets.clear();
    }
  }

  /** Answers fetches that wait and can be answered. */
  wake(): void {
    for (const parked of this.#parked) {
      if (!parked.isReady()) continue;
      this.#parked.delete(parked);
      parked.answer();
    }
  }

  /** Handles a request. */
  handle({ name, body, host, reply }: Asked): void {
    const handler = this.#handlers[name];
    if (handler === undefined) throw new Error(`Cannot simulate ${name}: the broker does not know it`);
    handler(body as never, reply, host);
  }

  readonly #handlers: Readonly<Record<string, (body: never, reply: Reply, host: string) => void>> = {
    metadata: (names: readonly string[], reply) => {
      const all = names.length === 0 ? [...this.topics.keys()] : names;
      if (all.some((name) => !this.topics.has(name))) return reply.fail(CODE.unknownTopic);
      reply({
        topicMetadata: all.map((topic) => ({
          topic,
          isInternal: false,
          partitionMetadata: (this.topics.get(topic)?.partitions ?? [])
            .map((_, partitionId) => ({ partitionId, leader: NODE })),
        })),
      });
    },
    describeConfigs: ({ resources }: { readonly resources: readonly { readonly name: string }[] }, reply) =>
      reply({
        resources: resources.map(({ name }) => ({
          resourceName: name,
          configEntries: [{
            configName: "cleanup.policy",
            configValue: this.topics.get(name)?.cleanup ?? "delete",
          }],
        })),
      }),
    createTopics: ({ topics }: CreateTopics, reply) => {
      for (const { topic, numPartitions, configEntries } of topics) {
        if (this.topics.has(topic)) continue;
        const policy = configEntries.find(({ name }) => name === "cleanup.policy")?.value;
        this.makeTopic(topic, numPartitions, policy === "compact" ? "compact" : "delete");
      }
      reply(undefined);
    },
    deleteRecords: ({ topics }: DeleteRecords, reply) => {
      for (const { topic, partitions } of topics) {
        if (this.kept.has(topic)) continue;
        for (const { partition, offset } of partitions) {
          this.topics.get(topic)?.partitions[partition]?.trim(Number(offset));
        }
      }
      reply(undefined);
    },
    listOffsets: ({ topics, isolationLevel }: ListOffsets, reply) => {
      const offsetOf = (
        topic: string,
        { partition, timestamp }: ListOffsets["topics"][0]["partitions"][0],
      ) => {
        const found = this.topics.get(topic)?.partitions[partition];
        const end = isolationLevel === READ_UNCOMMITTED ? found?.end : found?.stableEnd;
        return timestamp === EARLIEST ? found?.start : end;
      };
      const responses = topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map((asked) => ({ ...asked, offset: offsetOf(topic, asked) })),
      }));
      const isUnknown = responses.some(({ partitions }) =>
        partitions.some(({ offset }) => offset === undefined)
      );
      if (isUnknown) return reply.fail(CODE.unknownTopic);
      reply({ responses });
    },
    findGroupCoordinator: (_: unknown, reply) => reply({ coordinator: { nodeId: NODE } }),
    describeGroups: ({ groupIds }: { readonly groupIds: readonly string[] }, reply) =>
      reply({ groups: groupIds.map((name) => ({ members: this.group(name).members })) }),
    joinGroup: (request: JoinRequest, reply, host) => this.group(request.groupId).join(request, host, reply),
    syncGroup: (request: SyncRequest, reply) => this.group(request.groupId).sync(request, reply),
    heartbeat: ({ groupId, groupGenerationId, memberId }: Heartbeat, reply) =>
      this.group(groupId).heartbeat(memberId, groupGenerationId, reply),
    leaveGroup: ({ groupId, memberId }: Heartbeat, reply) => this.group(groupId).leave(memberId, reply),
    initProducerId: ({ transactionalId, transactionTimeout }: InitProducerId, reply) =>
      this.#transactions.init(transactionalId, transactionTimeout, reply),
    addPartitionsToTxn: (request: ProducerIdentity & AddPartitions, reply) => {
      const places = request.topics.flatMap(({ topic, partitions }) =>
        partitions.map((partition) => `${topic}/${partition}`)
      );
      const { transactionalId, producerId, producerEpoch } = request;
      const code = this.#transactions.enter(transactionalId, Number(producerId), producerEpoch, places);
      return code === CODE.ok ? reply({}) : reply.fail(code);
    },
    addOffsetsToTxn: (request: ProducerIdentity, reply) => {
      const code = this.#transactions.store(request, "", []);
      return code === CODE.ok ? reply({}) : reply.fail(code);
    },
    endTxn: ({ transactionResult, ...request }: ProducerIdentity & { transactionResult: boolean }, reply) =>
      this.#transactions.end(request, transactionResult, reply),
    raw: ({ apiKey, apiVersion, body }: RawBody, reply) => this.#raw(`${apiKey}/${apiVersion}`, body, reply),
  };

  #raw(api: string, bytes: Uint8Array, reply: Reply): void {
    const reader = new WireReader(bytes);
    switch (api) {
      case "1/11":
      case "1/13":
        return this.#fetch(reader, api === "1/13", reply);
      case "0/7":
      case "0/12":
        return this.#produce(reader, api === "0/12", reply);
      case "9/7":
        return this.#offsetFetch(reader, reply);
      case "3/10":
        return this.#identify(reader, reply);
      case "18/3":
        return reply(features(this.#transactions.isImplicit ? 2 : 0));
      case "28/3":
      case "28/5":
        return this.#txnOffsetCommit(reader, reply);
      case "26/5":
        return this.#endTxn(reader, reply);
      default:
        throw new Error(`Cannot simulate request ${api}: the broker does not know it`);
    }
  }

  #fetch(reader: WireReader, isById: boolean, reply: Reply): void {
    if (isById) reader.uvarint();
    reader.int32();
    const waitMs = reader.int32();
    reader.int32();
    const maxBytes = reader.int32();
    reader.position += 9;
    const wanted = isById ? this.#wantedById(reader) : this.#wantedByName(reader);
    const find = ({ topic, partition }: Wanted) => topic?.partitions[partition];
    const isReady = () =>
      wanted.some((one) => {
        const found = find(one);
        return found === undefined || !this.#isThere(one) || one.offset < found.start ||
          one.offset !== found.stableEnd;
      });
    const answer = () => {
      const body = new WireWriter(1024);
      const list = (count: number) => isById ? body.uvarint(count + 1) : body.int32(count);
      if (isById) body.uvarint(0);
      body.int32(0).int16(0).int32(0);
      list(wanted.length);
      let left = maxBytes;
      for (const one of wanted) {
        const found = this.#isThere(one) ? find(one) : undefined;
        if (isById) body.raw(one.id);
        else body.name(one.name);
        list(1);
        body.int32(one.partition);
        const isOut = found !== undefined && (one.offset < found.start || one.offset > found.end);
        const unknown = isById ? CODE.unknownTopicId : CODE.unknownTopic;
        body.int16(found === undefined ? unknown : isOut ? CODE.offsetOutOfRange : CODE.ok);
        const isEmpty = found === undefined || isOut;
        const { bytes, aborted } = isEmpty
          ? { bytes: new Uint8Array(), aborted: [] }
          : found.fetch(one.offset, Math.min(one.maxBytes, left));
        left = Math.max(1, left - bytes.length);
        body.int64(found?.end ?? -1).int64(isEmpty ? -1 : found.stableEnd).int64(found?.start ?? -1);
        list(aborted.length);
        for (const { producerId, firstOffset } of aborted) {
          body.int64(producerId).int64(firstOffset);
          if (isById) body.uvarint(0);
        }
        body.int32(-1);
        if (isById) body.uvarint(bytes.length + 1).raw(bytes).uvarint(0).uvarint(0);
        else body.int32(bytes.length).raw(bytes);
      }
      if (isById) body.uvarint(0);
      reply(body.bytes.slice());
    };
    if (waitMs <= 0 || isReady()) return answer();
    const parked: Parked = { isReady, answer };
    this.#parked.add(parked);
    this.#world.schedule(this.owner, waitMs, "fetch timeout", () => {
      if (this.#parked.delete(parked)) answer();
    });
  }

  #wantedByName(reader: WireReader): Wanted[] {
    return reader.list(() => {
      const name = reader.name() ?? "";
      return reader.list(() => {
        const partition = reader.int32();
        reader.int32();
        const offset = reader.int64();
        reader.int64();
        const topic = this.topics.get(name);
        return { name, id: NO_ID, topic, partition, offset, maxBytes: reader.int32() };
      });
    }).flat();
  }

  #wantedById(reader: WireReader): Wanted[] {
    return reader.compactArray(() => {
      const id = reader.take(ID_BYTES)?.slice() ?? NO_ID;
      const topic = [...this.topics.values()].find((topic) => topic.id === numberOf(id));
      const parts = reader.compactArray(() => {
        const partition = reader.int32();
        reader.int32();
        const offset = reader.int64();
        reader.int32();
        reader.int64();
        const maxBytes = reader.int32();
        reader.tags();
        return { name: topic?.name ?? "", id, topic, partition, offset, maxBytes };
      });
      reader.tags();
      return parts;
    }).flat();
  }

  /** Whether a topic found when a fetch arrived has not been deleted since. */
  #isThere({ topic }: Wanted): boolean {
    return topic !== undefined && this.topics.get(topic.name) === topic;
  }

  #identify(reader: WireReader, reply: Reply): void {
    reader.position += 2 + ID_BYTES;
    const name = reader.text(reader.uvarint() - 1) ?? "";
    const found = this.topics.get(name);
    const id = new Uint8Array(ID_BYTES);
    new DataView(id.buffer).setInt32(ID_BYTES - 4, found?.id ?? 0);
    const body = new WireWriter(256).uvarint(0).int32(0).uvarint(1).uvarint(0).int32(NODE).uvarint(2)
      .int16(found === undefined ? CODE.unknownTopic : CODE.ok).raw(compactText(name)).raw(id).int8(0);
    body.uvarint((found?.partitions.length ?? 0) + 1);
    for (let p = 0; p < (found?.partitions.length ?? 0); p++) {
      body.int16(0).int32(p).int32(NODE).int32(0).uvarint(1).uvarint(1).uvarint(1).uvarint(0);
    }
    reply(body.int32(0).uvarint(0).uvarint(0).bytes.slice());
  }

  #produce(reader: WireReader, isFlexible: boolean, reply: Reply): void {
    if (isFlexible) reader.uvarint();
    const text = () => isFlexible ? reader.text(reader.uvarint() - 1) : reader.name();
    const list = <Item>(read: () => Item) => isFlexible ? reader.compactArray(read) : reader.list(read);
    const tags = () => isFlexible && reader.tags();
    const transactionalId = text();
    reader.position += 6;
    const batches = list(() => {
      const topic = text() ?? "";
      const parts = list(() => {
        const partition = reader.int32();
        const bytes = reader.take(isFlexible ? reader.uvarint() - 1 : reader.int32()) ?? new Uint8Array();
        tags();
        return { topic, partition, bytes };
      });
      tags();
      return parts;
    }).flat();
    const body = isFlexible
      ? new WireWriter(256).uvarint(0).uvarint(batches.length + 1)
      : new WireWriter(256).int32(batches.length);
    for (const { topic, partition, bytes } of batches) {
      const { code, offset } = this.#write(topic, partition, bytes, transactionalId, isFlexible);
      if (isFlexible) {
        body.raw(compactText(topic)).uvarint(2).int32(partition).int16(code).int64(offset).int64(-1).int64(0);
        body.uvarint(1).uvarint(0).uvarint(0).uvarint(0);
      } else body.name(topic).int32(1).int32(partition).int16(code).int64(offset).int64(-1).int64(0);
    }
    body.int32(0);
    reply(body.bytes.slice());
    this.wake();
  }

  #write(
    topic: string,
    partition: number,
    bytes: Uint8Array,
    transactionalId: string | null,
    isImplicit: boolean,
  ): { readonly code: number; readonly offset: number } {
    const found = this.topics.get(topic)?.partitions[partition];
    if (found === undefined) return { code: CODE.unknownTopic, offset: -1 };
    const head = headOf(bytes);
    if (head.maxTime > EPOCH + this.#world.now + MAX_AHEAD_MS) {
      return { code: CODE.invalidTimestamp, offset: -1 };
    }
    if (transactionalId !== null) {
      const { producer, epoch } = head;
      const place = `${topic}/${partition}`;
      const code = isImplicit
        ? this.#transactions.enter(transactionalId, producer, epoch, [place])
        : this.#transactions.has(transactionalId, producer, epoch, place);
      if (code !== CODE.ok) return { code, offset: -1 };
    }
    const written = found.append(bytes, head);
    // The digest covers the producer's id and sequence too: worlds that write other bytes differ.
    this.#world.note(crc32(bytes) ^ partition << 20);
    this.#world.onStep?.(
      this.#world.now,
      "broker",
      `  ${topic}/${partition}@${written.offset} ${bytes.length} bytes ${crc32(bytes)}`,
    );
    return written;
  }

  #offsetFetch(reader: WireReader, reply: Reply): void {
    reader.uvarint();
    const group = reader.text(reader.uvarint() - 1) ?? "";
    reader.uvarint();
    const topic = reader.text(reader.uvarint() - 1) ?? "";
    reader.uvarint();
    const partition = reader.int32();
    const of = this.group(group);
    const place = `${topic}/${partition}`;
    const isUnstable = (of.pending.get(place) ?? 0) > 0;
    const offset = isUnstable ? -1 : of.offsets.get(place)?.offset ?? -1;
    reply(
      new WireWriter(128).uvarint(0).int32(0).uvarint(2).raw(compactText(topic)).uvarint(2).int32(partition)
        .int64(offset).int32(-1).raw(compactText("")).int16(isUnstable ? CODE.unstableOffset : CODE.ok)
        .uvarint(
          0,
        )
        .uvarint(0).int16(0).uvarint(0).bytes.slice(),
    );
  }

  #txnOffsetCommit(reader: WireReader, reply: Reply): void {
    reader.uvarint();
    const transactionalId = reader.text(reader.uvarint() - 1) ?? "";
    const group = reader.text(reader.uvarint() - 1) ?? "";
    const producerId = reader.int64();
    const producerEpoch = reader.int16();
    reader.int32();
    reader.text(reader.uvarint() - 1);
    reader.uvarint();
    const offsets = reader.compactArray(() => {
      const topic = reader.text(reader.uvarint() - 1) ?? "";
      const parts = reader.compactArray(() => {
        const part = { topic, partition: reader.int32(), offset: reader.int64() };
        reader.int32();
        reader.text(reader.uvarint() - 1);
        reader.tags();
        return part;
      });
      reader.tags();
      return parts;
    }).flat();
    const answer = (code: number) => {
      const body = new WireWriter(128).uvarint(0).int32(0).uvarint(offsets.length + 1);
      for (const { topic, partition } of offsets) {
        body.raw(compactText(topic)).uvarint(2).int32(partition).int16(code).uvarint(0).uvarint(0);
      }
      reply(body.uvarint(0).bytes.slice());
    };
    const told = Object.assign(() => answer(CODE.ok), { fail: answer });
    this.#hold({ transactionalId, producerId, producerEpoch }, group, offsets, told);
  }

  #endTxn(reader: WireReader, reply: Reply): void {
    reader.uvarint();
    const transactionalId = reader.text(reader.uvarint() - 1) ?? "";
    const producerId = reader.int64();
    const producerEpoch = reader.int16();
    const committed = reader.int8() === 1;
    const answer = (code: number, producer = -1, epoch = -1) =>
      reply(
        new WireWriter(64).uvarint(0).int32(0).int16(code).int64(producer).int16(epoch).uvarint(0).bytes
          .slice(),
      );
    const told = Object.assign((owner: unknown) => {
      const { producerId, producerEpoch } = owner as { producerId: number; producerEpoch: number };
      answer(CODE.ok, producerId, producerEpoch);
    }, { fail: (code: number) => answer(code) });
    this.#transactions.end({ transactionalId, producerId, producerEpoch }, committed, told);
  }

  /** Notes offsets that a transaction will store. */
  #hold(of: ProducerIdentity, group: string, offsets: readonly Place[], reply: Reply): void {
    const code = this.#transactions.store(of, group, offsets);
    if (code !== CODE.ok) return reply.fail(code);
    const { pending } = this.group(group);
    for (const { topic, partition } of offsets) {
      const place = `${topic}/${partition}`;
      pending.set(place, (pending.get(place) ?? 0) + 1);
    }
    reply({});
  }

  #stored(name: string, offsets: readonly Place[], committed: boolean): void {
    const group = this.group(name);
    for (const { topic, partition, offset } of offsets) {
      const place = `${topic}/${partition}`;
      group.pending.set(place, (group.pending.get(place) ?? 1) - 1);
      if (committed) group.offsets.set(place, { offset });
    }
  }

  #at(place: string): SimulatedPartition | undefined {
    const cut = place.lastIndexOf("/");
    return this.topics.get(place.slice(0, cut))?.partitions[Number(place.slice(cut + 1))];
  }
}

/** The only node's number. */
export const NODE = 1;
const EARLIEST = -2;
const READ_UNCOMMITTED = 0;
const ID_BYTES = 16;

const NO_ID = new Uint8Array(ID_BYTES);

/** What a fetch asks for. */
interface Wanted {
  readonly name: string;
  readonly id: Uint8Array;
  readonly topic: SimulatedTopic | undefined;
  readonly partition: number;
  readonly offset: number;
  readonly maxBytes: number;
}

function numberOf(id: Uint8Array): number {
  return new DataView(id.buffer, id.byteOffset).getInt32(ID_BYTES - 4);
}

interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

interface CreateTopics {
  readonly topics: readonly {
    readonly topic: string;
    readonly numPartitions: number;
    readonly configEntries: readonly { readonly name: string; readonly value: string }[];
  }[];
}

interface DeleteRecords {
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
  }[];
}

interface ListOffsets {
  readonly isolationLevel: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly timestamp: number }[];
  }[];
}

interface Heartbeat {
  readonly groupId: string;
  readonly groupGenerationId: number;
  readonly memberId: string;
}

interface InitProducerId {
  readonly transactionalId: string | undefined;
  readonly transactionTimeout: number;
}

interface AddPartitions {
  readonly topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[];
}

interface RawBody {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly body: Uint8Array;
}

/** An answer to ApiVersions 3 that names one feature. */
function features(level: number): Uint8Array {
  const list = new WireWriter(64);
  if (level === 0) list.uvarint(1);
  else list.uvarint(2).raw(compactText("transaction.version")).int16(level).int16(level).uvarint(0);
  return new WireWriter(64).int16(0).uvarint(1).int32(0).uvarint(1).uvarint(2).uvarint(list.length)
    .raw(list.bytes).bytes.slice();
}

/** A text as flexible messages have it. */
function compactText(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  return new WireWriter(bytes.length + 8).compactCount(bytes.length).raw(bytes).bytes;
}
