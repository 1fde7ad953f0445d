import assert from "node:assert/strict";
import { isExperiment } from "../../src/assignment/experiment.ts";
import { ExperimentClient } from "../../streams/experiments/client.ts";
import { decodeExperiment, EXPERIMENT } from "../../streams/experiments/record.ts";
import { LogError } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { digestOf } from "../../streams/http/contract/access.ts";
import { PROBLEM } from "../../streams/server/openapi.ts";
import type { JsonSchema } from "../../src/events/json_schema.ts";
import { schemasOf } from "./openapi_answers.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { matches } from "../events/schema_checker.ts";
import { runScript } from "../scripts/command.ts";
import { type Answer, type Api, startApi } from "./deployment.ts";

const topics = topicNames();
const DRAFT = {
  name: "e",
  variants: [{ name: "A" }, { name: "B", policy: { name: "epsilon", epsilon: 0.1 } }],
};

/** The changes that a partition of `events` has, in order. */
async function changesOn(api: Api, partition: number): Promise<string[]> {
  const changes: string[] = [];
  for await (const { value, headers } of readAll(api.log, topics.events, partition)) {
    if (headers?.[EXPERIMENT] === undefined || value === null) continue;
    const record = decodeExperiment(value);
    changes.push(
      isExperiment(record) ? `${record.name} ${record.status} ${record.traffic}` : `holdout ${record.share}`,
    );
  }
  return changes;
}

function said({ status, json }: Answer, schema: JsonSchema | undefined): unknown {
  assert.equal(status, 200, JSON.stringify(json));
  assert.ok(schema !== undefined && matches(schema, json), JSON.stringify(json));
  return json;
}

Deno.test("experiments are started, changed, promoted, rolled back and stopped over HTTP, each time by an event", async () => {
  await using api = await startApi();
  const schemas = await schemasOf(api);
  const post = (path: string, body: unknown) => api.post(`/v1/experiments${path}`, body);
  said(await post("", DRAFT), schemas.Experiment);
  said(await post("/e/traffic", { traffic: 0.5 }), schemas.Experiment);
  const { json: { experiments: [running] } } = await api.get("/v1/experiments");
  assert.deepEqual([running.status, running.traffic, running.names], ["running", 0.5, ["A", "B"]]);
  said(await post("/e/promote", { variant: "B" }), schemas.Experiment);
  const users = Array.from({ length: 8 }, (_, n) => `u${n}`);
  for (const user of users) {
    const { json } = await api.post("/v1/recommend", { user, count: 2 });
    assert.ok(json.items.every((one: { propensity: number }) => one.propensity < 1), "everybody gets B");
  }
  said(await post("/e/rollback", { reason: "too odd" }), schemas.Experiment);
  const { json } = await api.post("/v1/recommend", { user: "u1", count: 2 });
  assert.ok(json.items.every((one: { propensity: number }) => one.propensity === 1), "nobody gets B");
  said(await api.post("/v1/holdout", { share: 0.02 }), schemas.Holdout);
  said(await post("", DRAFT), schemas.Experiment); // a stopped one is started again
  said(await post("/e/stop", {}), schemas.Experiment);
  const listed = said(await api.get("/v1/experiments"), schemas.Experiments) as { holdout: number };
  assert.equal(listed.holdout, 0.02);
  for (const partition of [0, 1]) {
    assert.deepEqual(await changesOn(api, partition), [
      "e running 1",
      "e running 0.5",
      "e promoted 0.5",
      "e stopped 0.5",
      "holdout 0.02",
      "e running 1",
      "e stopped 1",
    ]);
  }
});

const REFUSED = [
  { path: "/e/stop", body: {}, status: 404, says: /there is no such experiment/ },
  { path: "", body: { name: "e" }, status: 422, says: /variants: / },
  {
    path: "",
    body: { ...DRAFT, colour: 1 },
    status: 400,
    says: /^colour: there is no such field; there are name, /,
  },
  { path: "/e/stop", body: { raeson: "x" }, status: 400, says: /^raeson: .* did you mean reason\?$/ },
  {
    path: "",
    body: {
      ...DRAFT,
      variants: [{ name: "A" }, { name: "B", policy: { name: "boltzmann", temprature: 1 } }],
    },
    status: 400,
    says: /^variants\[1\]\.policy\.temprature: there is no such field; did you mean temperature\?$/,
  },
  { path: "", body: "{", status: 400, says: /Cannot parse the body as JSON/ },
  {
    path: "",
    body: { ...DRAFT, traffic: 1.5 },
    status: 409,
    says: /from 0.01 % to 100 %: current value is 150 %/,
  },
  {
    path: "",
    body: { ...DRAFT, variants: [{ name: "A", model: "gpt" }, { name: "B" }] },
    status: 409,
    says: /variant A names model gpt: this deployment runs prior, base/,
  },
] as const;

