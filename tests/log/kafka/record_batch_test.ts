import assert from "node:assert/strict";
import fc from "fast-check";
import {
  COMPRESS,
  compressionFor,
  COMPRESSIONS,
  DECOMPRESS,
} from "../../../streams/log/kafka/protocol/codecs.ts";
import {
  type BatchProducer,
  decodeBatches,
  encodeBatch,
} from "../../../streams/log/kafka/protocol/record_batch.ts";
import { WireWriter } from "../../../streams/log/kafka/protocol/wire.ts";
import type { NewRecord } from "../../../streams/log/log.ts";
import { record, texts } from "../../contracts/log_suite.ts";

const plain: BatchProducer = { id: 7, epoch: 0, transactional: false };

Deno.test("decodeBatches() reads back what encodeBatch() wrote, with every compression", async () => {
  const text = fc.string({ unit: "binary", maxLength: 80 });
  const records = fc.array(
    fc.record({
      topic: fc.constant("t"),
      key: fc.option(text),
      value: fc.option(fc.uint8Array({ maxLength: 200 })),
      time: fc.nat({ max: 2 ** 50 }),
      headers: fc.dictionary(fc.oneof(text, fc.constant("__proto__")), text, { maxKeys: 3 }),
    }),
    { minLength: 1, maxLength: 20 },
  );
  await fc.assert(
    fc.asyncProperty(
      records,
      fc.constantFrom(...COMPRESSIONS, "auto" as const),
      fc.nat(2 ** 40),
      async (records, compression, base) => {
        const bytes = at(base, await encodeBatch(records, plain, 3, compression));
        const decoded = await decodeBatches(bytes, "t", 5, base, []);
        assert.equal(decoded.next, base + records.length);
        assert.deepEqual(
          decoded.records.map(({ headers, ...rest }) => ({ ...rest, headers: Object.entries(headers) })),
          records.map(({ headers, ...rest }, i) => ({
            ...rest,
            partition: 5,
            offset: base + i,
            headers: Object.entries(headers),
          })),
        );
      },
    ),
  );
});

Deno.test("encodeBatch() picks lz4 for small batches and zstd for large ones when it may choose", async () => {
  assert.equal(compressionFor("auto", 8191), "lz4");
  assert.equal(compressionFor("auto", 8192), "zstd");
  for (const choice of COMPRESSIONS) assert.equal(compressionFor(choice, 100), choice);
  for (const [length, compression] of [[100, "lz4"], [9000, "zstd"]] as const) {
    const value = new Uint8Array(length);
    const written = await encodeBatch([{ topic: "t", key: null, value, time: 0 }], plain, 0, "auto");
    const attributes = new DataView(written.buffer, written.byteOffset).getInt16(21);
    assert.equal(COMPRESSIONS[attributes & 7], compression);
    const { records } = await decodeBatches(written, "t", 0, 0, []);
    assert.deepEqual(records[0]?.value, value);
  }
});

Deno.test("decodeBatches() begins at the wanted offset, and stops where the fetch was cut off", async () => {
  const batches = join(
    at(10, await batch("a", "b", "c")),
    at(13, await batch("d", "e")),
    at(20, await batch("f")),
  );
  const decode = (bytes: Uint8Array, from: number) => decodeBatches(bytes, "t", 0, from, []);
  const whole = await decode(batches, 11);
  assert.deepEqual(texts(whole.records), ["b", "c", "d", "e", "f"]);
  assert.equal(whole.next, 21);
  const first = (await batch("a", "b", "c")).length;
  for (let cut = 1; cut < first; cut++) {
    await assert.rejects(decode(batches.subarray(0, cut), 11), /no whole batch/);
  }
  for (let cut = first; cut < batches.length; cut++) {
    const { records, next } = await decode(batches.subarray(0, cut), 11);
    assert.ok([2, 4].includes(records.length));
    assert.equal(next, [11, 11, 13, 13, 15][records.length]);
  }
});

Deno.test("decodeBatches() leaves out what was aborted, however transactions overlap", async () => {
  const tx = (id: number): BatchProducer => ({ id, epoch: 0, transactional: true });
  // Producer 1 aborts 0-2, commits 8; producer 2 aborts 1-5; producer 3 commits; the plain one is never touched.
  const log = [
    await encodeBatch([record("t", 0, "1 aborted"), record("t", 0, "1 aborted")], tx(1), 0, "none"),
    await encodeBatch([record("t", 0, "2 aborted")], tx(2), 0, "none"),
    await encodeBatch([record("t", 0, "3 kept")], tx(3), 0, "none"),
    marker(1, "abort"),
    await encodeBatch([record("t", 0, "2 aborted")], tx(2), 1, "zstd"),
    await encodeBatch([record("t", 0, "plain")], plain, 0, "none"),
    marker(2, "abort"),
    await encodeBatch([record("t", 0, "1 kept")], tx(1), 2, "none"),
    marker(3, "commit"),
    marker(1, "commit"),
  ];
  const sizes = [2, 1, 1, 1, 1, 1, 1, 1, 1, 1];
  const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0));
  const aborted = [{ producerId: 2, firstOffset: 2 }, { producerId: 1, firstOffset: 0 }];
  const expected = [[3, "3 kept"], [6, "plain"], [8, "1 kept"]] as const;
  for (const [i, start] of starts.entries()) {
    const bytes = join(...log.slice(i).map((batch, j) => at(starts[i + j] ?? 0, batch)));
    // A broker reports the transactions that were open at the offset or began after it.
    const told = aborted.filter(({ producerId }) => start <= (producerId === 1 ? 4 : 7));
    const { records, next } = await decodeBatches(bytes, "t", 0, start, told);
    assert.deepEqual(
      texts(records),
      expected.filter(([offset]) => offset >= start).map(([, text]) => text),
      `from ${start}`,
    );
    assert.equal(next, 11);
  }
});

