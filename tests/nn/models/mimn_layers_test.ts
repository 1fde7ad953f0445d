import assert from "node:assert/strict";
import fc from "fast-check";
import { inductionShapes, InductionUnit } from "../../../src/nn/models/mimn/induction.ts";
import { MemoryNetwork, memoryShapes } from "../../../src/nn/models/mimn/memory_network.ts";
import { Recurrence } from "../../../src/nn/models/mimn/recurrence.ts";
import { MimnLayout } from "../../../src/nn/models/mimn/state.ts";
import { Traces } from "../../../src/nn/models/mimn/traces.ts";
import { gruShapes } from "../../../src/nn/layers/gru.ts";
import { Gru } from "../../../src/nn/layers/gru.ts";
import type { Kernels } from "../../../src/nn/kernels/kernels.ts";
import { PLAIN } from "../../../src/nn/kernels/plain.ts";
import { RowGru } from "../../../src/nn/layers/memory_gru.ts";
import { Parameters } from "../../../src/nn/kernels/parameters.ts";
import { assertClose, goldenTest } from "../../golden_vectors.ts";
import { flat, FORWARD, type GoldenCase, rows, validSteps, writeBlocks } from "./golden.ts";
import { mimnSizes } from "./golden_mimn.ts";
import { overKernels } from "../kernels/all_kernels.ts";
import { floats } from "../kernels/gradient_check.ts";

const SIZES = { slots: 4, width: 6, controller: 5 };
const { slots: m, width: d, controller: H } = SIZES;

function make(
  options: { slotKeyWeight: number; decay: number; topK: number },
  seed = 1,
  kernels: Kernels = PLAIN,
  { slots: m, width: d, controller: H } = SIZES,
) {
  const parameters = new Parameters({ ...memoryShapes(m, d, H), ...inductionShapes(d) }, kernels);
  parameters.values.set(floats(parameters.values.length, seed));
  const start = {
    memory: parameters.block("M0"),
    read: parameters.block("r0"),
    controller: new Float32Array(H),
    usage: new Float32Array(m),
    added: new Float32Array(d),
  };
  const network = new MemoryNetwork(parameters, options);
  return { parameters, start, network, unit: new InductionUnit(parameters, options.topK) };
}

goldenTest<GoldenCase>(
  "MemoryNetwork and InductionUnit weigh and choose like the golden vectors",
  "mimn.json",
  (cases) => {
    for (const [name, topK] of [["main", 1], ["kappa2", 2], ["holes", 1]] as const) {
      const golden = cases[name], outputs = golden?.outputs[name];
      assert.ok(golden && outputs);
      const sizes = mimnSizes(golden), { slots: m, width: d } = sizes;
      const { parameters, start, network, unit } = make(
        { slotKeyWeight: 0.5, decay: 1, topK },
        1,
        PLAIN,
        sizes,
      );
      writeBlocks(parameters, golden.params);
      rows(golden.inputs.e).forEach((behaviours, b) => {
        const valid = validSteps(rows(golden.inputs.mask)[b]), T = valid.length;
        const e = Float32Array.from(valid.flatMap((t) => flat(rows(behaviours)[t])));
        network.run(T, e, start);
        unit.run({ T, e, memory: network.memory, weights: network.weights }, new Float32Array(m * d));
        rows(behaviours).forEach((_, at) => {
          const t = valid.indexOf(at), { weights } = network;
          const row = (output: string) => flat(rows(rows(outputs[output])[b])[at]);
          // Zeros at masked steps.
          const weightsAt = (row: number) =>
            t < 0 ? new Float32Array(m) : weights.subarray(row * m, (row + 1) * m);
          const went = t < 0 ? new Uint32Array(0) : unit.chosen.subarray(t * topK, (t + 1) * topK);
          const chosen = Array.from({ length: m }, (_, i) => went.includes(i) ? 1 : 0);
          assert.deepEqual(chosen, row("chosen"), `${name} user ${b} step ${at}`);
          if (name !== "main") return;
          assertClose(weightsAt(2 * t), row("readWeight"), FORWARD, "read weight");
          assertClose(weightsAt(2 * t + 1), row("writeWeight"), FORWARD, "write weight");
        });
      });
    }
  },
  { claims: (path) => /(main|kappa2|holes)\.(readWeight|writeWeight|chosen)$/.test(path) },
);

overKernels("MemoryNetwork.run() reads and writes a mass of one at every step", (kernels) => {
  const options = fc.record({ slotKeyWeight: fc.constantFrom(0, 0.5, 1), decay: fc.constantFrom(0.9, 1) });
  fc.assert(fc.property(fc.integer({ min: 1, max: 20 }), options, fc.nat(1000), (T, over, seed) => {
    const { network, start } = make({ ...over, topK: 1 }, seed, kernels);
    network.run(T, floats(T * d, seed), start);
    for (let row = 0; row < 2 * T; row++) {
      const sum = network.weights.subarray(row * m, (row + 1) * m).reduce((total, w) => total + w, 0);
      assertClose([sum], [1], 1e-6, `row ${row}`);
    }
    let mass = 0;
    for (let t = 0; t < T; t++) mass = over.decay * mass + 1;
    assertClose([network.final.usage.reduce((total, g) => total + g, 0)], [mass], 1e-5, "usage");
  }));
});

