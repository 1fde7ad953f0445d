import assert from "node:assert/strict";
import { mulberry32 } from "../../../src/draws/random.ts";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { contextOf } from "../../../src/retrieval/signals/context.ts";
import { Sessions } from "../../../src/retrieval/sources/sessions.ts";

const GAP = 10, SESSIONS = 5, RANK = Uint32Array.from({ length: 20 }, (_, item) => item);

/** Whose sessions are known, in the order of their last activity; written as plainly as can be. */
class Known {
  users: { readonly user: string; readonly session: number; readonly time: number }[] = [];
  #next = 0;

  learn(user: string, time: number): void {
    const known = this.users.find((other) => other.user === user);
    const session = known !== undefined && time - known.time < GAP ? known.session : this.#next++;
    this.users = [...this.users.filter((other) => other.user !== user), { user, session, time }];
    while (this.users[0]!.session < this.#next - SESSIONS) this.users.shift();
  }

  forget(user: string): void {
    this.users = this.users.filter((other) => other.user !== user);
  }
}

/** The users of an encoding: they stand between the sessions and the items. */
function usersOf(sessions: Sessions): Known["users"] {
  const to = new ByteWriter();
  sessions.encode(to, RANK);
  const from = new ByteReader(to.toBytes());
  for (let n = -from.uint() + from.uint(); n > 0; n--) for (let k = from.count(); k > 0; k--) from.uint();
  return Array.from({ length: from.count() }, () => {
    const user = from.string();
    return { user, session: from.uint(), time: from.f64() };
  });
}

Deno.test("Sessions knows the users of its newest sessions, least recently active first", () => {
  const random = mulberry32(3);
  let sessions = new Sessions({ sessions: SESSIONS, gapMs: GAP });
  const known = new Known();
  for (let n = 0, time = 0; n < 2000; n++) {
    const user = `u${Math.floor(8 * random() ** 2)}`;
    time += Math.floor(4 * random());
    if (random() < 0.05) {
      sessions.forget(user);
      known.forget(user);
    } else {
      const signal = { user, item: Math.floor(20 * random()), time, liked: true, wanted: true };
      sessions.learn({ ...signal, context: contextOf([]), step: null });
      known.learn(user, time);
    }
    assert.deepEqual(usersOf(sessions), known.users);
    if (random() > 0.02) continue;
    const to = new ByteWriter();
    sessions.encode(to, RANK);
    sessions = new Sessions({ sessions: SESSIONS, gapMs: GAP });
    sessions.decode(new ByteReader(to.toBytes()), (item) => item);
  }
});
