/**
 * How logins affect experiments, by simulation: people send requests as sessions, and some log in; the figures of
 * decision 124.
 *
 * ```sh
 * deno run -A tests/bench/logins.ts --runs 150
 * ```
 *
 * @module
 */

import { Experiments } from "../../src/assignment/assignment.ts";
import { startExperiment } from "../../src/assignment/changes.ts";
import type { Experiment } from "../../src/assignment/experiment.ts";
import type { MetricName } from "../../src/assignment/metrics.ts";
import { createRandom, type Random } from "../../src/draws/random_source.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { Event } from "../../src/events/event.ts";
import { exposuresOf } from "../../src/events/recommendation.ts";
import { PrePeriod } from "../../src/experiments/pre_period.ts";
import { sumsOf } from "../../src/experiments/user_metrics.ts";
import type { Verdict, VerdictWord } from "../../src/experiments/verdict.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { PRIOR } from "../../src/serving/prior_serving.ts";
import { Followed } from "../../streams/experiments/followed.ts";

const START = Date.UTC(2026, 0, 1);
const SECOND = 1000;
const ITEMS = ["a", "b", "c", "d", "e"];
/** Number of people between two looks at the verdict. */
const LOOK_EVERY = 50;

/** Two variants, A and B, and how people behave. */
export interface LoginWorld {
  readonly name: string;
  readonly metric: MetricName;
  /** Probability that a list is clicked, by variant. */
  readonly clicks: readonly [number, number];
  /** Probability that a click is followed by a login, by variant. */
  readonly logins: readonly [number, number];
  /** Probability that a clicked list is clicked again, half a minute later. */
  readonly again: number;
  /** Lists per person, two minutes apart. */
  readonly lists: number;
  /** Whether everybody uses one id before and after a login. @default {false} */
  readonly oneId?: boolean;
}

const BASE = { metric: "ctr", clicks: [0.3, 0.3], logins: [0.2, 0.2], again: 0.4, lists: 2 } as const;
/** B makes more people log in. */
const MORE = { ...BASE, logins: [0.2, 0.4] } as const;
const BETTER = { ...BASE, clicks: [0.3, 0.42], logins: [0.5, 0.5], lists: 4 } as const;

export const LOGIN_WORLDS: readonly LoginWorld[] = [
  { ...BASE, name: "A/A" },
  { ...MORE, name: "more logins, no click after them", again: 0 },
  { ...MORE, name: "more logins" },
  { ...MORE, name: "more logins: clicks per user", metric: "clicksPerUser" },
  { ...MORE, name: "more logins: lists per user", metric: "listsPerUser" },
  { ...MORE, name: "more logins, one id: clicks per user", metric: "clicksPerUser", oneId: true },
  { ...BETTER, name: "better, half log in" },
  { ...BETTER, name: "better, half log in: clicks per user", metric: "clicksPerUser" },
  { ...BETTER, name: "better, half log in, one id: clicks per user", metric: "clicksPerUser", oneId: true },
];

/** The result of an experiment. */
export interface LoginRun {
  /** The first verdict, or the one at the end. */
  readonly verdict: VerdictWord;
  /** Of the variant, relative to the control, at that time. */
  readonly lift: number | null;
  /** Lists with an outcome and without one, by the end. */
  readonly lists: { readonly counted: number; readonly asked: number };
}

