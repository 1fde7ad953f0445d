/** Batches that a disk, or a program in between, has damaged: each is rejected with its place, and nothing loops. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mulberry32 } from "../../../src/draws/random.ts";
import { COMPRESS, COMPRESSIONS, DECOMPRESS } from "../../../streams/log/kafka/protocol/codecs.ts";
import { decodeBatches, encodeBatch } from "../../../streams/log/kafka/protocol/record_batch.ts";
import { unpackSnappy } from "../../../src/codec/snappy.ts";
import { WireReader, WireWriter } from "../../../streams/log/kafka/protocol/wire.ts";
import { LogError, type NewRecord } from "../../../streams/log/log.ts";

const plain = { id: 7, epoch: 0, transactional: false };
const BASE = 1000;
/** Where the fields of a batch begin. */
const AT = { length: 8, magic: 16, attributes: 21, lastOffsetDelta: 23, count: 57, records: 61 } as const;

const decode = (bytes: Uint8Array) => decodeBatches(bytes, "t", 3, BASE, []);

async function batch(
  compression: (typeof COMPRESSIONS)[number] = "none",
  records = 3,
): Promise<Uint8Array<ArrayBuffer>> {
  const some = Array.from({ length: records }, (_, n): NewRecord => ({
    topic: "t",
    key: `key ${n}`,
    time: 1_700_000_000_000 + n,
    headers: { input: `0/${n}/0` },
    value: new Uint8Array(40 + n).fill(n),
  }));
  const bytes = (await encodeBatch(some, plain, 0, compression)).slice();
  new DataView(bytes.buffer).setBigInt64(0, BigInt(BASE));
  return bytes;
}

/** A batch with a changed field. */
async function lying(
  write: (view: DataView) => void,
  compression?: (typeof COMPRESSIONS)[number],
): Promise<Uint8Array> {
  const bytes = await batch(compression);
  write(new DataView(bytes.buffer));
  return bytes;
}

/** A batch of one record whose bytes are given. */
function bare(body: Uint8Array): Uint8Array {
  return new WireWriter().int64(BASE).int32(49 + body.length).int32(0).int8(2).int32(0).int16(0).int32(0)
    .int64(0).int64(0).int64(-1).int16(-1).int32(-1).int32(1).raw(body).bytes;
}

