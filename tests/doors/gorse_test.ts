/** Gorse's own JavaScript client, as published on npm, against a deployment of ours. */

import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { Gorse, GorseException } from "gorsejs";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { digestOf } from "../../streams/http/contract/access.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { NOW, startApi } from "../server/deployment.ts";
import { until } from "../service/deployment.ts";

type Feedback = "click" | "read" | "cart";

const iso = (time: number) => new Date(time).toISOString();
const settings = { doors: ["gorse"] } as const;

Deno.test("Gorse's client completes a session: users, items, feedback, lists", async () => {
  await using api = await startApi(settings);
  const gorse = new Gorse<Feedback>({ endpoint: api.url, secret: "" });

  assert.equal(await gorse.insertUser({ UserId: "ann", Labels: ["camper", "north"], Comment: "" }), 1);
  assert.equal(await gorse.insertUsers([{ UserId: "bob", Labels: ["reader"] }, { UserId: "cy" }]), 2);
  assert.deepEqual((await gorse.getUser("ann")).Labels, ["camper", "north"]);
  assert.equal(await gorse.updateUser("ann", { UserId: "ann", Labels: ["south"] }), 1);
  assert.deepEqual((await gorse.getUser("ann")).Labels, ["south"]);

  const item = (ItemId: string, ...Categories: string[]) => ({
    ItemId,
    Categories,
    IsHidden: false,
    Timestamp: iso(NOW - 1000),
    Labels: ["new"],
    Comment: ItemId,
  });
  assert.equal(await gorse.upsertItem(item("tent", "camping")), 1);
  assert.equal(await gorse.upsertItems([item("stove", "camping", "kitchen"), item("novel", "books")]), 2);
  assert.equal(await gorse.insertItemCategory("novel", "camping"), 1);
  assert.equal(
    await gorse.updateItem("novel", { ...item("novel", "books", "camping"), Comment: "a novel" }),
    1,
  );
  const novel = await gorse.getItem("novel");
  assert.deepEqual([novel.Categories, novel.Comment, novel.Labels], [["books", "camping"], "a novel", [
    "new",
  ]]);
  assert.equal(await gorse.deleteItemCategory("novel", "camping"), 1);
  assert.deepEqual((await gorse.getItem("novel")).Categories, ["books"]);

  const did = (FeedbackType: Feedback, UserId: string, ItemId: string) => ({
    FeedbackType,
    UserId,
    ItemId,
    Timestamp: iso(NOW),
  });
  assert.equal(await gorse.insertFeedbacks([did("click", "ann", "tent"), did("read", "ann", "novel")]), 2);
  assert.equal(await gorse.upsertFeedbacks([did("cart", "ann", "tent"), did("click", "bob", "stove")]), 2);
  const [first, second] = await gorse.getUserFeedback("ann");
  assert.deepEqual([first?.FeedbackType, first?.ItemId, first?.Timestamp], ["click", "tent", iso(NOW)]);
  assert.equal(second?.FeedbackType, "cart");
  assert.equal((await gorse.getUserFeedbackByType("ann", "cart")).length, 1);
  assert.equal((await gorse.getFeedback({ type: "click", userId: "ann", itemId: "tent" })).UserId, "ann");

  // A list is computed when it is requested: it leaves out what was just taken, and has what is new.
  await until(
    async () => (await gorse.getRecommend({ userId: "ann", category: "kitchen" })).length > 0,
    "items",
  );
  const list = await gorse.getRecommend({ userId: "ann", cursorOptions: { n: 40 } });
  assert.ok(list.includes("stove") && list.includes("novel") && !list.includes("tent"), list.join());
  assert.deepEqual(await gorse.getRecommend({ userId: "ann", category: "kitchen" }), ["stove"]);
  const second5 = await gorse.getRecommend({ userId: "ann", cursorOptions: { n: 5, offset: 5 } });
  assert.deepEqual(second5, list.slice(5, 10));
  await gorse.getRecommend({
    userId: "bob",
    category: "books",
    writeBackType: "cart",
    writeBackDelay: "10m",
  });
  assert.equal((await gorse.getUserFeedbackByType("bob", "cart"))[0]?.ItemId, "novel");

  const latest = await gorse.getLatest({ category: "camping" });
  assert.deepEqual(latest.map(({ Id }) => Id).sort(), ["stove", "tent"]);
  assert.equal(latest[0]?.Score, (NOW - 1000) / 1000);
  assert.ok((await gorse.getPopular({})).some(({ Id }) => Id === "tent"));
  const session = await gorse.getSessionRecommend([did("click", "", "tent")], { cursorOptions: { n: 5 } });
  assert.ok(session.length > 0 && session.every(({ Id }: { Id: string }) => Id !== "tent"));
  assert.ok(Array.isArray(await gorse.getItemNeighbors({ itemId: "tent" })));

  const users = await gorse.getUsers({ n: 2 });
  assert.deepEqual(users.Users.map(({ UserId }) => UserId), ["ann", "bob"]);
  const more = await api.get(`/api/users?n=2&cursor=${users.Cursor}`);
  assert.deepEqual(more.json.Users.map(({ UserId }: { UserId: string }) => UserId), ["cy"]);
  assert.equal(more.json.Cursor, "");
  const all = [];
  for (let cursor = "", pages = 0; pages === 0 || cursor !== ""; pages++) {
    const { json } = await api.get(`/api/items?n=3&cursor=${cursor}`);
    all.push(...json.Items.map(({ ItemId }: { ItemId: string }) => ItemId));
    cursor = json.Cursor;
  }
  assert.deepEqual(all, [...new Set(all)].sort());
  assert.ok(all.includes("novel"));

  assert.equal(await gorse.deleteItem("novel"), 1);
  await assert.rejects(
    gorse.getItem("novel"),
    (error) => error instanceof GorseException && error.code === 404,
  );
  assert.equal(await gorse.deleteUser("ann"), 1);
  await assert.rejects(
    gorse.getUser("ann"),
    (error) => error instanceof GorseException && error.code === 404,
  );
});