/** Runs an experiment over people, with a look at each once the outcomes of their lists are known. */
export function runLogins(world: LoginWorld, people: number, seed: number): LoginRun {
  const experiment = startExperiment({
    name: "e",
    salt: `${seed}`,
    metric: world.metric,
    stopRule: { maxUsers: people },
    variants: [{ name: "A" }, { name: "B", maxCandidates: 50 }],
  }, { records: new Map(), models: [] });
  const state = new TaskState({ schema: DEFAULT_SCHEMA }, PRIOR);
  state.applyExperiments([experiment]);
  const figures = new Followed(experiment, new PrePeriod());
  const out = { recommendations: [], samples: [], forgotten: [], merges: [] } satisfies TaskOutputs;
  const lists = { counted: 0, asked: 0 };
  let offset = 0;
  const apply = (event: Event) => {
    state.apply(event, offset++, out);
    for (const merge of out.merges.splice(0)) apply(merge);
  };
  const events = eventsOf(world, people, { experiment, random: createRandom(seed, 61) });
  for (const [n, event] of events.entries()) {
    apply(event);
    count(figures, out, lists);
    figures.advance(state.settledBefore, 0);
    if (n % (3 * LOOK_EVERY) !== 0) continue;
    const found = verdictOf(figures);
    if (found.verdict !== "undecided") return { ...found, lists };
  }
  state.flush(out);
  count(figures, out, lists);
  return { ...verdictOf(figures), lists };
}

function verdictOf(figures: Followed): Pick<LoginRun, "verdict" | "lift"> {
  const [{ word, comparison }] = figures.status.verdicts as [Verdict];
  return { verdict: word, lift: comparison.effect.lift };
}

/** Counts a task's outputs. */
function count(figures: Followed, out: TaskOutputs, lists: { counted: number; asked: number }): void {
  for (const list of out.recommendations.splice(0)) {
    for (const exposure of exposuresOf(list)) figures.recommended(list, exposure, 0);
    lists.asked++;
  }
  for (const sample of out.samples.splice(0)) {
    if (sample.rows.length === 0) continue;
    for (const exposure of sample.exposures ?? []) figures.sampled(sample, exposure, sumsOf(sample));
    lists.counted++;
  }
}

/** What people do, ordered by time; a new person starts every two seconds. */
function eventsOf(
  { clicks, logins, again, lists, oneId = false }: LoginWorld,
  people: number,
  { experiment, random }: { readonly experiment: Experiment; readonly random: Random },
): readonly Event[] {
  const assigned = new Experiments([experiment]);
  const armOf = (user: string) => assigned.assign(user).exposures[0]?.variant === "B" ? 1 : 0;
  const events: Event[] = [];
  for (let person = 0; person < people; person++) {
    let user = `session-${person}`;
    for (let list = 0; list < lists; list++) {
      const time = START + (2 * person + 120 * list) * SECOND;
      const request = `${person}-${list}`;
      const arm = armOf(user);
      events.push({ type: "request", user, request, time, count: ITEMS.length, candidates: ITEMS });
      const [isClicked, logsIn, comesBack] = [
        random() < clicks[arm],
        random() < logins[arm],
        random() < again,
      ];
      if (!isClicked) continue;
      const click = { type: "interaction", action: "click", request } as const;
      events.push({ ...click, user, item: "a", time: time + 5 * SECOND });
      if (logsIn && user.startsWith("session") && !oneId) {
        events.push({ type: "alias", user, of: `user-${person}`, time: time + 10 * SECOND });
        user = `user-${person}`;
      }
      if (comesBack) events.push({ ...click, user, item: "b", time: time + 35 * SECOND });
    }
  }
  return events.sort((a, b) => a.time - b.time);
}

if (import.meta.main) {
  const runsAt = Deno.args.indexOf("--runs");
  const runs = runsAt < 0 ? 150 : Number(Deno.args[runsAt + 1]);
  const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
  for (const world of LOGIN_WORLDS) {
    const all = Array.from({ length: runs }, (_, seed) => runLogins(world, 2000, seed));
    const kinds = Object.groupBy(all, ({ verdict }) => verdict);
    const shown = Object.entries(kinds).map(([kind, of]) => `${kind} ${of.length}`).sort().join(", ");
    const lifts = all.flatMap(({ lift }) => lift ?? []).sort((a, b) => a - b);
    const lost = all.reduce((sum, { lists: { asked, counted } }) => sum + asked - counted, 0) / runs;
    print(
      `${world.name}: ${shown}; median lift ${
        (100 * lifts[lifts.length >> 1]!).toFixed(1)
      } %; ${lost} open or lost`,
    );
  }
}
