/** Readers of a simulated partition whose leaders are elected without records that were read. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { KafkaClient } from "../../../streams/log/kafka/client.ts";
import { KafkaReader } from "../../../streams/log/kafka/reader.ts";
import { encodeBatch } from "../../../streams/log/kafka/protocol/record_batch.ts";
import type { Fetched } from "../../../streams/log/kafka/protocol/requests.ts";
import { WireReader } from "../../../streams/log/kafka/protocol/wire.ts";
import type { Log } from "../../../streams/log/log.ts";
import { readOn } from "../../../streams/log/reading.ts";

const FETCH = 1;
const OUT_OF_RANGE = 1;
const ID = "00112233445566778899aabbccddeeff";

interface Written {
  readonly value: string;
  readonly epoch: number;
}

/** A partition, and its leader. */
class Partition {
  records: Written[] = [];
  /** Number of elections so far. */
  epoch = 0;
  fetches = 0;
  #written = 0;

  append(count: number): void {
    for (let n = 0; n < count; n++) this.records.push({ value: `${this.#written++}`, epoch: this.epoch });
  }

  /** Elects a leader without the records from an offset on. */
  elect(from: number): void {
    this.records = this.records.slice(0, from);
    this.epoch++;
  }

  /** As `ReplicaManager` answers a Fetch. */
  async fetch(offset: number, epochBefore: number, count: number): Promise<Partial<Fetched>> {
    assert.ok(++this.fetches < 1000, "it asks without end");
    const end = this.records.length;
    if (epochBefore >= 0) {
      const later = this.records.findIndex(({ epoch }) => epoch > epochBefore);
      const kept = { epoch: epochBefore, end: later < 0 ? end : later };
      const last = this.records[kept.end - 1];
      if (last !== undefined) kept.epoch = last.epoch;
      if (kept.epoch < epochBefore || kept.end < offset) return { diverging: kept };
    }
    if (offset > end) return { errorCode: OUT_OF_RANGE };
    const batches: Uint8Array[] = [];
    for (const [n, { value, epoch }] of this.records.slice(offset, offset + count).entries()) {
      batches.push(await batchAt(offset + n, [value], epoch));
    }
    return { stableEnd: end, bytes: Uint8Array.from(batches.flatMap((batch) => [...batch])) };
  }
}

async function batchAt(offset: number, values: readonly string[], epoch: number): Promise<Uint8Array> {
  const producer = { id: -1, epoch: -1, transactional: false };
  const records = values.map((value) => (
    { topic: "t", key: "k", value: new TextEncoder().encode(value), time: 0 }
  ));
  const bytes = new Uint8Array(await encodeBatch(records, producer, -1, "none"));
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, BigInt(offset));
  view.setInt32(12, epoch);
  return bytes;
}

/** A client of a broker with that partition, which sends `count` records at most. */
function clientOf(partition: Partition, count: number): KafkaClient {
  const fetched = async (body: Uint8Array) => {
    const reader = new WireReader(body, true);
    reader.tags();
    for (let fields = 4; fields > 0; fields--) reader.int32();
    reader.int8();
    reader.int32();
    reader.int32();
    const [asked] = reader.list(() => {
      reader.take(16);
      return reader.list(() => {
        reader.int32();
        reader.int32();
        const asked = { offset: reader.int64(), epochBefore: reader.int32() };
        reader.int64();
        reader.int32();
        return asked;
      });
    }).flat();
    assert.ok(asked !== undefined);
    const answer = await partition.fetch(asked.offset, asked.epochBefore, count);
    return [{
      topic: "t",
      partition: 0,
      errorCode: 0,
      stableEnd: -1,
      aborted: [],
      bytes: new Uint8Array(),
      ...answer,
    }];
  };
  const leaders = () => [{ partition: 0, node: 0, epoch: partition.epoch }];
  const broker = {
    versions: { [FETCH]: { maxVersion: 13 }, 3: { maxVersion: 10 } },
    connectionPool: {
      pool: [{ requestTimeout: 60_000 }],
      async send(
        { request }: { request: { apiKey: number; encode(): Promise<{ buffer: Uint8Array }> } },
      ) {
        const { buffer } = await request.encode();
        return request.apiKey === FETCH
          ? { clientSideThrottleTime: 0, fetched: await fetched(buffer) }
          : { clientSideThrottleTime: 0, found: { code: 0, id: ID, leaders: leaders() } };
      },
    },
    listOffsets: ({ topics }: { topics: readonly [{ partitions: readonly [{ timestamp: number }] }] }) => {
      const offset = topics[0].partitions[0].timestamp === -2 ? 0 : partition.records.length;
      return Promise.resolve({ responses: [{ partitions: [{ partition: 0, offset: `${offset}` }] }] });
    },
  };
  const client = {
    closing: new AbortController().signal,
    throwIfClosed() {},
    leaderId: () => Promise.resolve(0),
    any: () => Promise.resolve(broker),
    node: () => Promise.resolve(broker),
    retry: <T>(operation: () => Promise<T>) => operation(),
    askAll: () => Promise.resolve(leaders()),
    lasting: (error: unknown) => error,
  };
  return client as unknown as KafkaClient;
}

