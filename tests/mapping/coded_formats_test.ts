import assert from "node:assert/strict";
import { parseEasyRec } from "../../src/adapters/easyrec.ts";
import { parseGorse } from "../../src/adapters/gorse.ts";
import { parseMetarank } from "../../src/adapters/metarank.ts";
import { CODED_FORMATS, type CodedFormat } from "../../streams/mapping/coded_formats.ts";
import { compileSource, take } from "../../streams/mapping/record_source.ts";
import type { SourceSettings } from "../../streams/mapping/source_settings.ts";

const TIME = 1_795_773_600_000;
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

const SAMPLES: Readonly<Record<CodedFormat, readonly [parse: typeof parseGorse, good: object, bad: object]>> =
  {
    metarank: [
      parseMetarank,
      {
        event: "ranking",
        id: "r1",
        timestamp: TIME - 1,
        user: "ann",
        tenant: "shop",
        fields: [{ name: "vector", value: [1, 2] }],
        items: [{ id: "tent", label: 1 }, { id: "stove" }],
      },
      { event: "click" },
    ],
    gorse: [
      parseGorse,
      { FeedbackType: "star", UserId: "ann", ItemId: "tent", Comment: "it has no time" },
      { FeedbackType: "star", UserId: "ann" },
    ],
    easyrec: [
      parseEasyRec,
      { request_id: "r1", user_id: 7, item_id: 8, event_type: "exposure", event_time: TIME, duration: 1.5 },
      { user_id: 7, item_id: 8, event_type: "exposure", event_time: "soon" },
    ],
  };

Deno.test("a source with a coded format as preset maps records as its adapter does, also in lists", () => {
  for (const preset of CODED_FORMATS) {
    const source = compileSource("old", { preset, follow: { topic: "old" } });
    const [parse, good, bad] = SAMPLES[preset];
    const { events = [] } = parse(good, { time: TIME });
    const records = events.map((event) => ({ kind: "event" as const, event }));
    assert.ok(records.length > 0);
    assert.deepEqual(take(source, encode(good), { time: TIME }), { ok: true, records });
    const listed = take(source, encode([good, bad, good]), { time: TIME });
    assert.ok(listed.ok);
    assert.deepEqual(listed.records, [...records, ...records]);
    assert.deepEqual(listed.rejected?.map(({ code, entries }) => [code, entries]), [[
      "malformed-row",
      ["[1]"],
    ]]);
    assert.deepEqual(take(source, null, { time: TIME }), { ok: true, records: [] });
  }
});

Deno.test("a source with a coded format as preset refuses settings that it would ignore", () => {
  const others: readonly SourceSettings[] = [
    { rules: [{ as: "nothing" }] },
    { format: "csv" },
    { parse: ["a"] },
    { otherwise: "skip" },
  ];
  for (const preset of CODED_FORMATS) {
    for (const other of others) {
      const [key] = Object.keys(other);
      assert.throws(() => compileSource("old", { preset, ...other }), {
        name: "MappingError",
        path: [key],
        message: `preset ${preset} is implemented in code, which has no such setting`,
      });
    }
  }
});