Deno.test("decodeBatches() rejects what contradicts its lengths and counts, with the place and what to do", async () => {
  const record = (write: (writer: WireWriter) => WireWriter) => {
    const body = write(new WireWriter().int8(0).varint(0).varint(0)).bytes;
    return bare(new WireWriter().varint(body.length).raw(body).bytes);
  };
  const bad: readonly (readonly [string, Uint8Array, RegExp])[] = [
    [
      "format 0",
      await lying((view) => view.setInt8(AT.magic, 0)),
      /its format is 0, that of clients before Kafka 0\.11/,
    ],
    [
      "format 1",
      await lying((view) => view.setInt8(AT.magic, 1)),
      /its format is 1, that of clients before Kafka 0\.11/,
    ],
    ["format 3", await lying((view) => view.setInt8(AT.magic, 3)), /its format is 3, not 2/],
    ...await Promise.all([5, 6, 7].map(async (code) =>
      [
        `compression ${code}`,
        await lying((view) => view.setInt16(AT.attributes, code)),
        new RegExp(`its compression is ${code}, none of none, gzip, snappy, lz4, zstd`),
      ] as const
    )),
    ...await Promise.all([-1, -12, -(2 ** 31), 0, 4, 48].map(async (length) =>
      [
        `length ${length}`,
        await lying((view) => view.setInt32(AT.length, length)),
        /bounds|cannot be read|left/,
      ] as const
    )),
    [
      "a length beyond the end",
      await lying((view) => view.setInt32(AT.length, 2 ** 31 - 1)),
      /contain no whole batch/,
    ],
    ["a few bytes", new Uint8Array(7), /7 bytes contain no whole batch/],
    [
      "fewer offsets",
      await lying((view) => view.setInt32(AT.lastOffsetDelta, -5)),
      /its offsets are 1000 to 995/,
    ],
    ["offset -1", await lying((view) => view.setBigInt64(0, -1n)), /its offsets are -1 to 1/],
    ["offset 2^62", await lying((view) => view.setBigInt64(0, 2n ** 62n)), /its offsets are 4611/],
    ["offset 0", await lying((view) => view.setBigInt64(0, 0n)), /contain no whole batch/],
    [
      "count 2^31 - 1",
      await lying((view) => view.setInt32(AT.count, 2 ** 31 - 1)),
      /it has 2147483647 records/,
    ],
    ["count -1", await lying((view) => view.setInt32(AT.count, -1)), /it has -1 records/],
    [
      "count and offsets 2^31 - 1",
      await lying((view) => {
        view.setInt32(AT.count, 2 ** 31 - 1);
        view.setInt32(AT.lastOffsetDelta, 2 ** 31 - 2);
      }),
      /does not end/,
    ],
    ["no record", bare(new Uint8Array(0)), /does not end/],
    ["a length that does not end", bare(new Uint8Array(1).fill(0x80)), /does not end/],
    ["a length of eleven bytes", bare(new Uint8Array(20).fill(0xff)), /does not end/],
    ["a record of -2 bytes", bare(new WireWriter().varint(-2).bytes), /a record of -2 bytes/],
    ["a record of 2^31 bytes", bare(new WireWriter().varint(2 ** 31).bytes), /a record of 2147483648 bytes/],
    ["a key of -2 bytes", record((writer) => writer.varint(-2).varint(-1).varint(0)), /a length of -2/],
    ["a key of 2^40 bytes", record((writer) => writer.varint(2 ** 40)), /a length of 1099511627776/],
    [
      "a value of 2^31 bytes",
      record((writer) => writer.varint(-1).varint(2 ** 31)),
      /a length of 2147483648/,
    ],
    [
      "2^31 headers",
      record((writer) => writer.varint(-1).varint(-1).varint(2 ** 31)),
      /a length of 2147483648/,
    ],
    ["-1 headers", record((writer) => writer.varint(-1).varint(-1).varint(-1)), /a length of -1/],
    [
      "another offset",
      bare(new WireWriter().varint(6).raw(Uint8Array.of(0, 0, 2, 1, 1, 0)).bytes),
      /at offset 1001/,
    ],
    [
      "a record that is longer",
      bare(new WireWriter().varint(3).raw(Uint8Array.of(0, 0, 0, 1, 1, 0)).bytes),
      /longer than its 3/,
    ],
    ...await Promise.all(
      COMPRESSIONS.slice(1).map(async (name) =>
        [
          `half of ${name}`,
          (await lying((view) => view.setInt32(AT.length, 49 + 6), name)).subarray(0, AT.records + 6),
          // Node returns what half a zstd frame contains.
          name === "zstd" ? /does not end/ : new RegExp(`its ${name} cannot be unpacked`),
        ] as const
      ),
    ),
  ];
  for (const [what, bytes, reason] of bad) {
    await assert.rejects(decode(bytes), (error) => {
      assert.ok(error instanceof LogError && error.code === "corrupt", `${what}: ${error}`);
      assert.match(error.message, /^Cannot read t\/3@-?\d+: .*restore the topic/, what);
      assert.match(error.message, reason, what);
      return true;
    }, what);
  }
});

