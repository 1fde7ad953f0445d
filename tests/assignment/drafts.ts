/**
 * Pairs of variants that are drafted into one list, and people who click regardless of the items.
 *
 * @module
 */

import {
  InterleavingTotals,
  listPicker,
  type Picker,
  type Team,
  teamDraft,
} from "../../src/assignment/interleaving.ts";
import { createRandom, type Random } from "../../src/draws/random_source.ts";
import { weightedPicker } from "./weighted_picker.ts";

/** Users of a run and places of a list. */
const [USERS, COUNT] = [3000, 10];

/** Credits of a list, from the top; `null` = nobody's. */
export type Credits = readonly (Team | null)[];

/** Which places a person clicks, knowing only the places. */
export type Reader = (places: number, random: Random) => number[];

/** People who click regardless of the items. */
export const READERS: Readonly<Record<string, Reader>> = {
  "one place in ten": (places, random) => indices(places).filter(() => random() < 0.1),
  "mostly above": (places, random) => indices(places).filter((place) => random() < 0.4 / (1 + place)),
  "once, from the top": (places, random) => {
    for (let place = 0; place < places; place++) if (random() < 0.15) return [place];
    return [];
  },
};

/** 0 … length − 1. */
export function indices(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}

/**
 * The number of runs in which each team was ever preferred, checked after every 20 of 3,000 users, who each see one of
 * these lists.
 */
export function wins(
  lists: readonly Credits[],
  reader: Reader,
  { runs, alpha, seed }: { readonly runs: number; readonly alpha: number; readonly seed: number },
): [number, number] {
  const won: [number, number] = [0, 0];
  for (let run = 0; run < runs; run++) {
    const random = createRandom(run, seed);
    const totals = new InterleavingTotals();
    const ever = [false, false];
    for (let user = 1; user <= USERS; user++) {
      const credits = lists[Math.floor(random() * lists.length)]!;
      const clicks: [number, number] = [0, 0];
      for (const place of reader(credits.length, random)) {
        const team = credits[place];
        if (team === 0 || team === 1) clicks[team]++;
      }
      totals.update(`u${user}`, clicks);
      if (user % 20 !== 0) continue;
      const { low, high } = totals.get(alpha).interval;
      ever[0] ||= high < 0;
      ever[1] ||= low > 0;
    }
    won[0] += Number(ever[0]);
    won[1] += Number(ever[1]);
  }
  return won;
}

/** The credits of a list for each outcome of so many coin tosses. */
export function allCoins(pickers: readonly [Picker<number>, Picker<number>], count: number): Credits[] {
  const coins = Math.ceil(count / 2);
  return indices(2 ** coins).map((fall) => {
    let round = 0;
    return teamDraft(pickers, count, () => (fall >> round++) & 1 ? 0.9 : 0.1).map(({ team }) => team);
  });
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const list = [...items];
  for (let at = list.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [list[at], list[other]] = [list[other]!, list[at]!];
  }
  return list;
}

const RANKING = indices(30);
const A = listPicker(RANKING);
const at = (place: number, item: number) => [...RANKING.slice(0, place), item, ...RANKING.slice(place)];
const moved = (item: number) => [item, ...RANKING.filter((other) => other !== item)];
const weighted = (weights: (item: number) => number, random: Random) =>
  weightedPicker(new Map(indices(12).map((item) => [item, weights(item)])), random);

/** Pairs of variants; the first ranks 0, 1, 2 … unless stated otherwise. */
export const PAIRS: Readonly<Record<string, (random: Random) => readonly [Picker<number>, Picker<number>]>> =
  {
    "a fresh item on top": () => [A, listPicker(at(0, 99))],
    "a random item on top": (random) => [A, listPicker(moved(Math.floor(random() * 30)))],
    "three items inserted": (random) => {
      const list = [...RANKING];
      for (const item of [97, 98, 99]) list.splice(Math.floor(random() * 8), 0, item);
      return [A, listPicker(list)];
    },
    "neighbours exchanged": (random) => {
      const list = [...RANKING];
      const place = Math.floor(random() * 9);
      list.splice(place, 2, place + 1, place);
      return [A, listPicker(list)];
    },
    "the first and the tenth exchanged":
      () => [A, listPicker([9, ...indices(10).slice(1, 9), 0, 10, 11, 12])],
    "both shuffled": (
      random,
    ) => [listPicker(shuffled(RANKING, random)), listPicker(shuffled(RANKING, random))],
    "one draws": (random) => [A, weighted((item) => 1 / (1 + item), random)],
    "both draw": (
      random,
    ) => [weighted((item) => 1 / (1 + item), random), weighted((item) => item + 1, random)],
    "three items against thirty": () => [listPicker([0, 1, 2]), listPicker(moved(7))],
    "seven items against eight": () => [listPicker(indices(7)), listPicker([8, ...indices(7)])],
    "five that draw against thirty": (random) => [
      weightedPicker(new Map(indices(5).map((item) => [item, 1 + item])), random),
      A,
    ],
  };

/** Lists of a pair: each coin of each of 100 lists falls both ways. */
export function creditsOf(pickers: (typeof PAIRS)[string]): Credits[] {
  const random = createRandom(1, 20);
  return indices(100).flatMap(() => allCoins(pickers(random), COUNT));
}
