import assert from "node:assert/strict";
import fc from "fast-check";
import { checkEvent } from "../../src/events/check.ts";
import {
  decodeEvent,
  decodeItem,
  decodeRecommendation,
  encodeEvent,
  encodeItem,
  encodeRecommendation,
} from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import { MAX_KEYS } from "../../src/events/limits.ts";
import { REJECTION_CODES } from "../../src/events/rejected.ts";
import { anyEvent, anyItem, anyRecommendation } from "./arbitraries.ts";
import { BREAKS, goodEvent, seeded, testLines } from "./broken_lines.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (value: unknown) => decodeEvent(encode(JSON.stringify(value)));
const forget = { type: "forget", user: "u1", time: 1_700_000_000_000 } as const;
const click = { ...forget, type: "interaction", item: "i1", action: "click" } as const;

Deno.test("decodeEvent() restores every event that encodeEvent() wrote", () => {
  fc.assert(fc.property(anyEvent, (event) => {
    assert.deepEqual(decodeEvent(encodeEvent(event)), { ok: true, event });
  }));
});

Deno.test("decodeItem() restores every item that encodeItem() wrote", () => {
  fc.assert(fc.property(anyItem, (item) => {
    assert.deepEqual(decodeItem(encodeItem(item)), { ok: true, item });
  }));
});

Deno.test("decodeRecommendation() restores every answer that encodeRecommendation() wrote", () => {
  fc.assert(fc.property(anyRecommendation, (recommendation) => {
    assert.deepEqual(decodeRecommendation(encodeRecommendation(recommendation)), {
      ok: true,
      recommendation,
    });
  }));
});

Deno.test("decodeEvent() never throws, and accepts only what JSON.parse accepts", () => {
  const pieces = fc.constantFrom(
    '{"',
    '"type":',
    '"forget"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    "\\",
    "1e9",
    " ",
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.array(pieces, { maxLength: 20 }).map((parts) => encode(parts.join(""))),
    fc.tuple(anyEvent, fc.nat(), fc.nat(255)).map(([event, at, byte]) => {
      const bytes = encodeEvent(event);
      bytes[at % bytes.length] = byte;
      return bytes;
    }),
  );
  fc.assert(
    fc.property(bytes, (bytes) => {
      const decoded = decodeEvent(bytes);
      if (decoded.ok) assert.deepEqual(decoded.event, JSON.parse(new TextDecoder().decode(bytes)));
      else assert.ok(REJECTION_CODES.includes(decoded.code) && decoded.reason.length < 500);
    }),
    { numRuns: 2000 },
  );
});

for (const { name, code, make } of BREAKS) {
  Deno.test(`decodeEvent() refuses a line with ${name} as ${code}`, () => {
    const random = seeded(7);
    for (let i = 0; i < 5; i++) {
      const bytes = make(random);
      const decoded = decodeEvent(bytes);
      assert.equal(
        decoded.ok ? "taken" : decoded.code,
        code,
        new TextDecoder().decode(bytes.subarray(0, 300)),
      );
      if (decoded.ok) continue;
      assert.ok(decoded.reason.length < 500, decoded.reason);
      assert.doesNotMatch(decoded.reason, /\p{Cc}/u);
    }
  });
}

Deno.test("decodeEvent() refuses exactly the broken lines of a stream, each with its code", () => {
  let broken = 0;
  for (const line of testLines(seeded(42), 20_000, 0.1)) {
    const decoded = decodeEvent(line.bytes);
    assert.equal(
      decoded.ok ? undefined : decoded.code,
      line.broken?.code,
      line.broken?.name ?? "a valid line",
    );
    if (line.broken !== undefined) broken++;
  }
  assert.ok(broken > 1800 && broken < 2200);
});

