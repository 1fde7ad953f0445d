import assert from "node:assert/strict";
import { type Session, sessionsAt, withSession } from "../../../src/users/states/sessions.ts";

Deno.test("withSession() keeps the last login of each session, and the eight newest sessions", () => {
  let sessions: readonly Session[] = [];
  for (const [id, login] of [["a", 5], ["b", 3], ["a", 4], ["b", 9]] as const) {
    sessions = withSession(sessions, { id, login });
  }
  assert.deepEqual(sessions, [{ id: "a", login: 5 }, { id: "b", login: 9 }]);
  for (let login = 10; login < 20; login++) sessions = withSession(sessions, { id: `s${login}`, login });
  assert.deepEqual(sessions.map(({ login }) => login), [12, 13, 14, 15, 16, 17, 18, 19]);
});

Deno.test("sessionsAt() returns sessions whose lists may be open, up to the end of their window", () => {
  const sessions = [{ id: "a", login: 5 }, { id: "b", login: 9 }];
  const at = (time: number) => sessionsAt(sessions, time, 10).map(({ id }) => id).join("");
  assert.deepEqual([0, 15, 16, 19, 20].map(at), ["ab", "ab", "b", "b", ""]);
});
