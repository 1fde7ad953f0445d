import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeSample } from "../../src/samples/sample_codec.ts";
import { sizeInBatch } from "../../src/samples/sample.ts";
import { type Batch, BatchReader } from "../../streams/learning/batch_reader.ts";
import { decodeOrder, encodeOrder, type Stretch } from "../../streams/learning/sample_order.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { LEARNT, ROUND } from "../../streams/topics/delivery.ts";
import { makeSamples } from "../learner/batches.ts";

const TOPIC = "samples";
const PARTITIONS = 3;
const BATCH_ROWS = 10;

/** Samples of one to four rows on three partitions, with an erasure now and then. */
const RECORDS = makeSamples(60).flatMap((sample, s): NewRecord[] => {
  const rows = sample.rows.pick([0, 1, 2, 3].slice(0, 1 + s % 4));
  const record = {
    topic: TOPIC,
    partition: (s * s) % PARTITIONS,
    key: sample.user,
    time: sample.time,
    value: encodeSample({ ...sample, rows }),
  };
  return s % 9 === 4 ? [record, { ...record, key: `gone${s}`, value: null }] : [record];
});

async function createLog(): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics([{ name: TOPIC, partitions: PARTITIONS, cleanup: "delete" }]);
  return log;
}

/** A reader that notes its batches, each with the positions after it. @param onBatch called after each */
function readerOf(
  log: Log,
  { onBatch = (_count: number) => {}, variant = undefined as string | undefined } = {},
) {
  const batches: { readonly batch: Batch; readonly positions: readonly number[] }[] = [];
  const learn = (batch: Batch): Promise<void> => {
    batches.push({ batch, positions: reader.positions });
    onBatch(batches.length);
    return Promise.resolve();
  };
  const reader: BatchReader = new BatchReader(log, TOPIC, learn, {
    partitions: PARTITIONS,
    batchRows: BATCH_ROWS,
    model: "base",
    variant,
    handover: undefined,
    goBack: () => assert.fail("nothing is lost"),
  });
  return { reader, batches };
}

