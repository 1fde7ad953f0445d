import assert from "node:assert/strict";
import { encodeRejection, rejectionOf } from "../../src/events/rejection.ts";
import { listen } from "../log/warnings.ts";
import { digestOf } from "../../streams/http/contract/access.ts";
import { NOW, startApi } from "../server/deployment.ts";
import { until } from "../service/deployment.ts";
import { AttributeCheck } from "../../streams/http/routes/attribute_check.ts";
import { Catalogue } from "../../src/items/catalogue.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { readAll } from "../../streams/log/reading.ts";

const SOURCES = {
  clicks: {
    rules: [{
      name: "views",
      as: "interaction" as const,
      when: { evt: "product_view" },
      fields: { user: "ctx.uid", item: "sku", action: { value: "view" } },
    }, { as: "nothing" as const, when: { evt: "zoom" } }],
  },
};
const CLOUD = {
  cloud: { preset: "cloudevents" as const },
  rows: {
    format: "csv" as const,
    columns: ["who", "sku"],
    rules: [{ as: "interaction" as const, fields: { user: "who", item: "sku", action: { value: "view" } } }],
  },
};
const view = (user: string, more: object = {}) => ({
  evt: "product_view",
  ctx: { uid: user },
  sku: "a1",
  ...more,
});

Deno.test("a key of scope events cannot erase or take over users or change items through a source's rules", async () => {
  const key = (name: string, scopes: ("events" | "items" | "merge" | "admin")[]) => ({
    name,
    sha256: digestOf(`the-own-key-of-${name}`),
    scopes,
  });
  const keys = [key("shop", ["events"]), key("owner", ["events", "items", "merge", "admin"])];
  await using api = await startApi({ keys }, 1, undefined, {
    gone: {
      rules: [
        { as: "forget" as const, when: { evt: "erased" }, fields: { user: "ctx.uid" } },
        { as: "item" as const, when: { evt: "listed" }, fields: { item: "sku" } },
        { as: "alias" as const, when: { evt: "login" }, fields: { user: "ctx.uid", of: "account" } },
        ...SOURCES.clicks.rules,
      ],
    },
  });
  const post = async (body: unknown, name: string) => {
    const { status, json } = await api.post("/v1/sources/gone", body, {
      "x-api-key": `the-own-key-of-${name}`,
    });
    return [status, json.code ?? json.accepted];
  };
  const erased = { evt: "erased", ctx: { uid: "ann" } };
  assert.deepEqual(await post(view("ann"), "shop"), [200, 1]);
  assert.deepEqual(await post([view("ann"), erased], "shop"), [403, "forbidden"]);
  const listed = { evt: "listed", sku: "a1" };
  assert.deepEqual(await post([view("ann"), listed], "shop"), [403, "forbidden"]);
  const login = { evt: "login", ctx: { uid: "ann" }, account: "eve" };
  assert.deepEqual(await post([view("ann"), login], "shop"), [403, "forbidden"]);
  assert.deepEqual(await post([view("ann"), erased, listed, login], "owner"), [200, 4]);
});

Deno.test("POST /v1/sources/{source} maps records by the rules of the configuration", async () => {
  await using api = await startApi({}, 1, undefined, SOURCES);
  const one = await api.post("/v1/sources/clicks", view("ann"));
  assert.deepEqual([one.status, one.json], [200, { accepted: 1, refused: [] }]);
  const many = await api.post("/v1/sources/clicks", [
    view("bob"),
    { evt: "zoom" },
    { evt: "other" },
    view(""),
  ]);
  assert.equal(many.status, 200);
  assert.equal(many.json.accepted, 1);
  assert.deepEqual(
    many.json.refused.map(({ index, code }: { index: number; code: string }) => [index, code]),
    [
      [2, "unmapped"],
      [3, "missing-field"],
    ],
  );
  const lines = await api.request("/v1/sources/clicks", {
    method: "POST",
    body: `${JSON.stringify(view("cid"))}\n{"evt":"zoom"}\n{"a":1,"a":2}\n`,
    headers: { "content-type": "application/x-ndjson" },
  });
  assert.deepEqual([lines.json.accepted, lines.json.refused[0].code], [1, "duplicate-key"]);
  for (const type of ["application/json", "application/x-ndjson"]) {
    const body = JSON.stringify(view("?")).replace('"?"', "9007199254740993"); // a number would lose its last digit
    const headers = { "content-type": type };
    assert.equal((await api.request("/v1/sources/clicks", { method: "POST", body, headers })).status, 200);
  }
  const none = await api.post("/v1/sources/clicks", { evt: "other" });
  assert.deepEqual([none.status, none.json.code], [422, "refused"]);
  assert.equal(
    (await api.post("/v1/sources/clicks", { evt: "zoom" })).status,
    200,
    "it becomes nothing, as configured",
  );
  const unknown = await api.post("/v1/sources/clikcs", view("ann"));
  assert.deepEqual([unknown.status, /it has: clicks/.test(unknown.json.detail)], [404, true]);
  const users = [];
  for await (const { key, value, time } of readAll(api.log, "meander.events", 0)) {
    const event = JSON.parse(new TextDecoder().decode(value ?? undefined));
    if (event.type === "interaction") users.push([key, event.time, time]);
  }
  const all = ["ann", "bob", "cid", "9007199254740993", "9007199254740993"];
  assert.deepEqual(users, all.map((user) => [user, NOW, NOW]));
});

