import type { NaiveItem } from "./naive_statistics.ts";

/**
 * The features of the measured baseline on MovieLens, ported line by line from their description: every event is a
 * rating, and a click is a rating of 4 or more. The mean rating starts from pseudo-ratings of 3.5, in the original from
 * one.
 */
export class RatingBaseline {
  readonly #items: ReadonlyMap<string, NaiveItem>;
  readonly #sums = new Map<string, number>();
  readonly #pseudoRatings: number;
  #events = 0;

  constructor(items: ReadonlyMap<string, NaiveItem>, pseudoRatings: number) {
    this.#items = items;
    this.#pseudoRatings = pseudoRatings;
  }

  /** The features before a rating, by our names, and its surprise; then learns the rating. */
  learn(u: string, i: string, v: number): Record<string, number> & { readonly surprise: number } {
    const a = 5;
    const { categories: g = [], crosses: [dec] = [] } = this.#items.get(i) ?? {};
    const y = v >= 4 ? 1 : 0;
    const b = (this.#get("clicks") + 1) / (this.#events + 2);
    const p = this.#pseudoRatings;
    const r = (this.#get("ratings") + 3.5 * p) / (this.#events + p);
    const mu = (this.#get("uc", u) + a * b) / (this.#get("un", u) + a);
    const mi = (this.#get("ic", i) + a * b) / (this.#get("in", i) + a);
    const di = (this.#get("is", i) + a * r) / (this.#get("in", i) + a) - r;
    const du = (this.#get("us", u) + a * r) / (this.#get("un", u) + a) - r;
    const ui = Math.log(mu / (1 - mu)) + Math.log(mi / (1 - mi)) - Math.log(b / (1 - b));
    const pop = Math.min(7, Math.floor(Math.log1p(this.#get("in", i))));
    const overGenres = (feature: (genre: string) => number) =>
      g.reduce((sum, genre) => sum + feature(genre) / g.length, 0);
    const shrunken = (name: string, count: string, ...of: string[]) =>
      this.#get(name, ...of) / (this.#get(count, ...of) + a);
    const e = y - 1 / (1 + Math.exp(-ui));
    const f = v - (r + shrunken("ures", "un", u) + shrunken("ires", "in", i));
    const features = {
      prior: ui,
      itemRate: Math.log(mi / (1 - mi)),
      itemCount: Math.log1p(this.#get("in", i)),
      userCategory: overGenres((genre) => shrunken("ugs", "ugn", u, genre)),
      userCategoryRecent: overGenres((genre) => this.#get("ugema", u, genre)),
      userRecent: this.#get("uema", u),
      "userCross:decade": shrunken("decs", "decn", u, `${dec}`),
      userPopularity: shrunken("pops", "popn", u, `${pop}`),
      itemValue: di,
      userCategoryValue: overGenres((genre) => shrunken("ugr", "ugn", u, genre)),
      userValueRecent: this.#get("urema", u),
      surprise: f,
    };
    this.#add(0.2 * (e - this.#get("uema", u)), "uema", u);
    this.#add(0.2 * (f - this.#get("urema", u)), "urema", u);
    for (const genre of g) {
      this.#add(0.1 * (e - this.#get("ugema", u, genre)), "ugema", u, genre);
      this.#add(y - mi, "ugs", u, genre);
      this.#add(v - r - di, "ugr", u, genre);
      this.#add(1, "ugn", u, genre);
    }
    for (const [name, key] of [["dec", `${dec}`], ["pop", `${pop}`]] as const) {
      this.#add(e, `${name}s`, u, key);
      this.#add(1, `${name}n`, u, key);
    }
    this.#add(v - r - di, "ures", u);
    this.#add(v - r - du, "ires", i);
    for (const [name, key] of [["u", u], ["i", i]] as const) {
      this.#add(1, `${name}n`, key);
      this.#add(y, `${name}c`, key);
      this.#add(v, `${name}s`, key);
    }
    this.#add(y, "clicks");
    this.#add(v, "ratings");
    this.#events++;
    return features;
  }

  #get(...key: string[]): number {
    return this.#sums.get(key.join()) ?? 0;
  }

  #add(value: number, ...key: string[]): void {
    this.#sums.set(key.join(), this.#get(...key) + value);
  }
}
