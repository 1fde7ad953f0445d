/**
 * Ways to break a line of events, each with the code with which it must be rejected. Seeded: the same random source
 * breaks the same lines in the same ways.
 */

import type { RejectionCode } from "../../src/events/rejected.ts";

/** One way to break a line. */
export interface Break {
  readonly name: string;
  readonly code: RejectionCode;
  /** Makes a broken line; `random` gives numbers in [0, 1). */
  readonly make: (random: () => number) => Uint8Array;
}

/** A random source of 32 bits of state (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pick = <T>(random: () => number, values: readonly T[]) =>
  values[Math.floor(random() * values.length)] as T;
const below = (random: () => number, n: number) => Math.floor(random() * n);

/** A valid event of any type, as an object. */
export function goodEvent(random: () => number): Record<string, unknown> {
  const base = {
    id: `e${below(random, 1e9)}`,
    user: `u${below(random, 500)}`,
    time: 1.7e12 + below(random, 1e9),
  };
  const items = Array.from({ length: 10 }, (_, i) => `i${i * 50 + below(random, 50)}`);
  const request = `r${below(random, 1e6)}`;
  switch (below(random, 5)) {
    case 0:
      return { type: "interaction", ...base, item: pick(random, items), action: "click", value: 1, request };
    case 1:
      return { type: "request", ...base, request, count: 10, candidates: items };
    case 2:
      return {
        type: "impression",
        ...base,
        request,
        items,
        propensities: items.map(() => random() * 0.9 + 0.1),
      };
    case 3:
      return { type: "profile", ...base, attributes: { age: "25-34", tags: ["a", "b"], vip: true, ß: 0.5 } };
    default:
      return { type: "forget", ...base, note: 'kept: "{[:' };
  }
}

const encode = (text: string) => new TextEncoder().encode(text);
const json = (value: unknown) => JSON.stringify(value);
const good = (random: () => number) => json(goodEvent(random));
/** A click, with these fields overriding its own. */
const click = (random: () => number, over: object) =>
  json({
    type: "interaction",
    user: "u1",
    time: 1.7e12 + below(random, 1e9),
    item: "i1",
    action: "click",
    ...over,
  });
const shown = (random: () => number, over: object) =>
  json({ type: "impression", user: "u1", time: 1.7e12 + below(random, 1e9), items: ["i1", "i2"], ...over });
const wanted = (random: () => number, over: object) =>
  json({ type: "request", user: "u1", time: 1.7e12 + below(random, 1e9), request: "r1", count: 10, ...over });
/** A valid line with a member added at the front, as text. */
const prefixed = (member: string) => (random: () => number) => good(random).replace("{", `{${member},`);

function text(name: string, code: RejectionCode, make: (random: () => number) => string): Break {
  return { name, code, make: (random) => encode(make(random)) };
}

