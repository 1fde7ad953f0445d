import assert from "node:assert/strict";
import fc from "fast-check";
import { digestOf } from "../../streams/http/contract/access.ts";
import type { ApiContext } from "../../streams/http/context.ts";
import { ItemMirror } from "../../streams/http/routes/item_mirror.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { NOW, startApi } from "../server/deployment.ts";

const topics = topicNames();
const pathOf = (item: string) => `/v1/items/${encodeURIComponent(item)}`;

Deno.test("GET /v1/items/{item} returns the whole newest record, and 404 once it is removed", async () => {
  await using api = await startApi();
  const full = {
    item: "tent",
    categories: ["camping", "new"],
    title: "x".repeat(1000),
    attributes: { price: 9.5, sale: true, colour: "red", tags: ["a", "b"], vector: [0.25, -1] },
    hidden: true,
    expires: NOW + 1,
    time: NOW - 1,
    supplier: { id: 7 },
  };
  await api.post("/v1/items", { item: "tent", category: "old" });
  assert.deepEqual((await api.get("/v1/items/tent")).json, { item: "tent", category: "old", time: NOW });
  await api.post("/v1/items", full);
  assert.deepEqual((await api.get("/v1/items/tent")).json, full);
  await api.request("/v1/items/tent", { method: "DELETE" });
  const gone = await api.get("/v1/items/tent");
  assert.deepEqual([gone.status, gone.json.code], [404, "not-found"]);
  assert.match(gone.json.detail, /^item "tent" is not in the catalogue/);
  await api.post("/v1/events", { type: "interaction", user: "ann", item: "named", action: "click" });
  assert.equal((await api.get("/v1/items/named")).status, 404, "only an event names it");
});

Deno.test("GET /v1/items/{item} finds any id that a path can name", async () => {
  await using api = await startApi();
  const id = fc.string({ unit: "binary", minLength: 1, maxLength: 60 }).filter((text) =>
    text.isWellFormed() && !/[\p{Cc}]/u.test(text) && ![".", ".."].includes(text)
  );
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(id, fc.constantFrom("a/b", "%", "%2F", "a%00b", "é ü?#&=", "👩‍🚀")),
      async (item) => {
        assert.equal((await api.post("/v1/items", { item, attributes: { price: 1 } })).status, 200);
        const { status, json } = await api.get(pathOf(item));
        assert.deepEqual([status, json.item, json.attributes], [200, item, { price: 1 }]);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("GET /v1/items/{item} needs scope read, and PATCH is not allowed", async () => {
  const scopes = { reader: ["read"], shop: ["items", "events", "recommend"] } as const;
  const keys = await Promise.all(
    Object.entries(scopes).map(async ([name, scopes]) => ({
      name,
      sha256: await digestOf(`${name}-0123456789abcdef`),
      scopes,
    })),
  );
  await using api = await startApi({ keys });
  const key = (name: string) => ({ "x-api-key": `${name}-0123456789abcdef` });
  await api.post("/v1/items", { item: "tent" }, key("shop"));
  const status = async (headers: Record<string, string>) => (await api.get("/v1/items/tent", headers)).status;
  assert.deepEqual(
    [await status(key("reader")), await status(key("shop")), await status(key("nobody")), await status({})],
    [200, 403, 401, 401],
  );
  assert.equal((await api.get("/v1/items/tent?fields=price", key("reader"))).json.code, "bad-parameter");
  const patch = await api.request("/v1/items/tent", {
    method: "PATCH",
    body: '{"hidden": true}',
    headers: { ...key("shop"), "content-type": "application/merge-patch+json" },
  });
  assert.deepEqual([patch.status, patch.headers.get("allow")], [405, "DELETE, GET"]);
});

Deno.test("GET /v1/items/{item} sees each write that was answered before it, while others write", async () => {
  await using api = await startApi();
  const write = async (of: number) => {
    for (let n = 0; n < 15; n++) {
      const item = `i-${of}`;
      await api.post("/v1/items", [{ item, attributes: { n } }, { item: "shared", attributes: { of, n } }]);
      assert.equal((await api.get(pathOf(item))).json.attributes.n, n);
      const shared = await api.get(pathOf("shared"));
      assert.ok(shared.status === 404 || shared.json.attributes.of !== of || shared.json.attributes.n === n);
      if (n % 5 !== 4) continue;
      await api.request(pathOf("shared"), { method: "DELETE" });
      await api.request(pathOf(item), { method: "DELETE" });
      assert.equal((await api.get(pathOf(item))).status, 404);
    }
  };
  await Promise.all([0, 1, 2, 3].map(write));
});

Deno.test("ItemMirror.get() finds the newest record of each item, with or without an index of keys on the log", async () => {
  const values = fc.array(
    fc.tuple(fc.constantFrom("a", "b", "c"), fc.option(fc.nat(9)), fc.nat(2)),
    { minLength: 1, maxLength: 30 },
  );
  await fc.assert(
    fc.asyncProperty(values, async (writes) => {
      await using log = new MemoryLog();
      await log.createTopics(topicSpecs(topics, 1));
      const unindexed = new Proxy<Log>(log, {
        get: (inner, name: keyof Log) => {
          if (name === "latest") return undefined;
          return typeof inner[name] === "function" ? inner[name].bind(inner) : inner[name];
        },
      });
      const mirrors = [log, unindexed].map((log) => new ItemMirror({ log, topics } as unknown as ApiContext)); // all that it reads
      const newest = new Map<string, number>();
      for (const [item, n, look] of writes) {
        const record = { item, time: NOW, attributes: { n: n ?? 0 } };
        const value = n === null ? null : new TextEncoder().encode(JSON.stringify(record));
        await log.append([{ topic: topics.items, key: item, value, time: NOW }]);
        if (n === null) newest.delete(item);
        else newest.set(item, n);
        if (look === 0) continue;
        for (const mirror of mirrors) {
          for (const id of ["a", "b", "c"]) {
            assert.equal((await mirror.get(id))?.attributes?.["n"], newest.get(id));
          }
        }
      }
    }),
    { numRuns: 30 },
  );
});

Deno.test("ItemMirror.get() catches up once for all calls that wait, on a log without an index of keys", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  let looks = 0;
  const unindexed = new Proxy<Log>(log, {
    get: (inner, name: keyof Log) => {
      if (name === "latest") return undefined;
      if (name === "bounds") looks++;
      return typeof inner[name] === "function" ? inner[name].bind(inner) : inner[name];
    },
  });
  const mirror = new ItemMirror({ log: unindexed, topics } as unknown as ApiContext); // all that it reads
  for (let n = 0; n < 5; n++) {
    const first = mirror.get("a"); // it may have looked before the next record
    const value = new TextEncoder().encode(JSON.stringify({ item: "a", time: NOW, attributes: { n } }));
    await log.append([{ topic: topics.items, key: "a", value, time: NOW }]);
    const found = await Promise.all(Array.from({ length: 100 }, () => mirror.get("a")));
    assert.ok(found.every((item) => item?.attributes?.["n"] === n));
    await first;
  }
  assert.ok(looks <= 15, `it has looked ${looks} times`);
});
