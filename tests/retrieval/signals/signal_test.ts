import assert from "node:assert/strict";
import fc from "fast-check";
import { contextOf } from "../../../src/retrieval/signals/context.ts";
import {
  contextAfter,
  type JournalEntry,
  readJournal,
  type Signal,
  SignalJournal,
} from "../../../src/retrieval/signals/signal.ts";

const idOf = (item: number) => `item ${item}`;
const itemAt = (id: string) => Number(id.slice(5));
const time = fc.integer({ min: 0, max: 4e12 });
const strength = fc.constantFrom(1, -1, 0.5, 0, -2.25);
const signal: fc.Arbitrary<Signal> = fc.record({
  user: fc.constantFrom("a", "b"),
  item: fc.nat(20),
  time,
  liked: fc.boolean(),
  wanted: fc.boolean(),
  step: fc.option(fc.tuple(fc.constantFrom("x", "y"), fc.constantFrom("x", "y"))),
  context: fc.array(fc.tuple(fc.nat(20), time, fc.boolean()), { maxLength: 5 }).map((before) =>
    contextOf(before.map(([item, time, liked]) => ({ item, time, liked })))
  ),
}, { noNullPrototype: true });
/** With strengths and the item's category, as they are written when something reads them. */
const detailed: fc.Arbitrary<Signal> = fc.tuple(
  signal,
  fc.record({ strength, category: fc.option(fc.constantFrom("x", "z")) }, { noNullPrototype: true }),
  fc.array(strength, { minLength: 5, maxLength: 5 }),
).map(([each, detail, strengths]) => {
  const { context } = each;
  context.strengths.set(strengths.slice(0, context.size));
  return { ...each, detail };
});
/** A signal, one that continues the previous one of its user, an erasure, or a positive. */
const entriesOf = (each: fc.Arbitrary<Signal>) =>
  fc.array(fc.tuple(each, fc.constantFrom("new", "on", "on", "forget", "raised")), { maxLength: 30 });
const entries = fc.oneof(entriesOf(signal), entriesOf(detailed))
  .map((drawn) => {
    const newest = new Map<string, Signal>();
    return drawn.map(([each, kind]): JournalEntry => {
      if (kind === "forget") return { forget: each.user };
      if (kind === "raised") return { raised: each.item, time: each.time };
      const before = newest.get(each.user);
      const next = kind === "on" && before !== undefined ? { ...each, context: contextAfter(before) } : each;
      newest.set(each.user, next);
      return next;
    });
  });

Deno.test("readJournal() returns what was put into the journal", () => {
  fc.assert(fc.property(entries, (entries) => {
    const journal = new SignalJournal();
    for (const entry of entries) {
      if ("forget" in entry) journal.forget(entry.forget);
      else if ("raised" in entry) journal.raise(entry.raised, entry.time, idOf);
      else journal.add(entry, idOf);
    }
    assert.equal(journal.entries, entries.length);
    assert.deepEqual(readJournal(journal.take(), itemAt), entries);
    assert.equal(journal.entries, 0);
    assert.deepEqual(readJournal(journal.take(), itemAt), []);
  }));
});

Deno.test("SignalJournal.take() writes the oldest format that holds its entries", () => {
  fc.assert(fc.property(signal, detailed, (plain, detailed) => {
    const journal = new SignalJournal();
    journal.add(plain, idOf);
    assert.equal(journal.take()[0], 1);
    journal.add(plain, idOf);
    journal.add(detailed, idOf);
    assert.equal(journal.take()[0], 2);
    journal.add(plain, idOf);
    assert.equal(journal.take()[0], 1);
  }));
});

Deno.test("readJournal() throws for bytes that are no journal", () => {
  assert.throws(() => readJournal(Uint8Array.of(9), itemAt), SyntaxError);
  assert.throws(() => readJournal(Uint8Array.of(1, 5), itemAt), SyntaxError);
});
