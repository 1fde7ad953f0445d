/**
 * What the simulated shop sells and how people shop for it: categories, the chains between them, and the
 * lifestyles that favour some of them.
 *
 * @module
 */

/** How people behave in a category, in logits unless said. */
export interface Habit {
  /** Added to the intent for the category itself by a click in it, beyond what its department gets. */
  readonly again: number;
  /** Added to the intent for the category's first successor by a click, half of it for the second. */
  readonly onward: number;
  /** Probability that a click leads to the cart. */
  readonly cart: number;
  /** Probability that what is in the cart is bought. */
  readonly purchase: number;
  /** Fall of interest in the category right after a purchase. */
  readonly sated: number;
  /** Time in which that fall shrinks by e, days. */
  readonly satedDays: number;
}

/** The four ways of shopping. */
export const HABITS = {
  /** Durable: several are compared, one is bought, then none for long. */
  compared: { again: 1, onward: 1.7, cart: 0.12, purchase: 0.5, sated: 2.5, satedDays: 20 },
  /** Goes with something else: one look is enough, and it leads on. */
  accessory: { again: 0, onward: 2.2, cart: 0.25, purchase: 0.6, sated: 1.5, satedDays: 8 },
  /** Used up: bought without comparing, and again when the pack is empty. */
  consumable: { again: 0.4, onward: 1.6, cart: 0.5, purchase: 0.8, sated: 2, satedDays: 2 },
  /** Never enough of it. */
  leisure: { again: 1.3, onward: 1.2, cart: 0.15, purchase: 0.6, sated: 0.3, satedDays: 1 },
} as const satisfies Readonly<Record<string, Habit>>;

/** A category of the shop. */
export interface Category {
  /** Unique among the categories. */
  readonly name: string;
  /** Categories of one department attract each other. */
  readonly department: string;
  /** How people shop in it. */
  readonly habit: keyof typeof HABITS;
  /** Median price. */
  readonly price: number;
  /** Indices of the categories that people turn to next, the likeliest first. */
  readonly next: readonly number[];
  /** After how many days a pack is used up; `null` for what is not. */
  readonly periodDays: number | null;
}

type Row = readonly [
  name: string,
  habit: keyof typeof HABITS,
  price: number,
  next: string,
  periodDays?: number,
];

const DEPARTMENTS: Readonly<Record<string, readonly Row[]>> = {
  phones: [
    ["phone", "compared", 500, "phone-case charger"],
    ["phone-case", "accessory", 20, "charger"],
    ["charger", "accessory", 25, "headphones"],
    ["headphones", "compared", 90, "charger"],
  ],
  computers: [
    ["laptop", "compared", 900, "mouse laptop-bag"],
    ["mouse", "accessory", 30, "keyboard"],
    ["keyboard", "accessory", 60, "laptop-bag"],
    ["laptop-bag", "accessory", 50, "headphones"],
  ],
  games: [
    ["console", "compared", 400, "controller game"],
    ["controller", "accessory", 55, "game"],
    ["game", "leisure", 50, "headset"],
    ["headset", "accessory", 70, "game"],
  ],
  kitchen: [
    ["espresso-machine", "compared", 350, "coffee mug"],
    ["coffee", "consumable", 12, "mug chocolate", 6],
    ["mug", "accessory", 10, "coffee"],
    ["chocolate", "consumable", 5, "coffee", 4],
  ],
  running: [
    ["running-shoes", "compared", 110, "socks sports-watch"],
    ["socks", "accessory", 12, "energy-bars"],
    ["energy-bars", "consumable", 15, "running-shoes", 5],
    ["sports-watch", "compared", 200, "running-shoes"],
  ],
  outdoors: [
    ["tent", "compared", 180, "sleeping-bag stove"],
    ["sleeping-bag", "accessory", 80, "stove"],
    ["stove", "accessory", 45, "coffee"],
    ["guidebook", "leisure", 20, "tent"],
  ],
};

/** The categories of the shop; an item names its category by its index in here. */
export const CATEGORIES: readonly Category[] = categories();

/** Index of each category by name. */
export const CATEGORY_INDEX: ReadonlyMap<string, number> = new Map(
  CATEGORIES.map(({ name }, i) => [name, i]),
);

/** The lifestyles, each with the categories that its people like; an index into {@linkcode CATEGORIES} each. */
export const LIFESTYLES: ReadonlyMap<string, readonly number[]> = new Map(
  Object.entries({
    gamer: "console controller game headset laptop mouse keyboard",
    runner: "running-shoes socks energy-bars sports-watch headphones",
    outdoors: "tent sleeping-bag stove guidebook running-shoes energy-bars",
    homebody: "coffee mug espresso-machine chocolate guidebook game",
    commuter: "phone phone-case charger headphones coffee laptop-bag",
    student: "laptop laptop-bag mouse keyboard phone coffee game",
  }).map(([name, likes]) => [name, indices(likes)]),
);

function categories(): readonly Category[] {
  const rows = Object.entries(DEPARTMENTS).flatMap(([department, rows]) =>
    rows.map((row) => ({ department, row }))
  );
  const index = new Map(rows.map(({ row }, i) => [row[0], i]));
  return rows.map(({ department, row: [name, habit, price, next, periodDays = null] }) => ({
    name,
    department,
    habit,
    price,
    next: next.split(" ").map((successor) => index.get(successor) as number),
    periodDays,
  }));
}

function indices(names: string): readonly number[] {
  return names.split(" ").map((name) => CATEGORY_INDEX.get(name) as number);
}