Deno.test("decodeEvent() says which field is wrong and what was there", () => {
  const reason = (value: unknown) => {
    const decoded = decode(value);
    return decoded.ok ? "taken" : decoded.reason;
  };
  assert.equal(
    reason({ ...click, item: 5 }),
    "Cannot take item of the interaction event as a string, an id of 1..256 bytes without control characters: current value is 5",
  );
  assert.equal(
    reason({ ...forget, type: "impression", items: ["a", "b"], propensities: [0.5, 0] }),
    "Cannot take propensities[1] of the impression event as a number in (0, 1]: current value is 0",
  );
  assert.match(
    reason({ ...forget, type: "profile", attributes: { age: null } }),
    /attributes\.age of the profile event as a string, a number, true, false, a list of strings or a list of numbers: current value is null$/,
  );
  assert.match(reason({ ...click, user: "\ud800" }), /user of .* as valid Unicode, an id of/);
  assert.match(reason({ ...click, user: undefined }), /^Cannot take user of .*: it is missing$/);
  assert.match(reason({ ...click, x: { prototype: 1 } }), /^Cannot take x of the event .*the key prototype/);
  assert.match(reason({ ...click, item: "x".repeat(1000) }), /"x{60}"… \(1000 characters\)$/);
});

Deno.test("decodeEvent() and decodeItem() suggest which unknown field a missing one may be", () => {
  const reason = (value: unknown, of: typeof decodeEvent | typeof decodeItem = decodeEvent) => {
    const decoded = of(new TextEncoder().encode(JSON.stringify(value)));
    return decoded.ok ? "taken" : decoded.reason.replace(/^.*: /, "");
  };
  const { item, user, time, type } = click;
  const condition = { atribute: "colour", is: "==", value: "red" };
  const request = { ...forget, type: "request", request: "r1", count: 1 };
  for (
    const [found, expected] of [
      [reason({ ...click, item: undefined, itme: item }), 'it is missing; is "itme" a misspelling?'],
      [reason({ ...click, user: undefined, User: user }), 'it is missing; is "User" a misspelling?'],
      [reason({ ...click, type: undefined, tpye: type }), 'it is missing; is "tpye" a misspelling?'],
      [
        reason({ ...request, filter: { where: [condition] } }),
        'it is missing; is "atribute" a misspelling?',
      ],
      [reason({ itme: item, time }, decodeItem), 'it is missing; is "itme" a misspelling?'],
      [reason({ item, tiem: time }, decodeItem), 'it is missing; is "tiem" a misspelling?'],
      [reason({ ...forget, type: "impression", item: "i1" }), 'it is missing; is "item" a misspelling?'],
      [reason({ ...click, user: undefined, tent: 1 }), "it is missing"],
      [reason({ ...click, itme: item }), "taken"],
    ] as const
  ) assert.equal(found, expected);
  const more = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`more${i}`, 1]));
  assert.match(
    reason({ time, ...more(19), itme: item }, decodeItem),
    /is "itme" a misspelling\?$/,
  );
  assert.equal(reason({ time, ...more(20), itme: item }, decodeItem), "it is missing");
});

