import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeEvent } from "../../src/events/codec.ts";
import { atOnce } from "../../src/values/portions.ts";
import * as intake from "../../streams/http/intake.ts";
import { valuesIn } from "../../streams/http/json_list.ts";
import { parseJson } from "../../src/events/json.ts";
import type { Problem } from "../../streams/http/contract/problem.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { anyEvent } from "../events/arbitraries.ts";
import { seeded, testLines } from "../events/broken_lines.ts";

const NOW = Date.UTC(2100, 0, 1) - 1; // nothing is ahead of it
const options: intake.IntakeOptions = { topics: topicNames(), now: NOW, maxEntries: 10_000 };
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const encode = (text: string) => encoder.encode(text);
const takeEvents = (...given: Parameters<typeof intake.takeEvents>) => atOnce(intake.takeEvents(...given));
const takeItems = (...given: Parameters<typeof intake.takeItems>) => atOnce(intake.takeItems(...given));

Deno.test("takeEvents() appends each line byte for byte", () => {
  const spaced = fc.tuple(anyEvent, fc.constantFrom(0, 1)).map(([event, indent]) =>
    JSON.stringify(event, null, indent).replaceAll("\n", " ")
  );
  const lines = fc.array(spaced, { minLength: 1, maxLength: 20 });
  fc.assert(fc.property(lines, fc.constantFrom("\n", "\r\n", "\n\n"), (lines, end) => {
    const { records, rejected } = takeEvents(encode(lines.join(end)), "lines", options);
    assert.deepEqual(rejected, []);
    assert.deepEqual(records.map(({ value }) => decoder.decode(value ?? undefined)), lines);
    assert.deepEqual(records.map(({ key }) => key), lines.map((line) => JSON.parse(line).user));
  }));
});

Deno.test("takeEvents() takes and rejects the same lines as decodeEvent()", () => {
  const lines = [...testLines(seeded(11), 2000, 0.3)].map(({ bytes }) => bytes)
    // Blank lines are skipped, and a byte order mark at the start of a body is no part of a line.
    .filter((bytes) => !bytes.includes(0x0a) && bytes[0] !== 0xef && decoder.decode(bytes).trim() !== "");
  for (const size of [1, 7, 300]) {
    for (let at = 0; at < lines.length; at += size) {
      const some = lines.slice(at, at + size);
      const body = new Uint8Array(some.flatMap((line) => [...line, 0x0a]));
      const { records, rejected } = takeEvents(body, "lines", options);
      const wanted = some.map((line) => decodeEvent(line));
      assert.deepEqual(
        rejected.map(({ index, code }) => [index, code]),
        wanted.flatMap((one, index) => one.ok || isUntimed(some[index]) ? [] : [[index, one.code]]),
      );
      assert.equal(records.length + rejected.length, some.length);
      const events = wanted.flatMap((one) => one.ok ? [one.event] : []);
      const taken = records.map(({ value }) => decodeEvent(value ?? new Uint8Array(0)))
        .flatMap((one) => one.ok && one.event.time !== NOW ? [one.event] : []);
      assert.deepEqual(taken, events);
    }
  }
});

Deno.test("takeEvents() gives an event without a time that of arrival, and appends a timed one byte for byte", () => {
  const one = '  {"type":"forget", "user":"u1"\n}';
  const [record] = takeEvents(encode(one), "json", options).records;
  assert.deepEqual(JSON.parse(decoder.decode(record?.value ?? undefined)), {
    type: "forget",
    user: "u1",
    time: NOW,
  });
  const timed = '  {"type":"forget", "user":"u1", "time": 1700000000000}\n';
  assert.equal(
    decoder.decode(takeEvents(encode(timed), "json", options).records[0]?.value ?? undefined),
    timed,
  );
  const wide = `{"type":"forget","user":"u1","time":1700000000000${" ".repeat(1 << 20)}}`;
  const [narrow] = takeEvents(encode(wide), "json", options).records;
  assert.equal(decoder.decode(narrow?.value ?? undefined), JSON.stringify(JSON.parse(wide)));
});

