/**
 * What every group of a {@linkcode Log} does: the part of the log contract that is about membership.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { GroupHandlers, Log, Membership } from "../../streams/log/log.ts";
import { all, hasCode, type LogSuite, newPlace, record, texts } from "./log_suite.ts";

const PARTITIONS = 4;

/** Registers the tests of groups for one implementation. */
export function groupContract(suite: LogSuite): void {
  const test = (title: string, body: (log: Log, topic: string, group: string) => Promise<void>) =>
    suite.test(`join() ${title}`, async (log, topic) => {
      await log.createTopics([{ name: topic, partitions: PARTITIONS, cleanup: "delete" }]);
      await body(log, topic, `${topic}.group`);
    });

  test("assigns every partition to a lone member before it resolves", async (log, topic, group) => {
    const tokens = new Tokens();
    await using member = await log.join(group, [topic], tokens.handlers("a"));
    assert.deepEqual(tokens.of("a"), [0, 1, 2, 3]);
    assert.deepEqual(member.partitions, [0, 1, 2, 3]);
    assert.equal(member.group, group);
    await member.leave();
    await member.ended;
    assert.deepEqual(tokens.of("a"), []);
    assert.deepEqual(member.partitions, []);
    await member.leave();
  });

  test("balances partitions and keeps them sticky as members come and go", async (log, topic, group) => {
    const tokens = new Tokens();
    const a = await log.join(group, [topic], tokens.handlers("a"));
    const b = await log.join(group, [topic], tokens.handlers("b"));
    await tokens.until(() => tokens.balanced("a", "b"));
    const [a2, b2] = [a.partitions, b.partitions];
    assert.deepEqual([...a2, ...b2].sort(), [0, 1, 2, 3]);

    const c = await log.join(group, [topic], tokens.handlers("c"));
    await tokens.until(() => tokens.balanced("a", "b", "c"));
    const [a3, b3] = [a.partitions, b.partitions];
    assert.ok(
      a3.every((p) => a2.includes(p)) && b3.every((p) => b2.includes(p)),
      "a and b keep what they can",
    );

    await a.leave();
    await tokens.until(() => tokens.balanced("b", "c"));
    assert.ok(b3.every((p) => b.partitions.includes(p)), "b keeps what it had");
    await b.leave();
    await tokens.until(() => tokens.balanced("c"));
    await c.leave();
    assert.equal(tokens.owners.size, 0);
  });

  test(
    "never gives a partition to two members, whatever the order of joins and leaves",
    async (log, topic) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.constantFrom("a", "b", "c", "d", "e"), { maxLength: 8 }),
          async (moves) => {
            const tokens = new Tokens();
            const group = newPlace();
            const members = new Map<string, Membership>();
            for (const who of moves) {
              const member = members.get(who);
              if (member === undefined) {
                // Reads take time; so do real handlers, on both sides.
                const slow = async () => void await log.read(topic, 0, 0, { waitMs: 1 });
                const handlers = tokens.handlers(who, { assigned: slow, revoked: slow });
                members.set(who, await log.join(group, [topic], handlers));
              } else {
                members.delete(who);
                await member.leave();
              }
              if (members.size > 0) await tokens.until(() => tokens.balanced(...members.keys()));
              for (const [other, { partitions }] of members) assert.deepEqual(tokens.of(other), partitions);
            }
            await Promise.all([...members.values()].map((member) => member.leave()));
            assert.equal(tokens.owners.size, 0);
            tokens.check();
          },
        ),
        { numRuns: Math.ceil(suite.runs / 3) },
      );
    },
  );

  test("serves members that join at the same time", async (log, topic, group) => {
    const tokens = new Tokens();
    const names = ["a", "b", "c"];
    const members = await Promise.all(names.map((who) => log.join(group, [topic], tokens.handlers(who))));
    await tokens.until(() => tokens.balanced(...names));
    await Promise.all(members.map((member) => member.leave()));
    assert.equal(tokens.owners.size, 0);
  });

  test("gives no partition to members beyond the number of partitions", async (log, topic, group) => {
    const tokens = new Tokens();
    const names = ["a", "b", "c", "d", "e", "f"];
    const members: Membership[] = [];
    for (const who of names) members.push(await log.join(group, [topic], tokens.handlers(who)));
    await tokens.until(() => tokens.balanced(...names));
    assert.deepEqual(members.map(({ partitions }) => partitions.length).sort(), [0, 0, 1, 1, 1, 1]);
    for (const member of members) await member.leave();
  });

  test("keeps groups apart", async (log, topic, group) => {
    const [one, two] = [new Tokens(), new Tokens()];
    await using a = await log.join(`${group}.1`, [topic], one.handlers("a"));
    await using b = await log.join(`${group}.2`, [topic], two.handlers("b"));
    assert.equal(a.partitions.length, PARTITIONS);
    assert.equal(b.partitions.length, PARTITIONS);
  });

  test("hands over in the middle of work without loss or repetition", async (log, topic, group) => {
    const count = 200;
    await log.append(Array.from({ length: count }, (_, i) => record(topic, i % PARTITIONS, `${i}`)));
    const out = `${topic}.out`;
    await log.createTopics([{ name: out, partitions: PARTITIONS, cleanup: "delete" }]);
    const tokens = new Tokens();
    const tasks = new Map<number, { stop: AbortController; done: Promise<void> }>();

    /** Copies a partition in small commits until it is stopped. */
    async function work(partition: number, signal: AbortSignal): Promise<void> {
      await using writer = await log.writer(`${group}.${partition}`);
      let from = await log.committed(group, topic, partition) ?? 0;
      while (!signal.aborted) {
        const { records, next } = await log.read(topic, partition, from, { maxRecords: 3 });
        if (records.length === 0) return;
        await writer.commit({
          records: records.map(({ key, value, time }) => ({ topic: out, partition, key, value, time })),
          group,
          offsets: [{ topic, partition, offset: next }],
        });
        from = next;
      }
    }
    const handlers = (who: string) =>
      tokens.handlers(who, {
        assigned: (partitions) => {
          for (const partition of partitions) {
            const stop = new AbortController();
            tasks.set(partition, { stop, done: work(partition, stop.signal) });
          }
        },
        revoked: async (partitions) => {
          for (const partition of partitions) {
            tasks.get(partition)?.stop.abort();
            await tasks.get(partition)?.done;
          }
        },
      });
    const a = await log.join(group, [topic], handlers("a"));
    const b = await log.join(group, [topic], handlers("b"));
    const c = await log.join(group, [topic], handlers("c"));
    await a.leave();
    await b.leave();
    await tokens.until(() => tokens.balanced("c"));
    await Promise.all([...tasks.values()].map(({ done }) => done));
    await c.leave();
    for (let p = 0; p < PARTITIONS; p++) {
      assert.deepEqual(texts(await all(log, out, p)), texts(await all(log, topic, p)));
    }
  });

  test("rejects when its own assigned() fails, and the group goes on", async (log, topic, group) => {
    const tokens = new Tokens();
    const error = new Error("cannot restore");
    await using _a = await log.join(group, [topic], tokens.handlers("a"));
    const fails = tokens.handlers("b", { assigned: () => Promise.reject(error) });
    await assert.rejects(log.join(group, [topic], fails), (reason) => reason === error);
    await tokens.until(() => tokens.balanced("a"));
    await using _c = await log.join(group, [topic], tokens.handlers("c"));
    await tokens.until(() => tokens.balanced("a", "c"));
  });

  test("frees the partitions of a member whose revoked() fails when it leaves", async (log, topic, group) => {
    const tokens = new Tokens();
    const error = new Error("cannot commit");
    await using _a = await log.join(group, [topic], tokens.handlers("a"));
    let failing = false;
    const revoked = () => failing ? Promise.reject(error) : Promise.resolve();
    const b = await log.join(group, [topic], tokens.handlers("b", { revoked }));
    await tokens.until(() => tokens.balanced("a", "b"));
    failing = true;
    await assert.rejects(b.leave(), (reason) => reason === error);
    await assert.rejects(b.ended, (reason) => reason === error);
    await tokens.until(() => tokens.balanced("a"));
  });

  test("ends a member whose revoked() fails when another joins", async (log, topic, group) => {
    const tokens = new Tokens();
    const error = new Error("cannot commit");
    let calls = 0;
    const revoked = () => calls++ === 0 ? Promise.reject(error) : Promise.resolve();
    const a = await log.join(group, [topic], tokens.handlers("a", { revoked }));
    const ended = assert.rejects(a.ended, (reason) => reason === error);
    await using b = await log.join(group, [topic], tokens.handlers("b"));
    await ended;
    await tokens.until(() => tokens.balanced("b"));
    assert.deepEqual(a.partitions, []);
    assert.deepEqual(b.partitions, [0, 1, 2, 3]);
    await a.leave();
  });

  test("refuses topics that do not exist or are not co-partitioned", async (log, topic, group) => {
    await log.createTopics([{ name: `${topic}.odd`, partitions: PARTITIONS + 1, cleanup: "delete" }]);
    const handlers = new Tokens().handlers("a");
    await assert.rejects(log.join(group, [topic, `${topic}.none`], handlers), hasCode("unknown-topic"));
    await assert.rejects(log.join(group, [topic, `${topic}.odd`], handlers), hasCode("topic-mismatch"));
    await assert.rejects(log.join(group, [], handlers), TypeError);
  });

  Deno.test(`${suite.name}.asyncDispose() revokes what members hold while the log still works`, async () => {
    const topic = newPlace();
    const log = await suite.open({ place: topic });
    await log.createTopics([{ name: topic, partitions: PARTITIONS, cleanup: "delete" }]);
    const tokens = new Tokens();
    const revoked = async () => void await log.append([record(topic, 0, "last words")]);
    const member = await log.join(`${topic}.group`, [topic], tokens.handlers("a", { revoked }));
    await log[Symbol.asyncDispose]();
    await member.ended;
    assert.equal(tokens.owners.size, 0);
    tokens.check();
  });
}

