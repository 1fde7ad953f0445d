import assert from "node:assert/strict";
import { breadth } from "../breadth.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { syntheticRecords, writeFolder } from "../sources/synthetic.ts";
import { type Ended, replayCommand, runReplay, temporaryFolder } from "./command.ts";

/** A folder with a small data set. */
async function dataFolder() {
  const folder = await temporaryFolder();
  await writeFolder(syntheticRecords({ views: 60, users: 10, seed: 8 }), `${folder.path}/shop`);
  return folder;
}

function assertFails({ code, stdout, stderr }: Ended, ...told: (string | RegExp)[]): void {
  assert.notEqual(code, 0);
  assert.equal(stdout, "", "nothing on standard output");
  for (const part of told) {
    assert.match(stderr, typeof part === "string" ? new RegExp(RegExp.escape(part)) : part);
  }
  assert.doesNotMatch(stderr, /^\s+at /m, "no stack trace");
}

Deno.test("replay: --help names every option, and exits with 0", async () => {
  const { code, stdout } = await runReplay("--help");
  assert.equal(code, 0);
  const options = "data format model log log-path limit seed eval-from tail config json report".split(" ");
  for (const option of options) assert.match(stdout, new RegExp(`--${option}\\b`));
  assert.match(stdout, /deno task replay/);
});

Deno.test("replay: rejects flags that it does not know or cannot use, and names the help", async () => {
  const cases: [string[], RegExp][] = [
    [["--colour"], /unknown option '--colour'/],
    [["--limit", "many"], /'many' is invalid.*whole number/s],
    [["--limit", "-5"], /'-5' is invalid/],
    [["--seed", "1.5"], /'1.5' is invalid/],
    [["--model", "gpt"], /'gpt' is invalid.*base, din, dien/s],
    [["--log", "paper"], /'paper' is invalid.*memory, sqlite/s],
    [["somewhere"], /too many arguments/],
    [["--data"], /argument missing/],
    [["--memory", "1KB"], /'1KB' is invalid.*Less than 16MB/s],
    [["--memory", "much"], /'much' is invalid.*a size such as 512MB/s],
  ];
  await Promise.all(
    cases.map(async ([args, told]) => assertFails(await runReplay(...args), told, /\(see --help\)\n$/)),
  );
});

Deno.test("replay: says what is wrong with its data", async () => {
  await using folder = await dataFolder();
  const empty = `${folder.path}/empty`;
  await Deno.mkdir(empty);
  assertFails(await runReplay("--data", `${folder.path}/nowhere`), `${folder.path}/nowhere`, /^error: /);
  assertFails(await runReplay("--data", empty), "has no events.jsonl", empty);
  for (const format of ["ml-100k", "sparrow", "open-bandit"]) {
    assertFails(await runReplay("--data", empty, "--format", format), /^error: /, empty);
  }
  assertFails(await runReplay("--data", empty, "--format", "taobao"), /^error: /);
  const unknown = await runReplay("--data", empty, "--format", "csv");
  assertFails(unknown, /no such format or source.*meander, ml-100k, sparrow, taobao, open-bandit/s);
});

Deno.test("replay: reads a source of the configuration, and resumes it only with the same rules", async () => {
  await using folder = await temporaryFolder();
  const rows = Array.from({ length: 40 }, (_, n) => `${n % 4},${1_788_220_800 + n},dish ${n % 7}`);
  await Deno.writeTextFile(
    `${folder.path}/orders.csv`,
    ["who,at,what", ...rows, "5,never,dish 1"].join("\n"),
  );
  const configure = (action: string) =>
    Deno.writeTextFile(
      `${folder.path}/meander.json`,
      JSON.stringify({
        sources: {
          orders: {
            format: "csv",
            rules: [{
              as: "interaction",
              fields: { user: "who", time: "at", item: "what", action: { value: action } },
            }],
          },
        },
      }),
    );
  const args = ["--data", `${folder.path}/orders.csv`, "--format", "orders", "--model", "base"];
  const log = ["--log", "sqlite", "--log-path", `${folder.path}/log.sqlite`];
  await configure("purchase");
  const { code, stdout, stderr } = await runReplay(...args, ...log);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /events\s+40, 1 rejected/);
  assert.match(stdout, /HR@20/);
  await configure("view");
  assertFails(await runReplay(...args, ...log), /source/);
});

