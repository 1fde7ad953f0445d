/**
 * Decoding events: ours compared with bare `JSON.parse`, which checks nothing, and with zod, whose schema here checks
 * types, lengths in characters and one pattern, but not bytes, duplicate keys, depth or attributes.
 *
 *     deno bench -A tests/bench/events_bench.ts
 *     deno run -A tests/bench/events_in_turns.ts    the ratios alone, in turns: for a machine that others use
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

/** Ways to decode an event of each type. */
export const DECODERS = Object.entries({ click, impression }).map(([group, event]) => {
  const bytes = encodeEvent(event);
  const naive = () => JSON.parse(decoder.decode(bytes));
  return {
    group,
    own: () => void decodeEvent(bytes),
    naive: () => void naive(),
    zod: () => void schema.parse(naive()),
    encode: () => void encodeEvent(event),
  };
});

for (const { group, own, naive, zod, encode } of DECODERS) {
  Deno.bench("decodeEvent()", { group, baseline: true }, own);
  Deno.bench("JSON.parse, nothing checked", { group }, naive);
  Deno.bench("JSON.parse + zod", { group }, zod);
  Deno.bench("encodeEvent()", { group }, encode);
}