Deno.test("Gorse's door refuses feedback as a whole when any entry is bad", async () => {
  await using api = await startApi(settings);
  const good = { FeedbackType: "click", UserId: "ann", ItemId: "i1", Timestamp: iso(NOW) };
  for (const bad of [{ ...good, ItemId: "" }, { ...good, Timestamp: "soon" }, { UserId: "ann" }, 7]) {
    const { status, json } = await api.post("/api/feedback", [good, bad]);
    assert.deepEqual([status, json.code, json.errors[0].index], [422, "refused", 1]);
  }
  const late = { ...good, Timestamp: iso(NOW + 2 * 3_600_000) };
  assert.equal((await api.post("/api/feedback", [late])).json.errors[0].code, "in-the-future");
  const { events } = topicNames();
  const records = [
    ...await Array.fromAsync(readAll(api.log, events, 0)),
    ...await Array.fromAsync(readAll(api.log, events, 1)),
  ];
  assert.equal(records.length, 0);
});

Deno.test("POST /api/session/recommend accepts only complete feedback", async () => {
  await using api = await startApi({ doors: ["gorse"] });
  for (const entry of [{ ItemId: "i1" }, { FeedbackType: "click" }, { UserId: "ann" }]) {
    const { status, json } = await api.post("/api/session/recommend", [entry]);
    assert.deepEqual([status, json.code], [422, "refused"], JSON.stringify(entry));
  }
});

Deno.test("GET /api/recommend with an offset counts only its own page as shown", async () => {
  await using api = await startApi(settings);
  const whole = (await api.get("/api/recommend/bob?n=5")).json;
  const page = (await api.get("/api/recommend/ann?n=2&offset=3")).json;
  assert.equal(whole.length, 5);
  assert.equal(page.length, 2);
  const { json } = await api.get("/v1/users/ann");
  await until(
    async () => (await api.get("/v1/users/ann")).json.pending[0]?.items.length === 2,
    "what was shown",
  );
  assert.equal(json.pending.length, 1);
  const { pending: [list] } = (await api.get("/v1/users/ann")).json;
  assert.deepEqual(list.items.map(({ item }: { item: string }) => item), page);
});

