import assert from "node:assert/strict";
import fc from "fast-check";
import { definitionOf, Experiments } from "../../src/assignment/assignment.ts";
import {
  bucketOf,
  BUCKETS,
  proportions,
  saltSeed,
  shareOut,
  spanSize,
} from "../../src/assignment/buckets.ts";
import {
  changeHoldout,
  changeTraffic,
  type ExperimentDraft,
  ExperimentError,
  promoteVariant,
  rollBackExperiment,
  startExperiment,
  stopExperiment,
} from "../../src/assignment/changes.ts";
import { newPhasesAfterUndo } from "../../src/assignment/phases.ts";
import { type ExperimentRecord, MAX_TEXT } from "../../src/assignment/experiment.ts";

const MODELS = ["dien", "base"];
const USERS = Array.from({ length: 100_000 }, (_, u) => `u${u}`);

function draft(over: Partial<ExperimentDraft> & { name: string }): ExperimentDraft {
  return { variants: [{ name: "A" }, { name: "B", policy: { name: "epsilon", epsilon: 0.1 } }], ...over };
}

function among(...records: ExperimentRecord[]) {
  return { records: new Map(records.map((record) => [record.name, record])), models: MODELS };
}

/** χ² of counts against equal expectation, in standard deviations of a normal number (Wilson and Hilferty). */
function excess(counts: ArrayLike<number>, expected: number, degrees: number): number {
  let chi2 = 0;
  for (let i = 0; i < counts.length; i++) chi2 += (counts[i]! - expected) ** 2 / expected;
  return (Math.cbrt(chi2 / degrees) - (1 - 2 / (9 * degrees))) / Math.sqrt(2 / (9 * degrees));
}

Deno.test("bucketOf() spreads users evenly, whatever the format of their ids", () => {
  const ids = [
    (u: number) => `u${u}`,
    (u: number) => String(1_000_000 + 7 * u),
    (u: number) => `user-${u.toString(16).padStart(12, "0")}@example.org`,
  ];
  for (const id of ids) {
    for (const salt of ["a", "b", "checkout button"]) {
      const counts = new Uint32Array(BUCKETS);
      for (let u = 0; u < 200_000; u++) counts[bucketOf(id(u), saltSeed(salt))]!++;
      assert.ok(Math.abs(excess(counts, 20, BUCKETS - 1)) < 4, `salt ${salt}`);
    }
  }
});

Deno.test("bucketOf() is independent across salts", () => {
  const salts = ["a", "b", "c", "layer:default", "layer:ui", "layer:uj"];
  for (const [i, one] of salts.entries()) {
    for (const other of salts.slice(0, i)) {
      const [x, y] = [saltSeed(one), saltSeed(other)];
      for (const parts of [2, 10]) {
        const counts = new Uint32Array(parts * parts);
        const part = BUCKETS / parts;
        for (const user of USERS) {
          counts[parts * Math.floor(bucketOf(user, x) / part) + Math.floor(bucketOf(user, y) / part)]!++;
        }
        const z = excess(counts, USERS.length / counts.length, counts.length - 1);
        assert.ok(Math.abs(z) < 4, `${one} and ${other} in ${parts} parts: ${z}`);
      }
    }
  }
});

Deno.test("Experiments.assign() is sticky, splits by weight and leaves other users alone", () => {
  const variants = [{ name: "A", weight: 3 }, { name: "B", maxCandidates: 50 }];
  const experiment = startExperiment(draft({ name: "e", traffic: 0.4, variants }), among());
  const [first, second] = [new Experiments([experiment]), new Experiments([structuredClone(experiment)])];
  const counts = new Map<string, number>();
  for (const user of USERS) {
    const { exposures, settings } = first.assign(user);
    assert.deepEqual(exposures, second.assign(user).exposures);
    const name = exposures[0]?.variant ?? "none";
    counts.set(name, (counts.get(name) ?? 0) + 1);
    assert.deepEqual(settings, name === "B" ? { maxCandidates: 50 } : {});
  }
  for (const [name, share] of [["A", 0.3], ["B", 0.1], ["none", 0.6]] as const) {
    const sd = Math.sqrt(USERS.length * share * (1 - share));
    assert.ok(
      Math.abs((counts.get(name) ?? 0) - share * USERS.length) < 4 * sd,
      `${name} ${counts.get(name)}`,
    );
  }
});

