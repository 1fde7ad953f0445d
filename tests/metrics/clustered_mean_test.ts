import assert from "node:assert/strict";
import { mulberry32 } from "../../src/draws/random.ts";
import { clusteredMean } from "../../src/metrics/clustered_mean.ts";
import { studentQuantile } from "../../src/metrics/student.ts";

Deno.test("clusteredMean() is the mean, and has Student's interval for as many users as are not 0", () => {
  const values = [1, 0, 0, 1, 1, 0, 0, 0];
  const { mean, margin } = clusteredMean(values, values.map((_, u) => u), 8);
  assert.equal(mean, 3 / 8);
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 7);
  assert.ok(Math.abs(margin - studentQuantile(0.975, 2) * deviation / Math.sqrt(8)) < 1e-12);
});

Deno.test("clusteredMean() has an infinite margin when one user has nearly all values", () => {
  assert.equal(clusteredMean([1, 0, 1], [0, 0, 0], 1).margin, Infinity);
  assert.equal(
    clusteredMean([1, 0, 1, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 2).margin,
    Infinity,
  );
  assert.ok(Number.isNaN(clusteredMean([], [], 0).mean));
});

Deno.test("clusteredMean() never has an interval of width 0 without hits, and covers a rate with few of them", () => {
  const queries = Array.from({ length: 500 }, (_, q) => q);
  assert.equal(clusteredMean(queries.map(() => 0), queries.map((q) => q % 50), 50).margin, Infinity);
  // 20 users with ten queries each; one in ten users has most of the hits.
  const random = mulberry32(6);
  let [covered, runs] = [0, 0];
  for (let run = 0; run < 600; run++) {
    const rates = Array.from({ length: 20 }, () => random() < 0.1 ? 0.3 * random() : 0.02 * random());
    const values = queries.slice(0, 200).map((q) => random() < rates[q % 20]! ? 1 : 0);
    const { mean, margin } = clusteredMean(values, queries.slice(0, 200).map((q) => q % 20), 20);
    if (margin === Infinity) continue;
    runs++;
    if (Math.abs(mean - 0.024) <= margin) covered++;
  }
  assert.ok(runs > 250 && covered / runs > 0.93, `${covered} of ${runs}`); // with 19 degrees of freedom 75 %
});

Deno.test("clusteredMean() covers the truth as often as it should, with heavy users and different rates", () => {
  const random = mulberry32(5);
  const worlds = { runs: 2000, users: 80, rate: 0.2 };
  // Each user has a hit rate, and a few users have most of the queries (Pareto).
  let covered = 0, naive = 0;
  for (let run = 0; run < worlds.runs; run++) {
    const values: number[] = [], clusters: number[] = [];
    for (let user = 0; user < worlds.users; user++) {
      const queries = Math.min(400, Math.ceil(3 * (1 - random()) ** (-1 / 1.5)));
      const rate = random() < 0.25 ? 0.62 : 0.06; // 0.2 on average
      for (let q = 0; q < queries; q++) {
        values.push(random() < rate ? 1 : 0);
        clusters.push(user);
      }
    }
    const { mean, margin } = clusteredMean(values, clusters, worlds.users);
    if (Math.abs(mean - worlds.rate) <= margin) covered++;
    if (Math.abs(mean - worlds.rate) <= 1.96 * Math.sqrt(mean * (1 - mean) / values.length)) naive++;
  }
  // 92.4 % here; one standard error of a simulation is half a point.
  assert.ok(covered / worlds.runs > 0.91 && covered / worlds.runs < 0.97, `${covered / worlds.runs}`);
  assert.ok(naive / worlds.runs < 0.75, `${naive / worlds.runs}`);
});
