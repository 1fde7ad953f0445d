/** What HTTP says while a real broker is suspended or dead: `/ready` is never 200, and time-outs are kept. */

import assert from "node:assert/strict";
import { prepareBroker, startBroker } from "../../scripts/kafka/dev_broker.ts";
import { freePort } from "../../scripts/kafka/java_process.ts";
import { meteredLog } from "../../streams/log/metered_log.ts";
import { startHttp } from "../../streams/server/http.ts";
import { Metrics } from "../../streams/http/metrics.ts";
import { Service } from "../../streams/service/service.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { openLog } from "../log/kafka_broker.ts";
import { OPTIONS, recordsOf, until } from "../service/deployment.ts";

/** Long enough for any machine, and far from the 30 s that a request to a broker may take. */
const SILENT_MS = 15_000;
const ANSWER_TIMEOUT_MS = 300;

const isThere = await prepareBroker().then(() => true, async (error) => {
  const text = `SKIPPED: the test of a broker that is away, as there is none: ${error}\n`;
  await Deno.stderr.write(new TextEncoder().encode(text));
  return false;
});

/** The process id of the broker whose data are in a folder. */
async function brokerIn(folder: string): Promise<number> {
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const line = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
    const [program = ""] = line.split("\0");
    if (program.endsWith("java") && line.includes(`${folder}/server.properties`)) return Number(name);
  }
  return assert.fail(`no broker in ${folder}`);
}

Deno.test({
  name: "while the broker is suspended or dead, /ready is never 200, and requests time out as promised",
  ignore: !isThere,
  async fn() {
    const data = await Deno.makeTempDir({ prefix: "meander-kafka-" });
    const port = await freePort();
    await using opened = new AsyncDisposableStack();
    opened.defer(() => Deno.remove(data, { recursive: true }));
    const broker = await startBroker({ data, port });
    opened.defer(async () => await broker[Symbol.asyncDispose]());
    const metrics = new Metrics(topicNames());
    const log = opened.use(meteredLog(await openLog(broker, { retryMs: 3000 }), metrics));
    const service = opened.use(await Service.start(log, { ...OPTIONS, partitions: 2, learnerThread: {} }));
    await log.append(recordsOf([]));
    const settings = { answerTimeoutMs: ANSWER_TIMEOUT_MS };
    const server = opened.use(
      await startHttp({ hostname: "127.0.0.1", port: 0, log, service, metrics, settings }),
    );
    const call = async (path: string, init: RequestInit = {}) => {
      const response = await fetch(`${server.url}${path}`, {
        ...init,
        signal: AbortSignal.timeout(SILENT_MS),
      });
      return { status: response.status, text: await response.text() };
    };
    const recommend = () =>
      call("/v1/recommend", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ user: "ann", count: 1 }),
      });
    const untilWell = async () => {
      await until(async () => (await call("/ready")).status === 200, "it is ready");
      await until(async () => (await recommend()).status === 200, "it answers");
    };
    const whileAway = async () => {
      // The broker's last answers may still be on their way.
      await until(async () => (await call("/ready")).status === 503, "the log is known to be away");
      for (let n = 0; n < 2; n++) {
        const ready = await call("/ready");
        assert.equal(ready.status, 503, ready.text);
        assert.match(ready.text, /the log (has not answered|fails)/);
        const { status, text } = await recommend();
        assert.equal(status, 504, text);
      }
      assert.equal((await call("/v1/status")).status, 503);
      assert.equal((await call("/metrics")).status, 200);
      assert.equal((await call("/health")).status, 200);
    };
    await untilWell();
    const pid = await brokerIn(data);
    Deno.kill(pid, "SIGSTOP");
    try {
      await whileAway();
    } finally {
      Deno.kill(pid, "SIGCONT");
    }
    await untilWell();
    await broker[Symbol.asyncDispose]();
    await whileAway();
  },
});
