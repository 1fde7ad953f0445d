import assert from "node:assert/strict";
import { nextItem } from "../../scripts/evaluate/next_item.ts";
import { streamOf } from "../../scripts/evaluate/stream.ts";
import { GENRES } from "../../src/adapters/movielens.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import { parseConfig } from "../../streams/config/config.ts";
import { runScript, temporaryFolder } from "./command.ts";

const RATINGS = ["--format", "ml-100k", "--data"];
const START = 880_000_000;

/** A folder of 200 ratings in the format of MovieLens 100K, `seconds` apart. */
async function ratingsFolder(seconds = 100) {
  const folder = await temporaryFolder();
  const random = createRandom(3);
  const below = (n: number) => 1 + Math.floor(random() * n);
  const flags = (item: number) => GENRES.map((_, g) => g === item % GENRES.length ? 1 : 0).join("|");
  const lines = (count: number, line: (n: number) => string) =>
    Array.from({ length: count }, (_, n) => `${line(n)}\n`).join("");
  await Promise.all([
    Deno.writeTextFile(
      `${folder.path}/u.data`,
      lines(200, (n) => `${below(20)}\t${below(30)}\t${below(5)}\t${START + seconds * n}`),
    ),
    Deno.writeTextFile(`${folder.path}/u.item`, lines(30, (n) => `${n + 1}|M|01-Jan-1995||u|${flags(n)}`)),
    Deno.writeTextFile(`${folder.path}/u.user`, lines(20, (n) => `${n + 1}|33|F|artist|1`)),
  ]);
  return folder;
}

function evaluate(...args: string[]) {
  return runScript("evaluate", "--protocol", "next-item", ...args);
}

Deno.test("nextItem() applies the configuration as a replay does", async () => {
  await using folder = await ratingsFolder();
  const ranks = async (config: string) => {
    const { judgements } = await nextItem({
      stream: streamOf("ml-100k", folder.path),
      sources: false,
      baselines: [],
      config: { ...parseConfig(config, "meander.json"), ranking: "blend" },
    });
    return Array.from({ length: judgements.length }, (_, query) => judgements.rank(0, query));
  };
  const plain = await ranks("{}");
  assert.deepEqual(await ranks("{}"), plain);
  assert.notDeepEqual(await ranks('{ "retrieval": { "maxCandidates": 3 } }'), plain);
});

Deno.test("nextItem() follows the time of its file through quiet hours", async () => {
  await using folder = await ratingsFolder(3600);
  const { task } = await nextItem({
    stream: streamOf("ml-100k", folder.path),
    sources: false,
    baselines: [],
  });
  assert.equal(task.clock.time, 1000 * (START + 3600 * 199));
});

Deno.test("evaluate: names data that does not exist, whatever its format", async () => {
  const { code, stderr } = await evaluate("--data", "nowhere/clicks.csv", "--format", "clicks");
  assert.equal(code, 1);
  assert.match(stderr, /^error: Cannot use nowhere\/clicks\.csv: no such file or directory/);
});

Deno.test("evaluate: reads --config, and rejects what is wrong in it", async () => {
  await using folder = await ratingsFolder();
  const config = `${folder.path}/meander.json`, json = `${folder.path}/figures.json`;
  await Deno.writeTextFile(config, '{ "learner": { "embeddingWidth": 4 } }');
  const { code, stderr } = await evaluate(...RATINGS, folder.path, "--config", config, "--json", json);
  assert.equal(code, 0, stderr);
  const { options, all } = JSON.parse(await Deno.readTextFile(json));
  assert.equal(options.config.ranking, "auto", "as `run` does");
  const methods = all.map(({ method }: { readonly method: string }) => method);
  assert.ok(methods.includes("auto"), methods.join());
  assert.equal(options.config.learner.embeddingWidth, 4);

  const missing = await evaluate(...RATINGS, folder.path, "--config", `${folder.path}/none.json`);
  assert.notEqual(missing.code, 0);
  assert.match(missing.stderr, /none\.json: no such file/);
  await Deno.writeTextFile(config, '{ "rankin": "model" }');
  const wrong = await evaluate(...RATINGS, folder.path, "--config", config);
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.stderr, /rankin/);
});

Deno.test("evaluate: judges a source of the configuration in --format as it does the same events in ours", async () => {
  await using folder = await temporaryFolder();
  const random = createRandom(5);
  const events = Array.from({ length: 150 }, (_, n) => ({
    user: `u${Math.floor(random() * 20)}`,
    item: `i${Math.floor(random() * 30)}`,
    time: 1_700_000_000_000 + n * 60_000,
  }));
  const lines = (of: (event: typeof events[number]) => string) => `${events.map(of).join("\n")}\n`;
  const own = lines((event) => JSON.stringify({ type: "interaction", action: "click", ...event }));
  const rows = lines(({ user, item, time }) => [item, user, time / 1000].join(","));
  const rules = [{
    as: "interaction",
    fields: { user: "who", item: "what", time: "at", action: { value: "click" } },
  }];
  const sources = { shop: { format: "csv", rules } };
  await Deno.writeTextFile(`${folder.path}/own.jsonl`, own);
  await Deno.writeTextFile(`${folder.path}/rows.csv`, `what,who,at\n${rows}`);
  await Deno.writeTextFile(`${folder.path}/meander.json`, JSON.stringify({ sources }));
  const judged = async (file: string, ...args: string[]) => {
    const data = `${folder.path}/${file}`;
    const { code, stdout, stderr } = await evaluate("--data", data, "--no-leaderboard", ...args);
    assert.equal(code, 0, stderr);
    return stdout.replaceAll(data, "").replace(/.* of processor time/, "");
  };
  assert.match(await judged("own.jsonl"), /lists may contain items that the user already had: \d/);
  const mapped = await judged("rows.csv", "--format", "shop");
  assert.match(mapped, /150 behaviours judged/);
  assert.equal(mapped, await judged("own.jsonl"));
  const { code, stderr } = await evaluate("--data", folder.path, "--format", "nope");
  assert.equal(code, 1);
  assert.match(stderr, /Cannot read records as nope/);
});

Deno.test("evaluate: says when one user makes much of what is judged, or when there is no later part", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/clicks.jsonl`;
  const told = async (share: number, ...args: string[]) => {
    const events = Array.from({ length: 120 }, (_, n) => ({
      type: "interaction",
      action: "click",
      user: n % 10 < 10 * share ? "robot" : `u${n % 17}`,
      item: `i${n % 13}`,
      time: 1_700_000_000_000 + n * 60_000,
    }));
    await Deno.writeTextFile(file, events.map((event) => JSON.stringify(event)).join("\n"));
    return (await evaluate("--data", file, "--no-leaderboard", ...args)).stdout;
  };
  assert.match(
    await told(0.4),
    /40\.0 % of the judged behaviours belong to one user, so intervals are wide or unknown \(\?\)/,
  );
  assert.doesNotMatch(await told(0, "--from", "119"), /belong to one user|no later part/);
  assert.match(
    await told(0, "--from", "120"),
    /no later part: it would begin at behaviour 120 \(--from\)/,
  );
});
