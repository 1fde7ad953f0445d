import assert from "node:assert/strict";
import { DEFAULT_ACTIONS } from "../../src/features/actions.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { ConfigError } from "../../streams/settings/config_fault.ts";
import {
  type Config,
  configJsonSchema,
  learnerOptions,
  modelConfig,
  parseConfig,
  taskOptions,
} from "../../streams/config/config.ts";
import { PROFILES } from "../../streams/replay/profiles.ts";

const parse = (value: unknown) => parseConfig(JSON.stringify(value), "meander.json");

Deno.test("parseConfig() accepts every field, and an empty configuration", () => {
  assert.deepEqual(parse({}), {});
  const config: Config = {
    features: { userFields: ["age"], crosses: [] },
    actions: {
      click: { positive: true, strength: 1 },
      skip: { positive: false, explicit: true, strength: null },
    },
    sequence: { capacity: 50 },
    outcomeWindowMs: 0,
    allowedLatenessMs: 1000,
    impressions: "served",
    dedupIds: 10,
    policy: { name: "epsilon", epsilon: 0.1 },
    retrieval: { halfLifeMs: 1.5 },
    maxStaleVersions: 0,
    batchRows: 1,
    learner: { optimiser: "adam", learningRate: 0.01, auxWeight: 0 },
    guard: { margin: 0.2 },
    models: { base: { widths: [] }, din: { norm: "softmax" }, dien: { form: "agru" } },
  };
  assert.deepEqual(parse(config), config);
});

Deno.test("parseConfig() keeps a comma before a comment that contains a bracket", () => {
  const text = `{
    "batchRows": 1, // see {this}
    "dedupIds": 2, /* } */ "keepRows": 3, /* a */ /* ] */
    "ranking": "both", // } /* ,
  }`;
  const config = { batchRows: 1, dedupIds: 2, keepRows: 3, ranking: "both" };
  assert.deepEqual(parseConfig(text, "meander.json"), config);
});

Deno.test("parseConfig() accepts comments, trailing commas and $schema", () => {
  const text = `{
    // for editors
    "$schema": "meander.schema.json", /* and "more" */
    "batchRows": 3, "features": {"userFields": ["//", "a,]",],},
  }`;
  const config = parseConfig(text, "meander.json");
  assert.deepEqual(config.features?.userFields, ["//", "a,]"]);
  assert.throws(() => parseConfig('{"batchRows": 3, /* never ends }', "meander.json"), SyntaxError);
  assert.ok(!("$schema" in taskOptions(PROFILES.meander, config, "base")));
});

Deno.test("configJsonSchema() describes every section", () => {
  const { properties } = configJsonSchema() as { properties: Record<string, unknown> };
  for (const section of ["features", "learner", "kafka", "http", "models"]) assert.ok(section in properties);
});

Deno.test("parseConfig() names the file and each field that is wrong", () => {
  const cases: [unknown, string[]][] = [
    [[], ["(top)"]],
    [null, ["(top)"]],
    [{ colour: 1 }, ["colour"]],
    [{ learner: { learningrate: 1 } }, ["learner", "learningrate"]],
    [{ learner: { learningRate: 0 }, batchRows: 1.5 }, ["learner.learningRate", "batchRows"]],
    [{ features: { userFields: "age" } }, ["features.userFields"]],
    [{ features: { itemFields: ["a", ""] } }, ["features.itemFields.1"]],
    [{ features: { itemFields: ["a", "b", "a"] } }, ["features.itemFields.2", '"a" appears twice']],
    [{ features: { itemFields: ["taste[8]", "taste[0]"] } }, ["features.itemFields.1", "1 to 1000 numbers"]],
    [{ actions: { click: { positive: true } } }, ["actions.click.strength"]],
    [{ actions: { click: { positive: true, strength: 1, weight: 2 } } }, ["actions.click", "weight"]],
    [{ policy: { name: "softmax" } }, ["policy.name", "expected one of greedy, epsilon, boltzmann"]],
    [{ policy: { name: "epsilon", epsilon: -0.1 } }, ["policy.epsilon"]],
    [{ impressions: "both" }, ["impressions"]],
    [{ outcomeWindowMs: -1, allowedLatenessMs: "5" }, ["outcomeWindowMs", "allowedLatenessMs"]],
    [{ models: { dien: { hidden: 0, widths: [-1] } } }, ["models.dien.hidden", "models.dien.widths.0"]],
    [{ models: { gpt: {} } }, ["models", "gpt"]],
    [
      { surfaceTopics: { home: "samples" }, outputs: { registry: { url: "http://r" }, samples: true } },
      ["surfaceTopics.home", "outputs.samples"],
    ],
    [
      { outputs: { registry: { url: "http://r" }, samples: true, subject: "lists" } },
      ["outputs.subject", "{record} or {topic}"],
    ],
  ];
  for (const [value, fields] of cases) {
    assert.throws(() => parse(value), (error: unknown) => {
      assert.ok(error instanceof SyntaxError, String(error));
      for (const part of ["meander.json", ...fields]) assert.ok(error.message.includes(part), error.message);
      return true;
    }, JSON.stringify(value));
  }
  assert.throws(() => parseConfig("{batchRows: 1}", "here.json"), /Cannot read here\.json as JSON/);
});

