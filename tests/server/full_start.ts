/**
 * Starts `run` twice on a full disk, without a log and then with one, makes room, and stops it. Run by
 * `full_start_test.ts` on a disk of its own; prints the exit codes as JSON.
 *
 * Arguments: the folder, then those of `run`.
 *
 * @module
 */

const [folder = "", ...args] = Deno.args;
const filler = `${folder}/filler`;

/** Takes all the room that is left. */
async function takeRoom(): Promise<void> {
  await using file = await Deno.open(filler, { create: true, write: true });
  const portion = new Uint8Array(4096);
  try {
    for (;;) await file.write(portion);
  } catch {
    // None is left.
  }
}

const codes: number[] = [];
for (let start = 0; start < 2; start++) {
  await takeRoom();
  const run = new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "null", stderr: "piped" })
    .spawn();
  let said = "";
  for await (const text of run.stderr.pipeThrough(new TextDecoderStream())) {
    said += text;
    if (said.includes("waiting for room")) await Deno.remove(filler).catch(() => {}); // it may say so more than once
    if (/ version \d/.test(said)) run.kill("SIGTERM");
  }
  codes.push((await run.status).code);
}
await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(codes)));