Deno.test("POST /v1/sources/{source} takes the valid entries of a record, and says which are refused", async () => {
  const fields = { user: "who", item: "@.sku", action: { value: "purchase" }, time: "@.at" };
  const rules = [{ name: "bought", as: "interaction" as const, each: "lines", fields }];
  await using api = await startApi({}, 1, undefined, { orders: { rules } });
  const late = NOW + 2 * 3_600_000;
  const lines = [{ sku: "a" }, {}, { sku: "b", at: late }, { sku: "c", at: NOW }, {}].map((line) => ({
    at: NOW,
    ...line,
  }));
  const { status, json } = await api.post("/v1/sources/orders", [{ who: "ann", lines }, {
    who: "bob",
    lines: [{}],
  }]);
  assert.deepEqual([status, json.accepted], [200, 2]);
  assert.deepEqual(
    json.refused.map(({ index, code, entries }: Record<string, unknown>) => [index, code, entries]),
    [
      [0, "missing-field", ["lines[1]", "lines[4]"]],
      [0, "in-the-future", ["lines[2]"]],
      [1, "missing-field", undefined],
    ],
  );
  const none = await api.post("/v1/sources/orders", { who: "ann", lines: [{}, {}] });
  assert.deepEqual([none.status, none.json.code, none.json.errors.length], [422, "refused", 1]);
});

Deno.test("metrics count events and items from a source's records separately, and refusals by code", async () => {
  const { rules } = SOURCES.clicks;
  const item = { as: "item" as const, when: { evt: "listed" }, fields: { item: "sku" } };
  await using api = await startApi({}, 1, undefined, { clicks: { rules: [item, ...rules] } });
  const records = [view("ann"), { evt: "listed", sku: "a1" }, { evt: "listed", sku: "a2" }, { evt: "other" }];
  assert.equal((await api.post("/v1/sources/clicks", records)).json.accepted, 3);
  const { text } = await api.get("/metrics");
  assert.match(text, /^meander_http_entries_total\{kind="event"\} 1$/m);
  assert.match(text, /^meander_http_entries_total\{kind="item"\} 2$/m);
  assert.match(text, /^meander_http_refusals_total\{code="unmapped"\} 1$/m);
});

Deno.test("an action that is not configured is logged once, whichever endpoint receives it", async () => {
  await using heard = await listen();
  const rules = [{ as: "interaction" as const, fields: { user: "u", item: "i", action: "a" } }];
  await using api = await startApi({}, 1, undefined, { clicks: { rules } });
  for (const a of ["click", "clik", "clik"]) {
    assert.equal((await api.post("/v1/sources/clicks", { u: "ann", i: "tent", a })).status, 200);
  }
  for (const action of ["view", "veiw", "veiw"]) {
    const event = { type: "interaction", user: "ann", item: "tent", action };
    assert.equal((await api.post("/v1/events", event)).status, 200);
  }
  const told = heard.messages.flatMap((message) =>
    /"\w+".*did you mean \w+/.exec(message)?.[0].slice(0, 6) ?? []
  );
  assert.deepEqual(told, ['"clik"', '"veiw"']);
});

