import assert from "node:assert/strict";
import fc from "fast-check";
import { Story } from "./story.ts";
import { anyStream, asWritten, inventory, run, START, take } from "./streams.ts";

Deno.test("TaskState.apply() takes a click as an outcome up to the end of the window, inclusive", () => {
  for (const [time, label] of [[1000, 1], [1099, 1], [1100, 1], [1101, 0]] as const) {
    for (const request of [{}, { request: "r" }]) {
      const story = new Story();
      story.show(1000, ["a", "b"], { request: "r" });
      story.click(time, "b", request);
      assert.deepEqual(story.labels(), { r: `a0 b${label}` }, `click at ${time}`);
      assert.equal(story.task.counters.lateOutcomes, label === 0 && "request" in request ? 1 : 0);
    }
  }
});

Deno.test("TaskState.apply() settles an impression when the watermark has passed its deadline", () => {
  const story = new Story();
  story.show(1000, ["a"], { request: "r" });
  story.tick(1130);
  assert.equal(story.task.watermark, 1100);
  assert.equal(story.samples.length, 0);
  story.click(1100, "a");
  assert.equal(story.samples.length, 0, "a click is learnt no sooner than its absence would be");
  story.show(1130, ["b"], { request: "s" });
  story.tick(1261);
  assert.deepEqual(story.samples.map(({ request, closedTime }) => [request, closedTime]), [["r", 1100], [
    "s",
    1230,
  ]]);
});

Deno.test("TaskState.apply() passes on an impression's true probabilities if there is a valid one per item", () => {
  const story = new Story();
  const wrong = [[0.5], [0.5, 2], [0.5, -1], [0.5, "1"], "0.5", null];
  [[0.25, 1], ...wrong].forEach((oracle, i) => {
    story.show(1000 + i, ["a", "b"], { request: `r${i}`, oracle } as object);
  });
  story.task.flush(story.out);
  const seen = story.samples.map(({ rows }) => rows.map(({ oracle }) => oracle));
  assert.deepEqual(seen, [[0.25, 1], ...wrong.map(() => [NaN, NaN])]);
});

Deno.test("TaskState.apply() settles impressions in order of their deadlines before it applies an event", () => {
  const story = new Story();
  story.show(1020, ["a"], { request: "late" });
  story.show(1000, ["b"], { request: "early" });
  story.show(1020, ["c"], { request: "tie" });
  const before = story.task.statistics.overall.outcomes;
  const { items } = story.ask(2000, "q", { candidates: ["a"] });
  assert.deepEqual(story.samples.map(({ request }) => request), ["early", "late", "tie"]);
  assert.equal(before, 0);
  assert.equal(items.length, 1);
  assert.equal(story.task.statistics.overall.outcomes, 3);
});

Deno.test("TaskState.apply() settles an impression at once when an explicit outcome closes its last open item", () => {
  const story = new Story();
  story.show(1000, ["a", "b", "c"], { request: "r" });
  story.act(1001, "rating", "a", { value: 5 });
  story.act(1002, "rating", "b", { value: 3 });
  assert.equal(story.samples.length, 0);
  story.act(1003, "dislike", "c");
  assert.equal(story.samples.length, 1);
  assert.equal(story.samples[0]?.closedTime, 1003);
  assert.deepEqual(story.labels(), { r: "a1 b0 c0" });
});

Deno.test("TaskState.apply() leaves the outcome open when the action is not an outcome", () => {
  const story = new Story();
  story.show(1000, ["a"], { request: "r" });
  story.act(1001, "view", "a");
  story.act(1002, "hover", "a");
  assert.equal(story.samples.length, 0);
  assert.deepEqual(story.labels(), { r: "a0" });
  assert.equal(story.task.counters.otherActions, 1);
});

Deno.test("TaskState.apply() joins a click with the impression that it names", () => {
  const story = new Story();
  story.show(1000, ["a", "x"], { request: "r1" });
  story.show(1001, ["a", "x"], { request: "r2" });
  story.click(1002, "a", { request: "r1" });
  story.click(1003, "a", { request: "none" });
  story.click(1004, "b", { request: "r1" });
  assert.equal(
    story.task.counters.parked,
    2,
    "the request named none may still come, and r1 may have been shown differently",
  );
  story.tick(2000);
  assert.equal(story.task.counters.unmatchedOutcomes, 2);
  assert.deepEqual(story.labels(), { r1: "a1 x0", r2: "a0 x0" });
});

