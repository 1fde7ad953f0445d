import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { unknownVariables } from "../../streams/config/variables.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

Deno.test("unknownVariables() suggests the nearest name, and ignores what Kubernetes sets for services", () => {
  const near: Readonly<Record<string, string>> = {
    MEANDER_HTPP_MAX_ENTRIES: "MEANDER_HTTP_MAX_ENTRIES",
    MEANDER_BATCHROWS: "MEANDER_BATCH_ROWS",
    MEANDER_API_KEYS: "MEANDER_API_KEY",
    MEANDER_SASL_PASWORD: "MEANDER_SASL_PASSWORD",
    "MEANDER_http_max_entries": "MEANDER_HTTP_MAX_ENTRIES",
  };
  for (const [name, meant] of Object.entries(near)) {
    assert.deepEqual(unknownVariables([name]), [`${name} has no meaning; did you mean ${meant}?`]);
  }
  assert.deepEqual(unknownVariables(["MEANDER_LOCATION_OF_THINGS"]), [
    "MEANDER_LOCATION_OF_THINGS has no meaning",
  ]);
  assert.deepEqual(unknownVariables(["MEANDER_LEARN_HISTORIES", "MEANDER_HTTP_MAX_BEHIND"]), [
    "MEANDER_LEARN_HISTORIES has no meaning any more: remove it: only lists are learnt from; " +
    "see docs/decisions/0118-behaviours-without-a-list.md",
    "MEANDER_HTTP_MAX_BEHIND has no meaning any more: remove it, or set http.maxBehindMs: " +
    "a time instead of a number of events",
  ]);
  const services = ["MEANDER_SERVICE_HOST", "MEANDER_SERVICE_PORT_HTTP", "MEANDER_PORT"];
  const ports = ["MEANDER_PORT_8080_TCP", "MEANDER_PORT_8080_TCP_ADDR", "MEANDER_DB_SERVICE_PORT"];
  assert.deepEqual(unknownVariables([...services, ...ports, "HOME", "MEANDERING"]), []);
});

Deno.test("unknownVariables() knows each variable that commands read or docs name", async () => {
  const text: string[] = [];
  for (const folder of ["streams", "scripts", "docs/reference", "docs/how-to", "deploy"]) {
    for await (const file of filesIn(`${ROOT}${folder}`)) text.push(await Deno.readTextFile(file));
  }
  const named = new Set(text.join("\n").match(/\bMEANDER_[A-Z][A-Z_]*[A-Z]\b(?!\*)/g));
  const examples = ["MEANDER_HTTP_MAXBODY_BYTES"]; // misspelt on purpose
  assert.ok(named.size > 10);
  assert.deepEqual(unknownVariables([...named].filter((name) => !examples.includes(name))), []);
});

async function* filesIn(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* filesIn(`${folder}/${name}`);
    else if (/\.(ts|md|yaml|service)$/.test(name)) yield `${folder}/${name}`;
  }
}

Deno.test("a command warns of an unknown variable, unless it may not list the environment", async () => {
  const told = async (...permissions: readonly string[]) => {
    const { stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-q",
        "--no-check",
        "--no-prompt",
        ...permissions,
        "scripts/run.ts",
        "--rebuild",
        "--roles=http",
      ],
      cwd: ROOT,
      env: { MEANDER_BATCH_ROW: "8", MEANDER_RANKING: "model", NO_COLOR: "1" },
    }).output();
    return new TextDecoder().decode(stderr);
  };
  const warning = "warning: MEANDER_BATCH_ROW has no meaning; did you mean MEANDER_BATCH_ROWS?\n";
  const granted = await told("-P=command");
  assert.ok(granted.startsWith(warning), granted);
  const some = [
    "--allow-read",
    "--allow-write=.data",
    "--allow-net",
    "--allow-env=MEANDER_*,NODE_ENV,NO_COLOR",
  ];
  assert.doesNotMatch(await told(...some), /warning/);
});
