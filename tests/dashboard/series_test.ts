import assert from "node:assert/strict";
import { Ring, Series } from "../../streams/dashboard/series.ts";

Deno.test("Ring keeps the newest points, oldest first, and missing figures as null", () => {
  const ring = new Ring(["a", "b"], 3);
  assert.deepEqual(ring.view(), { times: [], columns: { a: [], b: [] } });
  for (let n = 1; n <= 5; n++) ring.push(n, { a: n / 3, b: n % 2 === 0 ? null : n });
  assert.deepEqual(ring.view(), {
    times: [3, 4, 5],
    columns: { a: [1, 1.3333, 1.6667], b: [3, null, 5] },
  });
  assert.deepEqual(ring.mean(2), { a: 1.5, b: 5 });
  assert.deepEqual(new Ring(["a"], 3).mean(2), { a: null });
});

Deno.test("Series averages the seconds of a minute when the next minute begins", () => {
  const series = new Series(["a"]);
  for (let second = 50; second < 125; second++) {
    const ended = series.push(1000 * second, { a: second });
    assert.equal(ended !== null, second === 60 || second === 120, String(second));
  }
  const mean = (from: number, to: number) => (from + to) / 2;
  assert.deepEqual(series.minutes.view(), {
    times: [0, 60_000],
    columns: { a: [mean(50, 59), mean(60, 119)] },
  });
  assert.equal(series.seconds.length, 75);
});

Deno.test("Series keeps 15 minutes by the second and 24 hours by the minute", () => {
  const series = new Series(["a"]);
  for (let second = 0; second < 90_000; second += 10) series.push(1000 * second, { a: 1 });
  assert.equal(series.seconds.length, 900);
  assert.equal(series.minutes.length, 1440);
});
