import assert from "node:assert/strict";
import { configTemplate } from "../../scripts/config/config_template.ts";
import { configRows } from "../../scripts/generate/configuration_page.ts";
import { parseConfig, taskOptions } from "../../streams/config/config.ts";
import { PROFILES } from "../../streams/replay/profiles.ts";
import { startApi } from "../server/deployment.ts";
import { type Ended, runScript, temporaryFolder } from "./command.ts";

/** Runs it as the task does, with the task's permissions. */
async function meander(...args: readonly string[]): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "meander", "--", ...args],
    cwd: new URL("../../", import.meta.url),
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("configTemplate() sets nothing, and each of its lines can be uncommented", () => {
  for (const all of [false, true]) {
    const text = configTemplate(all);
    const config = parseConfig(text, "meander.json");
    for (const model of ["base", "dien"] as const) {
      assert.deepEqual(
        taskOptions(PROFILES.meander, config, model).schema,
        taskOptions(PROFILES.meander, {}, model).schema,
      );
    }
    assert.deepEqual([config.kafka?.tls, config.http?.rateLimit, config.policy], [
      undefined,
      undefined,
      undefined,
    ]);
    const uncommented = text.replaceAll(/^( *)\/\/ (?=( *"[^"]+":)|( *\},))/gm, "$1");
    const set = JSON.stringify(parseConfig(uncommented, "meander.json"));
    assert.ok(set.length > (all ? 2000 : 900), set);
  }
  for (const { key } of configRows()) {
    const name = key.split(".").at(-1)?.replace("[]", "") ?? "";
    if (/[<[]/.test(key) || key.startsWith("policy.")) continue;
    assert.match(configTemplate(true), new RegExp(`\\b${name.replace("$", "\\$")}\\b|\\${name}`), key);
  }
});

Deno.test("meander: lists its commands, and suggests the one that was meant", async () => {
  const { code, stdout } = await meander();
  assert.equal(code, 0);
  for (const name of ["init", "run", "replay", "explain", "why-not", "forget", "evaluate"]) {
    assert.match(stdout, new RegExp(`^ {2}${name} `, "m"));
  }
  const wrong = await meander("repaly", "--help");
  assert.deepEqual([wrong.code, /Did you mean replay/.test(wrong.stderr)], [1, true]);
  const flag = await meander("run", "--htp", "8080");
  assert.deepEqual([flag.code, /Did you mean --http/.test(flag.stderr)], [1, true]);
  const alone = await meander("run", "--keep-weights");
  assert.deepEqual([alone.code, /--keep-weights needs --rebuild/.test(alone.stderr)], [1, true]);
  assert.match((await meander("help", "ingest")).stdout, /^Usage: meander ingest/);
});

Deno.test("meander init: writes a configuration once", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/conf/meander.json`;
  assert.equal((await runScript("init", file)).code, 0);
  assert.equal(await Deno.readTextFile(file), configTemplate(false));
  const again = await runScript("init", file);
  assert.deepEqual([again.code, /--force/.test(again.stderr)], [1, true]);
  assert.equal((await runScript("init", file, "--force", "--all")).code, 0);
  assert.equal(await Deno.readTextFile(file), configTemplate(true));
});

Deno.test("meander: queries a running deployment by inspect, explain, why-not, models and forget", async () => {
  await using api = await startApi();
  await using folder = await temporaryFolder();
  await api.post("/v1/items", { item: "i1", title: "A tent\u001b[2J", time: Date.UTC(2025, 0, 1) });
  await api.post("/v1/events", [
    { type: "profile", user: "ann/1", attributes: { city: "Oslo" } },
    { type: "interaction", user: "ann/1", item: "i1", action: "click" },
  ]);
  await api.post("/v1/recommend", { user: "ann/1", count: 2 });
  const at = ["--url", api.url];
  const inspected = await meander("inspect", "ann/1", ...at);
  assert.match(inspected.stdout, /city":"Oslo"[\s\S]*click +i1 +A tent \[2J +/, inspected.stderr);
  const explained = await runScript("ask/explain", "ann/1", ...at, "--count", "3");
  assert.match(explained.stdout, /^ann\/1: base, version \d+, 1 behaviours\n[\s\S]*\n3 /m);
  const hidden = await runScript("ask/why_not", "ann/1", "i1", ...at);
  assert.match(
    hidden.stdout,
    /i1 \(A tent \[2J\) is not recommended to ann\/1:\n {2}seen: The user has seen it: click at/,
  );
  const unknown = await runScript("ask/why_not", "ann/1", "nothing", ...at);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /^error: item "nothing" is not known: .* add it with POST \/v1\/items.*\n$/);
  assert.match((await runScript("ask/models", ...at)).stdout, /^base +\d/m);
  const receipt = `${folder.path}/receipt.json`;
  const asked = await runScript("ask/forget", "ann/1", ...at);
  assert.deepEqual([asked.code, /nothing was erased/.test(asked.stderr)], [1, true]);
  const forgotten = await runScript("ask/forget", "ann/1", ...at, "--yes", "--receipt", receipt);
  assert.equal(forgotten.code, 0, forgotten.stderr);
  const { erased, userSha256 } = JSON.parse(await Deno.readTextFile(receipt));
  assert.deepEqual([userSha256.length, typeof erased], [64, "string"]);
  assert.equal((await runScript("ask/inspect", "ann/1", ...at)).code, 1);
  const away = await runScript("ask/models", "--url", "http://127.0.0.1:1");
  assert.match(away.stderr, /^error: Cannot reach http:\/\/127.0.0.1:1: start `run` with --http/);
  const nameless = await runScript("ask/models", "--url", "127.0.0.1:8080");
  assert.match(nameless.stderr, /127.0.0.1:8080 as the URL of a service: expected http:\/\/host:port/);
});

Deno.test("meander: asks the process that has the user, of those that --url names", async () => {
  await using api = await startApi({}, 1); // with more, an idle one takes a minute to clear what it has of others
  const click = { type: "interaction", user: "ann", item: "i1", action: "click" };
  assert.equal((await api.post("/v1/events", click)).status, 200);
  /** A process of the same deployment without the partition; it does what needs no user state as any other. */
  await using other = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { method, url } = request;
    if (method === "DELETE") return await fetch(`${api.url}${new URL(url).pathname}`, { method });
    return Response.json({ code: "elsewhere", detail: "Partition 1 is not in this process" }, {
      status: 421,
    });
  });
  const elsewhere = `http://127.0.0.1:${other.addr.port}`;
  const gone = "http://127.0.0.1:1";
  for (
    const urls of [`${elsewhere},${api.url}`, `${gone},${elsewhere},${api.url}`, `${api.url},${elsewhere}`]
  ) {
    const { code, stdout, stderr } = await runScript("ask/inspect", "ann", "--url", urls);
    assert.deepEqual([code, /click +i1/.test(stdout)], [0, true], stderr);
  }
  for (const urls of [elsewhere, `${elsewhere},${gone}`]) {
    const { code, stderr } = await runScript("ask/explain", "ann", "--url", urls);
    assert.deepEqual(
      [code, /Partition 1 is not in this process; name the process/.test(stderr)],
      [1, true],
      stderr,
    );
  }
  const blind = await runScript("ask/forget", "ann", "--yes", "--json", "--wait", "2", "--url", elsewhere);
  assert.deepEqual([blind.code, JSON.parse(blind.stdout).erased], [2, null], blind.stderr);
  const seen = await runScript("ask/forget", "ann", "--yes", "--json", "--url", `${elsewhere},${api.url}`);
  assert.equal(seen.code, 0, seen.stderr);
  assert.ok(JSON.parse(seen.stdout).erased);
});

Deno.test("meander forget: gives its receipt whatever becomes of the process once the event is durable", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/receipt.json`;
  const away = () => Response.json({ code: "unavailable", detail: "It restores" }, { status: 503 });
  const refused = () => Response.json({ code: "forbidden", detail: "The key may not" }, { status: 403 });
  const gone = () => Response.json({ code: "not-found" }, { status: 404 });
  const known = () => Response.json({ user: "ann" });
  const noted = async () => await Deno.readTextFile(file).then(JSON.parse, () => "none");
  const cases = [
    { looks: [known, away, away, gone], code: 0, was: true, stderr: /^$/ },
    { looks: [gone, gone], code: 0, was: false, stderr: /^$/ },
    { looks: [refused, refused], code: 2, was: null, stderr: /is unknown: .*The key may not/ },
    { looks: [known, away], code: 2, was: true, stderr: /is unknown: .*It restores/ },
    { looks: [known, known], code: 2, was: true, stderr: /^$/ },
    { looks: [known], code: 2, was: true, stderr: /is unknown: Cannot reach/ },
  ];
  for (const { looks, code, was, stderr } of cases) {
    await Deno.remove(file).catch(() => {});
    const left = [...looks];
    const onFile: unknown[] = [];
    const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    await using server = Deno.serve(options, async ({ method }) => {
      if (method === "DELETE") {
        if (left.length === 0) setTimeout(() => server.shutdown());
        return Response.json({ taken: 1 });
      }
      onFile.push(await noted());
      const look = left.shift() ?? looks.at(-1) ?? gone;
      return look();
    });
    const ended = await runScript(
      "ask/forget",
      "ann",
      "--yes",
      "--json",
      "--wait",
      code === 0 ? "20" : "1",
      "--receipt",
      file,
      "--url",
      `http://127.0.0.1:${server.addr.port}`,
    );
    assert.equal(ended.code, code, ended.stderr);
    assert.match(ended.stderr, stderr);
    const receipt = JSON.parse(ended.stdout);
    assert.deepEqual([receipt.wasKnown, typeof receipt.erased], [was, code === 0 ? "string" : "object"]);
    assert.deepEqual(await noted(), receipt);
    const durable = { ...receipt, erased: null };
    assert.deepEqual(onFile.slice(0, 2), ["none", durable].slice(0, onFile.length), "noted before it waits");
  }
});

Deno.test("meander forget: prints its receipt when it can no longer be written", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/receipts/receipt.json`;
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async ({ method }) => {
      if (method === "GET") return Response.json({ code: "not-found" }, { status: 404 });
      await Deno.remove(`${folder.path}/receipts`, { recursive: true });
      return Response.json({ taken: 1 });
    },
  );
  const at = ["--url", `http://127.0.0.1:${server.addr.port}`, "--receipt", file];
  const { code, stdout, stderr } = await runScript("ask/forget", "ann", "--yes", "--json", ...at);
  assert.deepEqual([code, typeof JSON.parse(stdout).erased], [1, "string"]);
  assert.match(stderr, /^error: Cannot write the receipt to .*receipt\.json; it is printed instead/m);
});