/** All the ways. */
export const BREAKS: readonly Break[] = [
  // text that is not JSON
  text("truncated JSON", "truncated-json", (r) => {
    const line = click(r, {});
    return line.slice(0, 1 + below(r, line.length - 1));
  }),
  text("trailing garbage", "invalid-json", (r) => good(r) + pick(r, ["}", "x", ",", '{"a":1}', "\u0000"])),
  text("single quotes", "invalid-json", (r) => good(r).replaceAll('"', "'")),
  text("trailing comma", "invalid-json", (r) => good(r).replace(/}$/, ",}")),
  text("comment", "invalid-json", (r) => good(r) + " // done"),
  text("unquoted key", "invalid-json", prefixed("x:1")),
  text("leading zero", "invalid-json", prefixed('"x":01')),
  text("raw control character", "invalid-json", prefixed('"x":"a\u0001b"')),
  text("bad escape", "invalid-json", prefixed('"x":"\\x41"')),
  text("not JSON at all", "invalid-json", (r) => pick(r, ["hello", "<event/>", "%PDF-1.4", "u1,i1,click"])),
  text("byte order mark inside the file", "invalid-json", (r) => "\ufeff" + good(r)),
  {
    name: "invalid UTF-8",
    code: "invalid-utf8",
    make: (r) => {
      const bytes = encode(click(r, { item: "i?" }));
      const at = bytes.indexOf(0x3f);
      bytes[at] = pick(r, [0xff, 0xc0, 0x80, 0xf8]);
      return bytes;
    },
  },
  text("NaN", "not-finite", prefixed('"x":NaN')),
  text("-Infinity", "not-finite", prefixed('"x":-Infinity')),
  text("number overflow", "not-finite", (r) => click(r, { value: 0 }).replace('"value":0', '"value":1e999')),
  text("number overflow in an unread field", "not-finite", prefixed('"x":[{"y":-1e999}]')),
  text("duplicate key", "duplicate-key", (r) => click(r, {}).replace("{", '{"user":"u0",')),
  text("duplicate key, escaped", "duplicate-key", (r) => click(r, {}).replace("{", '{"\\u0075ser":"u0",')),
  text("duplicate key, nested", "duplicate-key", prefixed('"x":{"a":[{"b":1,"b":1}]}')),
  text("__proto__", "forbidden-key", prefixed('"__proto__":{"admin":true}')),
  text("constructor", "forbidden-key", prefixed('"x":[{"constructor":{"prototype":{}}}]')),
  text("prototype, escaped", "forbidden-key", prefixed('"x":{"\\u0070rototype":1}')),
  text("deep nesting", "too-deep", (r) => {
    const depth = 40 + below(r, 5000);
    return `{"type":"forget","x":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  }),
  text("deep nesting, never closed", "too-deep", (r) => '{"a":'.repeat(100 + below(r, 100_000))),
  // JSON that is not an event
  text(
    "not an object",
    "not-an-object",
    (r) => pick(r, ["[]", `[${good(r)}]`, "1", "null", "true", '"click"']),
  ),
  text(
    "unknown type",
    "unknown-type",
    (r) => json({ ...goodEvent(r), type: pick(r, ["Click", "", "toString"]) }),
  ),
  text("no type", "missing-field", (r) => json({ ...goodEvent(r), type: undefined })),
  text("type is a number", "wrong-type", (r) => json({ ...goodEvent(r), type: 1 })),
  text("no user", "missing-field", (r) => json({ ...goodEvent(r), user: undefined })),
  text("no item", "missing-field", (r) => click(r, { item: undefined })),
  text("null for a field", "wrong-type", (r) => click(r, { value: null })),
  // fields
  text("user is a number", "wrong-type", (r) => json({ ...goodEvent(r), user: 17 })),
  text("user is empty", "empty-string", (r) => json({ ...goodEvent(r), user: "" })),
  text("id of 1 MB", "string-too-long", (r) => click(r, { item: "x".repeat(1_000_000 + below(r, 40_000)) })),
  text(
    "id of 257 bytes in 129 characters",
    "string-too-long",
    (r) => click(r, { item: "ä".repeat(128) + "x" }),
  ),
  text("line above 1 MiB", "too-large", (r) => click(r, { note: "x".repeat((1 << 20) + below(r, 1000)) })),
  text(
    "control character",
    "control-character",
    (r) => click(r, { item: `i${pick(r, ["\0", "\n", "\x7f", "\x85"])}` }),
  ),
  text(
    "lone surrogate",
    "lone-surrogate",
    (r) => click(r, { item: pick(r, ["\ud800", "a\udc00", "\ude00\ud83d"]) }),
  ),
  text("time as a string", "wrong-type", (r) => json({ ...goodEvent(r), time: "2024-01-01T00:00:00Z" })),
  text("time with a fraction", "time-not-integer", (r) => json({ ...goodEvent(r), time: 1.7e12 + 0.5 })),
  text("time in seconds", "time-out-of-range", (r) => json({ ...goodEvent(r), time: 1_700_000_000 })),
  text("time in microseconds", "time-out-of-range", (r) => json({ ...goodEvent(r), time: 1.7e15 })),
  text("time is negative", "time-out-of-range", (r) => json({ ...goodEvent(r), time: -1 })),
  text("value is a string", "wrong-type", (r) => click(r, { value: "5" })),
  text("action is too long", "string-too-long", (r) => click(r, { action: "x".repeat(65) })),
  text("count is negative", "out-of-range", (r) => wanted(r, { count: -1 })),
  text("unknown list", "unknown-value", (r) => wanted(r, { list: "best" })),
  text(
    "diversity of no item per category",
    "out-of-range",
    (r) => wanted(r, { diversity: { perCategory: 0 } }),
  ),
  text("relevance above 1", "out-of-range", (r) => wanted(r, { diversity: { relevance: 1.5 } })),
  text(
    "condition with an unknown comparison",
    "unknown-value",
    (r) => wanted(r, { filter: { where: [{ attribute: "price", is: "~", value: 1 }] } }),
  ),
  text(
    "condition with a list",
    "wrong-type",
    (r) => wanted(r, { filter: { where: [{ attribute: "price", is: "has", value: [1] }] } }),
  ),
  text(
    "condition without a value",
    "missing-field",
    (r) => wanted(r, { filter: { where: [{ attribute: "price", is: "=" }] } }),
  ),
  text("count is too large", "out-of-range", (r) => wanted(r, { count: 1001 })),
  text("count has a fraction", "wrong-type", (r) => wanted(r, { count: 2.5 })),
  text("items are empty", "empty-list", (r) => shown(r, { items: [] })),
  text("items are an object", "wrong-type", (r) => shown(r, { items: { 0: "i1" } })),
  text(
    "too many items",
    "too-many-items",
    (r) => shown(r, { items: Array.from({ length: 1001 }, (_, i) => `i${i}`) }),
  ),
  text("an item is a number", "wrong-type", (r) => shown(r, { items: ["i1", 2] })),
  text("an item twice", "duplicate-item", (r) => shown(r, { items: ["i1", "i2", "i1"] })),
  text("a candidate twice among many", "duplicate-item", (r) => {
    const candidates = Array.from({ length: 100 }, (_, i) => `i${i}`);
    candidates[99] = pick(r, candidates.slice(0, 99));
    return wanted(r, { candidates });
  }),
  text("propensity 0", "out-of-range", (r) => shown(r, { propensities: [0.5, 0] })),
  text("propensity 2", "out-of-range", (r) => shown(r, { propensities: [2, 0.5] })),
  text("too few propensities", "length-mismatch", (r) => shown(r, { propensities: [0.5] })),
  text("too many positions", "length-mismatch", (r) => shown(r, { positions: [0, 1, 2] })),
  text("context is a list", "wrong-type", (r) => shown(r, { context: [] })),
  text("an attribute is an object", "wrong-type", (r) => shown(r, { context: { a: { b: 1 } } })),
  text("an attribute without a name", "empty-string", (r) => shown(r, { context: { "": 1 } })),
  text("an attribute of 2 kB", "string-too-long", (r) => shown(r, { context: { a: "x".repeat(2000) } })),
  text(
    "too many attributes",
    "too-many-items",
    (r) => shown(r, { context: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`a${i}`, i])) }),
  ),
];

/** A line and what must become of it. */
export interface TestLine {
  readonly bytes: Uint8Array;
  /** The way in which it is broken; absent when it is valid. */
  readonly broken?: Break;
}

/**
 * `count` lines, of which a `share` is broken. Ways that make a large line are used rarely, each way at least once if
 * there are enough lines.
 */
export function* testLines(random: () => number, count: number, share: number): Generator<TestLine> {
  let next = 0;
  for (let i = 0; i < count; i++) {
    if (random() >= share) {
      yield { bytes: encode(good(random)) };
      continue;
    }
    const broken = BREAKS[next++] ?? pick(random, BREAKS.filter(({ name }) => !/1 Mi?B|deep/.test(name)));
    yield { bytes: broken.make(random), broken };
  }
}