Deno.test("decodeBatches() reads or rejects any batch of which bytes have changed", async () => {
  const random = mulberry32(20);
  const below = (limit: number) => Math.floor(random() * limit);
  const whole = await Promise.all(COMPRESSIONS.map((name) => batch(name, 6)));
  let refused = 0;
  const RUNS = 4000;
  for (let n = 0; n < RUNS; n++) {
    const bytes = whole[n % whole.length]!.slice();
    for (let changes = 1 + below(3); changes > 0; changes--) {
      const at = below(bytes.length);
      const kind = below(4);
      if (kind === 0) bytes[at]! ^= 1 << below(8);
      else if (kind === 1) bytes[at] = below(256);
      else if (kind === 2) bytes.fill(0xff, at, at + below(9));
      else bytes.copyWithin(at, below(bytes.length), below(bytes.length));
    }
    const told = below(2) === 0 ? bytes : bytes.subarray(0, below(bytes.length));
    try {
      const { records, next } = await decode(told);
      assert.ok(told.length === 0 || next > BASE);
      assert.ok(records.every(({ offset }) => offset >= BASE && offset < next));
    } catch (error) {
      assert.ok(error instanceof LogError && error.code === "corrupt", `${n}: ${(error as Error).stack}`);
      refused++;
    }
  }
  assert.ok(refused > RUNS / 4 && refused < RUNS, `${refused} of ${RUNS}`);
});

Deno.test("WireReader throws for arrays and tags that are longer than what is left", () => {
  const int32 = new WireWriter().int32(2 ** 31 - 1).bytes;
  assert.throws(() => new WireReader(int32).list(() => 0), RangeError);
  const long = new WireWriter().uvarint(2 ** 40).bytes;
  assert.throws(() => new WireReader(long).compactArray(() => 0), RangeError);
  assert.throws(() => new WireReader(long).tags(), RangeError);
  assert.throws(() => new WireReader(new Uint8Array(3).fill(0x80)).uvarint(), RangeError);
  assert.throws(() => new WireReader(new Uint8Array(30).fill(0x80)).uvarint(), RangeError);
});

Deno.test("DECOMPRESS.snappy undoes COMPRESS.snappy and Java's frames, and throws for lengths that lead back", async () => {
  const random = mulberry32(5);
  for (const size of [0, 1, 59, 60, 61, 300, 70_000, 200_000]) {
    const bytes = Uint8Array.from({ length: size }, (_, i) => random() < 0.5 ? i % 7 : random() * 256);
    const block = await COMPRESS.snappy(bytes);
    assert.deepEqual(new Uint8Array(await DECOMPRESS.snappy(block)), bytes, `${size}`);
    const head = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1);
    const framed =
      new WireWriter().raw(head).int32(block.length).raw(block).int32(block.length).raw(block).bytes;
    assert.deepEqual(
      unpackSnappy(framed, 1e6),
      new Uint8Array(Buffer.concat([bytes, bytes])),
      `${size} in frames`,
    );
  }
  // A literal of 2^32 bytes, at which snappyjs jumps back and loops for ever.
  assert.throws(() => unpackSnappy(Uint8Array.of(4, 0xfc, 0xff, 0xff, 0xff, 0xf0, 1, 2), 1e6), RangeError);
  assert.throws(
    () => unpackSnappy(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1), 2 ** 40),
    /cannot unpack to/,
  );
});

Deno.test("DECOMPRESS.lz4 rejects a few megabytes that would unpack to more than a batch may have", async () => {
  const block = 4 << 20, head = 7;
  const full = await COMPRESS.lz4(new Uint8Array(block));
  const size = new DataView(full.buffer, full.byteOffset).getUint32(head, true);
  const frame = (blocks: number) => {
    const one = full.subarray(head, head + 4 + size);
    const parts = [full.subarray(0, head), ...Array.from({ length: blocks }, () => one), new Uint8Array(4)];
    return new Uint8Array(Buffer.concat(parts));
  };
  assert.equal((await DECOMPRESS.lz4(frame(3))).length, 3 * block);
  const bomb = frame(65);
  assert.ok(bomb.length < 2 << 20, `${bomb.length} bytes`);
  await assert.rejects(async () => await DECOMPRESS.lz4(bomb), /bytes may unpack to 272629760/);
});
