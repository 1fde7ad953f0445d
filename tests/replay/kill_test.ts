import assert from "node:assert/strict";
import { breadth, oneIn } from "../breadth.ts";
import { replayCommand, runReplay, temporaryFolder } from "../scripts/command.ts";
import { syntheticRecords, writeFolder } from "../sources/synthetic.ts";

/** Small batches, so that there are hundreds of commits, and some checkpoints, to be killed between. */
const CONFIG = {
  batchRows: 12,
  learner: { embeddingWidth: 8, auxWeight: 0.1 },
  outcomeWindowMs: 300_000,
  sequence: { hop: 2 },
};

for (const [model, views] of oneIn(2, [["base", 150], ["dien", 120]] as const)) {
  Deno.test(`replay --model ${model} killed with -9 in each of its phases ends with the same bits`, async () => {
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
    await Deno.remove(`${folder.path}/figures.json`);

    let kills = 0;
    for (let ended = false; !ended;) {
      assert.ok(kills < 16, "it makes no progress");
      // At once; soon after the restart; then in the middle, each time somewhat later, until it comes to its end.
      const part = [0.005, 0.03][kills] ?? 0.2 + kills / breadth(6, 20);
      ended = !(await runUntilKilled(args, `${folder.path}/log`, Math.ceil(part * changes))).killed;
      if (!ended) kills++;
    }
    assert.ok(kills >= 3, `${kills} kills`);
    assert.deepEqual(await resultOf(`${folder.path}/figures.json`), want);
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
