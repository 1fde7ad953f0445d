import assert from "node:assert/strict";
import { streamSamples } from "../../../../scripts/research/protocols/streams.ts";

const START_MS = Date.UTC(2026, 0, 1);

/** A stream of two lists that were shown, the second one to a user without an id. */
async function faultyStream() {
  const path = await Deno.makeTempFile({ prefix: "meander-faulty-", suffix: ".jsonl" });
  const lines = ["ann", ""].map((user, n) =>
    JSON.stringify({ type: "impression", user, time: START_MS + n, request: `r${n}`, items: ["a", "b"] })
  );
  await Deno.writeTextFile(path, `${lines.join("\n")}\n`);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path) };
}

Deno.test("streamSamples() skips faulty records of a stream that has them by design, and rejects others", async () => {
  await using stream = await faultyStream();
  const samples = await streamSamples("meander", stream.path, {}, true);
  assert.deepEqual(samples.map(({ user }) => user), ["ann"]);
  await assert.rejects(streamSamples("meander", stream.path, {}), /the impression event as an id/);
});
