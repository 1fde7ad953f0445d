import assert from "node:assert/strict";
import fc from "fast-check";
import { CHUNK_BYTES, isSnapshot, SignalChangelog } from "../../../src/retrieval/signals/changelog.ts";
import type { RetrievalRecord } from "../../../src/retrieval/signals/records.ts";

/** What is on the log, and what a restore should find there. */
class Story {
  readonly log = new Map<string, Uint8Array>();
  changelog = new SignalChangelog();
  snapshot: Uint8Array | null = null;
  journals: Uint8Array[] = [];

  write(records: readonly RetrievalRecord[]): void {
    for (const { key, value } of records) this.log.set(key, value.slice());
  }

  restart(): void {
    this.changelog = new SignalChangelog();
    const { snapshot, journals } = this.changelog.restore(this.log);
    assert.deepEqual(snapshot?.value ?? null, this.snapshot);
    assert.deepEqual(journals.map(({ value }) => value), this.journals);
    assert.equal(this.changelog.outweighs([Uint8Array.of(1)]), this.snapshot === null);
  }

  /** Deletes the record that an error about the snapshot names. */
  lose(): void {
    const [first] = [...this.log].filter(([key, value]) => isSnapshot(key, value))
      .map(([key]) => key).sort();
    if (first !== undefined) this.log.delete(first);
    this.snapshot = null;
  }
}

const anyStep = fc.oneof(
  fc.array(fc.uint8Array({ minLength: 1, maxLength: 5 }), { maxLength: 12 }).map(
    (journals) => (story: Story) => {
      story.write(story.changelog.add(journals));
      story.journals.push(...journals);
    },
  ),
  fc.integer({ min: 1, max: 3 * CHUNK_BYTES }).map((bytes) => (story: Story) => {
    const snapshot = new Uint8Array(bytes).fill(bytes);
    story.write(story.changelog.replace(snapshot));
    story.snapshot = snapshot;
    story.journals = [];
  }),
  fc.constant((story: Story) => story.restart()),
  fc.constant((story: Story) => {
    story.lose();
    story.restart();
  }),
);

Deno.test("SignalChangelog.restore() finds the last snapshot and all journals since, even after the snapshot was deleted", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 12, size: "max" }), (steps) => {
      const story = new Story();
      for (const step of steps) step(story);
      story.restart();
    }),
    { numRuns: 200 },
  );
});