Deno.test("decodeBatches() skips an empty batch, and gives the broker's time when the topic wants it", async () => {
  // Compaction may also leave an empty batch of a marker that it has dropped.
  const bare = at(0, marker(7, "abort").subarray(0, 61));
  new DataView(bare.buffer).setInt32(8, 49);
  new DataView(bare.buffer).setInt32(57, 0);
  assert.deepEqual(await decodeBatches(bare, "t", 0, 0, []), {
    records: [],
    next: 1,
    epochs: [{ from: 0, to: 1, epoch: 0 }],
  });
  const empty = at(0, await batch("gone", "gone"));
  new DataView(empty.buffer).setInt32(57, 0);
  const stamped = at(2, await batch("a"));
  new DataView(stamped.buffer).setInt16(21, 8);
  new DataView(stamped.buffer).setBigInt64(35, 123_456n);
  const { records, next } = await decodeBatches(join(empty.subarray(0), stamped), "t", 0, 0, []);
  assert.deepEqual(records.map(({ offset, time }) => [offset, time]), [[2, 123_456]]);
  assert.equal(next, 3);
});

function batch(...texts: readonly string[]): Promise<Uint8Array> {
  const records: NewRecord[] = texts.map((text) => record("t", 0, text));
  return encodeBatch(records, plain, 0, "none");
}

/** The control batch that ends a transaction. */
function marker(producerId: number, kind: "commit" | "abort"): Uint8Array {
  const key = new WireWriter().int16(0).int16(kind === "abort" ? 0 : 1).bytes;
  const body = new WireWriter().int8(0).varint(0).varint(0).varBytes(key).varBytes(new Uint8Array(6)).varint(
    0,
  );
  const record = new WireWriter().varint(body.length).raw(body.bytes);
  const writer = new WireWriter()
    .int64(0).int32(49 + record.length).int32(0).int8(2).int32(0).int16(0x30).int32(0).int64(0).int64(0)
    .int64(producerId).int16(0).int32(-1).int32(1).raw(record.bytes);
  return writer.bytes.slice();
}

/** The batch as a broker stores it at an offset. */
function at(offset: number, batch: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = batch.slice();
  new DataView(copy.buffer).setBigInt64(0, BigInt(offset));
  return copy;
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const writer = new WireWriter();
  for (const part of parts) writer.raw(part);
  return writer.bytes;
}

Deno.test("COMPRESS and DECOMPRESS allocate no buffer that is many times the batch", async () => {
  for (const name of COMPRESSIONS) {
    // A small one, as most are; one that expands unusually far; one larger than a chunk.
    for (const [length, value] of [[300, -1], [100_000, 7], [50_000, -1]] as const) {
      const plain = value === -1
        ? Uint8Array.from({ length }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24)
        : new Uint8Array(length).fill(value);
      const packed = await COMPRESS[name](plain);
      const unpacked = await DECOMPRESS[name](packed);
      assert.deepEqual(new Uint8Array(unpacked), plain, `${name}, ${length} bytes`);
      if (name !== "gzip" && name !== "zstd") continue;
      assert.ok(
        unpacked.buffer.byteLength <= 2 * length,
        `${name}: ${unpacked.buffer.byteLength} of ${length}`,
      );
      if (length === 300) {
        assert.ok(packed.buffer.byteLength < 16_384, `${name}: ${packed.buffer.byteLength}`);
      }
    }
  }
});

Deno.test("decodeBatches() says when the log stamped records, and gives that time", async () => {
  const records = [1000, 3000, 2000].map((time) => ({ topic: "t", key: null, value: null, time }));
  const written = await encodeBatch(records, plain, 0, "none");
  const facts = async () =>
    (await decodeBatches(written, "t", 0, 0, [])).records.map(({ time, isLogTime }) => [time, isLogTime]);
  assert.deepEqual(await facts(), [[1000, undefined], [3000, undefined], [2000, undefined]]);
  const view = new DataView(written.buffer, written.byteOffset);
  view.setInt16(21, view.getInt16(21) | 8);
  assert.deepEqual(await facts(), [[3000, true], [3000, true], [3000, true]]);
});
