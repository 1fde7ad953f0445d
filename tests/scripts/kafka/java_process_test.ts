import assert from "node:assert/strict";
import { freePort, OWN_PORTS, partOfPorts, portFor, startJava } from "../../../scripts/kafka/java_process.ts";

Deno.test("startJava() says with the last lines of its log why a process has not started", async () => {
  const log = await Deno.makeTempFile({ prefix: "meander-java-" });
  const options = { what: "a broker", port: await portFor("a broker", undefined), log };
  const isReady = () => Promise.resolve(false);
  const starting = (command: string, timeoutMs: number) =>
    startJava(["sh", "-c", command], { ...options, isReady, timeoutMs });
  await assert.rejects(
    starting("echo no room; exit 3", 60_000),
    /Cannot start a broker on port \d+: it has ended; its output:\nno room\n$/,
  );
  await assert.rejects(starting("exec sleep 60", 1), /it is not ready after 0\.001 s; its output:\n/);
  await Deno.remove(log);
});

Deno.test("portFor() rejects a port on which something listens", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  await assert.rejects(portFor("a broker", port), new RegExp(`a broker on port ${port}: it is in use$`));
});

Deno.test("freePort() returns each port once, from the range of its process", async () => {
  const before = Deno.env.get(OWN_PORTS);
  Deno.env.set(OWN_PORTS, partOfPorts(3));
  try {
    const ports = await Promise.all(Array.from({ length: 60 }, freePort));
    assert.equal(new Set(ports).size, 60);
    const [from, count] = partOfPorts(3).split("+").map(Number);
    assert.deepEqual([from, count], [20_900, 300]);
    assert.ok(ports.every((port) => port >= 20_900 && port < 21_200));
  } finally {
    if (before === undefined) Deno.env.delete(OWN_PORTS);
    else Deno.env.set(OWN_PORTS, before);
  }
});
