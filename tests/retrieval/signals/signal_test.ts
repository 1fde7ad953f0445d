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
/** A signal, the same going on from the one before of its user, an erasure, or a positive. */
const entries = fc.array(fc.tuple(signal, fc.constantFrom("new", "on", "on", "forget", "raised")), {
  maxLength: 30,
})
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

Deno.test("readJournal() gives what was put into the journal", () => {
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

Deno.test("readJournal() refuses bytes that are no journal", () => {
  assert.throws(() => readJournal(Uint8Array.of(9), itemAt), SyntaxError);
  assert.throws(() => readJournal(Uint8Array.of(1, 5), itemAt), SyntaxError);
});