Deno.test("BatchReader.readAgain() makes the same batches again from the order of any reading", async () => {
  const readings = fc.array(fc.record({ come: fc.nat(12), maxRecords: fc.integer({ min: 1, max: 9 }) }), {
    minLength: 5,
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(readings, async (parts) => {
      const log = await createLog();
      const { reader, batches } = readerOf(log);
      let at = 0;
      for (const { come, maxRecords } of parts) {
        if (come > 0) await log.append(RECORDS.slice(at, at += come));
        await reader.read(maxRecords);
      }
      const again = readerOf(log);
      await again.reader.readAgain(reader.order);
      assert.deepEqual(again.batches, batches);
      assert.deepEqual(again.reader.positions, reader.positions);
      assert.deepEqual(again.reader.order, reader.order);
    }),
  );
});

Deno.test("BatchReader.readRounds() makes the same batches as reading round by round", async () => {
  const log = await createLog();
  const { reader, batches } = readerOf(log);
  const waiting = [...Map.groupBy(RECORDS, ({ partition }) => partition).values()];
  for (let round = 1; waiting.length > 0; round++) {
    const own = waiting.splice(round * 5 % waiting.length, 1)[0]!;
    const headers = { [ROUND]: `${round}` };
    await log.append(own.splice(0, 1 + round % 3).map((record) => ({ ...record, headers })));
    if (own.length > 0) waiting.push(own);
    while (await reader.read(256) > 0);
  }
  const again = readerOf(log);
  await again.reader.readRounds();
  assert.ok(batches.length > 10);
  assert.deepEqual(again.batches, batches);
  assert.deepEqual(again.reader.positions, reader.positions);
});

Deno.test("BatchReader.readRounds() keeps the order of each partition, and resumes in the same order after any batch", async () => {
  // A build, a service (without rounds), and another build whose rounds start again.
  const rounds = fc.array(fc.option(fc.integer({ min: 1, max: 30 })), {
    minLength: RECORDS.length,
    maxLength: RECORDS.length,
  });
  await fc.assert(
    fc.asyncProperty(rounds, async (rounds) => {
      const log = await createLog();
      await log.append(RECORDS.map((record, n) => {
        return rounds[n] === null ? record : { ...record, headers: { [ROUND]: `${rounds[n]}` } };
      }));
      const orders: (readonly Stretch[])[] = [];
      const { reader, batches } = readerOf(log, {
        onBatch: () => orders.push(decodeOrder(encodeOrder(reader.order))),
      });
      assert.equal(await reader.readRounds(), Math.max(...rounds.map((round) => round ?? 0)));
      assert.equal(await reader.read(256), 0);
      const taken = [...batches.map(({ batch }) => batch), reader.cut()].flatMap(({ taken }) => taken);
      assert.equal(taken.length, 60, "each once");
      for (const [n, order] of orders.entries()) {
        const again = readerOf(log);
        await again.reader.readAgain(order);
        await again.reader.readRounds();
        assert.deepEqual(again.batches, batches, `from batch ${n + 1}`);
      }
    }),
    { numRuns: 20 },
  );
});

Deno.test("BatchReader.readAgain() keeps the whole order, whenever it or a checkpoint is written on the way", async () => {
  const log = await createLog();
  const first = readerOf(log);
  await log.append(RECORDS);
  while (await first.reader.read(3) > 0);
  const want = first.batches;
  for (let checkpoint = 0; checkpoint < want.length; checkpoint++) {
    /** What a commit after each batch of the second life would leave for the third. */
    const left: (readonly Stretch[])[] = [];
    const second = readerOf(log, {
      onBatch: (count) => {
        left.push([...second.reader.order]);
        if (count === checkpoint) second.reader.forgetOrder();
      },
    });
    await second.reader.readAgain(first.reader.order);
    assert.deepEqual(second.batches, want);
    for (const [at, order] of left.entries()) {
      const from = at + 1 >= checkpoint ? checkpoint : 0;
      const third = readerOf(log);
      if (from > 0) third.reader.seek(want[from - 1]!.positions);
      await third.reader.readAgain(decodeOrder(encodeOrder(order)));
      assert.deepEqual(third.batches, want.slice(from), `after batch ${at + 1}, checkpoint ${checkpoint}`);
    }
  }
});

Deno.test("BatchReader cuts the shortest batches that are full or end with an erasure, in order and without loss", async () => {
  const log = await createLog();
  await log.append(RECORDS);
  const { reader, batches } = readerOf(log);
  while (await reader.read(7) > 0);
  for (const { batch: { taken, forgotten } } of batches) {
    const sizes = taken.map(({ sample }) => sizeInBatch(sample));
    const whole = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(whole < BATCH_ROWS ? forgotten.length === 1 : forgotten.length === 0, `${sizes}, ${forgotten}`);
    assert.ok(whole - (sizes.at(-1) ?? 0) < BATCH_ROWS, `${sizes}`);
  }
  const all = [...batches.map(({ batch }) => batch), reader.cut()];
  const requests = all.flatMap(({ taken }) => taken.map(({ sample }) => sample.request));
  assert.deepEqual(requests.toSorted(), makeSamples(60).map(({ request }) => request).toSorted());
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const own = requests.map((request) => Number(request.slice(1))).filter((s) =>
      (s * s) % PARTITIONS === partition
    );
    assert.deepEqual(own, own.toSorted((a, b) => a - b));
  }
  const forgotten = RECORDS.flatMap(({ key, value }) => value === null ? [key] : []);
  assert.deepEqual(all.flatMap((batch) => batch.forgotten).toSorted(), forgotten.toSorted());
  assert.equal(await reader.lag(), 0);
});

Deno.test("BatchReader.seek() resumes after a batch, and starts at the beginning of partitions that were added", async () => {
  const log = await createLog();
  await log.append(RECORDS);
  const { reader, batches } = readerOf(log);
  const positions = [4, 2];
  reader.seek(positions);
  assert.deepEqual(reader.positions, [4, 2, 0]);
  assert.equal(await reader.lag(), RECORDS.length - 6);
  while (await reader.read(100) > 0);
  assert.ok(batches.every((made) => made.positions.every((position, p) => position >= (positions[p] ?? 0))));
});

Deno.test("BatchReader leaves out samples marked as learnt, except for a variant, but never erasures", async () => {
  const log = await createLog();
  const learnt = { headers: { [LEARNT]: "" } };
  await log.append(RECORDS.map((record) => record.value === null ? record : { ...record, ...learnt }));
  const users = ({ batch: { taken } }: { readonly batch: Batch }) => taken.map(({ sample }) => sample.user);
  for (const variant of [undefined, "base"]) {
    const { reader, batches } = readerOf(log, { variant });
    while (await reader.read(100) > 0);
    const rest = { batch: reader.cut() };
    const gone = batches.flatMap(({ batch: { forgotten } }) => forgotten);
    assert.deepEqual(gone.sort(), RECORDS.flatMap(({ key, value }) => value === null ? key! : []).sort());
    const all = RECORDS.flatMap(({ key, value }) => value === null ? [] : key!).sort();
    assert.deepEqual([...batches, rest].flatMap(users).sort(), variant === undefined ? [] : all);
    assert.equal(await reader.lag(), 0);
  }
});