Deno.test("takeEvents() appends the entries of a list byte for byte, unless they lack a time", () => {
  const entry = fc.tuple(anyEvent, fc.constantFrom(0, 1), fc.boolean());
  const list = fc.tuple(fc.array(entry, { minLength: 1, maxLength: 9 }), fc.constantFrom("", " ", "\n\t"));
  fc.assert(fc.property(list, ([entries, space]) => {
    const texts = entries.map(([event, indent, isTimed]) =>
      JSON.stringify(isTimed ? event : { ...event, time: undefined }, null, indent)
    );
    const body = `${space}[${space}${texts.join(`${space},${space}`)}${space}]${space}`;
    const { records, rejected } = takeEvents(encode(body), "json", options);
    assert.deepEqual(rejected, []);
    assert.deepEqual(
      records.map(({ value }) => decoder.decode(value ?? undefined).trim()),
      entries.map(([event, , isTimed], i) =>
        isTimed ? texts[i] : JSON.stringify({ ...omitTime(event), time: NOW })
      ),
    );
  }));
});

Deno.test("takeEvents() and takeItems() reject entries whose time may be misspelt, and suggest the field", () => {
  const others = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`field${n}`, n]));
  for (
    const [name, fine] of [
      ...["tiem", "Time", "timestamp", "Timestamp", "event_time", "ts"].map((name) => [name, false] as const),
      ...["price", "mime", "tile", "uptime", "time_of_the_day_or_so"].map((name) => [name, true] as const),
    ]
  ) {
    const [event, item] = [{ type: "forget", user: "u1", [name]: 1 }, { item: "i1", ...others, [name]: 1 }];
    for (
      const { records, rejected } of [
        takeEvents(encode(JSON.stringify(event)), "json", options),
        takeEvents(encode(JSON.stringify([event])), "json", options),
        takeItems(encode(JSON.stringify(item)), "lines", options),
      ]
    ) {
      assert.equal(records.length, fine ? 1 : 0, name);
      assert.deepEqual(
        rejected,
        fine ? [] : [{
          index: 0,
          code: "missing-field",
          reason:
            "Cannot take time of the entry as milliseconds since 1970, or absent for the time of arrival: " +
            `it is missing; is ${JSON.stringify(name)} a misspelling?`,
        }],
      );
    }
  }
  const timed = { type: "forget", user: "u1", time: 1_700_000_000_000, tiem: 1 };
  assert.equal(takeEvents(encode(JSON.stringify(timed)), "json", options).records.length, 1);
});

Deno.test("takeItems() appends each line byte for byte", () => {
  const lines = ['{"item": "a", "time": 1700000000000}', '{"item":"é","time":1700000000000,"category":"x"}'];
  const { records } = takeItems(encode(lines.join("\n")), "lines", options);
  assert.deepEqual(records.map(({ value }) => decoder.decode(value ?? undefined)), lines);
  assert.deepEqual(records.map(({ key }) => key), ["a", "é"]);
});

function omitTime<T extends { readonly time: number }>({ time: _, ...rest }: T): Omit<T, "time"> {
  return rest;
}

/** Whether only the time is missing, which a server fills in. */
function isUntimed(line: Uint8Array | undefined): boolean {
  const decoded = decodeEvent(line ?? new Uint8Array(0));
  if (decoded.ok || decoded.code !== "missing-field" || !decoded.reason.includes("time")) return false;
  return decodeEvent(encode(JSON.stringify({ ...JSON.parse(decoder.decode(line)), time: NOW }))).ok;
}

Deno.test("takeEvents() weighs events by the items to be scored and by their bytes", () => {
  const items = (count: number) => Array.from({ length: count }, (_, n) => `i${n}`);
  const base = { user: "ann", time: 1.7e12 };
  const behaviours = items(50).map((item) => ({ item, action: "view", time: 1.6e12, strength: 1 }));
  const works = [
    [{ ...base, type: "interaction", item: "i1", action: "view" }, 1],
    [{ ...base, type: "interaction", item: "i1", action: "view", note: "x".repeat(50_000) }, 6],
    [{ ...base, type: "impression", items: items(420) }, 85],
    [{ ...base, type: "request", request: "r", count: 10, candidates: items(1000) }, 203],
    [{ ...base, type: "request", request: "r", count: 10 }, 23],
    [{ ...base, type: "merge", from: "s", behaviours }, 11],
    [{ ...base, type: "forget" }, 1],
  ] as const;
  for (const [event, work] of works) {
    const untimed = { ...event, time: undefined };
    for (const body of [event, [event], untimed]) {
      const [record] = takeEvents(encode(JSON.stringify(body)), "json", options).records;
      assert.equal(record!.work, work, event.type);
    }
  }
  const [item] = takeItems(encode(JSON.stringify({ item: "i1", time: 1.7e12 })), "json", options).records;
  assert.equal(item!.work, 1);
});