Deno.test("a filter on an attribute that neither items nor the configuration have is a 422 that says so", async () => {
  await using api = await startApi({}, 1);
  const item = { item: "tent", attributes: { brand: "Alp", price: 30 } };
  assert.equal((await api.post("/v1/items", item)).status, 200);
  const ask = (attribute: string, is = "=") =>
    api.post("/v1/recommend", { user: "ann", filter: { where: [{ attribute, is, value: "Alp" }] } });
  // The step that answers may have read the catalogue just before.
  const isListed = async () => (await api.post("/v1/recommend", { user: "ann" })).text.includes('"tent"');
  await until(isListed, "the catalogue has the item");
  const known = await ask("brand");
  assert.equal(known.status, 200, known.text);
  for (const is of ["=", "!="]) {
    const misspelt = await ask("brnad", is);
    assert.equal(misspelt.status, 422);
    assert.match(
      misspelt.json.detail,
      /"brnad": no item has it, and no configuration names it; did you mean "brand"\?/,
    );
  }
  await api.post("/v1/items", { item: "stove", attributes: { brnad: "Alp" } });
  assert.equal((await api.post("/v1/recommend", { user: "ann" })).status, 200);
  const isKnown = async () => (await ask("brnad")).status === 200;
  await until(isKnown, "a name that was unknown is looked up again after a second");
});

Deno.test("POST /v1/sources/{source} refuses a body that rules expand too much, and appends nothing", async () => {
  const rule = { as: "impression" as const, each: "n", fields: { user: "uid", items: "ids" } };
  await using api = await startApi({}, 1, undefined, { wide: { rules: [rule] } });
  // 130 KB that become 1,000 events of 120 KB.
  const ids = Array.from({ length: 500 }, (_, i) => `${i}`.padEnd(240, "x"));
  const body = { uid: "ann", ids, n: Array.from({ length: 1000 }, (_, i) => i) };
  const { end } = await api.log.bounds("meander.events", 0);
  const wide = await api.post("/v1/sources/wide", body);
  assert.deepEqual([wide.status, wide.json.code], [413, "too-large"], wide.text.slice(0, 300));
  assert.equal((await api.log.bounds("meander.events", 0)).end, end);
  const few = await api.post("/v1/sources/wide", { ...body, n: [1, 2] });
  assert.deepEqual([few.status, few.json.accepted], [200, 2]);
});

Deno.test("GET /v1/rejected counts rejections by reason, with the beginning of the newest record", async () => {
  await using api = await startApi({}, 1);
  const bytes = new TextEncoder().encode("x".repeat(5000));
  const reject = (partition: number, code: "unmapped" | "not-json") => ({
    topic: "meander.rejected",
    partition,
    key: null,
    value: encodeRejection(
      rejectionOf(
        { topic: "clicks", partition: 0, offset: 7 },
        { ok: false, code, reason: "no rule" },
        bytes,
      ),
    ),
    time: NOW,
  });
  await api.log.append([reject(0, "unmapped"), reject(0, "unmapped"), reject(0, "not-json")]);
  const { status, json } = await api.get("/v1/rejected");
  assert.equal(status, 200);
  assert.deepEqual(
    json.reasons.map(({ code, count, from }: Record<string, unknown>) => [code, count, from]),
    [["unmapped", 2, "clicks"], ["not-json", 1, "clicks"]],
  );
  const { offset, rejection } = json.reasons[0].newest;
  assert.deepEqual([offset, rejection.bytes], [1, bytes.subarray(0, 1026).toBase64()]);
  const chosen = await api.get("/v1/rejected?code=not-json");
  assert.equal(chosen.json.reasons.length, 1);
});

Deno.test("AttributeCheck searches the catalogue for unknown names once a second, and knows configured ones", () => {
  const catalogue = new Catalogue({ ...DEFAULT_SCHEMA, itemFields: ["colour"] });
  let now = 0, walks = 0;
  const counted = { size: 1, schema: catalogue.schema, items: () => (walks++, catalogue.items()) };
  const check = new AttributeCheck(() => counted, () => now);
  catalogue.apply({ item: "tent", time: 0, attributes: { brand: "Alp" } });
  const fault = (...names: readonly string[]) =>
    check.fault(names.map((attribute) => ({ attribute, is: "=", value: "x" })));
  assert.equal(fault("colour", "brand"), null);
  assert.match(fault("__proto__") ?? "", /no item has it/);
  assert.match(fault("toString") ?? "", /no item has it/);
  for (let i = 0; i < 10; i++) assert.ok(fault(`size${i}`, "size") !== null);
  assert.equal(walks, 1, "whatever is asked");
  catalogue.apply({ item: "boots", time: 0, attributes: { size: "42" } });
  now += 1001;
  assert.equal(fault("size"), null);
  const any = { attribute: "any", is: "=", value: 1 } as const;
  assert.equal(new AttributeCheck(() => undefined, () => 0).fault([any]), null);
});