Deno.test("decodeEvent() and checkEvent() accept values at their bounds and refuse values beyond them", () => {
  const list = (n: number) => Array.from({ length: n }, (_, i) => `i${i}`);
  const names = (n: number) => Object.fromEntries(list(n).map((name) => [name, 1]));
  const nested = (depth: number) => JSON.parse("[".repeat(depth) + "]".repeat(depth));
  const request = { ...forget, type: "request", request: "r1", count: 1 };
  const cases: [good: unknown, bad: unknown][] = [
    [{ ...forget, time: 631_152_000_000 }, { ...forget, time: 631_151_999_999 }],
    [{ ...forget, time: 4_102_444_799_999 }, { ...forget, time: 4_102_444_800_000 }],
    [{ ...forget, user: "€".repeat(85) + "x" }, { ...forget, user: "€".repeat(85) + "xy" }],
    [{ ...forget, user: "😀".repeat(64) }, { ...forget, user: "😀".repeat(64) + "x" }],
    [{ ...request, count: 1000 }, { ...request, count: 1001 }],
    [request, { ...request, count: 0 }],
    [{ ...request, candidates: list(1000) }, { ...request, candidates: list(1001) }],
    [{ ...request, exclude: list(10_000) }, { ...request, exclude: list(10_001) }],
    [{ ...request, exclude: ["a", "a"] }, { ...request, candidates: ["a", "a"] }],
    [{ ...request, context: names(64) }, { ...request, context: names(65) }],
    [{ ...request, context: { a: "x".repeat(1024) } }, { ...request, context: { a: "x".repeat(1025) } }],
    [{ ...request, context: { a: Array(1000).fill(0.5) } }, {
      ...request,
      context: { a: Array(1001).fill(0.5) },
    }],
    [{ ...request, context: { a: [1, 2] } }, { ...request, context: { a: [1, "2"] } }],
    [{ ...request, context: { a: ["1", "2"] } }, { ...request, context: { a: ["1", 2] } }],
    [{ ...request, context: { a: [] } }, { ...request, context: { a: [null] } }],
    [{ ...click, action: "x".repeat(64) }, { ...click, action: "x".repeat(65) }],
    [{ ...forget, deep: nested(31) }, { ...forget, deep: nested(32) }],
  ];
  for (const [good, bad] of cases) {
    assert.ok(decode(good).ok, JSON.stringify(good).slice(0, 200));
    assert.ok(checkEvent(good).ok, JSON.stringify(good).slice(0, 200));
    assert.ok(!decode(bad).ok, JSON.stringify(bad).slice(0, 200));
    assert.ok(!checkEvent(bad).ok, JSON.stringify(bad).slice(0, 200));
  }
});

Deno.test("decodeEvent() accepts a record of 1 MiB, and none that is larger", () => {
  const room = (1 << 20) - encode(JSON.stringify({ ...forget, note: "" })).length;
  assert.ok(decode({ ...forget, note: "x".repeat(room) }).ok);
  assert.equal(decode({ ...forget, note: "x".repeat(room + 1) }).ok, false);
});

Deno.test("decodeEvent() and encodeEvent() accept a record of 32,768 keys, and none of more", () => {
  const own = Object.keys(forget).length + 1;
  const noted = (keys: number): Event => {
    const notes = Array.from({ length: keys - own }, (_, n) => ({ [`n${n}`]: n }));
    return { ...forget, notes } as Event;
  };
  assert.ok(decodeEvent(encodeEvent(noted(MAX_KEYS))).ok);
  const refused = decode(noted(MAX_KEYS + 1));
  assert.ok(!refused.ok);
  const wanted = "Cannot take the event as a record of at most 32768 keys: current value has 32769";
  assert.deepEqual([refused.code, refused.reason], ["too-large", wanted]);
  assert.throws(() => encodeEvent(noted(MAX_KEYS + 1)), { message: wanted });
});

Deno.test("checkEvent() refuses objects that JSON cannot express", () => {
  const circular: Record<string, unknown> = { ...forget };
  circular["self"] = circular;
  for (const extra of [1n, () => 1, Symbol("x"), NaN]) assert.ok(!checkEvent({ ...forget, extra }).ok);
  assert.equal(checkEvent(circular).ok, false);
  assert.ok(checkEvent({ ...click, value: undefined }).ok);
});

Deno.test("encodeEvent() throws for what decodeEvent() would refuse", () => {
  assert.throws(() => encodeEvent({ ...click, value: NaN }), /Cannot take value .* current value is NaN/);
  assert.throws(
    () => encodeEvent({ ...forget, note: "x".repeat(1 << 20) } as Event),
    /at most 1048576 bytes/,
  );
});

Deno.test("goodEvent() makes valid events", () => {
  const random = seeded(1);
  for (let i = 0; i < 100; i++) assert.ok(decode(goodEvent(random)).ok);
});
