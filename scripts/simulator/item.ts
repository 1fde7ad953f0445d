/**
 * The catalogue of the simulated shop: items that come, age and go.
 *
 * @module
 */

import type { ItemRecord } from "../../src/events/event.ts";
import { CATEGORIES, type Category } from "./categories.ts";
import { choose, exponential, logNormal, normal, type Random } from "../../src/draws/random_source.ts";

const DAY = 86_400_000;

/** Price bands, cheapest first. */
export const BANDS = ["budget", "middle", "premium"] as const;

const BRANDS = ["Alder", "Birk", "Cairn", "Dune", "Elm", "Fjord", "Glen", "Heath"] as const;

/** An item as the simulator knows it; {@linkcode itemRecord} is what the world gets to see. */
export interface Item {
  /** `i` and the number of the item in order of birth. */
  readonly id: string;
  /** Index into {@linkcode CATEGORIES}. */
  readonly category: number;
  /** Index into {@linkcode BANDS}. */
  readonly band: number;
  /** Asked price, at least 1. */
  readonly price: number;
  /** Of no consequence: noise. */
  readonly brand: string;
  /** How much better than others everybody finds it, in logits. */
  readonly quality: number;
  /** On sale in [born, dies), milliseconds since the epoch. */
  readonly born: number;
  /** First moment off sale. */
  readonly dies: number;
}

/** When the shop is open and how many items it sells in that time. */
export interface CatalogueOptions {
  /** How many items are sold in all. */
  readonly items: number;
  /** First moment, milliseconds since the epoch. */
  readonly start: number;
  /** How long the shop is open, days. */
  readonly days: number;
}

/**
 * The items of the shop in order of birth. Three quarters are there at the start, and already of some age; the
 * others come one by one. An item is on sale for at least three days, most for some weeks.
 */
export function createItems({ items, start, days }: CatalogueOptions, random: Random): readonly Item[] {
  const births = Array.from({ length: items }, (_, i) => {
    const age = i < 0.75 * items ? -exponential(random, 20) : random() * days;
    return Math.round(start + age * DAY);
  }).sort((a, b) => a - b);
  const offset = Math.floor(random() * CATEGORIES.length);
  return births.map((born, i) => {
    const category = (offset + i) % CATEGORIES.length;
    const band = Math.floor(random() * BANDS.length);
    const price = (CATEGORIES[category] as Category).price * (0.6 + 0.4 * band);
    return {
      id: `i${i}`,
      category,
      band,
      price: Math.max(1, Math.round(logNormal(random, price, 0.15))),
      brand: choose(random, BRANDS),
      quality: 0.8 * normal(random),
      born,
      dies: Math.round(Math.max(born, start) + (3 + exponential(random, 45)) * DAY),
    };
  });
}

/** What is published of an item: everything but its quality. */
export function itemRecord(item: Item): ItemRecord {
  const { name, department } = CATEGORIES[item.category] as Category;
  return {
    item: item.id,
    time: item.born,
    categories: [name, department],
    title: `${item.brand} ${name.replaceAll("-", " ")}`,
    attributes: { brand: item.brand, band: BANDS[item.band] as string, price: item.price },
    expires: item.dies,
  };
}
