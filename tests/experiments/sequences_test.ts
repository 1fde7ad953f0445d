import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { criticalSquare, sequenceP } from "../../src/metrics/confidence_sequence.ts";
import { ExposureLoss } from "../../src/experiments/exposure_loss.ts";
import { SampleRatio, seenLoss } from "../../src/experiments/sample_ratio.ts";
import { createRandom, normal } from "../../src/draws/random_source.ts";

Deno.test("criticalSquare() is where sequenceP() is α, and smallest where it is tuned", () => {
  for (const alpha of [0.2, 0.05, 0.01, 1e-4]) {
    const square = (tunedFor: number) => criticalSquare(700, { alpha, tunedFor });
    assert.ok(Math.abs(sequenceP(square(1000), 700, { alpha, tunedFor: 1000 }) / alpha - 1) < 1e-6);
    assert.ok(square(700) < Math.min(square(560), square(875)), `${alpha}`);
  }
});

Deno.test("criticalSquare() is exceeded as rarely as it claims when looked at all the time", () => {
  const random = createRandom(11);
  const squares = Array.from(
    { length: 2001 },
    (_, n) => criticalSquare(n + 1e-9, { alpha: 0.05, tunedFor: 500 }),
  );
  let [wrong, naive] = [0, 0];
  for (let run = 0; run < 400; run++) {
    let [sum, out, outNaive] = [0, false, false];
    for (let n = 1; n <= 2000; n++) {
      sum += normal(random);
      out ||= sum * sum / n >= squares[n]!;
      outNaive ||= n >= 20 && Math.abs(sum) > 1.96 * Math.sqrt(n);
    }
    wrong += Number(out);
    naive += Number(outNaive);
  }
  assert.ok(wrong <= 30, `${wrong} of 400, expected at most 20`);
  assert.ok(wrong >= 5, `${wrong} of 400: it could be narrower`);
  assert.ok(naive >= 120, `${naive} of 400`);
});

Deno.test("SampleRatio raises the alarm when users are lost, and seldom otherwise", () => {
  const random = createRandom(8);
  let [alarms, caught] = [0, 0];
  for (let run = 0; run < 100; run++) {
    const [sound, lossy] = [new SampleRatio([0.5, 0.5]), new SampleRatio([0.5, 0.5])];
    for (let user = 0; user < 20_000; user++) {
      const arm = random() < 0.5 ? 0 : 1;
      sound.update(arm);
      if (arm === 0 || random() > 0.1) lossy.update(arm);
    }
    alarms += Number(sound.mismatch);
    caught += Number(lossy.mismatch);
  }
  assert.ok(alarms <= 4, `${alarms} false alarms of 100, expected at most 1`);
  assert.equal(caught, 100);
  assert.throws(() => new SampleRatio([0.5, 0.6]), /must be above 0 and sum to 1/);
});

Deno.test("seenLoss() is the loss that SampleRatio sees in about 95 % of cases", () => {
  for (const [users, share] of [[5000, 0.5], [20_000, 0.1]] as const) {
    const lost = seenLoss(users, share);
    let caught = 0;
    for (let run = 0; run < 100; run++) {
      const random = createRandom(run, 9);
      const ratio = new SampleRatio([share, 1 - share]);
      for (let u = 0; u < users && !ratio.mismatch; u++) {
        const arm = random() < share ? 0 : 1;
        if (arm === 1 || random() >= lost) ratio.update(arm);
      }
      caught += Number(ratio.mismatch);
    }
    assert.ok(caught >= 90 && caught <= 99, `${caught} of 100`);
  }
});

Deno.test("SampleRatio raises its alarm once p is 1 %, and not before", () => {
  const ratio = new SampleRatio([0.5, 0.5]);
  let before = 1;
  while (!ratio.mismatch) {
    before = ratio.p;
    ratio.update(0);
  }
  assert.ok(before > 0.01 && ratio.p <= 0.01, `${before}, then ${ratio.p}`);
});

