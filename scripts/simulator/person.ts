/**
 * One simulated person: what they like for long, what they are after now, and what a click does to both.
 *
 * The logit of a click on an item, if it is looked at, is the sum of
 *
 * - how readily the person clicks, and how good and how new the item is;
 * - **interests**: one or two categories liked for days or weeks, and their departments a little; they fade in
 *   and out (drift), and a new one is often an old one again (return);
 * - **intent**: what the person is after now. Each click halves the old intent and adds to that for the whole
 *   department (burst) and for the categories people turn to next (chain: phone, then case, then charger); so
 *   the order of the clicks matters, and the last counts most. Intent waits for the person to come back: a
 *   search for a tent goes on over several visits. A visit may also begin with a need from outside;
 * - **satiety**: who has bought is done with the category for a while; a consumable is wanted again when the
 *   pack is used up (periodic return);
 * - **fatigue** of an item clicked a short while ago, and the distance between its price band and the person's.
 *
 * Two halves: interests, needs and purse are exogenous, drawn at birth from the person's own chance; intent
 * and satiety follow from the person's clicks, so from what they are shown.
 *
 * @module
 */

import type { Attributes } from "../../src/events/event.ts";
import type { Item } from "./item.ts";
import { CATEGORIES, type Category, type Habit, HABITS, LIFESTYLES } from "./categories.ts";
import { choose, exponential, logNormal, normal, pick, type Random } from "../../src/draws/random_source.ts";

const DAY = 86_400_000;

/** Weights of the parts of the logit, and the times in which what passes passes. */
export const BEHAVIOUR = {
  /** Logit of a click on an average item by a person who is after nothing. */
  base: -3.6,
  /** Deviation of people's readiness to click. */
  readiness: 0.5,
  /** Mean strength of an interest, and its deviation. */
  interest: 1.2,
  interestSpread: 0.3,
  /** Mean life of an interest, and the time it takes to come up and to fade, days. */
  interestDays: 16,
  rampDays: 1.5,
  /** Probability that a new interest is an old one again; else, that it is one of the lifestyle. */
  revival: 0.35,
  lifestyle: 0.8,
  /** What a click leaves of the older intent, and the time in which intent shrinks by e, days. */
  intentKept: 0.5,
  intentDays: 8,
  /** What a click adds to the intent for each category of its department. */
  around: 1.2,
  /** Strength of an interest in the other categories of its department, as a share. */
  kin: 0.4,
  /** Intent for a category stays within ± this. */
  intentLimit: 4,
  /** Probability that a visit begins with a need, and its strength. */
  need: 0.06,
  needStrength: 1.6,
  /** How much a purchase makes people want what goes with it. */
  afterPurchase: 0.8,
  /** Height of the wish for a new pack, and its deviation in periods. */
  refill: 2,
  refillSpread: 0.25,
  /** Rise of interest in a new item, and the time in which it shrinks by e, days. */
  novelty: 0.5,
  noveltyDays: 2,
  /** Fall of interest in an item by a click on it, and the time in which it shrinks by e, days. */
  fatigue: 1.5,
  fatigueDays: 0.5,
  /** Loss for each price band between the item's and the person's. */
  band: 0.4,
  /** Share of the lists' readers who look at position k is 1 / (1 + examination · k). */
  examination: 0.04,
} as const;

/** The parts of the logit that depend on the item. */
export const PARTS = [
  "quality",
  "novelty",
  "interest",
  "intent",
  "satiety",
  "fatigue",
  "price band",
] as const;

/** What a person does with an item, in the order of time. */
export interface Act {
  /** What it is done with. */
  readonly item: Item;
  /** What is done; an item is clicked before anything else. */
  readonly action: "click" | "like" | "cart" | "purchase";
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Price, of a purchase. */
  readonly value?: number;
}

/** The categories of each category's department. */
const DEPARTMENTS: readonly (readonly number[])[] = CATEGORIES.map((_, category) =>
  [...CATEGORIES.keys()].filter((other) => akin(other, category))
);

interface Spell {
  readonly category: number;
  readonly strength: number;
  readonly from: number;
  readonly to: number;
}

/** The span of time that a person's life must cover, milliseconds since the epoch. */
export interface Span {
  /** First moment. */
  readonly start: number;
  /** First moment after it. */
  readonly end: number;
}

