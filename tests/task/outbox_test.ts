import assert from "node:assert/strict";
import fc from "fast-check";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { historySample, type Sample } from "../../src/samples/sample.ts";
import { decodeSample, encodeSample } from "../../src/samples/sample_codec.ts";
import type { NewRecord } from "../../streams/log/log.ts";
import { SampleHandover } from "../../streams/topics/sample_handover.ts";
import { INPUT } from "../../streams/topics/delivery.ts";
import { Outbox, type OutboxOptions } from "../../streams/task/outbox.ts";
import { SAMPLES_ENDING, surfaceTopic } from "../../streams/topics/surfaces.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { listen } from "../log/warnings.ts";

const topics = topicNames();
const COPIES = surfaceTopic(topics, SAMPLES_ENDING);
const PARTITION = 2;
const TIME = 1.7e12;
const AT = { settledBefore: TIME - 1000 };

function answerOf(user: string, request: string): Recommendation {
  return { user, request, time: TIME, items: [], model: "base", version: 1, stateVersion: 0, tookMicros: 0 };
}

function sampleOf(user: string, time: number): Sample {
  const [times, strengths] = [new Float64Array(0), new Float32Array(0)];
  return historySample(user, time, { items: [], categories: [], actions: [], times, strengths });
}

/** What an event gives, and whether answers are sent after it. */
interface Step {
  readonly answers: number;
  readonly samples: number;
  /** Samples before an erasure; `null` = there is none. */
  readonly forgetsAfter: number | null;
  readonly sends: boolean;
}

const steps = fc.array(
  fc.nat(3).chain((samples) =>
    fc.record({
      answers: fc.nat(3),
      samples: fc.constant(samples),
      forgetsAfter: fc.option(fc.nat(samples)),
      sends: fc.boolean(),
    })
  ),
  { maxLength: 12 },
);

function createOutbox(
  append: (records: NewRecord[]) => Promise<number[]> = () => Promise.resolve([]),
  encodeSamples?: OutboxOptions["encodeSamples"],
) {
  const handover = new SampleHandover();
  const counters = { rejected: 0 };
  return {
    outbox: new Outbox({
      log: { append },
      topics,
      partition: PARTITION,
      partitions: PARTITION + 1,
      counters,
      handover,
      encodeSamples,
    }),
    handover,
    counters,
  };
}

/** Plays the steps: `sent` is what the log got before the commit, `records` what goes with it. */
function play(of: readonly Step[], sends: boolean, encodeSamples?: OutboxOptions["encodeSamples"]) {
  const sent: NewRecord[] = [];
  const append = (records: NewRecord[]) => Promise.resolve(records.map((one) => sent.push(one)));
  const { outbox, handover } = createOutbox(append, encodeSamples);
  const samples: Sample[] = [];
  for (const [offset, step] of of.entries()) {
    const { outputs } = outbox;
    for (let n = 0; n < step.answers; n++) outputs.recommendations.push(answerOf(`u${n}`, `r${offset}-${n}`));
    for (let n = 0; n < step.samples; n++) {
      samples.push(sampleOf(`u${n}`, samples.length));
      outputs.samples.push(samples.at(-1)!);
    }
    if (step.forgetsAfter !== null) {
      outputs.forgotten.push({ user: `u${offset}`, afterSamples: step.forgetsAfter });
    }
    outbox.seal(offset, AT);
    if (sends && step.sends) outbox.send(TIME);
  }
  return { outbox, handover, samples, sent, records: outbox.records(TIME) };
}

Deno.test("Outbox emits each answer once, and the same records in all, whether sent early or with the commit", () => {
  fc.assert(fc.property(steps, (script) => {
    const late = play(script, false);
    const early = play(script, true);
    assert.deepEqual(late.sent, []);
    assert.deepEqual([...early.sent, ...early.records], late.records);
    const inputs = late.records.map(({ headers }) => headers?.[INPUT] ?? "");
    assert.equal(new Set(inputs).size, inputs.length);
    assert.ok(inputs.every((input) => new RegExp(`^${PARTITION}/\\d+/\\d+$`).test(input)), `${inputs}`);
  }));
});

Deno.test("Outbox emits an erasure after the samples of the life that it ends, and before all later ones", () => {
  fc.assert(fc.property(steps, (script) => {
    const { outbox, samples, records } = play(script, true);
    let given = 0;
    const wanted = script.flatMap(({ samples: count, forgetsAfter }, offset) => {
      const users = samples.slice(given, given += count).map(({ user, time }) => `${user} at ${time}`);
      return forgetsAfter === null ? users : users.toSpliced(forgetsAfter, 0, `erase u${offset}`);
    });
    const told = records.filter(({ topic }) => topic === topics.samples).map(({ key, value }) =>
      value === null ? `erase ${key}` : `${key} at ${decodeSample(value).time}`
    );
    assert.deepEqual(told, wanted);
    assert.deepEqual(
      [...outbox.erased],
      script.flatMap((step, offset) => step.forgetsAfter === null ? [] : `u${offset}`),
    );
  }));
});

