/**
 * Decoding events: ours beside bare `JSON.parse`, which checks nothing, and beside zod.
 *
 *     deno bench -A tests/bench/events_bench.ts
 */

import * as z from "zod";
import { decodeEvent, encodeEvent } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";

const base = { user: "u1234", time: 1_700_000_000_000 };
const ids = Array.from({ length: 10 }, (_, i) => `i${i * 37}`);
const click: Event = {
  type: "interaction",
  id: "e123456",
  ...base,
  item: "i203",
  action: "click",
  request: "r5kf",
};
const impression: Event = {
  type: "impression",
  id: "e123457",
  ...base,
  request: "r5kf",
  items: ids,
  surface: "home",
};

const id = z.string().min(1).max(256).regex(/^\P{Cc}*$/u);
const time = z.int().min(631_152_000_000).max(4_102_444_800_000);
const shared = { id: id.optional(), user: id, time };
const schema = z.discriminatedUnion("type", [
  z.looseObject({
    type: z.literal("interaction"),
    ...shared,
    item: id,
    action: z.string().min(1).max(64),
    value: z.number().optional(),
    request: id.optional(),
    surface: z.string().optional(),
  }),
  z.looseObject({
    type: z.literal("impression"),
    ...shared,
    request: id.optional(),
    items: z.array(id).min(1).max(1000),
    surface: z.string().optional(),
  }),
]);
const decoder = new TextDecoder("utf-8", { fatal: true });

for (const [group, event] of Object.entries({ click, impression })) {
  const bytes = encodeEvent(event);
  const naive = () => JSON.parse(decoder.decode(bytes));
  Deno.bench("decodeEvent()", { group, baseline: true }, () => void decodeEvent(bytes));
  Deno.bench("JSON.parse, nothing checked", { group }, () => void naive());
  Deno.bench("JSON.parse + zod", { group }, () => void schema.parse(naive()));
  Deno.bench("encodeEvent()", { group }, () => void encodeEvent(event));
}