/** Keeps what it has read, and goes back when it is told that some of that is lost. */
class Follower {
  readonly values: string[] = [];
  readonly #partition: Partition;
  readonly #log: { read: Log["read"] };
  #next = 0;
  #epoch: number | undefined;
  /** Number of elections when it was told last. */
  #told = 0;

  constructor(partition: Partition, reader: KafkaReader) {
    this.#partition = partition;
    this.#log = {
      read: (topic, partition, from, options = {}) => reader.read(topic, partition, from, () => 0, options),
    };
  }

  /** Reads, and takes some of that. @returns whether it got any further */
  async read(maxRecords: number, taken = maxRecords): Promise<boolean> {
    const read = await readOn(this.#log, { topic: "t", partition: 0 }, {
      reader: "a test",
      from: this.#next,
      epoch: this.#epoch,
      maxRecords,
      goBack: (end) => this.#goBack(end),
    });
    const records = read.records.slice(0, taken);
    for (const { value } of records) this.values.push(new TextDecoder().decode(value!));
    this.#next = records.length < read.records.length ? records.at(-1)!.offset + 1 : read.next;
    this.#epoch = read.epoch;
    return records.length > 0;
  }

  #goBack(end: number): void {
    const { epoch, records } = this.#partition;
    assert.ok(epoch > this.#told, "it is told once");
    const kept = this.values.findIndex((value, at) => value !== records[at]?.value);
    assert.ok(kept >= 0 && end <= kept, `it goes back to ${end}, as it has lost what is from ${kept} on`);
    this.#told = epoch;
    this.values.length = end;
  }
}

const FOLLOWERS = 3;
const act = fc.oneof(
  fc.record({ append: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ elect: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ electAt: fc.nat(FOLLOWERS - 1) }),
  ...[1, 2].map(() =>
    fc.record({
      read: fc.nat(FOLLOWERS - 1),
      max: fc.integer({ min: 1, max: 5 }),
      taken: fc.integer({ min: 1, max: 5 }),
    })
  ),
);

Deno.test("KafkaReader.read() tells each reader of a partition once that what it read was replaced", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(act, { maxLength: 30, size: "max" }),
      fc.integer({ min: 1, max: 6 }),
      async (acts, count) => {
        const partition = new Partition();
        const client = clientOf(partition, count);
        const reader = new KafkaReader(client, client, 60_000);
        const followers = Array.from({ length: FOLLOWERS }, () => new Follower(partition, reader));
        for (const one of acts) {
          if ("append" in one) partition.append(one.append);
          else if ("elect" in one) {
            partition.elect(Math.floor(one.elect * partition.records.length));
            partition.append(1);
          } else if ("electAt" in one) {
            partition.elect(followers[one.electAt]!.values.length);
            partition.append(1);
          } else await followers[one.read]!.read(one.max, one.taken);
        }
        for (const follower of followers) {
          while (await follower.read(5));
          assert.deepEqual(follower.values, partition.records.map(({ value }) => value));
        }
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("KafkaReader.read() goes on although one fetch has the records of many leaders", async () => {
  const partition = new Partition();
  for (let n = 0; n < 40; n++) {
    partition.append(2);
    partition.elect(partition.records.length);
  }
  const client = clientOf(partition, 30);
  const follower = new Follower(partition, new KafkaReader(client, client, 60_000));
  while (await follower.read(5));
  assert.deepEqual(follower.values, partition.records.map(({ value }) => value));
  assert.ok(partition.fetches <= 5, `${partition.fetches} fetches`);
});

Deno.test("KafkaReader.read() goes on where the broker is too old to compare epochs", async () => {
  const partition = new Partition();
  partition.append(3);
  partition.epoch = 1;
  const bytes = await batchAt(0, ["x", "y", "z"], 1);
  partition.fetch = () => {
    assert.ok(++partition.fetches < 10, "it asks without end");
    return Promise.resolve({ stableEnd: 3, bytes });
  };
  const client = clientOf(partition, 3);
  const reader = new KafkaReader(client, client, 60_000);
  const { records, next } = await reader.read("t", 0, 2, () => 0, { epoch: 0 });
  assert.deepEqual([records.map(({ offset }) => offset), next], [[2], 3]);
});
