/** Clients with wrong clocks among clients whose clocks are right. */

import assert from "node:assert/strict";
import type { Event } from "../../src/events/event.ts";
import type { Arrival } from "../../src/users/event_clock.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import { DAY, HOUR, MINUTE } from "./durations.ts";
import { FakeServing } from "./fake_serving.ts";
import { Durable, outputs, START } from "./streams.ts";

const OPTIONS: TaskOptions = {
  schema: { userFields: [], itemFields: [], contextFields: [], crosses: [] },
  outcomeWindowMs: 10 * MINUTE,
  allowedLatenessMs: 5 * MINUTE,
};

/** Who sets the time of records: a server, the producer by its own clock, or nobody, so that the event's stands. */
type Stamp = "server" | "producer" | "client";

interface Life {
  readonly users?: number;
  /** How many of the users have a wrong clock, and by how much it is ahead. */
  readonly wrong: number;
  readonly skewMs: number;
  readonly stamp: Stamp;
  /** Whether requests have the time of the wrong clocks, too; otherwise the server's. */
  readonly asksByClient?: boolean;
  /** Time between two lists of a user. */
  readonly everyMs?: number;
  /** After how many events the task is restored from its records; 0 = never. */
  readonly restoreAfter?: number;
}

interface Outcome {
  /** Lists of the users whose clock is right, their clicks, and how many were learnt as positives. */
  readonly right: Share;
  readonly wrong: Share;
  /** Samples that were settled at another time than their deadline. */
  readonly early: number;
  readonly lateOutcomes: number;
  readonly refused: number;
  readonly clockMs: number;
}

interface Share {
  lists: number;
  clicks: number;
  positives: number;
}

/** Three hours in which all users keep asking for lists of three, and click the first item of every second list. */
function live(life: Life): Outcome {
  const { users = 100, wrong, skewMs, stamp, asksByClient = false, everyMs = 5 * MINUTE } = life;
  const coming: { readonly at: number; readonly event: Event }[] = [];
  const right: Share = { lists: 0, clicks: 0, positives: 0 };
  const other: Share = { lists: 0, clicks: 0, positives: 0 };
  const isWrong = (user: string) => Number(user.slice(1)) < wrong;
  const end = START + 3 * HOUR;
  for (let n = 0; n < users; n++) {
    const user = `u${n}`;
    const skew = isWrong(user) ? skewMs : 0;
    for (let k = 0, at = START + n * everyMs / users; at < end; k++, at += everyMs) {
      const request = `${user}-${k}`;
      const share = isWrong(user) ? other : right;
      share.lists++;
      const asked = { type: "request", user, request, count: 3, candidates: ["a", "b", "c"] } as const;
      coming.push({ at, event: { ...asked, time: at + (asksByClient ? skew : 0) } });
      if (k % 2 > 0) continue;
      share.clicks++;
      const later = at + 9 * MINUTE;
      const click = { type: "interaction", user, request, item: "a", action: "click" } as const;
      coming.push({ at: later, event: { ...click, time: later + skew } });
    }
  }
  coming.sort((a, b) => a.at - b.at);
  // So long after the end that no list is open any more.
  coming.push({
    at: end + DAY,
    event: { type: "profile", user: "u99", time: end + DAY, attributes: {} },
  });
  let task = new TaskState(OPTIONS, new FakeServing());
  const durable = new Durable();
  const out = outputs();
  let refused = 0;
  coming.forEach(({ at, event }, offset) => {
    if (life.restoreAfter !== undefined && offset % life.restoreAfter === 0) {
      durable.commit(task, out);
      task = durable.restore(OPTIONS, new FakeServing());
    }
    const arrival: Arrival = { time: stamp === "client" ? event.time : at, isSure: stamp === "server" };
    if (task.apply(event, offset, out, arrival) !== null) refused++;
  });
  const clockMs = task.maxTime;
  task.flush(out);
  let early = 0;
  for (const { user, time, closedTime, rows } of out.samples) {
    if (closedTime !== time + 10 * MINUTE) early++;
    (isWrong(user) ? other : right).positives += [...rows].filter(({ label }) => label === 1).length;
  }
  return { right, wrong: other, early, lateOutcomes: task.counters.lateOutcomes, refused, clockMs };
}