Deno.test("TaskState.apply() joins a click that arrives before the impression that it names", () => {
  const story = new Story();
  story.click(1010, "b", { request: "r" });
  story.act(1012, "dislike", "c", { request: "r" });
  story.show(1000, ["a", "b", "c"], { request: "r" });
  assert.deepEqual(story.labels(), { r: "a0 b1 c0" });
  const [sample] = story.samples;
  assert.deepEqual(sample?.history.items, [], "the outcomes of a list are no features of it");
  assert.equal(sample?.newUser, true);
  story.act(3000, "rating", "d", { request: "s", value: 5 });
  story.show(3000, ["d"], { request: "s" });
  assert.equal(story.samples.at(-1)?.request, "s", "every item was closed when the list came");
  assert.deepEqual(story.samples.at(-1)?.rows.map(({ label }) => label), [1]);
  assert.equal(story.task.counters.unmatchedOutcomes, 0);
});

Deno.test("TaskState.apply() stops waiting for an impression once it could only come too late", () => {
  const story = new Story();
  story.click(1000, "a", { request: "never" });
  story.click(1031, "b", { request: "never" });
  story.tick(1032);
  assert.equal(story.task.counters.unmatchedOutcomes, 1, "the first is behind the watermark, 1002");
  const refusal = story.show(800, ["a"], { request: "never" });
  assert.equal(refusal?.code, "too-late");
  assert.match(refusal?.reason ?? "", /ended at 1970\S*Z, before the watermark, 1970-01-01T00:00:01\.002Z$/);
});

Deno.test("TaskState.apply() keeps only the fields it will read of an interaction that waits for its impression", () => {
  const [plain, noted] = [new Story(), new Story()];
  const note = { note: "n".repeat(100_000) };
  for (const [story, more] of [[plain, {}], [noted, note]] as const) {
    story.act(1000, "rating", "a", { request: "r", value: 5, surface: "home", id: "one", ...more });
  }
  const [want, got] = [plain, noted].map(({ task }) =>
    Array.from(task.users.values(), (u) => task.memory.record(u))
  );
  assert.deepEqual(got, want);
});

Deno.test("TaskState.apply() settles a user's oldest impression early when more than 100 are open", () => {
  const story = new Story();
  for (let i = 0; i < 101; i++) story.show(1000, ["a"], { request: `r${i}` });
  assert.deepEqual(story.samples.map(({ request }) => request), ["r0"]);
  assert.equal(story.task.counters.crowdedOut, 1);
});

Deno.test("TaskState.apply() closes an impression at its deadline even if it is crowded out after that", () => {
  const story = new Story();
  for (let i = 0; i < 100; i++) story.show(1000, ["a"], { request: `r${i}` });
  story.show(1129, ["a"], { request: "r100" });
  assert.deepEqual([story.task.watermark, story.task.counters.crowdedOut], [1099, 1]);
  assert.deepEqual(story.samples.map(({ closedTime }) => closedTime), [1100]);
});

Deno.test("TaskState.apply() settles a user's oldest impressions early when open lists are very long", () => {
  const story = new Story();
  const list = (n: number) => Array.from({ length: 999 }, (_, i) => `i${n * 999 + i}`);
  for (let n = 0; n < 12; n++) story.show(1000, list(n), { request: `r${n}` });
  assert.deepEqual(story.samples.map(({ request }) => request), ["r0", "r1"]);
  assert.equal(story.task.counters.crowdedOut, 2);
});

Deno.test("TaskState.apply() bounds the impressions of a user that it remembers for late clicks", () => {
  const story = new Story({ labelPolicy: "late" });
  for (let i = 0; i < 350; i++) story.show(1000, ["a"], { request: `r${i}` });
  assert.equal(story.task.users.get("u")?.pending.size, 100);
  assert.equal(story.task.counters.crowdedOut, 250);
});

