import assert from "node:assert/strict";
import { followedSources } from "../../../scripts/flags/followed_sources.ts";
import { parseConfig } from "../../../streams/config/config.ts";

const config = parseConfig(
  JSON.stringify({
    sources: {
      files: { preset: "segment" },
      views: { preset: "segment", follow: { topic: "views", waitMs: 7 } },
      clicks: { preset: "segment", follow: { topic: "clicks", brokers: ["b:1"], start: "0:3", lateMs: 9 } },
      orders: { preset: "segment", follow: { topic: "orders", brokers: ["b:1"] } },
      own: { follow: { topic: "own" } },
    },
  }),
  "meander.json",
);

Deno.test("followedSources() returns sources with a topic; those on one cluster share a log, or use our own", () => {
  const [views, clicks, orders, own, ...others] = followedSources({ log: "kafka", prefix: "" }, config);
  assert.equal(others.length, 0);
  assert.ok(views !== undefined && clicks !== undefined && orders !== undefined);
  assert.deepEqual(
    own?.after,
    ["own:kafka:own", "meander:kafka:own", "rekey:own"],
    "resumes what an earlier release ingested or re-keyed",
  );
  const { format, ...rest } = views;
  assert.equal(typeof format === "object" && format.name, "views");
  assert.deepEqual(rest, {
    topic: "views",
    name: "source:views",
    after: ["views:kafka:views", "segment:kafka:views"],
    open: undefined,
    start: "earliest",
    waitMs: 7,
    lateMs: undefined,
  });
  assert.deepEqual([clicks.start, clicks.lateMs], [{ offsets: new Map([[0, 3]]) }, 9]);
  assert.ok(clicks.open !== undefined && clicks.open === orders.open);
  const [onSqlite, ...rested] = followedSources({ log: "sqlite", prefix: "" }, config);
  assert.ok(onSqlite?.open !== undefined && rested.slice(0, 2).every(({ open }) => open !== onSqlite.open));
});