Deno.test("Experiments.assign() is independent across layers", () => {
  const a = startExperiment(draft({ name: "a" }), among());
  const b = startExperiment(
    draft({ name: "b", layer: "models", variants: [{ name: "A" }, { name: "B", model: "base" }] }),
    among(a),
  );
  const experiments = new Experiments([a, b]);
  const counts = new Uint32Array(4);
  for (const user of USERS) {
    const [x, y] = experiments.assign(user).exposures;
    counts[(x?.variant === "A" ? 0 : 2) + (y?.variant === "A" ? 0 : 1)]!++;
  }
  assert.ok(Math.abs(excess(counts, USERS.length / 4, 3)) < 4, counts.join());
});

Deno.test("Experiments.assign() lets a variant of any layer override promoted settings, whatever its name", () => {
  const promoted = promoteVariant("p", "B", among(startExperiment(draft({ name: "p" }), among())));
  const policy = { name: "greedy" } as const;
  for (const [one, other] of [["a", "b"], ["b", "a"]] as const) {
    const own = startExperiment(
      { name: one, layer: one, variants: [{ name: "A" }, { name: "B", policy }] },
      among(promoted),
    );
    const variants = [{ name: "A" }, { name: "B", maxCandidates: 50 }];
    const beside = startExperiment({ name: other, layer: other, variants }, among(promoted, own));
    const experiments = new Experiments([promoted, own, beside]);
    for (const user of USERS.slice(0, 100)) {
      const { exposures, settings } = experiments.assign(user);
      const hasB = (name: string) =>
        exposures.some(({ experiment, variant }) => experiment === name && variant === "B");
      assert.deepEqual(settings, {
        policy: hasB(one) ? policy : { name: "epsilon", epsilon: 0.1 },
        ...(hasB(other) && { maxCandidates: 50 }),
      });
    }
  }
});

Deno.test("Experiments.assign() gives users the variant of their override, even in an interleaving experiment", () => {
  const experiment = startExperiment(
    draft({ name: "e", mode: "interleave", overrides: { u1: "B", u2: "A" } }),
    among(),
  );
  const experiments = new Experiments([experiment]);
  const policy = { name: "epsilon", epsilon: 0.1 };
  for (const [user, variant, settings] of [["u1", "B", { policy }], ["u2", "A", {}]] as const) {
    const assigned = experiments.assign(user);
    assert.deepEqual(assigned.exposures, [{ experiment: "e", variant }]);
    assert.deepEqual([assigned.settings, assigned.interleaved], [settings, null]);
  }
  assert.deepEqual(experiments.assign("u3").exposures, [{ experiment: "e", variant: "interleaved" }]);
});

Deno.test("changeTraffic() keeps every user who can stay in the experiment, and in their variant", () => {
  const shares = fc.integer({ min: 1, max: 100 }).map((percent) => percent / 100);
  const property = fc.property(shares, shares, (from, to) => {
    const before = startExperiment(draft({ name: "e", traffic: from }), among());
    const after = changeTraffic("e", to, among(before));
    const [old, now] = [new Experiments([before]), new Experiments([after])];
    assert.equal(spanSize(after.spans), Math.round(to * BUCKETS));
    for (let u = 0; u < 3000; u++) {
      const [was] = old.assign(`u${u}`).exposures;
      const [is] = now.assign(`u${u}`).exposures;
      if (was !== undefined && is !== undefined) assert.deepEqual(was, is);
      if (to >= from) assert.ok(was === undefined || is !== undefined);
      else assert.ok(is === undefined || was !== undefined);
    }
  });
  fc.assert(property, { numRuns: 20 });
});

