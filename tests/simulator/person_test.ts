import assert from "node:assert/strict";
import { CATEGORIES, CATEGORY_INDEX, LIFESTYLES } from "../../scripts/simulator/categories.ts";
import type { Item } from "../../scripts/simulator/item.ts";
import { type Act, BEHAVIOUR, followUps, habit, Person } from "../../scripts/simulator/person.ts";
import { createRandom } from "../../src/draws/random_source.ts";

const DAY = 86_400_000;
const SPAN = { start: 0, end: 28 * DAY };
const NOON = 10 * DAY;

const people = Array.from({ length: 200 }, (_, i) => new Person(`u${i}`, SPAN, createRandom(11, i)));

function person(): Person {
  return new Person("u", SPAN, createRandom(3));
}

function index(name: string): number {
  const category = CATEGORY_INDEX.get(name);
  assert.ok(category !== undefined, name);
  return category;
}

function item(category: string, id = category): Item {
  return {
    id,
    category: index(category),
    band: 1,
    price: 10,
    brand: "Elm",
    quality: 0,
    born: 0,
    dies: SPAN.end,
  };
}

function act(category: string, time: number, action: Act["action"] = "click"): Act {
  return { item: item(category), action, time };
}

Deno.test("CATEGORIES name successors and lifestyles that exist, each once", () => {
  assert.equal(CATEGORY_INDEX.size, CATEGORIES.length);
  for (const [i, { name, next }] of CATEGORIES.entries()) {
    assert.ok(next.length > 0 && next.every((successor) => CATEGORIES[successor] !== undefined), name);
    assert.ok(!next.includes(i), `${name} leads to itself`);
  }
  const liked = [...LIFESTYLES.values()].flat();
  assert.ok(liked.every((category) => CATEGORIES[category] !== undefined));
});

Deno.test("Person.plan() changes what a person wants when the act comes about, not before", () => {
  const someone = person();
  someone.plan([act("phone", NOON)]);
  assert.equal(someone.intent(index("phone-case"), NOON - 1), 0);
  assert.ok(someone.intent(index("phone-case"), NOON) > 1);
});

Deno.test("Person.plan() takes acts in the order of their times, whatever the order of planning", () => {
  const [straight, crossed] = [person(), person()];
  straight.plan([act("phone", NOON), act("tent", NOON + 5)]);
  crossed.plan([act("tent", NOON + 5)]);
  crossed.plan([act("phone", NOON)]);
  for (let c = 0; c < CATEGORIES.length; c++) {
    assert.equal(straight.intent(c, NOON + 9), crossed.intent(c, NOON + 9));
  }
});

Deno.test("Person.intent() follows the chain, in its direction only", () => {
  const someone = person();
  someone.plan([act("tent", NOON)]);
  const after = someone.intent(index("sleeping-bag"), NOON);
  assert.ok(after > someone.intent(index("stove"), NOON), "the likeliest successor first");
  const reverse = person();
  reverse.plan([act("sleeping-bag", NOON)]);
  assert.ok(reverse.intent(index("tent"), NOON) < after, "a sleeping bag asks for no tent");
});

Deno.test("Person.intent() lifts the department and leaves the others alone", () => {
  const someone = person();
  someone.plan([act("phone", NOON)]);
  for (const [c, { department, name }] of CATEGORIES.entries()) {
    const intent = someone.intent(c, NOON);
    if (department === "phones") assert.ok(intent >= BEHAVIOUR.around, name);
    else assert.equal(intent, 0, name);
  }
});

Deno.test("Person.intent() depends on the order of clicks: the last counts most", () => {
  const [one, other] = [person(), person()];
  one.plan([act("phone", NOON), act("tent", NOON + 1)]);
  other.plan([act("tent", NOON), act("phone", NOON + 1)]);
  const category = index("sleeping-bag");
  assert.ok(one.intent(category, NOON + 2) > 1.5 * other.intent(category, NOON + 2));
});

Deno.test("Person.intent() survives the night and shrinks over days", () => {
  const someone = person();
  someone.plan([act("phone", NOON)]);
  const [now, nextDay, nextMonth] = [0, DAY, 30 * DAY].map((age) =>
    someone.intent(index("charger"), NOON + age)
  );
  assert.ok(now !== undefined && nextDay !== undefined && nextMonth !== undefined);
  assert.ok(nextDay > 0.8 * now && nextDay < now && nextMonth < 0.05 * now);
});

