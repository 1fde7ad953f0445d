/**
 * A short run of `deno run -A scripts/chaos.ts`. It takes most of a minute: a silent member is only noticed after a
 * session of six seconds, and processes need time to start.
 */

import assert from "node:assert/strict";
import { keysOf, recordOf } from "../../src/values/record.ts";
import { prepareBroker } from "../../scripts/kafka/dev_broker.ts";
import { breadth } from "../breadth.ts";
import { runChaos } from "./chaos.ts";
import { describe, makeSchedule } from "./schedule.ts";
import { SHORT, type Size } from "./sizes.ts";

const SEED = 1;
/** Every kind of fault once. */
const LEAST: Size = { ...SHORT, events: SHORT.events / 2, counts: recordOf(keysOf(SHORT.counts), () => 1) };
const SIZE = breadth(LEAST, SHORT);
const isPossible = await prepareBroker().then(() => true, async (error) => {
  const text = `SKIPPED: the chaos run, as there is no broker: ${error}\n`;
  await Deno.stderr.write(new TextEncoder().encode(text));
  return false;
});

Deno.test({
  name: "A deployment on Kafka keeps its promises through kills, zombies, joins, leaves and broker failures",
  ignore: !isPossible,
  async fn() {
    const schedule = makeSchedule({ ...SIZE, seed: SEED });
    const folder = await Deno.makeTempDir({ prefix: "meander-chaos-" });
    const { events, users } = SIZE;
    const { problems, figures } = await runChaos({
      seed: SEED,
      schedule,
      events,
      users,
      monitors: SIZE.monitors,
      folder,
      tell: () => {},
    });
    const again = `deno run -A scripts/chaos.ts --seed ${SEED}; what the processes said is in ${folder}\n${
      describe(schedule)
    }`;
    assert.deepEqual(problems, [], `again with: ${again}`);
    assert.ok(
      (figures["recommendations"] ?? 0) > events / 4 && (figures["rows learnt"] ?? 0) > 1.25 * events,
    );
    // Each is a commit of another task: how many there are depends on the speed of the machine.
    assert.ok((figures["records learnt from others"] ?? 0) > 100);
    assert.ok((figures["users of experiments"] ?? 0) > 150);
    assert.equal(figures["experiments stopped"], 1, "by its guard rail, though the monitor was killed");
    await Deno.remove(folder, { recursive: true });
  },
});
