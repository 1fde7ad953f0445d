/**
 * Moments of the simulated shop: what people would click if it were shown to them.
 *
 * @module
 */

import { BEHAVIOUR } from "../../fixtures/simulator/person.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import { Shop } from "../../fixtures/simulator/shop.ts";
import { createWorld } from "../../fixtures/simulator/world.ts";

/** A person opens a page. */
export interface Page {
  /** Id of the person. */
  readonly user: string;
  /** Ids of all items on sale. */
  readonly items: readonly string[];
  /** Log odds of a click on each, if shown at the top. */
  readonly logits: readonly number[];
}

/** The first pages of a world in which the shop's own lists are shown. */
export function drawPages(count: number, seed: number): Page[] {
  const world = createWorld({ seed });
  const [shop, random] = [new Shop(world, createRandom(seed, 1)), createRandom(seed, 2)];
  const pages: Page[] = [];
  for (let visit = world.next(); visit !== null && pages.length < count; visit = world.next()) {
    const { user, time } = visit;
    const items = world.onSale(time).map(({ id }) => id);
    const logits = Array.from(world.truth(user, items, time), (p, position) => {
      const top = p * (1 + BEHAVIOUR.examination * position);
      return Math.log(top / (1 - top));
    });
    pages.push({ user, items, logits });
    const list = shop.list(visit);
    if (list === null) continue;
    for (const answer of world.answer(user, list, time, random)) shop.observe(user, answer);
  }
  return pages;
}
