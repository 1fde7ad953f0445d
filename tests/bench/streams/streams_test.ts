import assert from "node:assert/strict";
import { byUserAndLine, type Step } from "../../../scripts/evaluate/steps.ts";
import { overSeeds, runStreams, type StreamsOptions } from "./benchmark.ts";
import { BENCHMARK_STREAMS } from "./data_sets.ts";
import { pictureOf } from "./picture.ts";

/** Small made-up files in the formats of the data sets. */
async function folderOfData() {
  const path = await Deno.makeTempDir({ prefix: "meander-streams-" });
  const write = async (folder: string, name: string, lines: readonly string[]) => {
    await Deno.mkdir(`${path}/${folder}`, { recursive: true });
    await Deno.writeTextFile(`${path}/${folder}/${name}`, `${lines.join("\n")}\n`);
  };
  await write("movietweetings-100k", "movies.dat", ["0001::One (1999)::Drama|War", "0002::Two (2001)::"]);
  await write("movietweetings-100k", "ratings.dat", ["1::0002::9::1365029200", "1::0001::6::1365029107"]);
  await write("yoochoose-100k", "train_full.txt", ["SessionId\tItemId\tTime", "1\t7\t10.5", "1\t8\t12.25"]);
  await write("yoochoose-100k", "test.txt", ["SessionId\tItemId\tTime", "1\t9\t11"]);
  await write("ml-1m-order", "sequences.txt", ["1\t5 6\t7\t8", "2\t9 5\t6\t7"]);
  await write("mind-5k", "news.tsv", ["N1\tnews\tworld\ttitle", "N2\tsports\tgolf\ttitle"]);
  await write("mind-5k", "behaviors.tsv", [
    "2\tU1\t11/12/2019 2:14:46 PM\tN1\tN2-1 N1-0",
    "1\tU1\t11/12/2019 1:14:46 PM\tN1\tN1-1",
  ]);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

Deno.test("BENCHMARK_STREAMS are read in the order of time, with the behaviours of their files", async () => {
  await using folder = await folderOfData();
  const behaviours = async (name: string) => {
    const stream = await BENCHMARK_STREAMS.find((each) => each.name === name)!.open(folder.path);
    const records = await Array.fromAsync(stream.open());
    return records.flatMap((record) =>
      record.kind === "event" && record.event.type === "interaction"
        ? [`${record.event.user} ${record.event.item} ${record.event.action}`]
        : []
    );
  };
  assert.deepEqual(await behaviours("movietweetings"), ["1 0001 rating", "1 0002 rating"]);
  assert.deepEqual(await behaviours("yoochoose"), ["0-1 7 click", "1-1 9 click", "0-1 8 click"]);
  assert.deepEqual(
    await behaviours("ml-1m-order"),
    ["2 9", "2 5", "2 6", "2 7", "1 5", "1 6", "1 7", "1 8"].map((each) => `${each} click`),
  );
  assert.deepEqual(await behaviours("mind"), ["U1 N1 view", "U1 N1 click", "U1 N2 click"]);
});

Deno.test("ml-1m-split: all but the last two are learnt, the last but one is only known, the last is judged", async () => {
  await using folder = await folderOfData();
  const stream = await BENCHMARK_STREAMS.find(({ name }) => name === "ml-1m-split")!.open(folder.path);
  const learnt = new Map<string, string[]>(), known: string[] = [], held: string[] = [];
  let last = -Infinity;
  for await (const record of stream.open()) {
    if (record.kind !== "event") continue;
    const { event } = record;
    assert.ok(event.time >= last);
    last = event.time;
    if (event.type === "merge") known.push(...event.behaviours.map(({ item }) => `${event.user} ${item}`));
    if (event.type !== "interaction") continue;
    if (stream.isHeld?.(event)) held.push(`${event.user} ${event.item}`);
    else learnt.set(event.user, [...learnt.get(event.user) ?? [], event.item]);
    assert.ok(held.length === 0 || stream.isHeld?.(event));
  }
  assert.deepEqual(Object.fromEntries(learnt), { 1: ["5", "6"], 2: ["9", "5"] });
  assert.deepEqual([known, held], [["2 6", "1 7"], ["2 7", "1 8"]]);
});

Deno.test("runStreams() skips missing streams, repeats no run, and refuses an unknown stream", async () => {
  await using folder = await folderOfData();
  const json = `${folder.path}/out/figures.json`;
  const options = {
    folder: folder.path,
    seeds: 2,
    queries: 10,
    behaviours: 80,
    json: { file: json, machine: "m", commit: "0a".repeat(20) },
  };
  await assert.rejects(
    runStreams({ ...options, only: ["netflix"] }),
    /Cannot run netflix as a stream: wanted is one of/,
  );
  await runStreams({ ...options, only: ["shop", "ml-100k", "mind"] });
  const { reports } = JSON.parse(await Deno.readTextFile(json));
  const runs = reports.map(({ stream, seed }: { stream: string; seed: number }) =>
    `${stream.split("/").at(-1)} ${seed}`
  );
  assert.deepEqual(runs, ["shop 0", "shop 1", "mind 0"]);
  const [own] = reports[0].later.filter(({ behind }: { behind: unknown }) => behind === null);
  assert.equal(own.method, "auto");
  const picture = await Deno.readTextFile(`${folder.path}/out/figures.svg`);
  assert.deepEqual([...picture.matchAll(/class="stream"[^>]*>([^<]*)/g)].map(([, name]) => name), [
    "shop",
    "mind",
  ]);
  // A run that the file already has is not repeated, unless it was made with other code, data or settings.
  const again = async (more: Partial<StreamsOptions>) => {
    const written = (await Deno.readTextFile(json)).replaceAll(/"users": \d+/g, '"users": 12345')
      .replaceAll(/"date": "[^"]+"/g, '"date": "then"');
    await Deno.writeTextFile(json, written);
    await runStreams({ ...options, only: ["mind"], ...more });
    const { reports } = JSON.parse(await Deno.readTextFile(json));
    const { users, date } = reports.find(({ stream }: { readonly stream: string }) =>
      stream.includes("mind")
    );
    assert.equal(users === 12345, date === "then");
    return date === "then";
  };
  assert.ok(await again({}));
  const of = (commit: string) => ({ json: { ...options.json, commit } });
  assert.ok(!await again({ queries: 9 }));
  assert.ok(!await again({ queries: 9, ...of("0b".repeat(20)) }));
  assert.ok(!await again({ queries: 9, ...of("0b".repeat(20)), folder: `${folder.path}/.` }));
  const dirty = of(`${"0b".repeat(20)}-dirty`);
  assert.ok(!await again(dirty) && !await again(dirty), "two trees with changes may differ");
});

Deno.test("overSeeds() gives means with the lowest and the highest, and nothing for a single run", () => {
  const run = (mrr: number) => {
    const estimate = (mean: number) => ({ mean, margin: 0 });
    const figures = { hitRate: estimate(2 * mrr), reciprocalRank: estimate(mrr), gain: estimate(0) };
    return { later: [{ method: "blend", behind: null, coverage: 1, novelty: 1, ...figures }] };
  };
  assert.deepEqual(overSeeds([run(0.1)], 20), []);
  const [head, blend] = overSeeds([run(0.1), run(0.3), run(0.2)], 20);
  assert.match(head!, /^3 seeds +HR@20 +MRR@20$/);
  assert.match(blend!, /^blend +0.4000 \(0.2000 to 0.6000\) +0.2000 \(0.1000 to 0.3000\)$/);
});

Deno.test("pictureOf() draws the engine, the best source, the best plain method and all rivals, best first", () => {
  const run = (mrr: Readonly<Record<string, number>>) => ({
    name: "a & b",
    later: Object.entries(mrr).map(([method, mean]) => {
      const estimate = { mean, margin: 0.01 };
      const behind = method === "auto"
        ? null
        : { hitRate: estimate, reciprocalRank: estimate, gain: estimate };
      const figures = { hitRate: estimate, reciprocalRank: estimate, gain: estimate };
      return { method, behind, coverage: 1, novelty: 1, ...figures };
    }),
  });
  const picture = pictureOf([
    run({ auto: 0.29, gru: 0.05, blend: 0.2, "source: follows": 0.21, popular: 0.3, co: 0.1, lru: 0.01 }),
    run({ auto: 0.19, gru: 0.07, blend: 0.2, "source: follows": 0.17, popular: 0.1, co: 0.1, lru: 0.01 }),
  ], ["gru", "lru"]);
  const texts = [...picture.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text);
  assert.deepEqual(texts, [
    "a &amp; b",
    "auto",
    "0.240",
    "blend",
    "0.200",
    "popular",
    "0.200",
    "gru",
    "0.060",
    "lru",
    "0.010",
  ]);
  const [low, high] = ["x1", "x2"].map((end) =>
    Number(new RegExp(`class="engine"[^>]*${end}="([^"]*)"`).exec(picture)![1])
  );
  const scale = (high! - low!) / (0.29 + 0.01 - (0.19 - 0.01));
  const [at] = /class="engine" r="5" cx="([^"]*)"/.exec(picture)!.slice(1).map(Number);
  assert.ok(
    Math.abs(at! - low! - scale * (0.24 - 0.18)) < 0.2,
    "the circle stands at the mean of the interval's scale",
  );
});

Deno.test("byUserAndLine() sorts equal times by user and line, and nothing else", async () => {
  const step = (time: number, user: string, line: number): Step => ({
    events: [],
    items: [],
    line,
    interaction: { type: "interaction", user, item: "i", action: "click", time },
  });
  const steps = [
    step(1, "10", 1),
    step(1, "9", 3),
    step(1, "9", 2),
    step(2, "11", 5),
    step(2, "2", 6),
    step(1, "1", 7),
  ];
  const sorted = await Array.fromAsync(byUserAndLine(ReadableStream.from(steps)));
  assert.deepEqual(sorted.map(({ line }) => line), [2, 3, 1, 6, 5, 7]);
});