Deno.test("TaskState.apply() joins a click without a request with the newest open impression of the item", () => {
  const story = new Story();
  story.show(1000, ["a", "x"], { request: "r1" });
  story.show(1001, ["a", "x"], { request: "r2" });
  story.show(1002, ["b", "x"], { request: "r3" });
  story.show(1020, ["a", "x"], { request: "r4" });
  story.click(1010, "a");
  assert.deepEqual(story.labels(), { r1: "a0 x0", r2: "a1 x0", r3: "b0 x0", r4: "a0 x0" });

  const again = new Story();
  again.show(1000, ["a", "x"], { request: "r1" });
  again.show(1001, ["a", "x"], { request: "r2" });
  again.click(1010, "a");
  again.click(1011, "a");
  assert.deepEqual(again.labels(), { r1: "a1 x0", r2: "a1 x0" });
});

Deno.test("TaskState.apply() joins a click with the newest impression by time when they arrive out of order", () => {
  const story = new Story();
  story.show(1001, ["a", "x"], { request: "r2" });
  story.show(1000, ["a", "x"], { request: "r1" });
  story.click(1010, "a");
  assert.deepEqual(story.labels(), { r1: "a0 x0", r2: "a1 x0" });
});

Deno.test("TaskState.apply() keeps the predictions of the answer when an impression confirms it", () => {
  for (const impressions of ["served", "logged"] as const) {
    const story = new Story({ impressions });
    story.click(999, "z");
    const answer = story.ask(1000, "r", { candidates: ["a", "b", "c"] });
    story.serving.version = 7;
    story.click(1001, "y");
    const shown = answer.items.map(({ item }) => item).toReversed().slice(0, 2);
    story.show(1002, shown, { request: "r", positions: [3, 5] });
    story.task.flush(story.out);
    assert.equal(story.samples.length, 1);
    const [sample] = story.samples;
    assert.equal(sample?.time, 1000);
    assert.equal(sample?.version, 0);
    assert.deepEqual(sample?.history.items, ["z"]);
    assert.deepEqual(sample?.rows.map(({ item, position }) => [item, position]), [[shown[0], 3], [
      shown[1],
      5,
    ]]);
    const odds: number[] = [];
    for (const row of sample?.rows ?? []) {
      const score = answer.items.find(({ item }) => item === row.item)?.score ?? NaN;
      // Without outcomes it is a share of the three: the odds up to a constant.
      odds.push(
        score /
          Math.exp(story.serving.unplace(Math.log(row.prediction / (1 - row.prediction)), row.position)),
      );
      assert.equal(row.propensity, 1);
    }
    assert.ok(Math.abs(odds[0]! / odds[1]! - 1) < 1e-9, impressions);
  }
});

Deno.test("TaskState.apply() dates a shown list that differs from its answer as the answer, and joins earlier clicks", () => {
  const story = new Story({ impressions: "logged" });
  story.ask(1000, "r", { candidates: ["a", "b"] });
  story.click(1001, "a", { request: "r" });
  story.click(1001, "other", { request: "r" });
  story.show(1002, ["a", "other"], { request: "r", propensities: [0.5, 0.25] });
  assert.deepEqual(story.labels(), { r: "a1 other1" }, "clicks before the list was confirmed count");
  assert.deepEqual(story.samples[0]?.history.items, []);
  assert.equal(story.samples[0]?.time, 1000);
  assert.deepEqual(story.samples[0]?.rows.map(({ propensity }) => propensity), [0.5, 0.25]);
});

Deno.test("TaskState.apply() makes no sample of an answer that no impression confirms", () => {
  const story = new Story({ impressions: "logged" });
  story.ask(1000, "r", { candidates: ["a"] });
  story.tick(1130);
  assert.equal(story.task.users.get("u")?.pending.size, 1);
  story.tick(1131);
  assert.equal(story.task.users.get("u")?.pending.size, 0);
  assert.deepEqual(story.labels(), {});
  assert.equal(story.task.counters.unshown, 1);
});

Deno.test("TaskState.apply() makes a sample of an answer when answers count as shown", () => {
  const story = new Story({ policy: { name: "epsilon", epsilon: 0.5 } });
  const { items } = story.ask(1000, "r", { candidates: ["a", "b", "c"], count: 2 });
  story.task.flush(story.out);
  assert.deepEqual(
    story.samples[0]?.rows.map(({ item, position, propensity }) => ({ item, position, propensity })),
    items.map(({ item, position, propensity }) => ({ item, position, propensity })),
  );
});

