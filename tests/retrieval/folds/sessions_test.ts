import assert from "node:assert/strict";
import fc from "fast-check";
import { mulberry32 } from "../../../src/draws/random.ts";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { contextOf } from "../../../src/retrieval/signals/context.ts";
import { ItemScores } from "../../../src/retrieval/items/item_scores.ts";
import { Sessions } from "../../../src/retrieval/folds/sessions.ts";
import { atOnce } from "../../../src/values/portions.ts";

const GAP = 10, SESSIONS = 5, RANK = Uint32Array.from({ length: 20 }, (_, item) => item);

/** The users of known sessions, in the order in which these began, by the plainest code. */
class Known {
  users: { readonly user: string; readonly session: number; time: number }[] = [];
  next = 0;

  learn(user: string, time: number): void {
    const known = this.users.find((other) => other.user === user);
    if (known !== undefined && time - known.time < GAP) known.time = time;
    else {
      this.forget(user);
      this.users.push({ user, session: this.next++, time });
      this.users = this.users.filter(({ session }) => session >= this.next - SESSIONS);
    }
  }

  forget(user: string): void {
    this.users = this.users.filter((other) => other.user !== user);
  }
}

function bytesOf(sessions: Sessions): Uint8Array {
  const to = new ByteWriter();
  atOnce(sessions.encode(to, Array.from(RANK), RANK));
  return to.toBytes();
}

function restored(bytes: Uint8Array, capacity = SESSIONS): Sessions {
  const sessions = new Sessions({ sessions: capacity, gapMs: GAP });
  atOnce(sessions.decode(new ByteReader(bytes), (item) => item));
  return sessions;
}

/** What an encoding holds: the items of each session, the users, and the sessions of each item. */
function contentOf(sessions: Sessions) {
  const from = new ByteReader(bytesOf(sessions));
  const [first, next] = [from.uint(), from.uint()];
  const listOf = <T>(read: () => T) => Array.from({ length: from.count() }, read);
  const items = Array.from({ length: next - first }, () => listOf(() => from.uint()));
  const users: Known["users"] = listOf(() => ({
    user: from.string(),
    session: from.uint(),
    time: from.f64(),
  }));
  const byItem = new Map(listOf(() => {
    const item = from.uint();
    let session = 0;
    return [item, listOf(() => session += from.int())] as const;
  }));
  assert.ok(from.done);
  return { first, next, items, users, byItem };
}

/** Asserts that each item lists exactly the kept sessions that have it. */
function assertNoneIsGone({ first, items, byItem }: ReturnType<typeof contentOf>): void {
  const expected = new Map<number, number[]>();
  for (const [n, of] of items.entries()) {
    for (const item of of) expected.set(item, [...expected.get(item) ?? [], first + n]);
  }
  const ascending = [...byItem].map(([item, of]) => [item, [...of].sort((a, b) => a - b)] as const);
  assert.deepEqual(ascending, [...expected].sort(([a], [b]) => a - b));
}

function learn(sessions: Sessions, user: string, item: number, time: number): void {
  sessions.learn({ user, item, time, liked: true, wanted: true, context: contextOf([]), step: null });
}

Deno.test("Sessions keeps its newest sessions and their users, restarted or not", () => {
  const random = mulberry32(3);
  let sessions = new Sessions({ sessions: SESSIONS, gapMs: GAP });
  const uninterrupted = new Sessions({ sessions: SESSIONS, gapMs: GAP });
  const known = new Known();
  for (let n = 0, time = 0; n < 2000; n++) {
    const user = `u${Math.floor(8 * random() ** 2)}`;
    time += Math.floor(4 * random());
    if (random() < 0.05) {
      for (const each of [sessions, uninterrupted, known]) each.forget(user);
    } else {
      const item = Math.floor(20 * random());
      for (const each of [sessions, uninterrupted]) learn(each, user, item, time);
      known.learn(user, time);
    }
    const content = contentOf(sessions);
    assert.deepEqual(content.users, known.users);
    assert.ok(content.next === known.next && content.items.length <= SESSIONS);
    assertNoneIsGone(content);
    if (random() < 0.02) sessions = restored(bytesOf(sessions));
    assert.deepEqual(bytesOf(sessions), bytesOf(uninterrupted));
  }
});

Deno.test("Sessions.clone() stays as it was while the original learns and forgets", () => {
  const sessions = new Sessions({ sessions: 150, gapMs: GAP });
  for (let user = 0; user < 200; user++) learn(sessions, `u${user}`, user % 20, 0);
  const [clone, bytes] = [sessions.clone(), bytesOf(sessions)];
  assert.deepEqual(bytesOf(clone), bytes);
  for (let user = 100; user < 300; user++) learn(sessions, `u${user}`, 19 - user % 20, 1);
  sessions.forget("u150");
  assert.deepEqual(bytesOf(clone), bytes);
});

