import assert from "node:assert/strict";
import { mulberry32 } from "../../../../src/draws/random.ts";
import { articlesOf, visitsOf } from "../../../../scripts/research/protocols/mind_files.ts";
import { MIND } from "../../../../scripts/research/protocols/mind.ts";

/** Visits, a minute apart, to a page of six articles, one of which is clicked at random; on some, none is. */
async function folderOfVisits(visits: number) {
  const path = await Deno.makeTempDir({ prefix: "meander-mind-" });
  const random = mulberry32(3);
  const lines = Array.from({ length: visits }, (_, n) => {
    const when = `11/12/2019 ${1 + Math.floor(n / 60) % 11}:${String(n % 60).padStart(2, "0")}:00 AM`;
    const first = Math.floor(n / 60);
    const place = Math.floor(6 * random());
    const shown = Array.from({ length: 6 }, (_, k) => `N${first + k}-${k === place && n % 7 < 6 ? 1 : 0}`);
    return `${n}\tU${n % 50}\t${when}\tN900 N901\t${shown.join(" ")}`;
  });
  await Deno.writeTextFile(`${path}/behaviors.tsv`, `${lines.join("\n")}\n`);
  await Deno.writeTextFile(`${path}/news.tsv`, "N0\tnews\tworld\ttitle\nN1\tsports\tgolf\ttitle\n");
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

Deno.test("visitsOf() sorts visits by time, and has what a user read before only once", () => {
  const visits = visitsOf([
    "2\tU1\t11/12/2019 2:14:46 PM\tN1 N2\tN2-1 N1-0",
    "1\tU1\t11/12/2019 1:14:46 AM\tN1 N2\tN1-1",
  ]);
  assert.deepEqual(visits.map(({ time: _, ...visit }) => visit), [
    { user: "U1", clicked: ["N1"], read: ["N1", "N2"], shown: ["N1"] },
    { user: "U1", clicked: ["N2"], read: [], shown: ["N2", "N1"] },
  ]);
  assert.equal(visits[0]!.time, Date.UTC(2019, 10, 12, 1, 14, 46));
  const [article] = articlesOf(["N1\tnews\tworld\ttitle"]);
  assert.deepEqual(article, { item: "N1", time: 0, categories: ["news", "world"] });
});

Deno.test("MIND.run() judges lists before it learns them, by the rules of the data set, beside popularity", async () => {
  await using folder = await folderOfVisits(480);
  const data = await MIND.read(folder.path, 0, {});
  assert.equal(data.train.length, 480);
  assert.ok(data.train.every(({ rows }) => rows.length === 6));
  const known = data.train.flatMap(({ rows }) => rows.map((row) => row)).filter(({ item }) => item === "N1");
  assert.ok(known.length > 0);
  assert.ok(known.every(({ categories }) => categories.join() === "sports,golf"));
  const { rows, judged, figures } = MIND.run(data, { model: "base", config: {}, seed: 0, heldOut: false });
  assert.ok(judged < rows && judged > rows / 3, `${judged} of ${rows}`);
  for (const [name, value] of Object.entries(figures)) {
    assert.ok(value! > 0 && value! < 1, `${name} ${value}`);
  }
  // Clicks are random.
  assert.ok(Math.abs(figures["auc"]! - 0.5) < 0.1, JSON.stringify(figures));
});