Deno.test("Person.satiety() keeps buyers of durables away and brings buyers of coffee back", () => {
  const someone = person();
  someone.plan([act("laptop", NOON, "purchase"), act("coffee", NOON, "purchase")]);
  assert.ok(someone.satiety(index("laptop"), NOON + 10 * DAY) > 1);
  assert.ok(someone.satiety(index("coffee"), NOON + DAY / 2) > 1);
  assert.ok(someone.satiety(index("coffee"), NOON + 6 * DAY) < -1, "the pack is empty");
  assert.ok(Math.abs(someone.satiety(index("coffee"), NOON + 14 * DAY)) < 0.2);
  assert.equal(someone.satiety(index("mug"), NOON), 0);
});

Deno.test("Person.logit() falls for an item clicked a moment ago, against another of its kind", () => {
  const someone = person();
  someone.plan([{ item: item("phone", "a"), action: "click", time: NOON }]);
  const gap = (time: number) =>
    someone.logit(item("phone", "b"), time) - someone.logit(item("phone", "a"), time);
  assert.ok(gap(NOON + 1) > 1.4);
  assert.ok(gap(NOON + 3 * DAY) < 0.1);
});

Deno.test("Person.interest() drifts: most people like other things after three weeks", () => {
  const changed = people.filter((someone) => favourite(someone, 3 * DAY) !== favourite(someone, 24 * DAY));
  const sameDay = people.filter((someone) =>
    favourite(someone, 3 * DAY) !== favourite(someone, 3 * DAY + 3_600_000)
  );
  assert.ok(changed.length > people.length / 2, `${changed.length} of ${people.length} changed`);
  assert.ok(sameDay.length < people.length / 20, `${sameDay.length} changed within an hour`);
});

Deno.test("Person.interest() returns: some come back to what they had left", () => {
  const returns = people.filter((someone) =>
    [...CATEGORIES.keys()].some((category) => {
      const strong = Array.from(
        { length: 57 },
        (_, half) => someone.interest(category, half * DAY / 2) > 0.7,
      );
      const first = strong.indexOf(true);
      const gap = strong.indexOf(false, first);
      return first >= 0 && gap >= 0 && strong.indexOf(true, gap) >= 0;
    })
  );
  assert.ok(returns.length > 10, `${returns.length} of ${people.length} return to an interest`);
});

Deno.test("Person.profile tells the lifestyle, mostly", () => {
  const telling = people.filter((someone) => {
    const likes = LIFESTYLES.get(String(someone.profile["segment"])) ?? [];
    const own = likes.reduce((sum, category) => sum + someone.interest(category, NOON), 0) / likes.length;
    const all = [...CATEGORIES.keys()].reduce((sum, category) => sum + someone.interest(category, NOON), 0);
    return own > all / CATEGORIES.length;
  });
  assert.ok(telling.length > 0.7 * people.length, `${telling.length} of ${people.length}`);
  assert.ok(telling.length < people.length);
});

Deno.test("Person.visit() brings a need from outside at times, gone within hours", () => {
  const now = people.map((someone) => {
    someone.visit(NOON);
    return Math.max(...[...CATEGORIES.keys()].map((category) => someone.intent(category, NOON)));
  });
  const needy = now.filter((intent) => intent > 0).length;
  const sigma = Math.sqrt(people.length * BEHAVIOUR.need * (1 - BEHAVIOUR.need));
  assert.ok(Math.abs(needy - people.length * BEHAVIOUR.need) < 4 * sigma, `${needy} have a need`);
  for (const someone of people) {
    for (let c = 0; c < CATEGORIES.length; c++) assert.ok(someone.intent(c, NOON + DAY / 2) < 1e-4);
  }
});

Deno.test("followUps() come after their click, a purchase after its cart, as often as the habit says", () => {
  const random = createRandom(9);
  const click = act("coffee", NOON);
  let carts = 0, purchases = 0;
  for (let i = 0; i < 4000; i++) {
    const acts = followUps(click, random);
    const cart = acts.find(({ action }) => action === "cart");
    const purchase = acts.find(({ action }) => action === "purchase");
    assert.ok(acts.every(({ time }) => time > NOON));
    if (purchase !== undefined) assert.ok(cart !== undefined && purchase.time > cart.time);
    carts += Number(cart !== undefined);
    purchases += Number(purchase !== undefined);
  }
  const expected = habit(index("coffee"));
  assert.ok(Math.abs(carts / 4000 - expected.cart) < 0.03);
  assert.ok(Math.abs(purchases / carts - expected.purchase) < 0.04);
});

function favourite(someone: Person, time: number): number {
  const strengths = CATEGORIES.map((_, category) => someone.interest(category, time));
  return strengths.indexOf(Math.max(...strengths));
}
