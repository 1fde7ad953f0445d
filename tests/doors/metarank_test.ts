import assert from "node:assert/strict";
import { readAll } from "../../streams/log/reading.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { digestOf } from "../../streams/http/contract/access.ts";
import { NOW, startApi } from "../server/deployment.ts";

const settings = { doors: ["metarank"] } as const;
const plain = { "content-type": "application/x-www-form-urlencoded" };

Deno.test("Metarank's door refuses items from a key with the scope events alone", async () => {
  const keys = [{ name: "page", sha256: digestOf("the-key-of-a-page"), scopes: ["events"] }] as const;
  await using api = await startApi({ ...settings, keys });
  const item = { event: "item", id: "x1", timestamp: NOW, item: "i1", fields: [] };
  const { status, json } = await api.post("/feedback", item, { "x-api-key": "the-key-of-a-page" });
  assert.deepEqual([status, json.code], [403, "forbidden"]);
});

Deno.test("Metarank's door accepts events, ranks with an explanation, and records what was shown and clicked", async () => {
  await using api = await startApi(settings);
  const shown = {
    id: "r1",
    timestamp: NOW,
    user: "ann",
    session: "s1",
    fields: [{ name: "query", value: "tents" }],
    items: [{ id: "i1", fields: [{ name: "relevancy", value: 2 }] }, { id: "i2" }, { id: "i3" }],
  };
  const click = {
    event: "interaction",
    id: "c1",
    timestamp: String(NOW),
    user: "ann",
    item: "i2",
    type: "click",
    ranking: "r1",
  };
  const item = {
    event: "item",
    id: "x1",
    timestamp: NOW,
    item: "i1",
    fields: [{ name: "color", value: ["red"] }],
  };
  // As in Metarank's documentation: several lines by curl, which sends the content type of a form.
  const taken = await api.post("/feedback", JSON.stringify(item, null, 2), plain);
  assert.deepEqual([taken.status, taken.json.status, taken.json.accepted], [200, "ok", 1]);

  const ranked = await api.post("/rank/xgboost?explain=true", shown);
  assert.equal(ranked.status, 200);
  assert.deepEqual(ranked.json.items.map((one: { item: string }) => one.item).sort(), ["i1", "i2", "i3"]);
  assert.ok(Number.isInteger(ranked.json.took));
  const [{ features }] = ranked.json.items;
  assert.deepEqual(features.map(({ name }: { name: string }) => name), ["logit", "prior", "behaviours"]);
  // Until the model has proved itself, the prior scores; without outcomes, scores are shares.
  const odds = ranked.json.items.map((one: { features: { value: number }[] }) =>
    Math.exp(one.features[1]!.value)
  );
  const sum = odds.reduce((all: number, each: number) => all + each, 0);
  for (const [at, one] of ranked.json.items.entries()) {
    assert.ok(Math.abs(one.score - odds[at]! / sum) < 1e-6);
  }

  const both = [{ ...shown, event: "ranking" }, click].map((event) => JSON.stringify(event)).join("\n");
  assert.equal((await api.post("/feedback", both, plain)).json.accepted, 2);
  const like = await api.post("/recommend/similar", { count: 3, items: ["i2"] });
  assert.ok(
    like.json.items.length > 0 && like.json.items.every((one: { item: string }) => one.item !== "i2"),
  );
  assert.equal((await api.post("/recommend/any", { count: 2, user: "ann" })).json.items.length, 2);
  assert.equal((await api.post("/recommend/any", {})).status, 200);
  assert.equal((await api.post("/rank/any", { items: [{ id: "i1" }] })).json.items[0].item, "i1");

  const { events } = topicNames();
  const found: string[] = [];
  for (const partition of [0, 1]) {
    for await (const { value } of readAll(api.log, events, partition)) {
      const event = JSON.parse(new TextDecoder().decode(value ?? undefined));
      assert.equal(event.user, "ann");
      found.push(`${event.type} ${event.request ?? ""}`);
    }
  }
  assert.deepEqual(found.slice(0, 3), ["request r1", "impression r1", "interaction r1"]);
  assert.equal(found.length, 4, "requests without a user are not on the log");
});

Deno.test("Metarank's door accepts all or nothing, and says what is wrong", async () => {
  await using api = await startApi(settings);
  const good = { event: "user", id: "u", timestamp: NOW, user: "ann", fields: [] };
  const cases: readonly (readonly [body: unknown, status: number, code: string])[] = [
    [[good, { ...good, event: "what" }], 422, "refused"],
    [[good, { ...good, timestamp: "soon" }], 422, "refused"],
    [[], 400, "bad-body"],
    ["{", 400, "bad-body"],
    [`${JSON.stringify(good)}\n{`, 400, "bad-body"],
  ];
  for (const [body, status, code] of cases) {
    const answer = await api.post("/feedback", body, plain);
    assert.deepEqual([answer.status, answer.json.code], [status, code], JSON.stringify(body));
  }
  for (const body of [{ items: [] }, { items: "i1" }, {}, { items: [{ id: 7 }] }]) {
    assert.equal((await api.post("/rank/m", body)).status, 422, JSON.stringify(body));
  }
  for (const body of [{ items: "i1" }, { count: "3" }, { user: 7 }]) {
    assert.equal((await api.post("/recommend/m", body)).status, 422, JSON.stringify(body));
  }
  assert.equal((await api.post("/recommend/m", { count: 0 })).status, 400);
  assert.equal((await api.post("/recommend/m", [])).json.code, "bad-body");
  assert.equal((await api.post("/rank/m?explain=yes", { items: [{ id: "i1" }] })).json.code, "bad-parameter");
  // A page of another site may not send what browsers send without a preflight request.
  const foreign = await api.post("/feedback", good, { ...plain, origin: "https://elsewhere.example" });
  assert.equal(foreign.status, 403);
});
