import assert from "node:assert/strict";
import { freePort } from "../../scripts/kafka/java_process.ts";
import { readAll } from "../../streams/log/reading.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { until } from "../service/deployment.ts";
import { taskArguments } from "../service/task_command.ts";

const topics = topicNames();

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  Deno.test(`run: everything that got a 200 is on the log after ${signal} under load`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "meander-http-" });
    const port = await freePort();
    await Deno.writeTextFile(`${folder}/meander.json`, JSON.stringify({ http: { answerTimeoutMs: 60_000 } }));
    await using server = new Deno.Command(Deno.execPath(), {
      args: [...await taskArguments("run"), "--log-path", `${folder}/log.sqlite`, "--model", "base"]
        .concat("--http", `127.0.0.1:${port}`),
      cwd: folder,
      env: { MEANDER_API_KEY: "secret-of-a-test" },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const headers = { "content-type": "application/json", "x-api-key": "secret-of-a-test" };
    /** The status and body of an answer; 0 = the server is gone. */
    const post = async (path: string, body: unknown) => {
      try {
        const init = { method: "POST", body: JSON.stringify(body), headers };
        const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
        return { status: response.status, json: await response.json() };
      } catch {
        return { status: 0, json: undefined };
      }
    };
    await until(async () => (await post("/v1/items", { item: "i1" })).status === 200, "the server is there");
    await until(async () => (await post("/v1/recommend", { user: "warm" })).status === 200, "it answers");

    const taken = new Set<string>();
    const answered = new Set<string>();
    let failures = 0;
    const client = async (name: string) => {
      for (let n = 0;; n++) {
        const id = `${name}-${n}`;
        const event = { type: "interaction", id, user: name, item: "i1", action: "click" };
        const { status } = await post("/v1/events", event);
        if (status === 200) taken.add(id);
        const answer = await post("/v1/recommend", { user: name, request: id });
        if (answer.status === 200) answered.add(id);
        failures += [status, answer.status].filter((each) => each >= 500 && each !== 503).length;
        if (taken.size > 150 && n % 10 === 0 && name === "c0") server.kill(signal);
        if (answer.status === 0) return;
      }
    };
    await Promise.all(["c0", "c1", "c2", "c3"].map(client));
    assert.equal((await server.status).success, signal === "SIGTERM");
    assert.equal(failures, 0, "requests under way are finished, or the server is gone");

    await using log = await SqliteLog.open(`${folder}/log.sqlite`);
    const valuesOf = async (topic: string) =>
      (await Array.fromAsync(readAll(log, topic, 0))).map(({ value }) =>
        JSON.parse(new TextDecoder().decode(value ?? undefined))
      );
    const events = new Set((await valuesOf(topics.events)).map(({ id }) => id));
    assert.deepEqual([...taken].filter((id) => !events.has(id)), []);
    const answers = new Set((await valuesOf(topics.recommendations)).map(({ request }) => request));
    assert.deepEqual([...answered].filter((id) => !answers.has(id)), []);
    assert.ok(answered.size > 100);
    await log[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  });
}

Deno.test("run: exits at a port in use before it opens the log", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-port-" });
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...await taskArguments("run"), "--log-path", `${folder}/log.sqlite`]
      .concat("--http", `127.0.0.1:${taken.addr.port}`),
    cwd: folder,
    stdin: "null",
  }).output();
  assert.equal(code, 1);
  assert.match(new TextDecoder().decode(stderr), /error: Cannot listen at .*: the port is in use/);
  assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
  await Deno.remove(folder, { recursive: true });
});