Deno.test("AttributeCheck refuses a value of a type that no item's attribute has", () => {
  const catalogue = new Catalogue({ ...DEFAULT_SCHEMA, itemFields: ["price", "later"] });
  let now = 0;
  const check = new AttributeCheck(() => catalogue, () => now);
  const fault = (attribute: string, is: "=" | "!=" | "<" | "has", value: string | number | boolean) =>
    check.fault([{ attribute, is, value }]);
  catalogue.apply({ item: "tent", time: 0, attributes: { price: 9, tags: ["new"], sale: true } });
  for (const is of ["=", "!=", "<"] as const) {
    assert.equal(fault("price", is, 60), null);
    assert.equal(
      fault("price", is, "60"),
      'Cannot filter by attribute "price" with "60": items have numbers there',
    );
  }
  assert.match(fault("tags", "=", "new") ?? "", /items have lists there, for which only `has` works/);
  assert.match(fault("price", "has", 60) ?? "", /items have numbers there; `has` is for lists/);
  assert.deepEqual([fault("tags", "has", "new"), fault("sale", "=", true), fault("later", "=", 1)], [
    null,
    null,
    null,
  ]);
  catalogue.apply({ item: "boots", time: 0, attributes: { price: "on request" } });
  now += 1001;
  assert.equal(fault("price", "=", "on request"), null);
});

Deno.test("POST /v1/sources/{source} takes CloudEvents, binary, structured and batched, and rows", async () => {
  await using api = await startApi({}, 1, undefined, CLOUD);
  const post = async (path: string, type: string, body: string, headers = {}) =>
    (await api.request(path, { method: "POST", body, headers: { "content-type": type, ...headers } })).json;
  const data = { user: "ann", item: "tent", action: "click" };
  const time = new Date(NOW).toISOString();
  const event = { specversion: "1.0", id: "1", source: "/shop", type: "shop.interaction", time, data };
  const taken = { accepted: 1, refused: [] };
  const binary = {
    "ce-specversion": "1.0",
    "ce-id": "2",
    "ce-source": "/shop",
    "ce-type": "shop.interaction",
    "ce-time": time,
  };
  assert.deepEqual(await post("/v1/sources/cloud", "application/json", JSON.stringify(data), binary), taken);
  assert.deepEqual(
    await post("/v1/sources/cloud", "application/cloudevents+json; charset=utf-8", JSON.stringify(event)),
    taken,
  );
  const batch = JSON.stringify([{ ...event, id: "3" }, { ...event, id: "1", source: "/app" }]);
  assert.equal((await post("/v1/sources/cloud", "application/cloudevents-batch+json", batch)).accepted, 2);
  assert.equal((await post("/v1/sources/rows", "text/csv", "ann,tent\nbob,stove\n")).accepted, 2);
  const ids = [];
  for await (const { value } of readAll(api.log, "meander.events", 0)) {
    const { id } = JSON.parse(new TextDecoder().decode(value ?? undefined));
    if (id !== undefined) ids.push(id);
  }
  assert.deepEqual(ids, ["/shop#2", "/shop#1", "/shop#3", "/app#1"], "an id counts within its source");
});

Deno.test("only sources take rows", async () => {
  await using api = await startApi();
  for (const path of ["/v1/events", "/v1/items"]) {
    for (const type of ["text/csv", "text/tab-separated-values"]) {
      const line = JSON.stringify({ item: "tent", type: "forget", user: "ann", time: NOW });
      const headers = { "content-type": type };
      const { status, text } = await api.request(path, { method: "POST", body: line, headers });
      assert.equal(status, 415, path);
      assert.doesNotMatch(text, /csv|tab/);
    }
  }
});