Deno.test("parseConfig() accepts any number of unread columns named _", () => {
  const rules = [{ as: "interaction", fields: { user: "who", item: "sku", action: "what", time: "at" } }];
  const columns = ["who", "_", "what", "_", "sku", "at"];
  const { sources } = parseConfig(
    JSON.stringify({ sources: { shop: { format: "csv", columns, rules } } }),
    "a",
  );
  assert.deepEqual(sources?.["shop"]?.columns, columns);
});

Deno.test("parseConfig() refuses a duplicate key and says where both are", () => {
  const text = `{
    "batchRows": 3, // "batchRows": 4
    "http": { "maxBodyBytes": 1000, "keys": [
      { "name": "a", "sha256": "${"0".repeat(64)}", "scopes": ["read"],
        "n\\u0061me": "b" }
    ] },
    "keepRows": "batchRows",
    "batchRows": 3,
    "http": { "maxBodyBytes": 1000 },
    "http": {}
  }`;
  assert.throws(() => parseConfig(text, "meander.json"), (error: unknown) => {
    assert.ok(error instanceof ConfigError);
    assert.deepEqual(error.faults.filter(({ kind }) => kind === "twice"), [
      ...[["http.keys.0.name", 5, 4, undefined], ["batchRows", 8, 2, 3]].map(twice),
      ...[["http", 9, 3, {}], ["http", 10, 9, {}]].map(twice),
    ]);
    assert.deepEqual(error.faults.filter(({ kind }) => kind === "wrong").map(({ path }) => path), [[
      "keepRows",
    ]]);
    return true;
  });
  function twice([path, line, first, value]: readonly unknown[]) {
    const parts = String(path).split(".").map((part) => part === "0" ? 0 : part);
    return { path: parts, line, value, kind: "twice", message: `it is already in line ${first}` };
  }
});

Deno.test("parseConfig() refuses two API keys of the same name or digest", () => {
  const key = (name: string, digit: string) => ({ name, sha256: digit.repeat(64), scopes: ["read"] });
  const parse = (...keys: readonly object[]) => parseConfig(JSON.stringify({ http: { keys } }), "a");
  assert.equal(parse(key("a", "0"), key("b", "f")).http?.keys?.length, 2);
  assert.throws(() => parse(key("a", "0"), key("a", "f")), /a different name and sha256/);
  assert.throws(() => parse(key("a", "f"), key("b", "F")), /a different name and sha256/);
});

const WANTED = { positive: true, strength: 1 } as const;