Deno.test("Outbox copies the samples that have a list, and all erasures, for other programs, in the same order", () => {
  const encodeSamples = ({ time }: Sample) =>
    time % 2 === 0 ? new TextEncoder().encode(`list ${time}`) : null;
  fc.assert(fc.property(steps, (script) => {
    const { records } = play(script, false, encodeSamples);
    const on = (name: string) => records.filter(({ topic }) => topic === name);
    const wanted = on(topics.samples).flatMap(({ value, ...rest }) => {
      const copy = value && encodeSamples(decodeSample(value));
      return value === null || copy !== null ? [{ ...rest, topic: COPIES, value: copy }] : [];
    });
    assert.deepEqual(on(COPIES), wanted);
    assert.deepEqual(records.filter(({ topic }) => topic !== COPIES), play(script, false).records);
  }));
});

Deno.test("Outbox.clear() hands over each sample at the offset of its record, and leaves nothing behind", () => {
  fc.assert(fc.property(steps, (script) => {
    const { outbox, handover, samples, records } = play(script, true);
    assert.equal(outbox.rows, samples.length);
    const offsetOf = (place: number) => 100 + 3 * place;
    outbox.clear(records.map((_, place) => offsetOf(place)));
    for (const [place, { topic, value }] of records.entries()) {
      const taken = handover.take(offsetOf(place));
      const isSample = topic === topics.samples && value !== null;
      assert.deepEqual(taken && encodeSample(taken), isSample ? value : undefined);
    }
    assert.deepEqual(outbox.records(TIME), []);
    assert.equal(outbox.rows, 0);
  }));
});

Deno.test("Outbox.isForgotten() is true from the erasure until the commit", () => {
  const { outbox } = createOutbox();
  assert.equal(outbox.isForgotten("ann"), false);
  outbox.outputs.forgotten.push({ user: "ann", afterSamples: 0 });
  outbox.seal(7, AT);
  assert.deepEqual([outbox.isForgotten("ann"), outbox.isForgotten("bob")], [true, false]);
  outbox.clear([0]);
  assert.equal(outbox.isForgotten("ann"), false);
});

Deno.test("Outbox.arrived() rejects with the reason an answer could not be sent, however late it is called", async () => {
  const { outbox } = createOutbox(() => Promise.reject(new Error("the broker is away")));
  await outbox.arrived();
  outbox.outputs.recommendations.push(answerOf("ann", "r1"));
  outbox.seal(0, AT);
  outbox.send(TIME);
  await new Promise((resolve) => setTimeout(resolve)); // an unhandled rejection would end the test here
  await assert.rejects(outbox.arrived(), /the broker is away/);
  outbox.clear([]);
  await outbox.arrived();
});

Deno.test("Outbox.reject() keeps the key and time of what it rejects, and counts it", () => {
  const { outbox, counters } = createOutbox();
  const value = new TextEncoder().encode("no event");
  const record = {
    topic: topics.events,
    partition: PARTITION,
    offset: 7,
    key: "k",
    value,
    time: 5,
    headers: {},
  };
  outbox.reject(record, { code: "invalid-json", reason: "no JSON" });
  const [rejection, ...rest] = outbox.records(TIME);
  assert.deepEqual(rest, []);
  assert.equal(counters.rejected, 1);
  assert.deepEqual([rejection?.topic, rejection?.partition, rejection?.key, rejection?.time], [
    topics.rejected,
    PARTITION,
    "k",
    5,
  ]);
  const told = JSON.parse(new TextDecoder().decode(rejection?.value ?? undefined));
  assert.deepEqual([told.code, told.reason, told.offset], ["invalid-json", "no JSON", 7]);
});

Deno.test("Outbox logs the first rejection of each code, and none that an earlier run has already written", async () => {
  const record = (offset: number) => ({
    topic: topics.events,
    partition: PARTITION,
    offset,
    key: "ann",
    time: TIME,
    value: new TextEncoder().encode("secret"),
    headers: {},
  });
  const create = (isAnswered: boolean) =>
    new Outbox({
      log: { append: () => Promise.resolve([]) },
      topics,
      partition: PARTITION,
      partitions: PARTITION + 1,
      counters: { rejected: 0 },
      isAnswered,
    });
  await using heard = await listen();
  const outbox = create(false);
  for (const offset of [4, 5]) outbox.reject(record(offset), { code: "in-the-future", reason: "secret" });
  outbox.reject(record(6), { code: "too-late", reason: "secret" });
  create(true).reject(record(7), { code: "too-large", reason: "secret" });
  assert.deepEqual(heard.records.map(({ properties: { code, place } }) => [code, place]), [
    ["in-the-future", `${topics.events}/${PARTITION}@4`],
    ["too-late", `${topics.events}/${PARTITION}@6`],
  ]);
  assert.doesNotMatch(heard.messages.join(), /secret|ann/);
});
