import assert from "node:assert/strict";
import { mulberry32 } from "../../../src/draws/random.ts";
import { OrderProof, reciprocalRank } from "../../../src/learner/preferences/order_proof.ts";

/** Steps whose gains have a mean and a deviation of 1.3. */
function proved(steps: number, mean: (step: number) => number, seed: number): boolean[] {
  const random = mulberry32(seed);
  const proof = new OrderProof();
  return Array.from({ length: steps }, (_, step) => {
    const noise = Array.from({ length: 5 }, () => 2 * random() - 1).reduce((sum, x) => sum + x, 0);
    proof.add(mean(step) + noise);
    return proof.isProved;
  });
}

Deno.test("OrderProof is seldom ever fooled where nothing is gained, however long it looks", () => {
  const runs = 200;
  let fooled = 0;
  for (let seed = 0; seed < runs; seed++) if (proved(1000, () => 0, seed).includes(true)) fooled++;
  // 5 % at most: of 200 runs more than 21 have a chance of 0.0004.
  assert.ok(fooled <= 21, `${fooled} of ${runs}`);
});

Deno.test("OrderProof finds what is gained, and takes it back when it is lost", () => {
  let [found, lost] = [0, 0];
  for (let seed = 0; seed < 50; seed++) {
    const course = proved(1200, (step) => step < 600 ? 0.5 : -0.5, seed);
    if (course[599]) found++;
    if (course[599] && !course[1199]) lost++;
  }
  assert.ok(found >= 48, `${found} of 50 found`);
  assert.ok(lost >= 46, `${lost} of ${found} taken back`);
});

Deno.test("reciprocalRank() counts equals before a place as better", () => {
  const scores = Float32Array.of(1, 3, 1, 2);
  assert.deepEqual([0, 1, 2, 3].map((place) => 1 / reciprocalRank(scores, place)), [3, 1, 4, 2]);
});
