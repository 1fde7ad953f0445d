/**
 * Interleaving prefers neither variant when people click at random, whatever the variants are.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Diversity } from "../../src/events/event.ts";
import { startExperiment } from "../../src/assignment/changes.ts";
import type { Variant } from "../../src/assignment/experiment.ts";
import { InterleavingTotals, listPicker, teamDraft } from "../../src/assignment/interleaving.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import { breadth } from "../breadth.ts";
import { Story } from "../engine/story.ts";
import { allCoins, type Credits, creditsOf, indices, PAIRS, READERS, wins } from "./drafts.ts";

const [COUNT, ALPHA] = [10, 0.05];
/** At 5 % for both teams together, one of them wins more than 2 of 12 runs, or 4 of 40, once in 300 times. */
const [RUNS, MOST] = breadth([12, 2], [40, 4]);

Deno.test("teamDraft() credits both teams with the same places equally often, over all coin tosses", () => {
  const list = fc.shuffledSubarray(indices(9));
  fc.assert(fc.property(list, list, fc.nat(9), (a, b, count) => {
    const credits = allCoins([listPicker(a), listPicker(b)], count);
    // Clicks that depend on places alone make each of these as likely as the same with the teams exchanged.
    const mirrored = credits.map((teams) => teams.map((team) => team === null ? null : 1 - team));
    assert.deepEqual(credits.map(String).sort(), mirrored.map(String).sort());
  }));
});

for (const [name, reader] of Object.entries(READERS)) {
  Deno.test(`teamDraft() prefers no variant where people click ${name}`, () => {
    const pairs = Object.entries(PAIRS);
    let all = 0;
    for (const [at, [pair, pickers]] of pairs.entries()) {
      const won = wins(creditsOf(pickers), reader, { runs: RUNS, alpha: ALPHA, seed: at });
      assert.ok(Math.max(...won) <= MOST, `${pair}: ${won} of ${RUNS} runs`);
      all += won[0] + won[1];
    }
    assert.ok(all <= ALPHA * RUNS * pairs.length, `${all} of ${RUNS * pairs.length} runs`);
  });
}

/** Credits of lists that the engine drafts from these variants. */
function engineLists(variants: readonly [Variant, Variant], lists = 1500): Credits[] {
  const story = new Story({ seed: 9, impressions: "logged" });
  for (const item of indices(40)) story.item(`i${item}`, { categories: ["aaab"[item % 4]!, `c${item % 5}`] });
  story.task.applyExperiments([
    startExperiment({ name: "mix", mode: "interleave", variants: [...variants] }, {
      records: new Map(),
      models: [],
    }),
  ]);
  const random = createRandom(3);
  return indices(lists).map((n) => {
    const candidates = indices(40).filter(() => random() < 0.5).map((item) => `i${item}`);
    return story.ask(1000 + n, `r${n}`, { candidates, count: COUNT }).items.map(({ team }) =>
      team === undefined ? null : team === variants[0].name ? 0 : 1
    );
  });
}

const diversity = (settings: Diversity) => ({ diversity: settings });
const ENGINE: Readonly<Record<string, Omit<Variant, "name">>> = {
  boltzmann: { policy: { name: "boltzmann", temperature: 0.5 } },
  epsilon: { policy: { name: "epsilon", epsilon: 0.1 } },
  "thompson sampling": { policy: { name: "thompson", scale: 0.3 } },
  "two a category": diversity({ perCategory: 2 }),
  "relevance 0.5": diversity({ relevance: 0.5 }),
  "another model": { model: "prior" },
};

Deno.test("Answerer.answer() drafts lists without bias when people click at random", () => {
  for (const [name, settings] of Object.entries(ENGINE)) {
    const lists = engineLists([{ name: "A" }, { name: "B", ...settings }]);
    assert.ok(
      lists.some((credits) => credits.includes(0) && credits.includes(1)),
      `${name}: nothing drafted`,
    );
    for (let place = 0; place < COUNT; place++) {
      const teams = lists.map((credits) => credits[place]).filter((team) => team === 0 || team === 1);
      const second = teams.filter((team) => team === 1).length;
      const gap = (second - teams.length / 2) / Math.sqrt(Math.max(1, teams.length) / 4);
      assert.ok(Math.abs(gap) < 4, `${name}, place ${place}: ${second} of ${teams.length} to B`);
    }
    const won = wins(lists, READERS["one place in ten"]!, { runs: RUNS, alpha: ALPHA, seed: 50 });
    assert.ok(Math.max(...won) <= MOST, `${name}: ${won} of ${RUNS} runs`);
  }
});

Deno.test("InterleavingTotals() finds the better variant within 1,500 users in the median run", () => {
  // An item clicked by one person in five is at the top of one list, and sixth in the other.
  const lists = [
    listPicker(indices(30)),
    listPicker([5, ...indices(30).filter((item) => item !== 5)]),
  ] as const;
  const users = indices(20).map((run) => {
    const random = createRandom(run, 22);
    const totals = new InterleavingTotals();
    for (let user = 1;; user++) {
      const clicks: [number, number] = [0, 0];
      for (const { item, team } of teamDraft(lists, COUNT, random)) {
        if (team !== null && random() < (item === 5 ? 0.2 : 0.05)) clicks[team]++;
      }
      totals.update(`u${user}`, clicks);
      const { low, high } = totals.get(ALPHA).interval;
      assert.ok(high >= 0 && user < 5000, `run ${run}: ${user} users`);
      if (low > 0) return user;
    }
  }).sort((a, b) => a - b);
  assert.ok(users[10]! < 1500, `median ${users[10]} users`);
});