Deno.test("shareOut() moves no more buckets than it must", () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 10 }), { minLength: 3, maxLength: 3 })
    .filter((weights) => weights.some((weight) => weight > 0))
    .map((weights) => proportions(weights, BUCKETS));
  const owners = (spans: ReturnType<typeof shareOut>) => {
    const by = new Int8Array(BUCKETS);
    spans.forEach((own, o) => own.forEach(([from, to]) => by.fill(o, from, to)));
    return by;
  };
  fc.assert(fc.property(fc.array(sizes, { minLength: 2, maxLength: 4 }), ([first, ...others]) => {
    let owned = shareOut([[], [], []], first!);
    for (const wanted of others) {
      const next = shareOut(owned, wanted);
      const [was, is] = [owners(owned), owners(next)];
      const moved = was.reduce((sum, o, bucket) => sum + (o === is[bucket] ? 0 : 1), 0);
      const needed = wanted.reduce((sum, size, o) => sum + Math.max(0, size - spanSize(owned[o]!)), 0);
      assert.equal(moved, needed);
      assert.deepEqual(next.map(spanSize), wanted);
      owned = next;
    }
  }));
  assert.throws(() => shareOut([[]], [10], [[0, 9995]]), /5 are missing/);
});

Deno.test("Experiments.assign() keeps the holdout out of every experiment, except for overrides", () => {
  const held = { name: "holdout", salt: "h", share: 0.1 } as const;
  const experiment = startExperiment(
    draft({ name: "e", traffic: 0.01, overrides: { u1: "B", u2: "A" } }),
    among(held),
  );
  const experiments = new Experiments([experiment, held]);
  const free = new Experiments([experiment]);
  let count = 0;
  for (const user of USERS) {
    const { exposures, settings } = experiments.assign(user);
    if (exposures[0]?.experiment !== "holdout" || user === "u1" || user === "u2") continue;
    count++;
    assert.deepEqual([exposures.length, settings], [1, {}]);
  }
  assert.ok(Math.abs(count - 10_000) < 400, String(count));
  // Nor do they get promoted settings: they show what all promotions have gained together.
  const promoted = new Experiments([promoteVariant("e", "B", among(experiment)), held]);
  for (const user of USERS.slice(0, 1000)) {
    const { exposures, settings } = promoted.assign(user);
    assert.equal(Object.keys(settings).length === 0, exposures.length === 1);
  }
  const all = { ...held, share: 0.9999 };
  const forced = new Experiments([experiment, all]).assign("u1");
  // Held-out users with an override, and those like them among the others, do not count in the holdout's figures.
  assert.deepEqual(forced.exposures, [{ experiment: "e", variant: "B" }]);
  const rest = new Experiments([experiment, { ...held, share: 0.0001, phase: 1 }]).assign("u2");
  assert.deepEqual(rest.exposures, [{ experiment: "e", variant: "A" }]);
  assert.deepEqual(forced.settings, free.assign("u1").settings);
  assert.deepEqual(free.assign("u1").exposures, [{ experiment: "e", variant: "B" }]);
  assert.deepEqual(free.assign("u2").exposures, [{ experiment: "e", variant: "A" }]);
});

Deno.test("Experiments.assign() reports for every user whether they are in the holdout, after their experiments", () => {
  const experiment = startExperiment(draft({ name: "e", traffic: 0.5 }), among());
  const holdout = changeHoldout(0.1, among(experiment));
  const experiments = new Experiments([experiment, holdout]);
  const counts = { holdout: 0, rest: 0 };
  for (const user of USERS.slice(0, 20_000)) {
    const { exposures } = experiments.assign(user);
    const { variant, ...exposed } = exposures.at(-1)!;
    assert.deepEqual(exposed, { experiment: "holdout", phase: 1 });
    counts[variant as keyof typeof counts]++;
    assert.deepEqual(
      exposures.slice(0, -1),
      variant === "holdout" ? [] : new Experiments([experiment]).assign(user).exposures,
    );
  }
  assert.ok(counts.holdout + counts.rest === 20_000 && Math.abs(counts.holdout - 2000) < 170);
  const ended = changeHoldout(0, among(experiment, holdout));
  assert.deepEqual([ended.phase, ended.lastShare, new Experiments([ended]).assign("u1").exposures], [
    1,
    0.1,
    [],
  ]);
  for (const share of [-0.1, 0.00001, 0.99999, 1, NaN]) {
    assert.throws(() => changeHoldout(share, among()), /must be 0 % or from 0.01 % to below 100 %/);
  }
});

