import assert from "node:assert/strict";
import { mulberry32 } from "../../src/draws/random.ts";
import { replayCommand, runReplay, temporaryFolder } from "../scripts/command.ts";
import { syntheticRecords, writeFolder } from "../sources/synthetic.ts";

/** Small batches, so that there are hundreds of commits, and some checkpoints, to be killed between. */
const CONFIG = {
  batchRows: 12,
  learner: { embeddingWidth: 8, auxWeight: 0.1 },
  outcomeWindowMs: 300_000,
  sequence: { hop: 2 },
};

for (const [model, views, kills] of [["base", 150, 8], ["dien", 120, 4]] as const) {
  Deno.test(`replay --model ${model} killed with -9 at ${kills} moments ends with the same bits`, async () => {
    await using folder = await temporaryFolder();
    const data = `${folder.path}/shop`;
    await writeFolder(syntheticRecords({ views, users: 40, items: 60, seed: 12 }), data);
    await Deno.writeTextFile(`${data}/meander.json`, JSON.stringify(CONFIG));
    const args = ["--data", data, "--model", model, "--json", `${folder.path}/figures.json`];

    const memory = await runReplay(...args);
    assert.equal(memory.code, 0, memory.stderr);
    const want = await resultOf(`${folder.path}/figures.json`);
    // An uninterrupted run tells how often a run changes its files, by which the moments are chosen.
    const { changes } = await runUntilKilled(args, `${folder.path}/whole`, Infinity);
    assert.deepEqual(await resultOf(`${folder.path}/figures.json`), want, "SQLite as memory");
    assert.ok(changes > 3 * kills, `${changes} changes are seen`);

    const random = mulberry32(13);
    let killed = 0, finished = 0;
    for (let log = 0; killed < kills; log++) {
      assert.ok(log < 4 * kills, `only ${killed} kills in ${log} replays`);
      for (let ended = false; !ended;) {
        // Within the next third of a replay: some die early, some soon after a restart, some at the end.
        const moment = 1 + Math.floor(random() * changes / 3);
        ended = !(await runUntilKilled(args, `${folder.path}/log-${log}`, moment)).killed;
        if (!ended) killed++;
      }
      finished++;
      assert.deepEqual(await resultOf(`${folder.path}/figures.json`), want, `replay ${log}`);
      await Deno.remove(`${folder.path}/figures.json`);
    }
    assert.ok(finished > 0);
  });
}

/** The figures, except how and how fast they were made. */
async function resultOf(file: string): Promise<unknown> {
  const { command: _command, seconds: _seconds, ...result } = JSON.parse(await Deno.readTextFile(file));
  return result;
}

/** Runs a replay on a SQLite log in a folder of its own, and kills it after a number of changes of the log. */
async function runUntilKilled(
  args: readonly string[],
  folder: string,
  moment: number,
): Promise<{ readonly killed: boolean; readonly changes: number }> {
  await Deno.mkdir(folder, { recursive: true });
  using watcher = Deno.watchFs(folder);
  const child = replayCommand([...args, "--log", "sqlite", "--log-path", `${folder}/log.sqlite`]).spawn();
  const output = child.output();
  let changes = 0;
  const watching = (async () => {
    for await (const event of watcher) {
      if (event.kind !== "modify" && event.kind !== "create") continue;
      if (++changes !== moment) continue;
      try {
        child.kill("SIGKILL");
      } catch {
        // It had just ended by itself.
      }
      return;
    }
  })();
  const { code, signal, stderr } = await output;
  watcher.close();
  await watching;
  const killed = signal === "SIGKILL";
  assert.ok(killed || code === 0, new TextDecoder().decode(stderr));
  return { killed, changes };
}