const KINDS: [what: string, life: Life][] = [];
for (const wrong of [1, 5]) {
  for (const stamp of ["server", "producer", "client"] as const) {
    for (
      const [ahead, skewMs] of [["59 minutes ahead", 59 * MINUTE], ["200 days ahead", 200 * DAY]] as const
    ) {
      KINDS.push([`clocks of ${wrong} in 100 users are ${ahead}, record times by the ${stamp}`, {
        wrong,
        skewMs,
        stamp,
      }]);
      const life = { wrong, skewMs, stamp, asksByClient: true };
      KINDS.push([
        `clocks of ${wrong} in 100 users are ${ahead}, in requests, too, record times by the ${stamp}`,
        life,
      ]);
    }
  }
}
KINDS.push(["the clock of 1 in 100 users is ahead and the task is restored repeatedly", {
  wrong: 1,
  skewMs: 59 * MINUTE,
  stamp: "client",
  restoreAfter: 137,
}]);

for (const [what, life] of KINDS) {
  Deno.test(`TaskState.apply() settles others' lists on time and with their clicks when ${what}`, () => {
    const { right, wrong, early, lateOutcomes } = live(life);
    assert.ok(right.clicks > 1000);
    assert.equal(right.positives, right.clicks);
    assert.equal(early, 0);
    if (life.stamp === "client" && life.asksByClient !== true) return;
    assert.deepEqual(
      [wrong.positives, lateOutcomes],
      [wrong.clicks, 0],
      "their own outcomes are right as well",
    );
  });
}

Deno.test("TaskState.apply() does not let clocks that are years behind affect other users", () => {
  for (const stamp of ["server", "client"] as const) {
    const { right, wrong, clockMs } = live({ wrong: 5, skewMs: -5 * 365 * DAY, stamp, asksByClient: true });
    assert.equal(right.positives, right.clicks);
    assert.equal(wrong.positives, 0);
    assert.ok(clockMs >= START + 3 * HOUR, `${stamp}: ${clockMs}`);
  }
});

Deno.test("TaskState.apply() makes no sample of a list whose window is over by the time of the request", () => {
  const task = new TaskState(OPTIONS, new FakeServing());
  const out = outputs();
  const ask = (user: string, time: number, offset: number) =>
    task.apply(
      { type: "request", user, request: user, time, count: 1, candidates: ["a"] },
      offset,
      out,
      { time: START, isSure: true },
    );
  ask("now", START, 0);
  ask("old", START - 15 * MINUTE - 1, 1);
  ask("late", START - 15 * MINUTE, 2);
  assert.equal(out.recommendations.length, 3, "everybody is answered");
  task.flush(out);
  assert.deepEqual(out.samples.map(({ user }) => user), ["late", "now"]);
  assert.equal(task.counters.tooLate, 1);
});

Deno.test("TaskState.apply() joins the clicks of a single user whose clock is ahead", () => {
  for (const stamp of ["server", "producer", "client"] as const) {
    const { wrong } = live({ users: 1, wrong: 1, skewMs: 59 * MINUTE, stamp, asksByClient: true });
    assert.ok(wrong.clicks > 10);
    assert.equal(wrong.positives, wrong.clicks, stamp);
  }
});

Deno.test("TaskState.apply() joins clicks by a clock that is ahead with lists by a clock that is right", () => {
  const { wrong, early } = live({ users: 3, wrong: 1, skewMs: 40 * MINUTE, stamp: "server" });
  assert.equal(wrong.positives, wrong.clicks);
  assert.equal(early, 0);
});

Deno.test("TaskState.apply() counts events that claim to be far ahead of their arrival, and uses the arrival", () => {
  const task = new TaskState(OPTIONS, new FakeServing());
  const out = outputs();
  [0, 4 * MINUTE, 6 * MINUTE].forEach((ahead, offset) => {
    const event = { type: "profile", user: "u", time: START + ahead, attributes: {} } as const;
    task.apply(event, offset, out, { time: START, isSure: true });
  });
  assert.deepEqual([task.counters.ahead, task.maxTime], [1, START]);
});

Deno.test("TaskState.apply() does not make an item popular by one click from a clock that is far ahead", () => {
  const task = new TaskState(OPTIONS, new FakeServing());
  const out = outputs();
  const click = (user: string, item: string, time: number, offset: number) =>
    task.apply({ type: "interaction", user, item, action: "click", time }, offset, out);
  for (let n = 0; n < 20; n++) click(`u${n}`, "a", START + n, n);
  click("ahead", "b", START + 30 * 365 * DAY, 20);
  const [a, b] = ["a", "b"].map((item) => task.catalogue.get(item)?.popularity ?? NaN);
  assert.ok(a! > b!, `${a} against ${b}`);
});
