// deno-lint-ignore-file camelcase -- CloudEvents headers
/** Presets are mapping files: each maps a sample in its format, exact to the record. */

import assert from "node:assert/strict";
import { compileSource, take } from "../../streams/mapping/record_source.ts";
import { PRESET_NAMES, type PresetName, PRESETS } from "../../streams/mapping/presets.ts";
import { SOURCE_OPTIONS } from "../../streams/mapping/source_settings.ts";
import { optionsSchema } from "../../streams/settings/option_schema.ts";
import { openMapped } from "../../streams/sources/mapped.ts";

const sample = (name: PresetName) =>
  new URL(`samples/${name}.${name === "snowplow" ? "tsv" : "jsonl"}`, import.meta.url).pathname;

/** What becomes of each line of a sample, in a few words. */
async function outcomes(name: PresetName): Promise<readonly (readonly string[])[]> {
  const lines: string[][] = [];
  for await (const one of openMapped(sample(name), compileSource(name, { preset: name }))) {
    const into = lines[one.line] ??= [];
    if (one.kind === "rejected") into.push(`rejected ${one.rejection.code}`);
    else if (one.kind === "item") {
      into.push(one.isRemoved ? `removal ${one.item.item}` : `item ${one.item.item}`);
    } else if (one.event.type === "interaction") {
      into.push(`${one.event.user} ${one.event.action} ${one.event.item}`);
    } else if (one.event.type === "impression") {
      into.push(`${one.event.user} saw ${one.event.items.join(" ")}`);
    } else if (one.event.type === "alias") into.push(`${one.event.user} is ${one.event.of}`);
    else into.push(`${one.event.type} ${one.event.user}`);
  }
  return Array.from(lines, (line) => line ?? []).slice(1);
}

Deno.test("presets have only settings that a configuration may have", () => {
  const schema = optionsSchema(SOURCE_OPTIONS);
  for (const name of PRESET_NAMES) {
    const read = schema.safeParse(PRESETS[name]);
    assert.ok(read.success, `${name}: ${read.error?.message}`);
    compileSource(name, { preset: name });
  }
});

Deno.test("segment: lists become impressions, orders a purchase per product, other calls nothing", async () => {
  assert.deepEqual(await outcomes("segment"), [
    [],
    ["anon-7 saw 507f 505b"],
    ["anon-7 click 507f"],
    ["anon-7 view G-32"],
    ["anon-7 is u-97", "profile u-97"],
    ["u-97 cart 505b", "u-97 like 507f"],
    ["u-97 purchase 507f", "u-97 purchase 505b"],
    ["u-97 rating 505b"],
    [],
    ["anon-7 is u-97"],
    [],
    ["rejected missing-field"],
    ["rejected wrong-type"],
    ["u-97 cart 505b"],
  ]);
});

Deno.test("segment: traits become attributes unless they identify a person; an order's events have distinct ids", async () => {
  const source = compileSource("segment", { preset: "segment" });
  const lines = (await Deno.readTextFile(sample("segment"))).split("\n");
  const [identify = "", order = ""] = [lines[4], lines[6]];
  const bytes = (text: string) => new TextEncoder().encode(text);
  const known = take(source, bytes(identify), {});
  assert.ok(known.ok && known.records[1]?.kind === "event" && known.records[1].event.type === "profile");
  assert.deepEqual(known.records[1].event.attributes, { plan: "pro", age: 33, tags: ["a", "b"] });
  const bought = take(source, bytes(order), {});
  assert.ok(bought.ok);
  assert.deepEqual(bought.records.map((one) => one.kind === "event" && one.event.id), ["m-8", "m-8/1"]);
  const untimed = { type: "track", event: "Product Viewed", userId: "u", properties: { sku: 7 } };
  const time = Date.UTC(2026, 10, 27);
  const event = { type: "interaction", user: "u", time, item: "7", action: "view" };
  assert.deepEqual(source.map(untimed, { time }), { ok: true, records: [{ kind: "event", event }] });
});

