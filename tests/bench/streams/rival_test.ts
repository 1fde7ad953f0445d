import assert from "node:assert/strict";
import { Popularity } from "../../../scripts/evaluate/baselines/popularity.ts";
import { nextItem } from "../../../scripts/evaluate/next_item.ts";
import { streamOf } from "../../../scripts/evaluate/stream.ts";
import { breadth } from "../../breadth.ts";
import { Rival } from "./rival.ts";

const POPULAR = new URL("popular_rival.ts", import.meta.url).pathname;
const SHOP = new URL("../../../fixtures/shop", import.meta.url).pathname;

Deno.test("Rival: popularity in another process is judged like the built-in one, list by list", async () => {
  for (const withoutOwn of breadth([true], [true, false])) {
    await using rival = new Rival("rival", [Deno.execPath(), "run", POPULAR]);
    const { judgements } = await nextItem({
      stream: streamOf("meander", SHOP),
      limit: 600,
      queries: 200,
      sources: false,
      withoutOwn,
      config: { ranking: "blend" },
      baselines: [new Popularity("popular", Infinity), rival],
    });
    const [own, its] = ["popular", "rival"].map((name) => judgements.methods.indexOf(name));
    const queries = Array.from({ length: judgements.length }, (_, query) => query);
    const ranks = queries.map((query) => judgements.rank(its!, query));
    assert.deepEqual(ranks, queries.map((query) => judgements.rank(own!, query)));
    assert.ok(new Set(ranks).size > 10, `${new Set(ranks).size} ranks`);
    assert.deepEqual(judgements.varietyOf(its!, 0), judgements.varietyOf(own!, 0));
  }
});

Deno.test("Rival.recommend() refuses a list with an item that may not be listed, and a program that has ended", async () => {
  const query = { user: 0, time: 0, before: [], count: 2 };
  const learn = (rival: Rival) => {
    for (const item of [0, 1, 1]) rival.learn({ ...query, item, isTarget: true });
  };
  await using rude = new Rival("rude", [Deno.execPath(), "run", POPULAR, "rude"]);
  learn(rude);
  assert.deepEqual(await rude.recommend({ ...query, may: () => true }), [1, 0]);
  await assert.rejects(
    rude.recommend({ ...query, may: (item) => item !== 0 }),
    { name: "RangeError", message: /list of rude: item 0 may not stand where it does: 1,0$/ },
  );
  for (const program of [[Deno.execPath(), "eval", ""], ["/nowhere"]] as const) {
    await using gone = new Rival("gone", program);
    learn(gone);
    await assert.rejects(
      gone.recommend({ ...query, may: () => true }),
      /gone for a list: its program has ended/,
    );
  }
});
