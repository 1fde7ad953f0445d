import assert from "node:assert/strict";
import { Command } from "commander";
import { addLogFlags, type LogFlags } from "../../scripts/flags/log_flags.ts";
import { sqliteOptions } from "../../scripts/flags/service_flags.ts";
import { parseConfig } from "../../streams/config/config.ts";

/** What a command has that is called with arguments, over a file of the configuration and variables. */
function optionsOf(args: readonly string[], file: string, env: Readonly<Record<string, string>>) {
  const command = addLogFlags(new Command().exitOverride().configureOutput({ writeErr: () => {} }));
  command.parse([...args], { from: "user" });
  return sqliteOptions(command.opts<LogFlags>(), parseConfig(file, "meander.json", (name) => env[name]));
}

Deno.test("sqliteOptions() has flags win over the environment, and that over the file", () => {
  const file = '{ "durability": "process", "syncMs": 300 }';
  const env = { MEANDER_DURABILITY: "power", MEANDER_SYNC_MS: "200" };
  assert.deepEqual(optionsOf([], "{}", {}), { durability: "process", syncMs: 1000 });
  assert.deepEqual(optionsOf([], file, {}), { durability: "process", syncMs: 300 });
  assert.deepEqual(optionsOf([], file, env), { durability: "power", syncMs: 200 });
  assert.deepEqual(optionsOf(["--durability", "process", "--sync-ms", "50"], file, env), {
    durability: "process",
    syncMs: 50,
  });
});

Deno.test("sqliteOptions() refuses what there is not", () => {
  assert.throws(() => optionsOf(["--durability", "disk"], "{}", {}), /process, power/);
  assert.throws(() => optionsOf([], '{ "durability": "full" }', {}), /durability/);
  assert.throws(() => optionsOf([], '{ "syncMs": 0 }', {}), /syncMs/);
});
