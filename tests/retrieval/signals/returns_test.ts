import assert from "node:assert/strict";
import { Returns } from "../../../src/retrieval/signals/returns.ts";
import { Story } from "../../engine/story.ts";
import { SMALL } from "../../engine/streams.ts";

/** 500 users with 20 behaviours each, one in `every` of which is a return, and `robot` acts of one more user. */
function lived(every: number, robot = 0): Returns {
  const returns = new Returns();
  for (let n = 0; n < 10_000; n++) returns.learn(n % every === 0, 1 + n % 20);
  for (let n = 0; n < robot; n++) returns.learn(true, 1 + n);
  return returns;
}

Deno.test("Returns.expected is true once users come back to items; one robot is not enough", () => {
  assert.equal(new Returns().expected, false);
  assert.equal(new Returns(true).expected, true);
  assert.equal(lived(30).expected, true);
  assert.equal(lived(199).expected, false);
  assert.equal(lived(199, 1000).expected, false);
  const returns = lived(30);
  for (let n = 0; n < 60_000; n++) returns.learn(false, 10);
  assert.equal(returns.expected, false, "nobody comes back any more");
});

Deno.test("TaskState.apply() lists items that the user had once users come back, unless revisits are turned off", () => {
  for (const revisits of [undefined, false]) {
    const story = new Story({ ...SMALL, retrieval: { ...SMALL.retrieval, maxCandidates: 40, revisits } });
    for (const item of ["a", "b", "c"]) story.item(item);
    story.click(1, "a");
    const had = (time: number) => story.ask(time, `r${time}`, {}).items.some(({ item }) => item === "a");
    assert.equal(had(2), false);
    const act = (time: number, action: string) => story.act(time, action, "b", { user: `u${time % 30}` });
    for (let n = 0; n < 60; n++) act(10 + n, n < 30 ? "click" : "purchase");
    assert.equal(had(80), false, "a purchase after a click is no return");
    for (let n = 0; n < 60; n++) act(100 + n, "purchase");
    assert.equal(had(200), revisits === undefined);
  }
});
