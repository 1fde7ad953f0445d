import assert from "node:assert/strict";
import fc from "fast-check";
import { joined } from "../../../src/codec/joined.ts";
import { isSnapshot, SignalChangelog } from "../../../src/retrieval/signals/changelog.ts";
import type { RetrievalRecord } from "../../../src/retrieval/signals/records.ts";

const HEAD = "retrieval:snapshot:0";

/** What is on the log, and what a restore should find there. */
class Story {
  readonly log = new Map<string, Uint8Array>();
  changelog = new SignalChangelog();
  snapshot: Uint8Array | null = null;
  journals: Uint8Array[] = [];
  /** The snapshot that is being written, and the journals after it. */
  next: { readonly pieces: Uint8Array[]; readonly journals: Uint8Array[] } | null = null;

  write(...records: readonly RetrievalRecord[]): void {
    for (const { key, value } of records) {
      if (value.length > 0) this.log.set(key, value.slice());
      else assert.ok(this.log.delete(key), `${key} is deleted once`);
    }
  }

  add(journals: readonly Uint8Array[]): void {
    this.write(...this.changelog.add(journals));
    this.journals.push(...journals);
    this.next?.journals.push(...journals);
  }

  /** Continues a snapshot, or begins one. */
  piece(bytes: Uint8Array): void {
    if (this.next === null) {
      this.write(...this.changelog.sweep(Infinity));
      this.changelog.begin();
      this.next = { pieces: [], journals: [] };
    }
    this.next.pieces.push(bytes);
    this.write(this.changelog.piece(bytes));
  }

  end(last: Uint8Array): void {
    if (this.next === null) return;
    this.snapshot = joined([...this.next.pieces, last]);
    this.journals = this.next.journals;
    this.next = null;
    this.write(this.changelog.end(last));
  }

  restart(): void {
    this.changelog = new SignalChangelog();
    this.next = null;
    const { snapshot, journals } = this.changelog.restore(this.log);
    assert.deepEqual(snapshot === null ? null : joined(snapshot.pieces), this.snapshot);
    assert.deepEqual(journals.map(({ value }) => value), this.journals);
    assert.equal(this.changelog.outweighs([Uint8Array.of(1)]), this.snapshot === null);
  }

  /** Deletes the record that an error about the snapshot names, after which everything starts from scratch. */
  lose(): void {
    this.log.delete(HEAD);
    this.snapshot = null;
    const { journals } = new SignalChangelog().restore(this.log);
    this.journals = journals.map(({ value }) => value);
  }
}

const someBytes = fc.uint8Array({ minLength: 1, maxLength: 5 });
const anyStep = fc.oneof(
  fc.array(someBytes, { maxLength: 12 }).map((journals) => (story: Story) => story.add(journals)),
  someBytes.map((bytes) => (story: Story) => story.piece(bytes)),
  someBytes.map((bytes) => (story: Story) => story.end(bytes)),
  fc.integer({ min: 1, max: 5 }).map((most) => (story: Story) => {
    const { length } = story.changelog.sweep(0);
    const swept = story.changelog.sweep(most);
    assert.ok(length === 0 && swept.length <= most);
    story.write(...swept);
  }),
  fc.constant((story: Story) => story.restart()),
);

Deno.test("SignalChangelog.restore() finds the last completed snapshot and all journals since, wherever it stopped", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 30, size: "max" }), (steps) => {
      const story = new Story();
      for (const step of steps) step(story);
      story.restart();
      story.write(...story.changelog.sweep(Infinity));
      const isEnded = story.snapshot !== null;
      const pieces = [...story.log.keys()].filter((key) => key.includes(":piece:"));
      assert.ok(isEnded || pieces.length === 0, "pieces of what was stopped are garbage");
      assert.equal(
        story.log.size,
        pieces.length + story.journals.length + (isEnded ? 1 : 0),
        "and nothing else is left",
      );
      story.restart();
    }),
    { numRuns: 500 },
  );
});

Deno.test("SignalChangelog goes on after an unreadable head was deleted", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 20, size: "max" }), (steps) => {
      const story = new Story();
      for (const step of steps) step(story);
      story.lose();
      story.restart();
      story.add([Uint8Array.of(7)]);
      story.restart();
      story.piece(Uint8Array.of(1));
      story.end(Uint8Array.of(2));
      story.restart();
    }),
    { numRuns: 200 },
  );
});

Deno.test("SignalChangelog.restore() reports which piece is missing, and the record to delete", () => {
  const story = new Story();
  for (const piece of [1, 2, 3]) story.piece(Uint8Array.of(piece));
  story.end(Uint8Array.of(4));
  const keys = [...story.log.keys()];
  assert.deepEqual(keys, ["retrieval:piece:1:0", "retrieval:piece:1:1", "retrieval:piece:1:2", HEAD]);
  assert.deepEqual(keys.filter((key) => isSnapshot(key, Uint8Array.of(1))), [HEAD]);
  story.log.delete("retrieval:piece:1:1");
  assert.throws(() => new SignalChangelog().restore(story.log), {
    key: HEAD,
    message: "piece 1 of 3 is missing",
  });
});

Deno.test("SignalChangelog reads a snapshot of format 1, and replaces it with the next one", () => {
  const story = new Story();
  const journal = Uint8Array.of(9);
  for (const [k, bytes] of [[1, 5], [1, 6], [8]].entries()) {
    story.log.set(`retrieval:snapshot:${k}`, Uint8Array.from(bytes));
  }
  story.log.set("retrieval:journal:3", journal);
  [story.snapshot, story.journals] = [Uint8Array.of(1, 5, 1, 6, 8), [journal]];
  story.restart();
  assert.ok(story.changelog.isWhole && !story.changelog.hasGarbage);
  story.add([Uint8Array.of(10)]);
  assert.ok(story.log.has("retrieval:journal:4"), "an earlier release can go on");
  story.piece(Uint8Array.of(1));
  story.end(Uint8Array.of(2));
  assert.ok(!story.changelog.isWhole);
  story.write(...story.changelog.sweep(Infinity));
  assert.deepEqual([...story.log.keys()].sort(), ["retrieval:piece:1:0", HEAD]);
  story.restart();
});
