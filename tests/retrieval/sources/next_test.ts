import assert from "node:assert/strict";
import { BANK_BEHAVIOURS, BANK_TABLES, BANK_WIDTH } from "../../../src/bank/bank_tables.ts";
import { ServedBank } from "../../../src/bank/served_bank.ts";
import { DEFAULT_SCHEMA } from "../../../src/features/schema.ts";
import { Catalogue } from "../../../src/items/catalogue.ts";
import { BankLearner } from "../../../src/learner/bank/bank_learner.ts";
import { PLAIN } from "../../../src/nn/kernels/plain.ts";
import { ItemLists } from "../../../src/retrieval/items/item_lists.ts";
import { contextOf } from "../../../src/retrieval/signals/context.ts";
import { NEXT } from "../../../src/retrieval/sources/next.ts";
import { SOURCE_OPTIONS, sourceParts } from "../../../src/retrieval/sources/parts.ts";
import { settle } from "../../../src/options/option.ts";

const ITEMS = 400;

/** A bank that has learnt that each item is followed by the next. */
function served(): ServedBank {
  const sizes = { width: BANK_WIDTH, behaviours: BANK_BEHAVIOURS, drawn: 16, together: 20 };
  const learner = new BankLearner({ ...sizes, tableBytes: 1 << 24, seed: 1 }, PLAIN);
  const steps = Array.from({ length: ITEMS }, (_, n) => ({
    before: { items: [`i${n}`], strengths: Float32Array.of(1), times: Float64Array.of(n) },
    item: `i${(n + 1) % ITEMS}`,
    time: n + 1,
  }));
  learner.learn(steps, Infinity);
  const bank = new ServedBank("plain");
  for (const [name, bytes] of learner.takeRows("full")) {
    assert.ok(Object.values<string>(BANK_TABLES).includes(name));
    const staged = bank.stage(name, bytes);
    staged.find(Infinity);
    staged.commit();
  }
  bank.set(learner.bank.parameters.values);
  return bank;
}

Deno.test("NEXT proposes as many items as asked for, even when the user had most of the best ones", () => {
  const catalogue = new Catalogue(DEFAULT_SCHEMA);
  for (let n = 0; n < ITEMS; n++) catalogue.intern(`i${n}`, 0);
  const bank = served();
  const source = NEXT.create(
    sourceParts(catalogue, new ItemLists(catalogue), settle(SOURCE_OPTIONS, {}), () => bank),
  );
  const context = contextOf([{ item: 7, time: 0 }]);
  source.ask?.({ user: null, context, time: 1, allowed: () => true });
  const order = source.propose(ITEMS, () => true);
  assert.ok(order.length > ITEMS - 25, `${order.length}`); // those that have a vector
  for (const had of [0, 30, 150, order.length - 15]) {
    const left = new Set(order.slice(had));
    const found = source.propose(10, (index) => left.has(index));
    assert.deepEqual(found, order.slice(had, had + 10), `${had} had`);
  }
  assert.deepEqual(source.propose(10, (index) => index === order.at(-1)), [order.at(-1)]);
});