Deno.test("cloudevents: structured events, and binary ones with attributes in headers", async () => {
  assert.deepEqual(await outcomes("cloudevents"), [
    ["item tent"],
    ["ann saw tent stove"],
    ["ann click tent"],
    ["profile ann"],
    ["removal stove"],
    ["forget bob"],
    ["rejected unmapped"],
    ["rejected missing-field"],
    ["anon-7 is ann"],
  ]);
  const source = compileSource("cloudevents", { preset: "cloudevents" });
  const headers = {
    ce_specversion: "1.0",
    ce_type: "com.example.interaction",
    ce_id: "7",
    ce_source: "/shop",
    ce_time: "2026-11-27T10:00:00Z",
  };
  const data = { user: "ann", item: "tent", action: "click", id: "no id of the event" };
  const time = Date.UTC(2026, 10, 27, 10);
  assert.deepEqual(source.map(data, { headers, time: time + 5 }), {
    ok: true,
    records: [{
      kind: "event",
      event: { type: "interaction", id: "/shop#7", time, user: "ann", item: "tent", action: "click" },
    }],
  });
  const structured = (of: object) =>
    source.map({
      specversion: "1.0",
      type: "interaction",
      id: "7",
      time: "2026-11-27T10:00:00Z",
      data,
      ...of,
    }, {});
  const idOf = (made: ReturnType<typeof structured>) =>
    made.ok && made.records[0]?.kind === "event" && made.records[0].event.id;
  const { ce_source: _, ...noSource } = headers;
  assert.deepEqual(
    [structured({ source: "/app" }), structured({}), source.map(data, { headers: noSource })].map(idOf),
    ["/app#7", "7", "7"],
    "without a source, which some leave out, the id stands alone",
  );
  const [fits, tooLong] = [253, 254].map((length) => structured({ source: "x".repeat(length), id: "12" }));
  assert.ok(idOf(fits!));
  assert.ok(!tooLong!.ok && tooLong!.code === "string-too-long");
});

Deno.test("debezium: rows become items and profiles, and deletes remove them, with or without a schema", async () => {
  assert.deepEqual(await outcomes("debezium"), [
    ["item 1001"],
    ["item 1002"],
    ["profile 7"],
    ["item 1002"],
    ["removal 1001"],
    ["forget 7"],
    ["rejected unmapped"],
    ["item 9007199254740993"],
    [], // a truncation
    ["profile 8"], // from a snapshot without a time of its own
  ]);
  const records = await Array.fromAsync(
    openMapped(sample("debezium"), compileSource("d", { preset: "debezium" })),
  );
  const item = records.find(({ line }) => line === 4);
  assert.ok(item?.kind === "item");
  const attributes = { brand: "Alp", price: 49 };
  const time = Date.UTC(2026, 10, 27, 10) + 3000;
  assert.deepEqual(item.item, {
    item: "1002",
    time,
    title: "Stove",
    category: "camping",
    hidden: true,
    attributes,
  });
});

Deno.test("snowplow: ecommerce actions become events on the products in their contexts", async () => {
  assert.deepEqual(await outcomes("snowplow"), [
    [],
    ["d-42 saw tent stove lamp"],
    ["d-42 click tent"],
    ["ann view tent"],
    ["ann cart tent"],
    ["ann purchase tent", "ann purchase stove"],
    [],
    ["bob purchase lamp"],
    ["rejected invalid-json"],
    [],
    [], // an empty list
    ["rejected malformed-row"],
  ]);
});

Deno.test("a source's own rules come before those of its preset", () => {
  const source = compileSource("calls", {
    preset: "segment",
    rules: [{
      as: "forget",
      when: { event: "Account Deleted" },
      fields: { user: "userId", time: "timestamp" },
    }],
  });
  const call = { type: "track", event: "Account Deleted", userId: "ann", timestamp: "2026-11-27T10:00:00Z" };
  const time = Date.UTC(2026, 10, 27, 10);
  assert.deepEqual(source.map(call, {}), {
    ok: true,
    records: [{ kind: "event", event: { type: "forget", user: "ann", time } }],
  });
  assert.deepEqual(source.map({ ...call, event: "Signed Up" }, {}), { ok: true, records: [] });
});
