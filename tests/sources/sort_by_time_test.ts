import assert from "node:assert/strict";
import fc from "fast-check";
import { MIN_TIME_MS } from "../../src/events/limits.ts";
import { rejectionOf } from "../../src/events/rejection.ts";
import { sortByTime } from "../../streams/sources/sort_by_time.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";

type Kind = SourceRecord["kind"];

/** A record that is identified by its place. */
function recordAt(kind: Kind, time: number, line: number): SourceRecord {
  const place = { file: "f", line };
  if (kind === "item") return { kind, item: { item: "i", time }, ...place };
  if (kind === "event") {
    return { kind, event: { type: "profile", user: "ann", time, attributes: {} }, ...place };
  }
  const rejected = { ok: false, code: "not-json", reason: "" } as const;
  return { kind, rejection: rejectionOf(place, rejected, new Uint8Array(0)), ...place };
}

const timeOf = (record: SourceRecord) =>
  record.kind === "item" ? record.item.time : record.kind === "event" ? record.event.time : null;

Deno.test("sortByTime() sorts by time, then by place; a missing time is the earliest", async () => {
  const kinds = fc.constantFrom<Kind>("item", "event", "rejected");
  const times = fc.oneof(
    fc.constant(MIN_TIME_MS),
    fc.integer({ min: MIN_TIME_MS + 1, max: MIN_TIME_MS + 5 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(kinds, times)), async (given) => {
      const records = given.map(([kind, time], line) => recordAt(kind, time, line));
      for (const sorted of ["events", "all"] as const) {
        const isSorted = ({ kind }: SourceRecord) => kind === "event" || kind === "item" && sorted === "all";
        const known = records.filter(isSorted).map(timeOf).filter((time) => time !== MIN_TIME_MS);
        const first = known.length === 0 ? MIN_TIME_MS : Math.min(...known.map(Number));
        const wanted = [
          ...records.filter((record) => !isSorted(record)),
          ...records.filter(isSorted).toSorted((a, b) => Number(timeOf(a)) - Number(timeOf(b))),
        ];
        const got = await Array.fromAsync(sortByTime(
          (async function* () {
            yield* records;
          })(),
          sorted,
        ));
        assert.deepEqual(got.map(({ line }) => line), wanted.map(({ line }) => line));
        assert.deepEqual(
          got.map(timeOf),
          wanted.map((record) => isSorted(record) && timeOf(record) === MIN_TIME_MS ? first : timeOf(record)),
        );
      }
    }),
    { numRuns: 40 },
  );
});

Deno.test("sortByTime() removes its temporary file, even when not read to the end", async () => {
  const { makeTempFile } = Deno;
  const files: string[] = [];
  Deno.makeTempFile = async (options) => {
    const file = await makeTempFile(options);
    files.push(file);
    return file;
  };
  try {
    const records = [2, 1].map((time, line) => recordAt("event", MIN_TIME_MS + time, line));
    for await (
      const { line } of sortByTime((async function* () {
        yield* records;
      })())
    ) {
      assert.equal(line, 1);
      break;
    }
  } finally {
    Deno.makeTempFile = makeTempFile;
  }
  assert.equal(files.length, 1);
  await assert.rejects(Deno.stat(files[0]!), Deno.errors.NotFound);
});