/** A person; time only goes forward: nothing may be asked of a time before the latest act that was settled. */
export class Person {
  /** Id of the user in the log. */
  readonly id: string;
  /** How readily the person clicks, in logits. */
  readonly readiness: number;
  /** What is known of the person: partly telling, partly wrong, partly noise. */
  readonly profile: Attributes;
  readonly #band: number;
  readonly #spells: readonly Spell[];
  readonly #random: Random;
  readonly #intent = new Float64Array(CATEGORIES.length);
  #intentTime = -Infinity;
  readonly #need = { category: 0, time: -Infinity };
  readonly #bought: Float64Array = new Float64Array(CATEGORIES.length).fill(-Infinity);
  readonly #clicked = new Map<string, number>();
  /** Acts that were decided but come later, in the order of time. */
  #coming: Act[] = [];

  /** Draws a person whose life covers the span. */
  constructor(id: string, span: Span, random: Random) {
    const lifestyles = [...LIFESTYLES.keys()];
    const lifestyle = choose(random, lifestyles);
    this.id = id;
    this.readiness = BEHAVIOUR.readiness * normal(random);
    this.#band = pick(random, [0.35, 0.45, 0.2]);
    this.profile = {
      segment: random() < 0.85 ? lifestyle : choose(random, lifestyles),
      age: choose(random, this.#band === 2 ? ["35-49", "50+"] : ["18-24", "25-34", "35-49", "50+"]),
      country: choose(random, ["AT", "BE", "DK", "FI", "NL"]),
    };
    const likes = LIFESTYLES.get(lifestyle) ?? [];
    this.#spells = [0, 1].flatMap(() => spells(likes, span, random));
    this.#random = random;
  }

  /** Begins a visit: at times with a need from outside. */
  visit(time: number): void {
    if (this.#random() >= BEHAVIOUR.need) return;
    const current = this.#spells.filter(({ from, to }) => from <= time && time < to);
    this.#need.category = this.#random() < 0.5 && current.length > 0
      ? choose(this.#random, current).category
      : Math.floor(this.#random() * CATEGORIES.length);
    this.#need.time = time;
  }

  /** Takes note of what the person will have done once its time has come. */
  plan(acts: readonly Act[]): void {
    this.#coming = [...this.#coming, ...acts].sort((a, b) => a.time - b.time);
  }

  /** Logit of a click on an item of quality and age known to it, if it is looked at. */
  logit(item: Item, time: number): number {
    return this.parts(item, time).reduce((sum, part) => sum + part, BEHAVIOUR.base + this.readiness);
  }

  /** What an item adds to the logit of a click, in the order of {@linkcode PARTS}. */
  parts(item: Item, time: number): number[] {
    this.#settle(time);
    const b = BEHAVIOUR;
    return [
      item.quality,
      b.novelty * fading(time - item.born, b.noveltyDays),
      this.interest(item.category, time),
      this.intent(item.category, time),
      -this.satiety(item.category, time),
      -b.fatigue * fading(time - (this.#clicked.get(item.id) ?? -Infinity), b.fatigueDays),
      -b.band * Math.abs(item.band - this.#band),
    ];
  }

  /** Long-term interest in a category, in logits, at least 0. */
  interest(category: number, time: number): number {
    let most = 0;
    for (const spell of this.#spells) {
      const ramp = Math.min(1, Math.min(time - spell.from, spell.to - time) / (BEHAVIOUR.rampDays * DAY));
      if (spell.category === category) most = Math.max(most, ramp * spell.strength);
      else if (akin(spell.category, category)) most = Math.max(most, ramp * spell.strength * BEHAVIOUR.kin);
    }
    return most;
  }

  /** Short-term intent for a category, in logits. */
  intent(category: number, time: number): number {
    this.#settle(time);
    const { intentDays, intentLimit, needStrength } = BEHAVIOUR;
    const intent = (this.#intent[category] as number) * fading(time - this.#intentTime, intentDays);
    const need = this.#need.category === category ? needStrength * fading(time - this.#need.time, 1 / 24) : 0;
    return Math.max(-intentLimit, Math.min(intentLimit, intent + need));
  }

  /** How little a category is wanted because of the last purchase in it, in logits; below 0, a refill is due. */
  satiety(category: number, time: number): number {
    this.#settle(time);
    const age = time - (this.#bought[category] as number);
    if (age === Infinity) return 0;
    const { periodDays } = CATEGORIES[category] as Category;
    const { sated, satedDays } = habit(category);
    const due = periodDays === null ? Infinity : (age / (periodDays * DAY) - 1) / BEHAVIOUR.refillSpread;
    return sated * fading(age, satedDays) - BEHAVIOUR.refill * Math.exp(-due * due / 2);
  }

  #settle(time: number): void {
    while (true) {
      const next = this.#coming[0];
      if (next === undefined || next.time > time) return;
      this.#coming.shift();
      if (next.action === "click") this.#click(next);
      if (next.action === "purchase") this.#purchase(next);
    }
  }

  #click({ item, time }: Act): void {
    const { again, onward } = habit(item.category);
    this.#clicked.set(item.id, time);
    this.#fade(time, BEHAVIOUR.intentKept);
    for (const category of department(item.category)) this.#want(category, BEHAVIOUR.around);
    this.#want(item.category, again);
    this.#wantNext(item.category, onward);
  }

  #purchase({ item, time }: Act): void {
    this.#bought[item.category] = time;
    this.#fade(time, 1);
    this.#intent[item.category] = 0;
    this.#wantNext(item.category, BEHAVIOUR.afterPurchase);
  }

  #fade(time: number, kept: number): void {
    const factor = kept * fading(time - this.#intentTime, BEHAVIOUR.intentDays);
    for (let c = 0; c < this.#intent.length; c++) this.#intent[c]! *= factor;
    this.#intentTime = time;
  }

  #want(category: number, logits: number): void {
    const { intentLimit } = BEHAVIOUR;
    const intent = (this.#intent[category] as number) + logits;
    this.#intent[category] = Math.max(-intentLimit, Math.min(intentLimit, intent));
  }

  #wantNext(category: number, logits: number): void {
    (CATEGORIES[category] as Category).next.forEach((next, rank) => this.#want(next, logits / (rank + 1)));
  }
}

/** The habit of a category. */
export function habit(category: number): Habit {
  return HABITS[(CATEGORIES[category] as Category).habit];
}

/**
 * What follows a click in the minutes after it: nothing, most often; a like; the cart, and then the purchase.
 *
 * @param click The click.
 * @param random Chance.
 */
export function followUps({ item, time }: Act, random: Random): readonly Act[] {
  const { cart, purchase } = habit(item.category);
  const acts: Act[] = [];
  if (random() < 0.06) acts.push({ item, action: "like", time: time + delay(random, 20) });
  if (random() < cart) {
    const carted = time + delay(random, 40);
    acts.push({ item, action: "cart", time: carted });
    if (random() < purchase) {
      acts.push({ item, action: "purchase", time: carted + delay(random, 60), value: item.price });
    }
  }
  return acts;
}

function delay(random: Random, medianSeconds: number): number {
  return Math.round(1000 * (2 + logNormal(random, medianSeconds, 0.6)));
}

function spells(likes: readonly number[], { start, end }: Span, random: Random): Spell[] {
  const { interest, interestSpread, interestDays, revival, lifestyle } = BEHAVIOUR;
  const lived: Spell[] = [];
  let from = start - exponential(random, interestDays) * DAY;
  while (from < end) {
    const old = lived.slice(0, -1);
    const category = old.length > 0 && random() < revival
      ? choose(random, old).category
      : random() < lifestyle
      ? choose(random, likes)
      : Math.floor(random() * CATEGORIES.length);
    const to = from + (3 + exponential(random, interestDays - 3)) * DAY;
    lived.push({ category, strength: interest + interestSpread * normal(random), from, to });
    from = to;
  }
  return lived;
}

/** What is left of 1 after a time (milliseconds) in which it shrinks by e every so many days. */
function fading(age: number, days: number): number {
  return Math.exp(-age / (days * DAY));
}

function akin(a: number, b: number): boolean {
  return (CATEGORIES[a] as Category).department === (CATEGORIES[b] as Category).department;
}

function department(category: number): readonly number[] {
  return DEPARTMENTS[category] as readonly number[];
}
