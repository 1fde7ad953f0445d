/** A log is declared once: settings, flags, the configuration's page and schema, and permissions derive from its kind. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { configRows } from "../../scripts/generate/configuration_page.ts";
import { addLogFlags, type LogFlags, placeOf } from "../../scripts/flags/log_flags.ts";
import { openLog } from "../../scripts/flags/service_flags.ts";
import { choice, count, text } from "../../src/options/option.ts";
import { configJsonSchemaOf, configSchemaOf } from "../../streams/config/config_schema.ts";
import type { Config } from "../../streams/config/config.ts";
import { capabilitiesOf } from "../contracts/log_suite.ts";
import { type LogKind, NO_NEEDS } from "../../streams/log/kind.ts";
import { kindOf, LOG_KINDS, openAt } from "../../streams/log/kinds/kinds.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { environmentOverrides, withOverrides } from "../../streams/settings/config_environment.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A new kind of log: outside its folder it adds no more than its line in a list of kinds. */
const NOTES: LogKind = {
  kind: "notes",
  section: "notes",
  options: {
    tombstones: count(10, "tombstones that stay"),
    order: choice(["oldest", "newest"], "oldest", "which go first"),
  },
  places: { notesPath: text<string>("notes.txt", "file of the notes") },
  flags: { tombstones: null, order: "which tombstones go first" },
  capabilities: { ...capabilitiesOf(new MemoryLog()), isDurable: true },
  partitions: 3,
  answerIntervalMs: 7,
  fileOf: ({ notesPath }) => `${notesPath}`,
  placeOf: ({ notesPath }) => `${notesPath}`,
  needsOf: () => NO_NEEDS,
  resolve: (settings) => Promise.resolve(settings),
  open: (options) => Promise.resolve(new MemoryLog(options as { readonly tombstones?: number })),
};
const kinds = [...LOG_KINDS, NOTES];

Deno.test("a registered kind has its section in the configuration, its schema, page and variables", () => {
  const schema = configSchemaOf(kinds);
  assert.ok(schema.safeParse({ notes: { tombstones: 3, order: "newest" } }).success);
  for (const wrong of [{ tombstones: 0 }, { order: "any" }, { tombstone: 3 }]) {
    assert.equal(schema.safeParse({ notes: wrong }).success, false, JSON.stringify(wrong));
  }
  const json = configJsonSchemaOf(schema);
  const rows = configRows(json).filter(({ key }) => key.startsWith("notes."));
  assert.deepEqual(rows.map(({ key, fallback }) => [key, fallback]), [
    ["notes.tombstones", "`10`"],
    ["notes.order", '`"oldest"`'],
  ]);
  const env = { MEANDER_NOTES_TOMBSTONES: "4" } as Readonly<Record<string, string>>;
  assert.deepEqual(withOverrides({}, environmentOverrides(json, (name) => env[name])), {
    notes: { tombstones: 4 },
  });
});

Deno.test("a registered kind has its flags, which win over its section, and opens by its name", async () => {
  const command = addLogFlags(new Command().exitOverride(), kinds.slice(1));
  const args = ["--log", "notes", "--tombstones", "1", "--notes-path", "a.txt"];
  const flags = command.parse(args, { from: "user" }).opts<LogFlags>();
  assert.match(command.helpInformation(), /--order <what>\s+which tombstones go first/);
  const config = { notes: { tombstones: 5, order: "newest" } } as Config;
  await using log = await openLog(flags, { config, kinds });
  await log.createTopics([{ name: "t", partitions: 1, cleanup: "compact" }]);
  await log.append(["a", "b"].map((key) => ({ topic: "t", key, value: null, time: 0 })));
  const { records } = await log.read("t", 0, 0);
  assert.deepEqual(records.map(({ key }) => key), ["b"], "one tombstone stays");
  assert.equal(kindOf("notes", kinds).partitions, 3);
  assert.throws(
    () => kindOf("notes"),
    /Cannot open a log of the kind "notes": the kinds are memory, sqlite, kafka/,
  );
});

Deno.test("a kind in this process declares what its logs can do", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const kind of LOG_KINDS.filter(({ capabilities }) => !capabilities.isShared)) {
      const options = await kind.resolve({ logPath: `${folder}/log.db` }, {
        readFile: () => Promise.reject(new Error("nothing is read")),
        env: () => undefined,
      });
      await using log = await openAt({ kind: kind.kind, options });
      const { isDurable: _, ...declared } = kind.capabilities;
      assert.deepEqual(capabilitiesOf(log), declared, kind.kind);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("placeOf() names the place of each kind", () => {
  const flags = (log: string, more = {}) => ({ log, prefix: "", ...more });
  assert.equal(placeOf(flags("sqlite")), ".data/meander.sqlite");
  assert.equal(placeOf(flags("sqlite", { logPath: "a.db" })), "a.db");
  assert.equal(placeOf(flags("kafka")), "Kafka");
  assert.equal(placeOf(flags("kafka", { brokers: ["a:1", "b:2"] })), "a:1,b:2");
});

Deno.test("nothing outside streams/log knows a kind of log, its library or its missing methods", async () => {
  const odd: string[] = [];
  for (const top of ["src", "streams", "scripts"]) {
    for await (const file of filesOf(top)) {
      if (file.startsWith("streams/log/") || file.startsWith("scripts/research/")) continue;
      const lines = (await Deno.readTextFile(ROOT + file)).split("\n");
      for (const [n, line] of lines.entries()) {
        if (/^\s*(\*|\/\/|\/\*)/.test(line)) continue;
        if (ALLOWED.has(`${file} ${line}`)) continue;
        if (ODD.test(line)) odd.push(`${file}:${n + 1}: ${line.trim()}`);
      }
    }
  }
  assert.deepEqual(odd, []);
});

/** Types of a configuration, and the message that tells a secret from other errors in it. */
const ALLOWED: ReadonlySet<string> = new Set([
  'scripts/config/config_problems.ts import { SECRET_MESSAGE } from "../../streams/log/kafka/settings.ts";',
  'streams/config/config.ts import type { KafkaSettings } from "../log/kafka/settings.ts";',
  'streams/config/config.ts import type { DurabilityOptions } from "../log/sqlite/durability.ts";',
]);
const OPTIONAL =
  "latest|since|members|keepMs|erase|scrub|verify|endsOf|refill|watchThrottling|review|address";
const ODD = new RegExp(
  [
    String.raw`(?:"|"npm:)kafkajs|\bKafkaJS`,
    String.raw`from ".*/log/(?:kafka|sqlite)/`,
    String.raw`instanceof (?:\w*Log)\b`,
    String.raw`\blog\.(?:${OPTIONAL}) [!=]==? (?:undefined|null)`,
    String.raw`"(?:${OPTIONAL})" in log`,
    String.raw`(?:typeof |!|\bif \(|&& |\|\| )[\w.#]*\blog\.(?:${OPTIONAL})\b(?![?(])`,
    String.raw`\b(?:kind|log) [!=]==? "(?:${LOG_KINDS.map(({ kind }) => kind).join("|")})"`,
    String.raw`\bcase "(?:${LOG_KINDS.map(({ kind }) => kind).join("|")})"`,
  ].join("|"),
);

async function* filesOf(folder: string): AsyncIterable<string> {
  for await (const { name, isDirectory } of Deno.readDir(ROOT + folder)) {
    if (isDirectory) yield* filesOf(`${folder}/${name}`);
    else if (name.endsWith(".ts")) yield `${folder}/${name}`;
  }
}