Deno.test("replay: says before it starts which output it cannot write", async () => {
  await using folder = await dataFolder();
  const data = ["--data", `${folder.path}/shop`];
  assertFails(await runReplay(...data, "--json", folder.path), folder.path, "it is a folder");
  const report = `${folder.path}/shop/events.jsonl/report.html`;
  assertFails(await runReplay(...data, "--report", report), report, "folder cannot be made");
});

Deno.test("replay: rejects a file for a log that it does not use", async () => {
  assertFails(await runReplay("--log-path", "x.sqlite"), /^error: .*--log is memory, not sqlite/);
});

Deno.test("replay: names every wrong field of a configuration", async () => {
  await using folder = await dataFolder();
  const data = `${folder.path}/shop`;
  const config = `${folder.path}/config.json`;
  await Deno.writeTextFile(
    config,
    JSON.stringify({
      learner: { learningRate: -1, embeddingWidth: "wide" },
      models: { dien: { norm: "none" } },
      colour: "red",
      policy: { name: "epsilon", epsilon: 2 },
      actions: { click: { positive: "yes", strength: 1 } },
    }),
  );
  const wrong = await runReplay("--data", data, "--config", config);
  const fields = ["learner.learningRate", "learner.embeddingWidth", "models.dien.norm", "colour"];
  assertFails(wrong, config, ...fields, "policy.epsilon", "actions.click.positive");
  await Deno.writeTextFile(config, "{");
  assertFails(await runReplay("--data", data, "--config", config), config, "JSON");
  assertFails(await runReplay("--data", data, "--config", `${config}.not`), `${config}.not`, "no such file");
  await Deno.writeTextFile(`${data}/meander.json`, '{"batchRows":0}');
  assertFails(await runReplay("--data", data), `${data}/meander.json`, "batchRows");
});

Deno.test("replay: says when it runs in a parity mode", async () => {
  await using folder = await dataFolder();
  const data = ["--data", `${folder.path}/shop`, "--limit", "20"];
  const config = `${folder.path}/config.json`;
  for (const [form, says] of [["keepScaled", true], ["augru", false]] as const) {
    await Deno.writeTextFile(config, JSON.stringify({ models: { dien: { form } } }));
    const { code, stdout, stderr } = await runReplay(...data, "--config", config);
    assert.equal(code, 0, stderr);
    assert.equal(/form is keepScaled, for parity with published notebooks/.test(stdout), says, stdout);
  }
});

Deno.test("replay: --sort makes the same of data in any order as of data in order of time", async () => {
  await using folder = await temporaryFolder();
  const all = syntheticRecords({ views: 60, users: 10, seed: 8 }).filter(({ kind }) => kind !== "rejected");
  const items = all.filter(({ kind }) => kind === "item"),
    events = all.filter(({ kind }) => kind === "event");
  const middle = events.length >> 1;
  const orders = { whole: events, turned: [...events.slice(middle), ...events.slice(0, middle)] };
  const digests: Record<string, object> = {};
  for (const [name, order] of Object.entries(orders)) {
    await writeFolder([...items, ...order], `${folder.path}/${name}`);
    const json = `${folder.path}/${name}.json`;
    for (const flags of [[], ["--sort"]]) {
      const args = ["--data", `${folder.path}/${name}`, "--model", "base", "--json", json, ...flags];
      const { code, stderr } = await runReplay(...args);
      assert.equal(code, 0, stderr);
      digests[`${name} ${flags}`] = JSON.parse(await Deno.readTextFile(json)).digests;
    }
  }
  assert.deepEqual(digests["turned --sort"], digests["whole --sort"]);
  assert.notDeepEqual(digests["turned "], digests["whole "]);
});

