import assert from "node:assert/strict";
import { TimeShare } from "../../../streams/task/pace/time_share.ts";

Deno.test("TimeShare grants 30 % of the time, 10 % when events wait, at most 30 ms at once, less what was overspent", () => {
  const share = new TimeShare();
  assert.equal(share.left(1000), 30);
  share.spend(30);
  assert.equal(share.left(1000), 0);
  assert.equal(share.left(1010), 3);
  share.spend(13);
  assert.equal(share.left(1030), -4);
  assert.equal(share.left(1060), 5);
  assert.equal(share.left(9000), 30);
  for (const [isBehind, wanted] of [[false, 3000], [true, 1000]] as const) {
    const share = new TimeShare();
    let spent = 0;
    for (let now = 9000; now < 19_000; now += 7) {
      if (share.left(now, isBehind) <= 0) continue;
      share.spend(11);
      spent += 11;
    }
    assert.ok(Math.abs(spent - wanted) < 50, `${spent} ms of 10,000, not ${wanted}`);
  }
});

Deno.test("TimeShare.left() stays full while no time passes", () => {
  const share = new TimeShare();
  for (let n = 0; n < 5; n++) {
    assert.equal(share.left(0), 30);
    share.spend(0);
  }
});

Deno.test("TimeShare.waitMs is the time until there is a millisecond to spend, 0 when there is one", () => {
  const share = new TimeShare();
  share.left(1000);
  assert.equal(share.waitMs, 0);
  share.spend(59);
  assert.equal(share.waitMs, 100);
  assert.equal(share.left(1000 + share.waitMs), 1);
  assert.equal(share.waitMs, 0);
});