Deno.test("an item may be replaced by an older one, and a patch keeps its other fields", async () => {
  await using api = await startApi(settings);
  await api.post("/api/item", { ItemId: "lamp", Categories: ["light"] });
  await api.post("/api/item", {
    ItemId: "lamp",
    Categories: ["light", "old"],
    Timestamp: "2020-01-01T00:00:00Z",
  });
  const { json } = await api.get("/api/item/lamp");
  assert.deepEqual([json.Categories, json.Timestamp], [["light", "old"], "2020-01-01T00:00:00Z"]);
  await until(
    async () => (await api.get("/api/recommend/ann?category=old&category=light")).json[0] === "lamp",
    "old",
  );
  const patch = {
    method: "PATCH",
    body: '{"IsHidden":true}',
    headers: { "content-type": "application/json" },
  };
  assert.equal((await api.request("/api/item/lamp", patch)).json.RowAffected, 1);
  assert.deepEqual((await api.get("/api/item/lamp")).json.Categories, ["light", "old"]);
  await until(async () => (await api.get("/api/recommend/ann?category=old")).json.length === 0, "hidden");
  assert.equal((await api.request("/api/item/nothing", patch)).status, 404);
});

Deno.test("a patch of an item undoes nothing that other calls write to it at the same moment, whenever the log takes it", async () => {
  await using api = await startApi(settings);
  const { items } = topicNames();
  /** Turns of the event loop that the next appends of items take. */
  let turns: readonly number[] = [];
  let appends = 0;
  api.log.append = async function (this: MemoryLog, records) {
    const isItem = records[0]?.topic === items;
    for (let left = isItem ? turns[appends++ % turns.length]! : 0; left > 0; left--) await setImmediate();
    return await MemoryLog.prototype.append.call(this, records);
  };
  const send = async (method: string, path: string, body?: unknown) => {
    const headers = { "content-type": "application/json" };
    const { status } = await api.request(path, {
      method,
      ...body !== undefined && { headers, body: JSON.stringify(body) },
    });
    return status;
  };
  const writes: Readonly<Record<string, (n: number) => Promise<number>>> = {
    replace: (n) => send("POST", "/v1/items", { item: "tent", title: `${n}` }),
    replaceMany: (n) => send("POST", "/v1/items", [{ item: "tent" }, { item: "tent", title: `${n}` }]),
    replaceInGorse: (n) => send("POST", "/api/item", { ItemId: "tent", Comment: `${n}` }),
    remove: () => send("DELETE", "/v1/items/tent"),
  };
  const pairs = fc.tuple(
    fc.constantFrom(...Object.keys(writes)),
    fc.array(fc.nat(30), { minLength: 2, maxLength: 2 }),
    fc.boolean(),
  );
  let n = 0;
  await fc.assert(
    fc.asyncProperty(pairs, async ([write, given, isPatchFirst]) => {
      turns = [0];
      await writes["replace"]!(++n);
      [turns, appends] = [given, 0];
      const both = [() => send("PATCH", "/api/item/tent", { IsHidden: true }), () => writes[write]!(++n)];
      const [patched, other] = isPatchFirst ? both : both.toReversed();
      const statuses = await Promise.all([patched!(), other!()]);
      assert.ok(appends > 0 && statuses.every((status) => status === 200 || status === 404));
      const { status, json } = await api.get("/v1/items/tent");
      assert.deepEqual(
        status === 404 ? null : json.title,
        write === "remove" ? null : `${n}`,
        write,
      );
    }),
    { numRuns: 100 },
  );
});

Deno.test("doors require keys and scopes like the rest of the API, and are closed by default", async () => {
  const keys = [{
    name: "shop",
    sha256: digestOf("the-key-of-a-shop"),
    scopes: ["events", "recommend"],
  }] as const;
  await using api = await startApi({ ...settings, keys });
  const key = { "x-api-key": "the-key-of-a-shop" };
  assert.equal((await api.get("/api/recommend/ann")).status, 401);
  assert.equal((await api.get("/api/recommend/ann", key)).status, 200);
  assert.equal((await api.request("/api/user/ann", { method: "DELETE", headers: key })).status, 403);
  assert.equal((await api.post("/api/item", { ItemId: "i1" }, key)).status, 403);
  assert.equal((await api.request("/api/item/i1", { method: "DELETE", headers: key })).status, 403);
  assert.equal((await api.get("/api/health/ready")).json.Ready, true);
  for (
    const query of [
      "n=-1",
      "n=x",
      "n=1001",
      "n=600&offset=600",
      "write-back-delay=soon",
      "write-back-type=%00",
    ]
  ) {
    assert.equal((await api.get(`/api/recommend/ann?${query}`, key)).json.code, "bad-parameter", query);
  }
  assert.equal((await api.get("/api/recommend/ann?n=0", key)).text, "[]");
  await using closed = await startApi();
  assert.equal((await closed.get("/api/recommend/ann")).status, 404);
});
