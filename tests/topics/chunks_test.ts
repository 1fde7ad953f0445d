import assert from "node:assert/strict";
import { mulberry32 } from "../../src/draws/random.ts";
import { chunkRecords, readChunks } from "../../streams/topics/chunks.ts";
import { LogError, type NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";

const CHUNK = 512 * 1024;

function bytesOf(length: number, seed = 1): Uint8Array {
  const random = mulberry32(seed);
  return Uint8Array.from({ length }, () => random() * 256);
}

async function logWith(records: readonly NewRecord[]): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics([{ name: "t", partitions: 1, cleanup: "compact" }]);
  await log.append(records);
  return log;
}

Deno.test("readChunks() restores what chunkRecords() cut, at every edge of the chunk size", async () => {
  for (const length of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7]) {
    const value = bytesOf(length);
    const records = chunkRecords("t", "a", value, 5);
    assert.equal(records.length, Math.max(1, Math.ceil(length / CHUNK)));
    assert.ok(
      records.every((record) => (record.value?.length ?? 0) <= CHUNK + 64),
      "fits into a Kafka message",
    );
    assert.deepEqual(await readChunks(await logWith(records), "t", "a"), value, `${length} bytes`);
  }
});

Deno.test("readChunks() reads the newest value, shorter or longer than the last, and only of its own key", async () => {
  const log = await logWith([]);
  assert.equal(await readChunks(log, "t", "a"), null);
  await log.append(chunkRecords("t", "ab", bytesOf(10, 9), 0));
  assert.equal(await readChunks(log, "t", "a"), null);
  for (const [seed, length] of [CHUNK * 3, 10, CHUNK + 1].entries()) {
    const value = bytesOf(length, seed);
    await log.append(chunkRecords("t", "a", value, 0));
    assert.deepEqual(await readChunks(log, "t", "a"), value);
  }
  assert.deepEqual(await readChunks(log, "t", "ab"), bytesOf(10, 9));
});

Deno.test("readChunks() reports a missing, truncated, swapped or altered chunk as corrupt", async () => {
  const value = bytesOf(2 * CHUNK + 100);
  const records = chunkRecords("t", "a", value, 0);
  const [first, second, third] = records;
  assert.ok(first?.value && second?.value && third?.value);
  const flipped = (bytes: Uint8Array, at: number) => bytes.with(at, (bytes[at] ?? 0) ^ 1);
  const damages: [string, NewRecord[]][] = [
    ["the second is missing", [first, third]],
    ["the last is missing", [first, second]],
    ["the last is cut", [first, second, { ...third, value: third.value.subarray(1) }]],
    ["two are exchanged", [first, { ...second, value: third.value }, { ...third, value: second.value }]],
    ["a bit of the second", [first, { ...second, value: flipped(second.value, 1000) }, third]],
    ["a bit of the first", [{ ...first, value: flipped(first.value, 1000) }, second, third]],
    ["the first is empty", [{ ...first, value: new Uint8Array(0) }, second, third]],
    ["the first is cut", [{ ...first, value: first.value.subarray(0, 100) }, second, third]],
    ["only the head is left", [{ ...first, value: first.value.subarray(0, 3) }, second, third]],
    ...[0, 1, 2, 3, 4, 5, 6, 7].map((at): [string, NewRecord[]] => [
      `byte ${at} of the head`,
      [{ ...first, value: first.value?.with(at, 0xff) ?? null }, second, third],
    ]),
  ];
  for (const [what, damaged] of damages) {
    await assert.rejects(readChunks(await logWith(damaged), "t", "a"), (error: unknown) => {
      assert.ok(error instanceof LogError, `${what}: ${error}`);
      assert.equal(error.code, "corrupt");
      assert.match(error.message, /Cannot read a of t/);
      return true;
    }, what);
  }
});

Deno.test("chunkRecords() deletes the chunks of a longer value that it replaces, which readChunks() counts", async () => {
  const log = await logWith(chunkRecords("t", "a", bytesOf(1_200_000, 3), 0));
  let before = 0;
  await readChunks(log, "t", "a", (chunks) => before = chunks);
  assert.equal(before, 3);
  await log.append(chunkRecords("t", "a", bytesOf(10, 4), 0, before));
  assert.deepEqual(await readChunks(log, "t", "a", (chunks) => before = chunks), bytesOf(10, 4));
  assert.equal(before, 1);
});