Deno.test("promoteVariant() reaches everyone until stopExperiment(), and a new start restores the assignments", () => {
  const running = startExperiment(draft({ name: "e", traffic: 0.1 }), among());
  const promoted = promoteVariant("e", "B", among(running));
  const settings = { policy: { name: "epsilon", epsilon: 0.1 } };
  const all = { exposures: [], settings, promoted: settings, shadows: [], interleaved: null, models: [] };
  for (const user of USERS.slice(0, 100)) assert.deepEqual(new Experiments([promoted]).assign(user), all);
  const start = () => startExperiment(draft({ name: "e", traffic: 0.1 }), among(promoted));
  assert.throws(start, /Cannot start experiment e: B is promoted: roll it back first/);
  const slow = stopExperiment("e", "slow", among(running));
  assert.equal(promoteVariant("e", "B", among(slow)).reason, undefined, "it is no longer stopped");
  const stopped = stopExperiment("e", "not needed", among(promoted));
  assert.equal(stopped.reason, "B is rolled back: not needed");
  assert.equal(stopExperiment("e", "x".repeat(MAX_TEXT), among(promoted)).reason?.length, MAX_TEXT);
  assert.deepEqual(new Experiments([stopped]).assign("u1").settings, {});
  const again = new Experiments([startExperiment(draft({ name: "e", traffic: 0.1 }), among(stopped))]);
  const first = new Experiments([running]);
  for (const user of USERS.slice(0, 1000)) {
    assert.deepEqual(again.assign(user).exposures, first.assign(user).exposures);
  }
});

Deno.test("promoteVariant() refuses to change the control of a running experiment or what another promoted", () => {
  const own = startExperiment(draft({ name: "e", traffic: 0.3 }), among());
  const rival = startExperiment(draft({ name: "rival", traffic: 0.3 }), among(own));
  const refuses = (status: string) =>
    new RegExp(`rival is ${status} and changes the same settings: stop it first`);
  assert.throws(() => promoteVariant("e", "B", among(own, rival)), refuses("running"));
  assert.equal(promoteVariant("e", "A", among(own, rival)).winner, "A", "which changes nothing");
  const promoted = promoteVariant("rival", "B", among(rival));
  assert.throws(() => promoteVariant("e", "B", among(own, promoted)), refuses("promoted"));
  const free = [stopExperiment("rival", "", among(rival)), promoteVariant("rival", "A", among(rival))];
  for (const other of free) assert.equal(promoteVariant("e", "B", among(own, other)).winner, "B");
  const variants = [{ name: "A" }, { name: "B", maxCandidates: 50 }];
  const elsewhere = startExperiment({ name: "ui", layer: "ui", variants }, among(own));
  assert.equal(promoteVariant("e", "B", among(own, elsewhere)).winner, "B");
});

