import assert from "node:assert/strict";
import { UnlistedItems } from "../../streams/http/contract/unlisted_items.ts";
import { digestOf, type Scope } from "../../streams/http/contract/access.ts";
import { startApi } from "../server/deployment.ts";
import { until } from "../service/deployment.ts";

const click = (item: string, more: object = {}) => ({
  type: "interaction",
  user: "ann",
  item,
  action: "click",
  ...more,
});

interface Warned {
  readonly index: number;
  readonly code: string;
  readonly warning: string;
}

Deno.test("POST /v1/events warns of accepted events that do nothing, and says no word about others", async () => {
  await using api = await startApi();
  const { json } = await api.post("/v1/events", [
    click("i1"),
    click("i1", { action: "clik" }),
    { type: "profile", user: "ann", attributes: {}, city: "Oslo" },
    { type: "interaction", user: "ann", action: "clik" },
    click("i2"),
  ]);
  assert.deepEqual([json.accepted, json.refused.length], [4, 1]);
  assert.deepEqual(
    json.warnings.map(({ index, code }: Warned) => [index, code]),
    [[1, "unknown-action"], [2, "unread-field"]],
  );
  assert.deepEqual((await api.post("/v1/events", click("i1"))).json, { accepted: 1, refused: [] });
});

Deno.test("POST /v1/items warns of fields beside the attributes, and of attributes of another type", async () => {
  await using api = await startApi();
  const { json } = await api.post("/v1/items", [
    { item: "a", attributes: { price: 1 } },
    { item: "b", attributes: { price: "10,99" } },
    { item: "c", price: 1 },
    { item: "" },
  ]);
  assert.deepEqual(
    json.warnings.map(({ index, code }: Warned) => [index, code]),
    [[1, "other-type"], [2, "unread-field"]],
  );
  const lines = '{"item": "d", "price": 1}\n\n{"item": "e"}\n{"item": "f", "price": 1}';
  const many = await api.post("/v1/items", lines, { "content-type": "application/x-ndjson" });
  assert.deepEqual(many.json.warnings.map(({ index }: Warned) => index), [0, 2]);
});

Deno.test("an answer has at most 20 short warnings, whatever was sent", async () => {
  await using api = await startApi();
  const names = Array.from({ length: 300 }, (_, n) => [`${n}${"x".repeat(2000)}\u202e`, "y".repeat(500)]);
  const item = { item: "i".repeat(256), ...Object.fromEntries(names) };
  const items = await api.post("/v1/items", item);
  assert.equal(items.json.warnings.length, 5);
  const events = await api.post(
    "/v1/events",
    Array.from({ length: 5000 }, (_, n) => click("i1", { action: `a${n}` })),
  );
  assert.deepEqual([events.json.accepted, events.json.warnings.length], [5000, 20]);
  assert.ok(
    items.text.length < 2000 && events.text.length < 4000,
    `${items.text.length} ${events.text.length}`,
  );
});

Deno.test("POST /v1/events warns of an item that the catalogue lacks, and never of one that was answered before", async () => {
  await using api = await startApi();
  let warned = 0;
  for (let n = 0; n < 40; n++) {
    const item = `new-${n}`;
    assert.equal((await api.post("/v1/items", { item })).status, 200);
    const { json } = await api.post("/v1/events", [click(item), click("nowhere")]);
    for (const { index, code } of json.warnings ?? []) {
      warned++;
      assert.deepEqual([index, code], [1, "not-in-catalogue"], `${item} was answered before`);
    }
  }
  await until(async () => {
    const { json } = await api.post("/v1/events", click("nowhere"));
    return json.warnings?.[0]?.code === "not-in-catalogue";
  }, `it is warned of; so far ${warned} times`);
});

Deno.test("POST /v1/events does not tell a key without the scope read what the catalogue lacks", async () => {
  const key = (name: string, scopes: readonly Scope[]) => ({
    name,
    sha256: digestOf(`key-of-the-${name}`),
    scopes,
  });
  const keys = [key("web-page", ["events"]), key("back-end", ["events", "items", "read"])];
  await using api = await startApi({ keys });
  const page = { "x-api-key": "key-of-the-web-page" }, backEnd = { "x-api-key": "key-of-the-back-end" };
  assert.equal((await api.post("/v1/items", { item: "i1" }, backEnd)).status, 200);
  await until(async () => {
    const { status, json } = await api.post("/v1/events", click("nowhere"), page);
    assert.deepEqual([status, json.warnings], [200, undefined]);
    const known = await api.post("/v1/events", click("nowhere"), backEnd);
    return known.json.warnings?.[0]?.code === "not-in-catalogue";
  }, "the back end is told");
});

/** A catalogue with one item, read up to an offset. */
function unlistedItems(applied: number, end: number, clock = () => 0) {
  const items = new Map([["a", { listed: true }], ["named", { listed: false }]]);
  const catalogue = { listed: 1, get: (id: string) => items.get(id) };
  // deno-lint-ignore no-explicit-any -- all that it reads of a task
  const task = { state: { catalogue }, catalogue: { applied } } as any;
  return { items, catalogue, unlisted: new UnlistedItems(() => task, () => Promise.resolve(end), clock) };
}

Deno.test("UnlistedItems is certain only when the task has read all items", async () => {
  const entries = [{ item: "a" }, { item: "named" }, { item: "b" }];
  const { unlisted } = unlistedItems(5, 5);
  assert.deepEqual(entries.map(({ item }) => unlisted.mayLack(item)), [false, true, true]);
  assert.deepEqual(await unlisted.among(entries), [{ item: "named" }, { item: "b" }]);
  assert.deepEqual(await unlistedItems(4, 5).unlisted.among(entries), []);
  const late = unlistedItems(5, 5);
  const looking = late.unlisted.among(entries);
  late.items.set("b", { listed: true });
  assert.deepEqual(await looking, [{ item: "named" }], "it was read meanwhile");
  const empty = unlistedItems(0, 0);
  empty.catalogue.listed = 0;
  assert.equal(empty.unlisted.mayLack("b"), false, "there is no catalogue");
});

Deno.test("UnlistedItems looks at one body a second", () => {
  let now = 5000;
  const { unlisted } = unlistedItems(5, 5, () => now);
  const due = [0, 999, 1, 500, 500].map((ms) => {
    now += ms;
    return unlisted.isDue();
  });
  assert.deepEqual(due, [true, false, true, false, true]);
});
