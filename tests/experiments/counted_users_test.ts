import assert from "node:assert/strict";
import { startExperiment } from "../../src/assignment/changes.ts";
import { encodeSample } from "../../src/samples/sample_codec.ts";
import { SETTLED_BEFORE } from "../../streams/topics/delivery.ts";
import type { ExperimentMonitor } from "../../streams/experiments/monitor.ts";
import { ExperimentViews } from "../../streams/experiments/views.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { MonitorFigures } from "../../streams/experiments/monitor_figures.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import { listen } from "../log/warnings.ts";
import { list } from "./lists.ts";

const MOST = 40;
const MIDDLE = 300;
const experiment = startExperiment(
  { name: "e", variants: [{ name: "old" }, { name: "new" }], stopRule: { maxUsers: 10 } },
  { records: new Map(), models: [] },
);
const encoder = new TextEncoder();

/** Lists, in order, and what came of each a moment later. */
function visits() {
  const random = createRandom(1);
  return Array.from({ length: 600 }, (_, at) => {
    const user = `u${Math.floor(90 * random() ** 2)}`;
    return { user, time: 1e6 + 1000 * at, clicks: random() < 0.3 ? 1 : 0 };
  });
}

/** Takes the visits of the users, and returns all figures. @param forgotten who is forgotten in the middle */
function figuresOf(
  figures: MonitorFigures,
  has: (user: string, offset: number) => boolean,
  forgotten: readonly string[] = [],
): ReadonlyMap<string, unknown> {
  figures.follow([experiment]);
  for (const [offset, { user, time, clicks }] of visits().entries()) {
    if (offset === MIDDLE) { for (const one of forgotten) figures.forget(one); }
    if (!has(user, offset)) continue;
    const variant = Number(user.slice(1)) % 2 === 0 ? "old" : "new";
    const place = { topic: "t", partition: 0, offset, key: user };
    const exposures = [{ experiment: "e", variant }];
    const answer = { request: user, user, time, items: [{}], tookMicros: 10, stateVersion: 1, exposures };
    const value = encoder.encode(JSON.stringify(answer));
    figures.recommended({ ...place, time, value, headers: {} }, value, 0);
    const sample = encodeSample(list(user, clicks, { time, exposure: ["e", variant] }));
    const headers = { [SETTLED_BEFORE]: `${time + 1}` };
    figures.sampled({ ...place, time: time + 1, value: sample, headers }, sample, 0);
  }
  return new Map(figures.takeChanges().filter(([, value]) => value !== null));
}

function usersIn(figures: MonitorFigures): readonly number[] {
  return figures.status().flatMap(({ totals }) => [0, 1].map((arm) => totals.moments(arm).users));
}

Deno.test("MonitorFigures counts the first users as if there were no others once there are too many", async () => {
  await using heard = await listen();
  const first = new Set<string>();
  for (const { user } of visits()) if (first.size < MOST) first.add(user);
  const bounded = figuresOf(new MonitorFigures(1, true, MOST), () => true);
  assert.match(
    heard.messages.join("\n"),
    /^experiment e counts 40 users, the most that it may: later ones are left out$/,
  );
  const alone = figuresOf(new MonitorFigures(1, true), (user) => first.has(user));
  assert.deepEqual(bounded, alone);
  assert.equal(alone.size, MOST + 1, "each has figures, and so has the experiment");
  assert.ok(figuresOf(new MonitorFigures(1, true), () => true).size > MOST + 1);
});

Deno.test("MonitorFigures gives nobody who was left out the place of an erased user, also after a restart", async () => {
  const first = new Set<string>();
  for (const { user } of visits()) if (first.size < MOST) first.add(user);
  const erased = [...first].slice(0, 10);
  const isLeft = (user: string, offset: number) =>
    first.has(user) && (offset < MIDDLE || !erased.includes(user));
  const bounded = new MonitorFigures(1, true, MOST);
  const written = figuresOf(bounded, () => true, erased);
  assert.deepEqual(written, figuresOf(new MonitorFigures(1, true), isLeft, erased));
  const again = new MonitorFigures(1, true, MOST);
  again.follow([experiment]);
  const records = new Map([...written].map(([key, value]) => {
    const place = { topic: "figures", partition: 0, offset: 0, key };
    return [key, { ...place, value: value as Uint8Array, headers: {} }] as const;
  }));
  const head = { time: 0, clocks: bounded.clocks, positions: new Map(), lost: 0, isUncut: false };
  again.restore(records, head);
  figuresOf(again, (user) => !first.has(user));
  assert.deepEqual(usersIn(again), usersIn(bounded));
  const working = { update: () => Promise.resolve(0), status: () => again.status(), records: new Map() };
  const views = new ExperimentViews(
    new MemoryLog(),
    topicNames(),
    Date.now,
    () => working as unknown as ExperimentMonitor,
  );
  const [view] = (await views.views()).experiments;
  assert.deepEqual(view?.text.slice(1), [
    "it counts 40 users, the most that it may: later ones are left out",
  ]);
});

Deno.test("MonitorFigures counts enough users for an experiment's own maxUsers, whoever has no sample", () => {
  const { size } = figuresOf(new MonitorFigures(1, true, 5), () => true);
  assert.equal(size, 2 * 10 + 1);
});