Deno.test("taskOptions() overrides the profile by the configuration, field by field", () => {
  const profile = PROFILES["ml-100k"];
  const whole = { ...DEFAULT_SCHEMA, pooled: true };
  assert.deepEqual(taskOptions(profile, {}, "dien").schema, { ...profile.schema, pooled: true });
  assert.deepEqual(taskOptions(PROFILES.meander, {}, "dien").schema, { ...whole, transitions: {} });
  assert.deepEqual(taskOptions(PROFILES.meander, {}, "base").schema, { ...whole, transitions: null });
  const without = taskOptions(PROFILES.meander, { features: { pooled: false } }, "base");
  assert.equal(without.schema.pooled, false);
  const asked = taskOptions(PROFILES.meander, { features: { transitions: { behaviours: 3 } } }, "base");
  assert.deepEqual(asked.schema.transitions, { behaviours: 3 });
  assert.deepEqual(taskOptions(profile, {}, "base").actions, DEFAULT_ACTIONS);
  const { rating, click } = taskOptions(PROFILES.sparrow, { actions: { click: WANTED } }, "base").actions ??
    {};
  assert.deepEqual([rating, click], [PROFILES.sparrow.actions?.["rating"], WANTED]);
  assert.ok(!("view" in (taskOptions(PROFILES.sparrow, {}, "base").actions ?? {})), "no others");
  for (const [ranking, head] of [["auto", true], ["blend", false]] as const) {
    assert.equal(taskOptions(PROFILES.meander, { ranking }, "base").retrieval?.head, head, "learnt if used");
  }
  const options = taskOptions(profile, {
    features: { itemFields: ["year"] },
    actions: { click: { positive: false, strength: null } },
    outcomeWindowMs: 5,
    batchRows: 3,
  }, "dien");
  assert.deepEqual(options.schema, { ...profile.schema, pooled: true, itemFields: ["year"] });
  assert.deepEqual(options.actions?.click, { positive: false, strength: null });
  assert.deepEqual(options.actions?.rating, DEFAULT_ACTIONS.rating, "the others stay");
  assert.equal(options.outcomeWindowMs, 5);
  assert.equal(options.impressions, "logged");
  assert.ok(!("batchRows" in options) && !("features" in options));
  assert.deepEqual(PROFILES.meander.schema, DEFAULT_SCHEMA);
});

Deno.test("learnerOptions() and modelConfig() keep defaults that the configuration does not set", () => {
  const task = taskOptions(PROFILES.meander, {}, "dien");
  assert.deepEqual(learnerOptions(task, { learner: { learningRate: 0.5 } }, 7), {
    learningRate: 0.5,
    schema: { ...DEFAULT_SCHEMA, transitions: {}, pooled: true },
    seed: 7,
  });
  const dien = modelConfig("dien", {});
  assert.equal(dien.inputGain, 5);
  assert.deepEqual(modelConfig("dien", { models: { dien: { hidden: 8 } } }), { ...dien, hidden: 8 });
  assert.deepEqual(modelConfig("base", { models: { dien: { hidden: 8 } } }), modelConfig("base", {}));
});

Deno.test("parseConfig() lets the environment override the file, and names the variable that is wrong", () => {
  const env = (variables: Readonly<Record<string, string>>) => (name: string) => variables[name];
  const file = '{"http": {"maxEntries": 5, "maxBodyBytes": 10}, "ranking": "model"}';
  const config = parseConfig(
    file,
    "meander.json",
    env({
      MEANDER_HTTP_MAX_BODY_BYTES: "1000",
      MEANDER_RANKING: "both",
      MEANDER_LIFELONG: "false",
      MEANDER_POLICY: '{"name":"epsilon","epsilon":0.5}',
      MEANDER_KAFKA_BROKERS: '["k:1"]',
      MEANDER_KAFKA_TLS_CA_FILE: "ca.pem",
      MEANDER_HTTP_DOORS: '["gorse"]',
    }),
  );
  assert.deepEqual(config, {
    http: { maxEntries: 5, maxBodyBytes: 1000, doors: ["gorse"] },
    ranking: "both",
    lifelong: false,
    policy: { name: "epsilon", epsilon: 0.5 },
    kafka: { brokers: ["k:1"], tls: { caFile: "ca.pem" } },
  });
  assert.throws(() => parseConfig("{}", "the environment", env({ MEANDER_HTTP_MAX_BODY_BYTES: "many" })), {
    name: "SyntaxError",
    message: /MEANDER_HTTP_MAX_BODY_BYTES, http\.maxBodyBytes: /,
  });
  // Secrets have variables of their own, and no field.
  assert.deepEqual(parseConfig("{}", "the environment", env({ MEANDER_KAFKA_SASL_PASSWORD: "x" })), {});
});

Deno.test("parseConfig() accepts as many actions as a state has room for", () => {
  const withActions = (count: number) =>
    JSON.stringify({
      actions: Object.fromEntries(
        Array.from({ length: count }, (_, n) => [`act${n}`, { positive: true, strength: 1 }]),
      ),
    });
  assert.equal(Object.keys(parseConfig(withActions(200), "meander.json").actions!).length, 200);
  assert.throws(() => parseConfig(withActions(201), "meander.json"), /actions.*at most 200 actions/);
});
