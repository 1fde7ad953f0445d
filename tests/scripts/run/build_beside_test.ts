import assert from "node:assert/strict";
import { freePort } from "../../../scripts/kafka/java_process.ts";
import { buildBeside } from "../../../scripts/run/build_beside.ts";
import { CannotSwitchYet } from "../../../streams/generations/online/legs.ts";
import { until } from "../../service/deployment.ts";
import { taskArguments } from "../../service/task_command.ts";
import { temporaryFolder } from "../command.ts";

/** Tries with these outcomes, one after the other. */
async function tried(outcomes: readonly (boolean | Error)[], isReleased = false) {
  const failures: string[] = [];
  let tries = 0;
  const isSwitched = await buildBeside({
    build: () => {
      const outcome = outcomes[tries++]!;
      return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
    },
    isReleased: () => isReleased,
    onFailure: (failure) => void failures.push(failure),
    signal: new AbortController().signal,
    againMs: 1,
  });
  return { isSwitched, tries, failures };
}

const fast = new CannotSwitchYet("too fast");

Deno.test("buildBeside() retries a generation that cannot take over yet until it does", async () => {
  assert.deepEqual(await tried([fast, fast, true]), {
    isSwitched: true,
    tries: 3,
    failures: ["too fast", "too fast"],
  });
});

Deno.test("buildBeside() does not retry a generation that is not good enough, or cannot be built", async () => {
  const { failures, ...worse } = await tried([fast, false]);
  assert.deepEqual(worse, { isSwitched: false, tries: 2 });
  assert.match(failures[1]!, /not good enough/);
  const broken = await tried([new Error("broken"), true]);
  assert.deepEqual(broken, { isSwitched: false, tries: 1, failures: ["broken"] });
});

Deno.test("buildBeside() rejects at a failure once the serving generation was released", async () => {
  await assert.rejects(tried([fast, true], true), fast);
});

Deno.test("buildBeside() stops waiting for the next try at its signal", async () => {
  const stopping = new AbortController();
  const build = () => Promise.reject(fast);
  const options = { build, isReleased: () => false, signal: stopping.signal, againMs: 600_000 };
  assert.equal(await buildBeside({ ...options, onFailure: () => stopping.abort() }), false);
});

Deno.test("run: --rebuild says on /v1/status and in metrics why it cannot switch, and keeps serving", async () => {
  await using folder = await temporaryFolder();
  const port = await freePort();
  const run = async (config: unknown, ...flags: string[]) => {
    await Deno.writeTextFile(`${folder.path}/meander.json`, JSON.stringify(config));
    return new Deno.Command(Deno.execPath(), {
      args: [...await taskArguments("run"), "--log-path", `${folder.path}/log`, "--model", "base"]
        .concat("--config", `${folder.path}/meander.json`, "--http", `127.0.0.1:${port}`, ...flags),
      cwd: folder.path,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  };
  const get = async (path: string) => {
    try {
      return await (await fetch(`http://127.0.0.1:${port}${path}`)).text();
    } catch {
      return "";
    }
  };
  const isReady = async () => (await get("/ready")).includes("ready");
  await using first = await run({});
  await until(isReady, "it serves");
  first.kill("SIGTERM");
  await first.status;
  // The last leg may take half a millisecond here, and no build is that fast.
  await using second = await run(
    { http: { answerTimeoutMs: 2 }, features: { itemFields: ["band"] } },
    "--rebuild",
  );
  await until(isReady, "it serves again");
  const failure = async () => JSON.parse(await get("/v1/status")).rebuild?.failure ?? null;
  await until(async () => await failure() !== null, "the build is given up");
  assert.match(await failure(), /Cannot switch without failing requests: .* at most 0.5 ms are allowed/);
  assert.match(await get("/metrics"), /^meander_rebuild_failed 1$/m);
  assert.ok(await isReady());
  second.kill("SIGTERM");
  assert.ok((await second.status).success);
});
