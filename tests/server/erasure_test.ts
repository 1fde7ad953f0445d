import assert from "node:assert/strict";
import type { Log } from "../../streams/log/log.ts";
import { keepMsOf } from "../../streams/log/kafka/topics.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { type ErasureProgress, viewErasure } from "../../streams/service/erasure/erasure_view.ts";
import { generationRecord } from "../../streams/topics/generations.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { until } from "../service/deployment.ts";
import { startApi } from "./deployment.ts";

const topics = topicNames();
/** Topics that name no users. */
const NOBODYS: ReadonlySet<string> = new Set([
  topics.items,
  topics.experiments,
  topics.positions,
  topics.generations,
]);

Deno.test("GET /v1/erasures/{partition}/{offset} tells what remains of a user after DELETE", async () => {
  await using api = await startApi();
  await api.post("/v1/events", { type: "interaction", user: "ann-4711", item: "i1", action: "click" });
  await api.post("/v1/recommend", { user: "ann-4711", count: 2 });
  const { status, json } = await api.request("/v1/users/ann-4711", { method: "DELETE" });
  assert.deepEqual([status, json.accepted], [200, 1]);
  const { partition, offset } = json.erasure;
  const path = `/v1/erasures/${partition}/${offset}`;
  assert.equal((await api.get(path)).json.state, "under way");
  await until(async () => (await api.get(path)).json.state === "done", "it is done");
  const { json: view } = await api.get(path);
  const left = view.topics.filter(({ remains }: { remains: string | null }) => remains !== null);
  assert.deepEqual(left, [], "nor does anything in what the other partition's task has learnt");
  assert.deepEqual(
    view.topics.map(({ topic }: { topic: string }) => topic).toSorted(),
    Object.values(topics).filter((topic) => !NOBODYS.has(topic))
      .toSorted(),
  );
  for (
    const wrong of [
      "x/0",
      "0/-1",
      "0/1.5",
      "0/1e0",
      "0/00",
      `0/${"0".repeat(300)}`,
      "0/9007199254740993",
      "0/%20",
    ]
  ) {
    assert.equal((await api.get(`/v1/erasures/${wrong}`)).status, 400, wrong);
  }
  assert.equal((await api.get("/v1/erasures/7/0")).status, 404, "no such partition");
  await api.post("/v1/events", { type: "profile", user: "ann-4711", attributes: { city: "Oslo" } });
  const { end } = await api.log.bounds(topics.events, partition);
  const other = await api.get(`/v1/erasures/${partition}/${end - 1}`);
  assert.deepEqual([other.status, other.json.code], [404, "not-found"]);
  assert.match(other.json.detail, /the event at \d\/\d+ is not a `forget`/);
  const { paths } = (await api.get("/openapi.json")).json;
  const { parameters, responses } = paths["/v1/erasures/{partition}/{offset}"].get;
  const number = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
  assert.deepEqual(parameters.map(({ schema }: { schema: unknown }) => schema), [number, number]);
  assert.ok("404" in responses);
});

Deno.test("keepMsOf() is how long a broker may keep a record by its topic's configuration", () => {
  const HOUR = 3_600_000;
  const cases: readonly (readonly [config: Record<string, string>, keepMs: number | null])[] = [
    [{ "cleanup.policy": "delete", "retention.ms": "-1", "segment.ms": `${HOUR}` }, null],
    [{ "cleanup.policy": "delete", "retention.ms": `${24 * HOUR}`, "segment.ms": `${HOUR}` }, 25 * HOUR],
    [{
      "cleanup.policy": "compact",
      "retention.ms": `${24 * HOUR}`,
      "max.compaction.lag.ms": "9223372036854775807",
    }, null],
    [
      { "cleanup.policy": "compact", "max.compaction.lag.ms": `${HOUR}`, "delete.retention.ms": `${HOUR}` },
      3 * HOUR,
    ],
    [{}, null],
  ];
  for (const [config, keepMs] of cases) {
    assert.equal(keepMsOf(new Map(Object.entries(config))), keepMs, JSON.stringify(config));
  }
});

Deno.test("viewErasure() tells what a log with its own retention still keeps, and until when", async () => {
  await using memory = new MemoryLog();
  await memory.createTopics(topicSpecs(topics, 1));
  await memory.append([{ topic: topics.events, partition: 0, key: "ann", value: null, time: 2000 }]);
  const keepMs = (topic: string) => Promise.resolve(topic === topics.samples ? null : 1000);
  const log = {
    topics: memory.topics.bind(memory),
    identify: memory.identify.bind(memory),
    bounds: memory.bounds.bind(memory),
    read: memory.read.bind(memory),
    keepMs,
  } as unknown as Log;
  const look = (progress: ErasureProgress | null) =>
    viewErasure({ log, topics }, { partition: 0, offset: 0 }, progress, 5000);
  assert.equal((await look(null)).state, "under way", "no progress is known");
  const { state, topics: all } = await look({ state: "kept", idle: [] });
  assert.equal(state, "kept");
  const of = (topic: string) => all.find((one) => one.topic === topic);
  assert.deepEqual(of(topics.events), {
    topic: topics.events,
    remains: "records, until the broker drops them",
    until: 3000,
  });
  assert.deepEqual(of(topics.samples), {
    topic: topics.samples,
    remains: "records, for ever: no retention is set",
    until: null,
  });
  assert.equal(of(topics.pins)?.remains, null);
  const idle = { model: "dien", versions: `${topics.parameters}.dien`, hasCheckpoint: true } as const;
  const { topics: more } = await look({ state: "kept", idle: [idle] });
  const left = more.find(({ topic }) => topic === topics.checkpoints);
  assert.match(left?.remains ?? "", /checkpoint of dien, which is not running, until .+ keys \(dien\/0, /);
  assert.equal(left?.until, null);
  assert.match(more.find(({ topic }) => topic === idle.versions)?.remains ?? "", /or the topic is deleted/);
  const blueprint = { model: "base", variants: [], partitions: 1, seed: 0, options: {} };
  const kept = [1, 2].map((number) =>
    generationRecord(topics, { number, blueprint, since: 0, isAdopted: false }, 0)
  );
  await memory.append(kept);
  const { topics: beside } = await look({ state: "kept", idle: [] });
  const other = beside.find(({ topic }) => topic === `${topics.state}.g2`);
  assert.match(other?.remains ?? "", /generation 2, which does not serve, until it serves or is dropped/);
  assert.match(of(topics.state)?.remains ?? "", /^records that were replaced/);
});
