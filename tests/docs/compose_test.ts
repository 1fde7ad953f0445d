/** `compose.yaml` agrees with the code: versions, names, ports, flags, times. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { readPage, ROOT } from "./pages.ts";

interface ComposeService {
  readonly image: string;
  readonly command?: string;
  readonly ports: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly healthcheck?: { readonly test: string | readonly string[] };
  readonly "stop_grace_period"?: string;
  readonly volumes?: readonly string[];
  readonly configs?: readonly { readonly source: string; readonly target: string }[];
  readonly "depends_on"?: Readonly<Record<string, { readonly condition: string }>>;
}

interface Compose {
  readonly services: Readonly<Record<"kafka" | "meander" | "prometheus" | "grafana", ComposeService>>;
  readonly configs: Readonly<Record<string, { readonly content: string }>>;
  readonly volumes: Readonly<Record<string, null>>;
}

const { services, configs, volumes }: Compose = parse(await readPage("compose.yaml"));
const { kafka, meander, prometheus, grafana } = services;

/** Listeners by name, as Kafka writes them. */
function listeners(setting: string): ReadonlyMap<string, string> {
  const text = String(kafka.environment?.[setting]);
  return new Map(
    text.split(",").map((one) => {
      const [, name = "", place = ""] = /^(\w+):(?:\/\/)?(.*)$/.exec(one) ?? [];
      return [name, place];
    }),
  );
}

/** A flag of the command of the engine. */
function flag(name: string): string {
  const words = meander.command?.split(" ") ?? [];
  return words[words.indexOf(name) + 1] ?? "";
}

Deno.test("compose.yaml uses the Deno of CI, and the Kafka of scripts/kafka/pom.xml", async () => {
  const [, deno] = /npx -y deno@([\d.]+) /.exec(await readPage(".ci/run")) ?? [];
  assert.equal(meander.image, `denoland/deno:${deno}`);
  const [, version] = /<artifactId>kafka_[\d.]+<\/artifactId>\s*<version>([\d.]+)</.exec(
    await readPage("scripts/kafka/pom.xml"),
  ) ?? [];
  assert.equal(kafka.image, `apache/kafka:${version}`);
});

Deno.test("compose.yaml starts the engine with valid flags", async () => {
  const words = meander.command?.split(" ") ?? [];
  assert.deepEqual(words.slice(0, 3), ["deno", "task", "run"]);
  // Contradictory flags are found after all others are parsed, and before anything starts.
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--no-check", "scripts/run.ts", ...words.slice(3), "--verbose", "--quiet"],
    cwd: fileURLToPath(ROOT),
    stdin: "null",
  }).output();
  assert.equal(code, 1);
  assert.match(new TextDecoder().decode(stderr), /^error: Cannot use --verbose with --quiet/m);
  assert.equal(flag("--log"), "kafka");
});

Deno.test("compose.yaml has consistent names and ports of Kafka's listeners", () => {
  const bound = listeners("KAFKA_LISTENERS");
  const advertised = listeners("KAFKA_ADVERTISED_LISTENERS");
  assert.deepEqual([...listeners("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP").keys()], [...bound.keys()]);
  for (const [name, place] of advertised) {
    assert.equal(place.split(":")[1], bound.get(name)?.split(":")[1], name);
  }
  const { KAFKA_INTER_BROKER_LISTENER_NAME: inner, KAFKA_CONTROLLER_LISTENER_NAMES: controller } =
    kafka.environment ?? {};
  assert.equal(advertised.get(String(inner)), flag("--brokers"));
  assert.equal(advertised.has(String(controller)), false);
  const controllerPort = bound.get(String(controller))?.split(":")[1];
  assert.equal(
    kafka.environment?.["KAFKA_CONTROLLER_QUORUM_VOTERS"],
    `${kafka.environment?.["KAFKA_NODE_ID"]}@kafka:${controllerPort}`,
  );
  assert.deepEqual(kafka.ports, [`${advertised.get("HOST")}:${bound.get("HOST")?.split(":")[1]}`]);
  assert.ok(String(kafka.healthcheck?.test).includes(`--bootstrap-server ${flag("--brokers")} `));
});

Deno.test("compose.yaml probes and scrapes the engine's port, and publishes it to this machine alone", async () => {
  const port = flag("--http").split(":")[1];
  assert.deepEqual(meander.ports, [`127.0.0.1:${port}:${port}`]);
  const check = meander.healthcheck?.test ?? [];
  assert.deepEqual(check.slice(0, 3), ["CMD", "deno", "eval"]);
  assert.ok(check[3]?.includes(`http://127.0.0.1:${port}/ready`));
  const { "scrape_configs": scrapeConfigs } = parse(configs["prometheus"]?.content ?? "");
  assert.deepEqual(scrapeConfigs[0].static_configs, [{ targets: [`meander:${port}`] }]);
  assert.equal(scrapeConfigs[0].metrics_path, undefined, "it is /metrics");
  const { datasources } = parse(configs["grafana-source"]?.content ?? "");
  assert.equal(datasources[0].url, `http://prometheus:${prometheus.ports[0]?.split(":").at(-1)}`);
  for (const service of Object.values(services)) {
    for (const published of service.ports) assert.ok(published.startsWith("127.0.0.1:"), published);
  }
  const dashboards = String(grafana.environment?.["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]);
  await Deno.stat(new URL(`grafana/${dashboards.split("/").at(-1)}`, ROOT));
});

Deno.test("compose.yaml gives the engine enough time to stop, and starts it once the broker is healthy", async () => {
  const [, patienceMs = ""] = /^const PATIENCE_MS = (\d+);$/m.exec(await readPage("scripts/run/thread.ts")) ??
    [];
  assert.ok(parseInt(meander.stop_grace_period ?? "") * 1000 > Number(patienceMs) + 2000);
  assert.match(meander.stop_grace_period ?? "", /^\d+s$/);
  assert.deepEqual(meander.depends_on, { kafka: { condition: "service_healthy" } });
});

Deno.test("compose.yaml uses configs, volumes and folders that exist", async () => {
  for (const service of Object.values(services)) {
    for (const { source } of service.configs ?? []) assert.ok(source in configs, source);
    for (const volume of service.volumes ?? []) {
      const [from = ""] = volume.split(":");
      if (from.startsWith(".")) assert.ok((await Deno.stat(new URL(`${from}/`, ROOT))).isDirectory, from);
      else assert.ok(from in volumes, from);
    }
  }
});
