import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { prepareBroker } from "../../../scripts/kafka/dev_broker.ts";
import { freePort } from "../../../scripts/kafka/java_process.ts";

const SCRIPT = fileURLToPath(new URL("../../../scripts/kafka.ts", import.meta.url));

Deno.test("kafka: --registry keeps the broker when the registry does not start, and says why", async () => {
  try {
    await prepareBroker();
  } catch (error) {
    await Deno.stderr.write(new TextEncoder().encode(`SKIPPED: a broker for development: ${error}\n`));
    return;
  }
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const data = await Deno.makeTempDir({ prefix: "meander-kafka-" });
  const ports = ["--port", `${await freePort()}`, "--registry", `${taken.addr.port}`];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--no-check", SCRIPT, "--data", data, ...ports],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const said = new Response(child.stdout).text();
  let complaint = "";
  for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
    complaint += part;
    if (!complaint.includes("The broker continues without it")) continue;
    const isOver = await Promise.race([child.status, new Promise((resolve) => setTimeout(resolve, 1000))]);
    assert.equal(isOver, undefined);
    child.kill("SIGTERM");
  }
  assert.equal((await child.status).code, 0, complaint);
  assert.match(await said, /^Kafka is ready at /);
  assert.match(
    complaint,
    /^Cannot start a schema registry on port \d+: it is in use\nThe broker continues without it\n$/,
  );
  await Deno.remove(data, { recursive: true });
});