/** The values of a body, or the code of the problem with it. */
function valuesOf(body: Uint8Array): unknown {
  try {
    return [...valuesIn(body, 10_000)].flat().map(({ value }) => value);
  } catch (error) {
    return (error as Problem).code;
  }
}

Deno.test("valuesIn() parses a list in portions as JSON.parse() would at once, or refuses the whole body", () => {
  const entry = fc.constantFrom(
    "1",
    "{}",
    '{"a":[1,{"b":"],["}]}',
    ' "\\\\" ',
    "[[],[2]]",
  );
  const lists = fc.array(entry, { minLength: 1, maxLength: 700, size: "max" }).map((entries) =>
    `[${entries.join(",")}]`
  );
  const changes = fc.tuple(
    fc.nat(),
    fc.nat(1),
    fc.constantFrom("", ",", "[", "]", "{", "}", '"', " ", "1", "[]"),
  );
  let portions = 0, broken = 0;
  fc.assert(
    fc.property(
      lists,
      fc.option(changes, { freq: 2 }),
      fc.constantFrom("", " ", "\n", "]"),
      (list, change, end) => {
        const [at = 0, gone = 0, put = ""] = change ?? [];
        const place = at % list.length;
        const body = encode(list.slice(0, place) + put + list.slice(place + gone) + end);
        const whole = parseJson(body, "body", { maxBytes: body.length });
        const values = !whole.ok ? "bad-body" : Array.isArray(whole.value) ? whole.value : [whole.value];
        const wanted = Array.isArray(values) && values.length === 0 ? "bad-body" : values;
        assert.deepEqual(valuesOf(body), wanted);
        if (whole.ok) portions = Math.max(portions, [...valuesIn(body, 10_000)].length);
        else broken++;
      },
    ),
    { endOnFailure: true },
  );
  assert.ok(portions > 1 && broken > 10, `${portions} portions, ${broken} broken bodies`);
});

Deno.test("valuesIn() notices entries that are missing at the end of a portion", () => {
  const large = JSON.stringify("x".repeat(70_000));
  const lists = [
    `[,${large}]`,
    `[${large},]`,
    `[${large},,${large}]`,
    `[${large},${large}`,
    `[${large}]]`,
    "[]",
  ];
  for (const list of lists) assert.equal(valuesOf(encode(list)), "bad-body", list.slice(-9));
  assert.deepEqual(valuesOf(encode(`[ ${large} , ${large} ] `)), [JSON.parse(large), JSON.parse(large)]);
});

Deno.test("takeEvents() works in portions, whether it takes or rejects entries", () => {
  const bad = '{"type":"interaction","user":"u","item":"i"}';
  const portionsOf = (body: string, kind: "json" | "lines") =>
    [...intake.takeEvents(encode(body), kind, options)].length;
  const many = new Array<string>(10_000).fill(bad);
  assert.ok(portionsOf(`[${many.join(",")}]`, "json") >= 40);
  assert.ok(portionsOf(many.join("\n"), "lines") >= 40);
  assert.ok(portionsOf(new Array(10_000).fill("{x").join("\n"), "lines") >= 39);
  const wide = `[${"1,".repeat(500_000)}1]`;
  assert.equal(portionsOf(`[${new Array(2).fill(wide).join(",")}]`, "json"), 2);
  assert.equal(portionsOf(new Array(2).fill(wide).join("\n"), "lines"), 2);
});

Deno.test("takeEvents() rejects an event whose time is more than an hour ahead", () => {
  const now = 1_700_000_000_000;
  const lines = [0, 3_600_000, 3_600_001].map((ahead) =>
    `{"type":"forget","user":"u","time":${now + ahead}}`
  );
  const { records, rejected } = takeEvents(encode(lines.join("\n")), "lines", { ...options, now });
  assert.deepEqual([records.length, rejected.map(({ index, code }) => [index, code])], [2, [[
    2,
    "in-the-future",
  ]]]);
});