Deno.test("newPhasesAfterUndo() starts a new phase of running experiments that vary the undone settings", () => {
  const promoted = promoteVariant(
    "e",
    "B",
    among(startExperiment(draft({ name: "e", traffic: 0.3 }), among())),
  );
  const rival = startExperiment(draft({ name: "rival", traffic: 0.3 }), among(promoted));
  const variants = [{ name: "A" }, { name: "B", maxCandidates: 50 }];
  const elsewhere = startExperiment({ name: "ui", layer: "ui", variants }, among(promoted));
  const stopped = stopExperiment("rival", "", among(rival));
  for (const end of [rollBackExperiment, stopExperiment]) {
    const around = among(promoted, rival, elsewhere);
    const [anew, ...others] = newPhasesAfterUndo(end("e", "slow", around), around);
    assert.deepEqual(others, []);
    assert.deepEqual([anew?.name, anew?.status, anew?.phase, anew?.revision], ["rival", "running", 1, 2]);
    assert.equal(
      anew?.reason,
      "begins a new phase: the promotion of e, whose settings it varies, was undone",
    );
    assert.notEqual(definitionOf(anew!), definitionOf(rival));
    assert.deepEqual(anew?.variantSpans, rival.variantSpans, "users keep their variants");
  }
  assert.deepEqual(
    newPhasesAfterUndo(rollBackExperiment("e", "", among(promoted)), among(promoted, stopped)),
    [],
  );
  const around = among(rival, promoteVariant("e", "A", among(promoted)));
  assert.deepEqual(
    newPhasesAfterUndo(rollBackExperiment("e", "", around), around),
    [],
    "which had changed nothing",
  );
  const running = among(startExperiment(draft({ name: "e", traffic: 0.3 }), among()), rival);
  assert.deepEqual(
    newPhasesAfterUndo(stopExperiment("e", "", running), running),
    [],
    "nothing was promoted",
  );
});

Deno.test("startExperiment() begins a new phase when another promotion has changed the control since", () => {
  const own = stopExperiment("e", "", among(startExperiment(draft({ name: "e", traffic: 0.3 }), among())));
  const rival = startExperiment(draft({ name: "rival", traffic: 0.3 }), among(own));
  const promoted = promoteVariant("rival", "B", among(own, rival));
  const phaseAmong = (before: ExperimentRecord, ...others: ExperimentRecord[]) =>
    startExperiment(draft({ name: "e", traffic: 0.3 }), among(before, ...others)).phase ?? 0;
  assert.equal(phaseAmong(own, rival), 0);
  assert.equal(phaseAmong(own, promoted), 1);
  assert.equal(phaseAmong(own, promoteVariant("rival", "A", among(own, rival))), 0, "which changes nothing");
  const over = startExperiment(draft({ name: "e", traffic: 0.3 }), among(own, promoted));
  const ended = stopExperiment("e", "", among(over));
  assert.equal(phaseAmong(ended, promoted), 1, "the same control as before");
  assert.equal(phaseAmong(ended, stopExperiment("rival", "", among(promoted))), 2);
  const around = among(over, promoted);
  const [anew] = newPhasesAfterUndo(stopExperiment("rival", "", around), around);
  assert.equal(anew?.phase, 2);
  assert.equal(phaseAmong(stopExperiment("e", "", among(anew!)), rival), 2);
});

Deno.test("startExperiment() and the other changes refuse what is wrong and say why", () => {
  const other = startExperiment(draft({ name: "other", traffic: 0.7 }), among());
  const small = (over: Partial<ExperimentDraft>) => draft({ name: "e", traffic: 0.1, ...over });
  const cases: [ExperimentDraft, RegExp][] = [
    [
      small({ traffic: 0.4 }),
      /layer default has 30 % of its users left, and the experiment needs 40 % \(other has 70 %\)/,
    ],
    [small({ traffic: 1.2 }), /traffic must be from 0.01 % to 100 %: current value is 120 %/],
    [small({ traffic: 1e-5 }), /traffic must be from 0.01 % to 100 %: current value is 0 %/],
    [small({ layer: "ui" }), /layers ui and default overlap: other changes policy too/],
    [
      small({ layer: "ui", salt: "other" }),
      /salt other is also that of other, which is running: both split users alike/,
    ],
    [
      small({ variants: [{ name: "A" }, { name: "B", model: "gpt" }] }),
      /model gpt: this deployment runs prior/,
    ],
    [small({ variants: [{ name: "A" }] }), /two are needed/],
    [small({ variants: [{ name: "A" }, { name: "A" }] }), /two variants are called A/],
    [small({ variants: [{ name: "A", weight: 1e6 }, { name: "B" }] }), /B gets less than 0.01 %/],
    [small({ mode: "interleave", variants: [{ name: "A" }, { name: "B", shadow: true }] }), /interleaves 1/],
    [small({ mode: "interleave", guardRails: [{ metric: "ctr" }] }), /guard rails have nothing to compare/],
    [
      small({ mode: "interleave", variants: [{ name: "A", weight: 9 }, { name: "B" }] }),
      /it interleaves, so each user gets both variants: leave weights out/,
    ],
    [
      small({ guardRails: [{ metric: "listsPerUser", tolerance: 2 }] }),
      /guard rail listsPerUser tolerates a loss of 200 %: it could never break/,
    ],
    [small({ salt: "layer:ui" }), /salt layer:ui also chooses who takes part/],
    [small({ salt: "holdout" }), /salt holdout also chooses who takes part/],
    [small({ salt: "holdout:2" }), /salt holdout:2 also chooses who takes part/],
    [small({ overrides: { ann: "C" } }), /user ann is to get variant C/],
    [small({ name: "other" }), /already running/],
    [small({ name: "holdout" }), /reserved for the holdout/],
  ];
  for (const [wrong, message] of cases) {
    assert.throws(
      () => startExperiment(wrong, among(other)),
      (error) => error instanceof ExperimentError && message.test(error.message),
      String(message),
    );
  }
  assert.throws(() => stopExperiment("x", "", among()), /no such experiment/);
  assert.throws(() => changeTraffic("other", 2, among(other)), /from 0.01 % to 100 %/);
  assert.throws(() => promoteVariant("other", "Z", among(other)), /its shown variants are A, B/);
});

