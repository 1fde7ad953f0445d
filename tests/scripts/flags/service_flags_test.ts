import assert from "node:assert/strict";
import { Command } from "commander";
import { addLogFlags, type LogFlags, logSettings } from "../../../scripts/flags/log_flags.ts";
import { logAddressOf } from "../../../scripts/flags/service_flags.ts";
import { KAFKA_KIND } from "../../../streams/log/kafka/kind.ts";
import { parseConfig } from "../../../streams/config/config.ts";

/** The log options of a command with these arguments, configuration and environment. */
async function optionsOf(args: readonly string[], file: string, env: Readonly<Record<string, string>>) {
  const config = parseConfig(file, "meander.json", (name) => env[name]);
  return (await logAddressOf(flagsOf(args), { config })).options;
}

function flagsOf(args: readonly string[]): LogFlags {
  const command = addLogFlags(new Command().exitOverride().configureOutput({ writeErr: () => {} }));
  return command.parse([...args], { from: "user" }).opts<LogFlags>();
}

const path = ".data/meander.sqlite";

Deno.test("logAddressOf() prefers flags to the environment, and the environment to the file", async () => {
  const file = '{ "durability": "process", "syncMs": 300 }';
  const env = { MEANDER_DURABILITY: "power", MEANDER_SYNC_MS: "200" };
  assert.deepEqual(await optionsOf([], "{}", {}), { path, durability: "process", syncMs: 1000 });
  assert.deepEqual(await optionsOf([], file, {}), { path, durability: "process", syncMs: 300 });
  assert.deepEqual(await optionsOf([], file, env), { path, durability: "power", syncMs: 200 });
  const flags = ["--durability", "process", "--log-path", "a.db"];
  assert.deepEqual(await optionsOf(flags, file, env), { path: "a.db", durability: "process", syncMs: 200 });
});

Deno.test("logAddressOf() rejects invalid values", async () => {
  await assert.rejects(optionsOf(["--durability", "disk"], "{}", {}), /process, power/);
  await assert.rejects(optionsOf([], '{ "durability": "full" }', {}), /durability/);
  await assert.rejects(optionsOf([], '{ "syncMs": 0 }', {}), /syncMs/);
});

Deno.test("logSettings() puts flags of parts into their section, and keeps what they do not name", () => {
  const settings = (args: readonly string[], kafka: object) =>
    logSettings(KAFKA_KIND, flagsOf(args), parseConfig(JSON.stringify({ kafka }), "meander.json"));
  const { tls, sasl, ...rest } = settings(["--tls-ca-file", "ca.pem", "--brokers", "a:1,b:2"], {
    retryMs: 5,
  });
  assert.deepEqual([tls, sasl, rest], [{ caFile: "ca.pem" }, undefined, {
    retryMs: 5,
    brokers: ["a:1", "b:2"],
  }]);
  const own = { tls: { caFile: "own.pem" }, sasl: { mechanism: "plain", username: "a" } };
  assert.deepEqual(settings(["--tls"], own), own, "the flag says only that it is on");
  assert.deepEqual(settings(["--tls"], {}), { tls: true });
  assert.deepEqual(settings(["--sasl-username", "b"], own), {
    ...own,
    sasl: { mechanism: "plain", username: "b" },
  });
});