Deno.test("MemoryNetwork.run() gives the same bits in one run or two", () => {
  fc.assert(fc.property(fc.nat(9), fc.nat(9), fc.nat(1000), (before, after, seed) => {
    const { network, start } = make({ slotKeyWeight: 0.5, decay: 0.9, topK: 1 }, seed);
    const e = floats((before + after) * d, seed + 1);
    const copy = () => Object.entries(network.final).map(([name, x]) => [name, x.slice()] as const);
    network.run(before + after, e, start);
    const once = copy();
    network.run(before, e.subarray(0, before * d), start);
    network.run(after, e.subarray(before * d), Object.fromEntries(copy()) as unknown as typeof start);
    assert.deepEqual(copy(), once);
  }));
});

Deno.test("MemoryNetwork.run() writes least into the slot that was written most, with Wg = −4·I", () => {
  const { parameters, start, network } = make({ slotKeyWeight: 0.5, decay: 1, topK: 1 });
  const wg = parameters.block("Wg").fill(0);
  const e = floats(d, 3);
  const weightOf = (usage: number[]) => {
    network.run(1, e, { ...start, usage: Float32Array.from(usage) });
    return network.weights.slice(m);
  };
  const plain = weightOf([6, 1, 1, 0]);
  for (let i = 0; i < m; i++) wg[i * m + i] = -4;
  const damped = weightOf([6, 1, 1, 0]);
  const ratio = damped.map((w, i) => w / (plain[i] ?? NaN));
  assert.ok((ratio[0] ?? NaN) < (ratio[1] ?? NaN) && (ratio[1] ?? NaN) < (ratio[3] ?? NaN));
});

Deno.test("InductionUnit.run() breaks ties by the lowest index, and leaves the other channels unchanged", () => {
  const { unit } = make({ slotKeyWeight: 0.5, decay: 1, topK: 2 });
  const start = floats(m * d, 5), memory = floats(m * d, 6), e = floats(d, 7);
  const run = (...weights: number[]) => {
    unit.run({ T: 1, e, memory, weights: Float32Array.from([...weights, 0, 0, 0, 1]) }, start);
    return [...unit.chosen];
  };
  assert.deepEqual(run(0.25, 0.25, 0.25, 0.25), [0, 1]);
  assert.deepEqual(run(0.1, 0.4, 0.1, 0.4), [1, 3]);
  assert.deepEqual(run(0.2, 0.2, 0.2, 0.4), [3, 0]);
  assert.deepEqual(unit.channels.subarray(d, 3 * d), start.subarray(d, 3 * d));
  assert.notDeepEqual(unit.channels.subarray(0, d), start.subarray(0, d));
});

Deno.test("InductionUnit updates every channel when κ is at least their number", () => {
  const { unit } = make({ slotKeyWeight: 0.5, decay: 1, topK: 9 });
  const weights = Float32Array.from([0.4, 0.3, 0.2, 0.1, 0, 0, 0, 1]);
  unit.run({ T: 1, e: floats(d, 1), memory: floats(m * d, 2), weights }, new Float32Array(m * d));
  assert.deepEqual([...unit.chosen], [0, 1, 2, 3]);
});

Deno.test("RowGru steps through the same states as a Gru of the form gru", () => {
  const parameters = new Parameters(gruShapes("gru", d, H));
  parameters.values.set(floats(parameters.values.length, 3));
  const T = 7, x = floats(T * d, 4), gru = new Gru(parameters, "gru", "gru");
  const want = gru.run({ T, K: 1, xw: gru.project(x, T), keep: true });
  const row = new RowGru(parameters, "gru"), states = new Float32Array((T + 1) * H);
  row.begin(T);
  row.addInput(0, T, x, 0, 0, d);
  for (let t = 0; t < T; t++) row.forward(t, states, t * H, (t + 1) * H);
  assert.deepEqual(states, want.slice());
});

overKernels(
  "Recurrence.fold() gives the same state in any chunks, with the state stored in between",
  (kernels) => {
    const { parameters } = make({ slotKeyWeight: 0.5, decay: 0.9, topK: 2 }, 3, kernels);
    const layout = new MimnLayout({ ...SIZES, traces: 2 });
    const traces = new Traces([0.5, 1], d, kernels);
    const recurrence = new Recurrence(parameters, layout, traces, {
      slotKeyWeight: 0.5,
      decay: 0.9,
      topK: 2,
    });
    fc.assert(
      fc.property(fc.array(fc.nat(5), { maxLength: 6 }), fc.nat(1000), (chunks, seed) => {
        const T = chunks.reduce((sum, n) => sum + n, 0), e = floats(T * d, seed);
        recurrence.start(undefined);
        recurrence.fold(T, e);
        const whole = recurrence.state.flat.slice();
        recurrence.start(undefined);
        let at = 0;
        for (const n of chunks) {
          recurrence.start(recurrence.state.flat.slice());
          recurrence.fold(n, e.subarray(at * d, (at += n) * d));
        }
        assert.deepEqual(recurrence.state.flat, whole);
        assert.equal(recurrence.state.count[0], T);
      }),
      { numRuns: 20 },
    );
  },
);