Deno.test("TaskState.apply() makes one sample of a request whose impression comes after it is settled", () => {
  const story = new Story();
  story.ask(1000, "r", { candidates: ["a"] });
  story.act(1001, "rating", "a", { request: "r", value: 5 });
  assert.equal(story.samples.length, 1);
  story.show(1002, ["a"], { request: "r" });
  assert.deepEqual(story.labels(), { r: "a1" });
  assert.equal(story.samples.length, 1);
});

Deno.test("TaskState.flush() leaves no impression open, and counters match the samples", () => {
  fc.assert(fc.property(anyStream, (steps) => {
    const { task, out } = run(steps);
    task.flush(out);
    for (const user of task.users.values()) assert.equal(user.pending.size, 0);
    assert.equal(out.samples.length, task.counters.samples);
    const rows = out.samples.flatMap((sample) => [...sample.rows]);
    assert.equal(rows.length, task.counters.rows);
    assert.equal(rows.filter(({ label }) => label === 1).length, task.counters.positives);
    assert.equal(task.statistics.overall.outcomes, rows.length);
  }));
});

Deno.test("TaskState.apply() gives no sample a behaviour from after its list", () => {
  fc.assert(fc.property(anyStream, (steps) => {
    const { task, out } = run(steps);
    task.flush(out);
    for (const { time, history } of out.samples) {
      assert.ok(history.times.every((behaviour) => behaviour <= time));
    }
  }));
});

Deno.test("TaskState.flush() gives samples as of the impression, whatever other users have done since", () => {
  fc.assert(fc.property(anyStream, anyStream, (before, after) => {
    const show = {
      kind: "event" as const,
      event: {
        type: "impression",
        user: "u0",
        request: "the one",
        items: ["i0", "i1", "i2"],
        time: START + 9000,
      } as const,
    };
    const others = after.filter((step) => step.kind !== "event" || step.event.user !== "u0");
    const taken = ([...steps]: typeof before) => {
      const { task, serving, out } = run([...before, show]);
      steps.forEach((step, i) => take(task, serving, step, 1000 + i, out));
      task.flush(out);
      const sample = out.samples.find(({ request }) => request === "the one");
      assert.ok(sample !== undefined);
      return sample;
    };
    assert.deepEqual(taken(others), taken([]));
  }));
});

Deno.test("TaskState.apply() changes nothing when an event is applied again", () => {
  fc.assert(fc.property(anyStream, (stream) => {
    const steps = stream.filter((step) => step.kind === "event" && step.event.type !== "forget");
    const { task, serving, out } = run(steps);
    const [records, given] = [snapshot(task), asWritten(out)];
    steps.forEach((step, offset) => take(task, serving, step, offset, out));
    assert.equal(task.counters.reapplied, steps.length);
    task.counters.reapplied = 0;
    assert.deepEqual(snapshot(task), records);
    assert.deepEqual(asWritten(out), given);
  }));

  function snapshot(task: ReturnType<typeof run>["task"]): unknown {
    const users = [...task.users.values()].sort((a, b) => a.row - b.row);
    return structuredClone([
      users,
      task.counters,
      task.statistics.overall,
      [...task.catalogue.items()],
      task.maxTime,
    ]);
  }
});

Deno.test("TaskState.apply() skips an event whose id is among the user's newest ids", () => {
  const story = new Story({ dedupIds: 2 });
  story.click(1, "a", { id: "e1" });
  story.click(2, "a", { id: "e1" });
  story.click(3, "a", { id: "e2" });
  story.click(4, "a", { id: "e1" });
  story.click(5, "a", { id: "e1", user: "v" });
  assert.equal(story.task.counters.duplicates, 2);
  story.click(6, "a", { id: "e3" });
  story.click(7, "a", { id: "e1" });
  assert.equal(story.task.counters.duplicates, 2, "e1 was forgotten for e3");
  assert.equal(story.task.counters.behaviours, 5);
});