Deno.test("startExperiment() assigns every bucket, however large or small the weights are", () => {
  for (const weight of [1e308, Number.MAX_VALUE, 5e-324]) {
    const variants = ["A", "B", "C"].map((name) => ({ name, weight }));
    const { variantSpans } = startExperiment(draft({ name: "e", variants }), among());
    assert.deepEqual(variantSpans.map(spanSize), [3334, 3333, 3333]);
  }
});

Deno.test("startExperiment() shares out the users of a dropped variant, and lets all others keep theirs", () => {
  const three = startExperiment(
    draft({ name: "e", variants: ["A", "B", "C"].map((name) => ({ name })) }),
    among(),
  );
  const stopped = stopExperiment("e", "C is bad", among(three));
  const two = startExperiment(draft({ name: "e" }), among(stopped));
  const counts = { A: { A: 0, B: 0 }, B: { A: 0, B: 0 }, C: { A: 0, B: 0 } };
  const [before, after] = [new Experiments([three]), new Experiments([two])];
  for (const user of USERS) {
    const [was, is] = [before, after].map((one) => one.assign(user).exposures[0]!.variant) as [
      "C",
      "A" | "B",
    ];
    counts[was][is]++;
  }
  assert.deepEqual([counts.A.B, counts.B.A], [0, 0]);
  assert.ok(Math.abs(counts.C.A / counts.C.B - 1) < 0.05, `${counts.C.A} and ${counts.C.B}`);
});

Deno.test("startExperiment() refuses the salt of another experiment, and warns when its own split is reused", () => {
  const start = (draft: Partial<ExperimentDraft>) =>
    startExperiment({ name: "new", variants: [{ name: "A" }, { name: "B" }], ...draft }, {
      records,
      models: [],
    });
  const records = new Map<string, ExperimentRecord>();
  const old = start({ name: "old", layer: "ui" });
  for (const status of ["running", "stopped", "promoted"] as const) {
    records.set("old", { ...old, status });
    for (const layer of ["ui", "default"]) {
      const traffic = status === "running" ? 0.5 : 1;
      records.set("old", { ...old, status, traffic });
      const again = () => start({ salt: "old", layer, traffic });
      assert.throws(again, new RegExp(`salt old is also that of old, which is ${status}`));
    }
  }
  records.set("old", { ...old, status: "stopped" });
  const variants = [{ name: "A" }, { name: "B", maxCandidates: 5 }];
  assert.equal(start({ name: "old", layer: "ui" }).reason, undefined, "the same goes on");
  assert.match(start({ name: "old", layer: "ui", variants }).reason!, /with the split of the one before/);
  assert.equal(start({ name: "old", layer: "ui", variants, salt: "other" }).reason, undefined);
});
