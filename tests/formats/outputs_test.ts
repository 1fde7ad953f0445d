import assert from "node:assert/strict";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { joinedList } from "../../src/samples/joined_list.ts";
import { Rows } from "../../src/samples/rows.ts";
import { historySample, type Sample } from "../../src/samples/sample.ts";
import { compileAvro } from "../../streams/formats/avro.ts";
import { avroSchema, numberOf, protobufSchema } from "../../streams/formats/output_schema.ts";
import { encodeAsJson, openOutputs, type OutputSettings } from "../../streams/formats/output_settings.ts";
import { compileProtobufFile } from "../../streams/formats/protobuf_schema.ts";
import { RegistryError } from "../../streams/formats/registry_client.ts";

const WHOLE: Recommendation = {
  request: "r1",
  user: "änn",
  time: 1_795_773_600_123,
  model: "dien@7",
  version: 2 ** 40,
  items: [
    { item: "A1", score: 0.25, position: 0, propensity: 1, source: "next", team: "b" },
    { item: "ß2", score: 1e-9, position: 300, propensity: 0.5, source: "popular" },
  ],
  orderedBy: "stack",
  scoreKind: "share",
  modelShare: 0,
  stateVersion: 0,
  experiment: "e",
  variant: "v",
  exposures: [{ experiment: "e", variant: "v" }, { experiment: "f", variant: "w" }],
  shadows: [{ variant: "s", model: "base", version: 3, items: [{ item: "A9", score: 0.5 }] }],
  others: [{ item: "A3", score: 0.125 }],
  empty: "seen",
  degraded: "late",
  tookMicros: 1234.5,
};
const BARE: Recommendation = {
  request: "r",
  user: "u",
  time: 1_795_773_600_000,
  items: [],
  model: "base",
  version: 0,
  stateVersion: 3,
  tookMicros: 0,
};

const HISTORY = {
  items: ["A0"],
  categories: [[]],
  actions: ["click"],
  times: Float64Array.of(1_795_773_500_000),
  strengths: Float32Array.of(-0.5),
};
const SAMPLE: Sample = {
  ...historySample("änn", 1_795_773_600_000, HISTORY),
  request: "r1",
  version: 3,
  exposures: [{ experiment: "e", variant: "v" }],
  rows: Rows.of([{ item: "A1", label: 1, reward: 2.5, propensity: 0.5 }, {
    item: "A2",
    position: -1,
  }]),
};

interface Call {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A registry that answers by path, and with 404 to any other. */
function registry(answers: Readonly<Record<string, unknown>>) {
  const calls: Call[] = [];
  const get: typeof fetch = (url, init) => {
    const path = String(url).replace("http://registry", "");
    calls.push({ path, body: JSON.parse(String(init?.body)) });
    const own = answers[path];
    if (own !== undefined) return Promise.resolve(Response.json(own));
    return Promise.resolve(Response.json({ error_code: 40401 }, { status: 404 }));
  };
  return { calls, fetch: get };
}

const SUBJECT = "/subjects/meander.Recommendation", SAMPLES = "/subjects/meander.Sample";
const INTO = { lists: ["lists"], samples: "outcomes" };
const open = (
  format: "avro" | "protobuf",
  answers: Readonly<Record<string, unknown>>,
  more: Partial<OutputSettings> = {},
) => openOutputs({ format, registry: { url: "http://registry" }, ...more }, INTO, registry(answers));

Deno.test("openOutputs() encodes lists as Avro and as Protobuf, equal to the JSON", async () => {
  const { encodeLists: avro } = await open("avro", { [SUBJECT]: { id: 70_000 } });
  const { encodeLists: protobuf } = await open("protobuf", { [SUBJECT]: { id: 7 } });
  const ofAvro = compileAvro(avroSchema());
  const ofProtobuf = await compileProtobufFile({ name: "r.proto", text: protobufSchema() });
  for (const list of [WHOLE, BARE]) {
    const [a, p] = [avro(list, "lists"), protobuf(list, "lists")];
    assert.deepEqual([...a.subarray(0, 5), ...p.subarray(0, 5)], [0, 0, 1, 0x11, 0x70, 0, 0, 0, 0, 7]);
    const plain = JSON.parse(new TextDecoder().decode(encodeAsJson(list)));
    const ofNothing = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(value), (_, own) => own === null ? undefined : own);
    assert.deepEqual(ofNothing(ofAvro(a.subarray(5))), plain);
    const lists = { exposures: [], shadows: [], others: [] };
    assert.deepEqual(ofProtobuf(p.subarray(5)), { ...lists, ...plain });
    assert.ok(p.length < JSON.stringify(list).length / 2);
  }
});