Deno.test("replay: prints plain text, writes figures as JSON, and a report that needs no other file", async () => {
  await using folder = await dataFolder();
  const data = `${folder.path}/shop`;
  const [json, report] = [`${folder.path}/out/figures.json`, `${folder.path}/out/report.html`];
  const ended = await runReplay("--data", data, "--model", "base", "--json", json, "--report", report);
  assert.equal(ended.code, 0, ended.stderr);
  for (const text of [ended.stdout, ended.stderr]) {
    // deno-lint-ignore no-control-regex -- this is what must not be there
    assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f]/, "no colours and no bar outside of a terminal");
  }
  assert.match(ended.stderr, /^([\d,]+) of \1 events \(100 %\) · .*AUC.*\n$/);
  assert.match(ended.stdout, /digest of parameters\s+[0-9a-f]{64}/);
  assert.equal(ended.stdout.match(/truncated-json/g)?.length, 1);
  assert.equal(ended.stdout.match(/returning users/g)?.length, 1, "no table twice");

  const figures = JSON.parse(await Deno.readTextFile(json));
  const sound = syntheticRecords({ views: 60, users: 10, seed: 8 });
  assert.equal(
    figures.command,
    `deno task replay --data ${data} --model base --json ${json} --report ${report}`,
  );
  assert.equal(figures.model, "base");
  assert.equal(figures.requests, 60);
  assert.equal(figures.impressions, count(sound, "impression"));
  assert.equal(figures.rejected, Object.values<number>(figures.rejectedByCode).reduce((a, b) => a + b));
  assert.ok(figures.seconds > 0);
  const metrics = "rows auc gauc logLoss normalizedEntropy calibration prAuc accuracy constantLogLoss".split(
    " ",
  );
  for (const part of ["metrics", "tail"]) {
    assert.deepEqual(Object.keys(figures[part]), metrics, part);
    for (const name of metrics) assert.equal(typeof figures[part][name], "number", `${part}.${name}`);
  }
  assert.equal(figures.tail.rows, Math.floor(figures.metrics.rows / 3));
  assert.deepEqual(Object.keys(figures.digests), ["states", "samples", "parameters"]);
  for (const digest of Object.values<string>(figures.digests)) assert.match(digest, /^[0-9a-f]{64}$/);

  const page = await Deno.readTextFile(report);
  assert.match(page, /^<!doctype html>/i);
  assert.doesNotMatch(page, /<(?:script|img|link|iframe)[^>]*(?:src|href)\s*=\s*["']?(?!data:)[^"'\s>]/i);
  assert.doesNotMatch(page, /@import|url\(\s*["']?https?:/i);
  for (const part of [...Object.values<string>(figures.digests), "base"]) {
    assert.ok(page.includes(part), part);
  }
});

Deno.test("replay: --eval-from, --tail and --limit choose what is counted", async () => {
  await using folder = await dataFolder();
  const json = `${folder.path}/figures.json`;
  const args = ["--data", `${folder.path}/shop`, "--model", "base", "--json", json];
  const figures = async (...more: string[]) => {
    const ended = await runReplay(...args, ...more);
    assert.equal(ended.code, 0, ended.stderr);
    return JSON.parse(await Deno.readTextFile(json));
  };
  const all = await figures();
  const some = await figures("--eval-from", "100", "--tail", "50");
  assert.deepEqual([some.metrics.rows, some.tail.rows], [all.metrics.rows - 100, 50]);
  assert.deepEqual(some.digests, all.digests, "what is counted changes nothing");
  const limited = await figures("--limit", "90");
  assert.ok(
    limited.events <= 90 && limited.events > 80,
    `${limited.events} events, repeated ones not counted`,
  );
  const seeded = await figures("--seed", "5");
  assert.notEqual(seeded.digests.parameters, all.digests.parameters);
  const none = await figures("--limit", "0");
  assert.deepEqual([none.events, none.metrics.rows, none.metrics.auc], [0, 0, null]);
});

Deno.test("replay: rejects a log that is in use, that holds another replay, or that is no log", async () => {
  await using folder = await dataFolder();
  const path = `${folder.path}/logs/log.sqlite`;
  const args = ["--data", `${folder.path}/shop`, "--model", "base", "--log", "sqlite", "--log-path"];
  {
    await using _log = await SqliteLog.open(path);
    assertFails(await runReplay(...args, path), path, /^error: .*(?:in use|open|locked)/);
  }
  const first = await runReplay(...args, path);
  assert.equal(first.code, 0, first.stderr);
  const digest = /digest of parameters\s+([0-9a-f]{64})/.exec(first.stdout)?.[1];
  assert.ok(digest);
  assertFails(await runReplay(...args, path, "--seed", "1"), "seed is 0, not 1", "--log-path");
  assertFails(await runReplay(...args, path, "--limit", "10"), "limit is not set, not 10");
  assertFails(await runReplay(...args, path, "--model", "din"), 'model is "base", not "din"');
  const again = await runReplay(...args, path);
  assert.equal(again.code, 0, again.stderr);
  assert.ok(again.stdout.includes(digest), "a finished replay has the same result again");

  const text = `${folder.path}/notes.txt`;
  await Deno.writeTextFile(text, "dear diary, ".repeat(100));
  assertFails(await runReplay(...args, text), text);
  assert.match(await Deno.readTextFile(text), /^dear diary/);
});

function count(records: ReturnType<typeof syntheticRecords>, type: string): number {
  return records.filter((record) => record.kind === "event" && record.event.type === type).length;
}

Deno.test("replay: gives the same digests in another process, at another date, in another time zone and language", async () => {
  await using folder = await dataFolder();
  // A clock that is ten years ahead and runs backwards.
  const clock = `${folder.path}/clock.ts`;
  await Deno.writeTextFile(
    clock,
    "const start = Date.now(); let ticks = 0; Date.now = () => start + 3.2e11 - 1000 * ticks++;",
  );
  const runFar = async (...args: readonly string[]) => {
    const env = { TZ: "Pacific/Kiritimati", LANG: "ar_EG.UTF-8", LC_ALL: "" };
    const { code, stdout } = await replayCommand(args, { flags: ["--preload", clock], env }).output();
    return { code, stdout: new TextDecoder().decode(stdout) };
  };
  for (const model of breadth(["dien"], ["base", "dien", "mimn"])) {
    const figures = await Promise.all([runReplay, runFar].map(async (run, i) => {
      const json = `${folder.path}/${model}-${i}.json`;
      const { code, stdout } = await run("--data", `${folder.path}/shop`, "--model", model, "--json", json);
      assert.equal(code, 0);
      const [, year = ""] = /started +(\d+)/.exec(stdout) ?? [];
      const { digests, metrics, tail } = JSON.parse(await Deno.readTextFile(json));
      return { year: Number(year), result: { digests, metrics, tail } };
    }));
    assert.ok(
      (figures[1]?.year ?? 0) >= (figures[0]?.year ?? Infinity) + 10,
      "the other clock is ten years ahead",
    );
    assert.deepEqual(figures[1]?.result, figures[0]?.result, model);
  }
});

Deno.test("replay: judges the next item when no list was shown, and says of how many behaviours", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/events.jsonl`, json = `${folder.path}/figures.json`;
  // Everybody takes the same five items, one after the other.
  const line = (n: number) =>
    JSON.stringify({
      type: "interaction",
      user: `u${Math.floor(n / 5)}`,
      item: `i${n % 5}`,
      action: "click",
      time: 1_767_225_600_000 + 1000 * n,
    });
  await Deno.writeTextFile(file, Array.from({ length: 300 }, (_, n) => `${line(n)}\n`).join(""));
  const { code, stdout, stderr } = await runReplay("--data", file, "--model", "base", "--json", json);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /The next item: 300 of the first 300 behaviours judged before they were learnt/);
  assert.match(stdout, /blend +HR@20 0\.9\d+ ±/);
  const { nextItem } = JSON.parse(await Deno.readTextFile(json));
  assert.equal(nextItem.judged, 300);
  assert.deepEqual(nextItem.standings.length, 3);
});