/** One token per partition, taken in assigned() and given back in revoked(). */
class Tokens {
  readonly owners = new Map<number, string>();
  readonly #faults: string[] = [];
  #busy = 0;
  #changed = Promise.withResolvers<void>();

  handlers(
    who: string,
    inner: { [Name in keyof GroupHandlers]?: (partitions: readonly number[]) => Promise<void> | void } = {},
  ): GroupHandlers {
    let inside = false;
    const handler = async (partitions: readonly number[], act: () => Promise<void>) => {
      if (partitions.length === 0) this.#faults.push(`${who} was called for nothing`);
      if (inside) this.#faults.push(`${who} was called twice at a time`);
      inside = true;
      this.#busy++;
      try {
        await act();
      } finally {
        inside = false;
        this.#busy--;
        this.#changed.resolve();
        this.#changed = Promise.withResolvers();
      }
    };
    return {
      assigned: (partitions) =>
        handler(partitions, async () => {
          for (const p of partitions) this.#move(p, undefined, who);
          try {
            await inner.assigned?.(partitions);
          } catch (error) {
            for (const p of partitions) this.#move(p, who, undefined);
            throw error;
          }
        }),
      revoked: (partitions) =>
        handler(partitions, async () => {
          try {
            await inner.revoked?.(partitions);
          } finally {
            for (const p of partitions) this.#move(p, who, undefined);
          }
        }),
    };
  }

  of(who: string): number[] {
    return [...this.owners].filter(([, owner]) => owner === who).map(([p]) => p).sort((a, b) => a - b);
  }

  /** Whether all partitions are shared among exactly these members, sizes within one. */
  balanced(...names: readonly string[]): boolean {
    const sizes = names.map((who) => this.of(who).length);
    return sizes.reduce((sum, size) => sum + size, 0) === PARTITIONS &&
      Math.max(...sizes) - Math.min(...sizes) <= 1;
  }

  /** Waits until no handler runs and the condition holds; checks after every handler. */
  async until(condition: () => boolean): Promise<void> {
    this.check();
    while (this.#busy > 0 || !condition()) {
      await this.#changed.promise;
      this.check();
    }
  }

  check(): void {
    assert.deepEqual(this.#faults, []);
  }

  #move(partition: number, from: string | undefined, to: string | undefined): void {
    const owner = this.owners.get(partition);
    if (owner !== from) {
      this.#faults.push(`${to ?? from} moved ${partition}, which ${owner ?? "nobody"} held`);
    }
    if (to === undefined) this.owners.delete(partition);
    else this.owners.set(partition, to);
  }
}