Deno.test("TaskState.apply() rejects an interaction beyond the allowed lateness, and takes one exactly at it", () => {
  const story = new Story();
  story.click(1000, "a");
  assert.equal(story.click(970, "b"), null);
  const refusal = story.click(969, "c");
  assert.equal(refusal?.code, "too-late");
  assert.match(
    refusal?.reason ?? "",
    /^event time, 1970\S*00\.969Z, is earlier .*, 1970\S*01\.000Z, by more than .*\(30\)/,
  );
  assert.deepEqual([story.task.counters.tooLate, story.task.counters.late, story.task.counters.behaviours], [
    1,
    1,
    2,
  ]);
  assert.equal(story.click(1, "d", { user: "v" }), null, "another user's sequence is not disturbed");
});

Deno.test("TaskState.apply() takes a mended interaction that was too late once, at its place in time", () => {
  const story = new Story();
  story.show(100, ["a", "b"], { request: "closed" });
  for (const time of [200, 400]) story.click(time, "x");
  story.show(950, ["b", "c"], { request: "open" });
  story.click(1000, "x");
  const late = { type: "interaction", user: "u", action: "click" } as const;
  const clicks = [
    { ...late, time: 101, item: "a", id: "e1" }, // its list is settled: no label changes
    { ...late, time: 300, item: "d", id: "e2" },
    { ...late, time: 960, item: "b", id: "e3" },
  ];
  for (const click of clicks) assert.equal(story.apply(click)?.code, "too-late", click.id);
  for (const click of [...clicks, ...clicks]) assert.equal(story.mend(click), null);
  const { sequences, users, counters } = story.task;
  const behaviours = sequences.behaviours(users.get("u")!.row);
  assert.deepEqual(behaviours.map(({ time }) => time), [101, 200, 300, 400, 960, 1000]);
  assert.deepEqual([counters.tooLate, counters.duplicates, counters.behaviours], [3, 3, 6]);
  story.task.flush(story.out);
  assert.deepEqual(story.labels(), { closed: "a0 b0", open: "b1 c0" });
  assert.deepEqual(story.samples.find(({ request }) => request === "open")?.history.items, ["x", "x"]);
});

Deno.test("TaskState.apply() leaves no trace of an interaction that it rejects", () => {
  const story = new Story();
  for (const item of ["p", "q"]) story.act(899, "rating", item, { user: "v", value: 4 });
  story.show(900, ["b", "x"], { request: "r" });
  story.click(1000, "a");
  assert.equal(story.act(950, "rating", "b", { value: 5 })?.code, "too-late");
  assert.equal(story.task.statistics.overall.values.count, 2);
  assert.equal(story.task.catalogue.get("b")?.popularity, -Infinity);
  assert.deepEqual(story.labels(), { r: "b0 x0" });
});

Deno.test("TaskState.apply() erases all that it has of a user at a forget event", () => {
  const story = new Story();
  story.click(1000, "a", { id: "e1" });
  story.act(1001, "rating", "b", { value: 5 });
  story.show(1002, ["a", "b"], { request: "r" });
  const row = story.task.users.get("u")?.row;
  story.forget(1003);
  assert.equal(story.task.users.has("u"), false);
  assert.deepEqual(story.out.forgotten, [{ user: "u", afterSamples: 0 }]);
  assert.deepEqual(story.labels(), {}, "its open impression makes no sample");

  story.click(1004, "c", { user: "v" });
  const next = story.task.users.get("v");
  assert.equal(next?.row, row, "the row is used again");
  assert.equal(story.task.sequences.total(next?.row ?? -1), 1);

  story.click(1005, "a", { id: "e1" });
  story.show(1006, ["a"], { request: "s" });
  assert.equal(story.task.counters.duplicates, 0);
  story.task.flush(story.out);
  assert.deepEqual(story.samples[0]?.history.items, ["a"]);
});

Deno.test("TaskState gives the same outputs and state when the same stream is run twice", () => {
  fc.assert(fc.property(anyStream, (steps) => {
    const [one, other] = [run(steps), run(steps)];
    assert.deepEqual(one.out, other.out);
    assert.deepEqual(inventory(one.task), inventory(other.task));
  }));
});
