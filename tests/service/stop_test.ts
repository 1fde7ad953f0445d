/** Each process ends in time, whatever its broker does meanwhile. Takes half a minute, most of it to recover. */

import assert from "node:assert/strict";
import { prepareBroker } from "../../scripts/kafka/dev_broker.ts";
import { breadth } from "../breadth.ts";
import { stopAround } from "./stops.ts";

const SEED = 1;
const isPossible = await prepareBroker().then(() => true, async (error) => {
  const text = `SKIPPED: stops beside a broker that dies, as there is no broker: ${error}\n`;
  await Deno.stderr.write(new TextEncoder().encode(text));
  return false;
});

Deno.test({
  name: "run: exits with 0 within ten seconds of SIGTERM, loses nothing, whatever its broker does",
  ignore: !isPossible,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "meander-stops-" });
    const said: string[] = [];
    const { problems, stops } = await stopAround({
      rounds: 1,
      seed: SEED,
      folder,
      tell: (line) => said.push(line),
    });
    assert.deepEqual(problems, [], `what the processes said is in ${folder}:\n${said.join("\n")}`);
    assert.equal(stops, breadth(6, 11));
    await Deno.remove(folder, { recursive: true });
  },
});