Deno.test("an invalid change to experiments is a problem that lists all faults, and changes nothing", async () => {
  await using api = await startApi();
  const schemas = await schemasOf(api);
  for (const { path, body, status, says } of REFUSED) {
    const answer = await api.post(`/v1/experiments${path}`, body);
    assert.deepEqual([answer.status, answer.json.status], [status, status], answer.text);
    assert.match(answer.json.detail, says);
    assert.match(answer.headers.get("content-type") ?? "", /^application\/problem\+json/);
    assert.ok(matches(PROBLEM.json, answer.json));
  }
  said(await api.post("/v1/experiments", { ...DRAFT, traffic: 0.8 }), schemas.Experiment);
  const full = await api.post("/v1/experiments", { ...DRAFT, name: "f", traffic: 0.5 });
  assert.equal(full.status, 409);
  assert.deepEqual(full.json.faults, [
    "layer default has 20 % of its users left, and the experiment needs 50 % (e has 80 %)",
  ]);
  assert.match(
    (await api.post("/v1/experiments/e/rollback", {})).json.detail,
    /no variant of it is promoted/,
  );
  assert.deepEqual(await changesOn(api, 0), ["e running 0.8"]);
});

Deno.test("concurrent changes to experiments are made one after the other", async () => {
  await using api = await startApi();
  const names = ["a", "b", "c", "d"];
  const started = await Promise.all(
    names.map((name) => api.post("/v1/experiments", { ...DRAFT, name, traffic: 0.25 })),
  );
  assert.deepEqual(started.map(({ status }) => status), [200, 200, 200, 200]);
  assert.equal((await changesOn(api, 1)).length, 4);
});

Deno.test("a concurrent change by another process is a 409, and an unreachable log a 503", async () => {
  await using api = await startApi();
  api.log.writer = async function (this: MemoryLog, id) {
    const writer = await MemoryLog.prototype.writer.call(this, id);
    await using _other = await MemoryLog.prototype.writer.call(this, id);
    return writer;
  };
  const { status, json } = await api.post("/v1/experiments", DRAFT);
  assert.deepEqual([status, json.code], [409, "conflict"]);
  assert.match(json.detail, /changed at the same time: try again/);
  api.log.writer = () => Promise.reject(new LogError("unreachable", "no broker answers"));
  assert.equal((await api.post("/v1/experiments", DRAFT)).status, 503);
});

Deno.test("changes need a key of scope experiments, and looking one of scope read", async () => {
  const keys = [{ name: "analyst", sha256: digestOf("key-of-an-analyst"), scopes: ["read"] as const }, {
    name: "lead",
    sha256: digestOf("key-of-who-leads"),
    scopes: ["experiments"] as const,
  }];
  await using api = await startApi({ keys });
  const analyst = { "x-api-key": "key-of-an-analyst" }, lead = { "x-api-key": "key-of-who-leads" };
  assert.equal((await api.post("/v1/experiments", DRAFT)).status, 401);
  assert.equal((await api.post("/v1/experiments", DRAFT, analyst)).status, 403);
  assert.equal((await api.post("/v1/experiments", DRAFT, lead)).status, 200);
  assert.equal((await api.get("/v1/experiments", lead)).status, 403);
  assert.equal((await api.get("/v1/experiments", analyst)).json.experiments.length, 1);
  const client = new ExperimentClient(api.url, { key: "key-of-an-analyst" });
  await assert.rejects(client.stop("e", ""), /^Error: The key analyst lacks the scope experiments$/);
});

Deno.test("deno task meander experiment works against a running service by its URL", async () => {
  await using api = await startApi();
  const folder = await Deno.makeTempDir();
  const file = `${folder}/e.json`;
  await Deno.writeTextFile(file, JSON.stringify({ ...DRAFT, traffic: 0.2 }));
  const call = (...args: string[]) => runScript("experiment", ...args, "--url", api.url);
  assert.equal((await call("start", file)).stdout, "e: running; 20 % of layer default, A and B\n");
  const again = await call("start", file);
  assert.deepEqual([again.code, again.stderr], [
    1,
    "error: Cannot start experiment e: it is already running\n",
  ]);
  assert.match((await call("status", "e")).stdout, /cannot say yet: .*\n.* {2}ne: A -, B - \(log loss/s);
  assert.match((await call("promote", "e", "B")).stdout, /^e: promoted: B for all users/);
  assert.match((await call("rollback", "e")).stdout, /^e: stopped: B is rolled back/);
  assert.match((await call("list")).stdout, /^e: stopped/);
  await Deno.remove(folder, { recursive: true });
});