Deno.test("Sessions begins a new session for a user whose own was displaced by those of others", () => {
  const sessions = new Sessions({ sessions: SESSIONS, gapMs: GAP });
  for (let n = 0; n < SESSIONS; n++) {
    learn(sessions, "busy", 0, 1);
    for (const item of [1, 2]) learn(sessions, `u${n}`, item, 1);
  }
  learn(sessions, "busy", 1, 2);
  const scores = new ItemScores();
  sessions.score("busy", 3, scores);
  assert.ok(scores.get(2) > 0);
});

Deno.test("Sessions lists no session that is gone under an item that had more sessions than it lists", () => {
  const sessions = new Sessions({ sessions: 1500, gapMs: GAP });
  for (let user = 0; user < 1400; user++) learn(sessions, `u${user}`, 1, 0);
  // Those that have it first, and are cut off, end last.
  for (let user = 1399; user >= 0; user--) learn(sessions, `u${user}`, 0, 0);
  assert.deepEqual(contentOf(sessions).byItem.get(0), Array.from({ length: 900 }, (_, n) => 899 - n));
  for (let user = 0; user < 2000; user++) learn(sessions, `v${user}`, 2, 0);
  const { first, byItem } = contentOf(sessions);
  assert.deepEqual([...byItem.keys()], [2]);
  assert.ok(first === 1900 && byItem.get(2)!.every((session) => session >= first));
  assert.deepEqual(contentOf(restored(bytesOf(sessions), 1500)), contentOf(sessions));
  const fewer = contentOf(restored(bytesOf(sessions), 1000));
  assert.deepEqual([fewer.first, fewer.items.length, fewer.users.length], [2400, 1000, 1000]);
});

Deno.test("Sessions reads snapshots of 0.2.0, which name sessions that are gone, and snapshots of more sessions", () => {
  const to = new ByteWriter().uint(7).uint(9);
  const put = (numbers: readonly number[]) => {
    to.uint(numbers.length);
    for (const number of numbers) to.uint(number);
  };
  put([0, 1]);
  put([1]);
  put([]);
  to.uint(3);
  for (const [item, sessions] of [[3, 7], [5, 6, 7, 8], [4]].entries()) {
    to.uint(item).uint(sessions.length);
    sessions.forEach((session, at) => to.int(session - (sessions[at - 1] ?? 0)));
  }
  const bytes = to.toBytes();
  assert.deepEqual([...contentOf(restored(bytes)).byItem], [[0, [7]], [1, [7, 8]]]);
  const { first, items, byItem } = contentOf(restored(bytes, 1));
  assert.deepEqual({ first, items, byItem: [...byItem] }, { first: 8, items: [[1]], byItem: [[1, [8]]] });
});

Deno.test("Sessions.score() is the sum over the most similar sessions that its formula gives", () => {
  const behaviours = fc.array(
    fc.record({ user: fc.nat(60), item: fc.nat(19), gap: fc.constantFrom(0, 0, 0, 1, GAP) }),
    { maxLength: 600 },
  );
  fc.assert(
    fc.property(
      behaviours,
      fc.uniqueArray(fc.nat(19), { minLength: 1, maxLength: 14 }),
      (told, mine) => {
        const capacity = 150, sessions = new Sessions({ sessions: capacity, gapMs: GAP });
        let time = 0;
        const all: { readonly user: string; readonly items: number[]; time: number }[] = [];
        const act = (user: string, item: number) => {
          learn(sessions, user, item, time);
          const known = all.slice(-capacity).findLast((each) => each.user === user);
          if (known === undefined || time - known.time >= GAP) all.push({ user, items: [item], time });
          else {
            known.time = time;
            if (!known.items.includes(item)) known.items.push(item);
          }
        };
        for (const { user, item, gap } of told) {
          time += gap;
          act(`u${user}`, item);
        }
        for (const item of mine) act("me", item);

        const kept = all.slice(-capacity), newest = mine.slice(-10), L = newest.length;
        const similar = kept.filter(({ user }) => user !== "me").map(({ items }, age) => {
          const places = newest.flatMap((item, n) => items.includes(item) ? [n + 1] : []);
          const similarity = places.reduce((sum, place) => sum + place / L, 0);
          return { items, age, similarity, gap: L - Math.max(...places) };
        }).filter(({ similarity }) => similarity > 0)
          .sort((a, b) => b.similarity - a.similarity || b.age - a.age).slice(0, 100);
        const scores = new ItemScores();
        sessions.score("me", time, scores);
        for (let item = 0; item < 20; item++) {
          const seen = kept.filter(({ items }) => items.includes(item)).length;
          const sum = similar.filter(({ items }) => items.includes(item))
            .reduce((sum, { similarity, gap }) => sum + similarity * (1 - 0.1 * Math.min(9, gap)), 0);
          const want = Math.log(1 + kept.length / (1 + seen)) * sum;
          assert.ok(Math.abs(scores.get(item) - want) < 1e-9, `${item}: ${scores.get(item)} is not ${want}`);
        }
      },
    ),
    { numRuns: 50 },
  );
});