Deno.test("openOutputs() registers a missing schema if it may and if it is compatible with the latest", async () => {
  const there = registry({ [SUBJECT]: { id: 1 } });
  await openOutputs({ format: "avro", registry: { url: "http://registry" } }, INTO, there);
  assert.deepEqual(there.calls, [{ path: SUBJECT, body: { schema: JSON.stringify(avroSchema()) } }]);
  const first = registry({ [`${SUBJECT}/versions`]: { id: 2 } });
  await openOutputs({ format: "protobuf", registry: { url: "http://registry" } }, INTO, first);
  assert.deepEqual(first.calls.map(({ path, body }) => [path, body["schemaType"]]), [
    [SUBJECT, "PROTOBUF"],
    [`/compatibility${SUBJECT}/versions/latest`, "PROTOBUF"],
    [`${SUBJECT}/versions`, "PROTOBUF"],
  ]);
  const compatibility = `/compatibility${SUBJECT}/versions/latest`;
  const cases: readonly (readonly [Promise<unknown>, RegExp])[] = [
    [open("avro", {}, { register: false }), /it is missing, and outputs\.register is off/],
    [open("avro", { [compatibility]: { is_compatible: false } }), /is incompatible with its latest version/],
    [open("avro", { [`${SUBJECT}/versions`]: {} }), /returned no id/],
    [openOutputs({ format: "avro", registry: { url: undefined } }, INTO), /as a URL of http/],
  ];
  for (const [opening, reason] of cases) await assert.rejects(opening, reason);
  await assert.rejects(open("avro", {}, { register: false }), (error) => error instanceof RegistryError);
  assert.deepEqual(await openOutputs(undefined, INTO), { encodeLists: encodeAsJson });
});

Deno.test("openOutputs() names the subjects of lists and samples by one rule, and writes each topic's schema id", async () => {
  const into = { lists: ["m.lists", "m.front"], samples: "m.outcomes" };
  const subjects = {
    "m.lists-value": 1,
    "m.front-value": 2,
    "m.outcomes-value": 3,
    "Sample of shop": 4,
    "Recommendation of shop": 5,
  };
  const answers = Object.fromEntries(
    Object.entries(subjects).map(([subject, id]) => [`/subjects/${encodeURIComponent(subject)}`, { id }]),
  );
  const idsBy = async (subject: string) => {
    const settings = {
      format: "avro",
      registry: { url: "http://registry" },
      samples: true,
      subject,
    } as const;
    const { encodeLists, encodeSamples } = await openOutputs(settings, into, registry(answers));
    return [encodeLists(BARE, "m.lists"), encodeLists(BARE, "m.front"), encodeSamples!(SAMPLE)!].map((
      [, , , , id],
    ) => id);
  };
  assert.deepEqual(await idsBy("{topic}-value"), [1, 2, 3]);
  assert.deepEqual(await idsBy("{record} of shop"), [5, 5, 4]);
});

Deno.test("openOutputs() encodes samples of lists only, which decode to the same values", async () => {
  const answers = { [SUBJECT]: { id: 1 }, [SAMPLES]: { id: 2 } };
  const { encodeSamples: avro } = await open("avro", answers, { samples: true });
  const { encodeSamples: protobuf } = await open("protobuf", answers, { samples: true });
  const ofAvro = compileAvro(avroSchema("Sample"));
  const ofProtobuf = await compileProtobufFile({ name: "s.proto", text: protobufSchema("Sample") });
  const bytes = avro!(SAMPLE)!;
  assert.deepEqual([...bytes.subarray(0, 5)], [0, 0, 0, 0, 2]);
  const ofNothing = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value), (_, own) => own === null ? undefined : own);
  const whole = ofNothing(joinedList(SAMPLE));
  assert.deepEqual(ofNothing(ofAvro(bytes.subarray(5))), whole);
  assert.deepEqual(ofProtobuf(protobuf!(SAMPLE)!.subarray(5)), whole);
  assert.equal(avro!(historySample("ann", 1_795_773_600_000, HISTORY)), null);
  assert.equal((await open("avro", answers)).encodeSamples, undefined);
});

Deno.test("field numbers in Protobuf stay the same", () => {
  assert.deepEqual(
    ["request", "items", "orderedBy", "tookMicros"].map((name) => numberOf("Recommendation", name)),
    [1, 4, 7, 18],
  );
  assert.deepEqual(["item", "team"].map((name) => numberOf("RecommendationItems", name)), [1, 6]);
  assert.throws(() => numberOf("Recommendation", "new"), TypeError);
});