Deno.test("ExposureLoss errs at most as often as it claims, whoever is lost: all splits of twelve users", () => {
  const people = 12;
  for (const share of [0.5, 0.2]) {
    for (const lost of [0b111111111111, 0b010101010101, 0b000100010011, 0b110000000001]) {
      const wrong = new Map([[0.5, 0], [0.2, 0], [0.1, 0]]);
      for (let arms = 0; arms < 2 ** people; arms++) {
        // `share` need not be the expected split: lost users are compared with all who had a list.
        const loss = new ExposureLoss([0.5, 0.5], 1);
        let chance = 1;
        for (let u = 0; u < people; u++) {
          const arm = arms >> u & 1;
          chance *= arm === 1 ? share : 1 - share;
          loss.recommended(`u${u}`, arm, u);
          if ((lost >> u & 1) === 0) loss.seen(`u${u}`);
        }
        loss.advance(people);
        for (const [alpha, sum] of wrong) if (loss.ratio.p <= alpha) wrong.set(alpha, sum + chance);
      }
      for (const [alpha, chance] of wrong) assert.ok(chance <= alpha, `${chance} at ${alpha}`);
    }
  }
});

Deno.test("ExposureLoss judges users among those who had a list: empty lists in one arm neither alarm nor hide", () => {
  const random = createRandom(12);
  const alarms = (rates: readonly [number, number]) => {
    let alarms = 0;
    for (let run = 0; run < 60; run++) {
      const loss = new ExposureLoss([0.5, 0.5], 10);
      for (let u = 0; u < 20_000 && !loss.ratio.mismatch; u++) {
        const arm = random() < 0.5 ? 0 : 1;
        if (arm === 1 && random() < 0.2) continue; // an empty list
        loss.recommended(`u${u}`, arm, u);
        if (random() >= rates[arm]) loss.seen(`u${u}`);
        loss.advance(u);
      }
      alarms += Number(loss.ratio.mismatch);
    }
    return alarms;
  };
  assert.ok(alarms([0.05, 0.05]) <= 3);
  assert.ok(alarms([0.05, 0.08]) >= 57);
});

const lossStep = fc.record({
  act: fc.constantFrom("recommended", "recommended", "seen", "seen", "advance", "forget", "restart"),
  user: fc.nat(7),
  partition: fc.nat(1),
  pause: fc.nat(3),
});

Deno.test("ExposureLoss counts what a scan of all users would, through erasures and restarts", () => {
  fc.assert(fc.property(fc.array(lossStep, { maxLength: 60 }), (steps) => {
    let loss = new ExposureLoss([0.5, 0.5], 5);
    const users: { user: string; partition: number; until: number; isSeen: boolean; isDue: boolean }[] = [];
    const early = new Set<string>();
    const reference = new SampleRatio([0.5, 0.5], { concentration: 20 });
    let due = [0, 0];
    let time = 0;
    for (const { act, user: id, partition, pause } of steps) {
      const user = `u${id}`;
      const at = users.findIndex((one) => one.user === user);
      time += pause;
      if (act === "recommended") {
        loss.recommended(user, id % 2, time, partition);
        if (at < 0) {
          users.push({ user, partition, until: time + 5, isSeen: early.delete(user), isDue: false });
        }
      } else if (act === "seen") {
        loss.seen(user);
        if (at < 0) early.add(user);
        else users[at]!.isSeen = true;
      } else if (act === "forget") {
        loss.forget(user);
        early.delete(user);
        if (at >= 0) users.splice(at, 1);
      } else if (act === "restart") {
        const [head, restored] = [new ByteWriter(), new ExposureLoss([0.5, 0.5], 5)];
        loss.encode(head);
        loss.encodeDue(head);
        const from = new ByteReader(head.toBytes());
        restored.decode(from);
        restored.decodeDue(from);
        for (let id = 7; id >= 0; id--) {
          const own = new ByteWriter();
          loss.encodeUser(own, `u${id}`);
          restored.decodeUser(new ByteReader(own.toBytes()), `u${id}`);
        }
        restored.settle();
        loss = restored;
      } else {
        const now = users.filter((one) => !one.isDue && one.partition === partition && one.until <= time);
        assert.deepEqual(loss.advance(time, partition), now.map(({ user }) => user));
        for (const one of now) {
          one.isDue = true;
          const arm = Number(one.user.slice(1)) % 2;
          due[arm]!++;
          if (one.isSeen) continue;
          const all = due[0]! + due[1]!;
          reference.update(arm, due.map((count) => count / all));
          due = [0, 0];
        }
      }
      assert.deepEqual(loss.ratio.counts, reference.counts);
      assert.equal(loss.ratio.p, reference.p);
    }
  }));
});
