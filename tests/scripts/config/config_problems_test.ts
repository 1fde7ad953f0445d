import assert from "node:assert/strict";
import { contradictionsOf, ineffectiveIn, problemsOf } from "../../../scripts/config/config_problems.ts";
import { parseConfig } from "../../../streams/config/config.ts";

function problems(text: string, env: Readonly<Record<string, string>> = {}) {
  try {
    return contradictionsOf(parseConfig(text, "shop.json", (name) => env[name]), "shop.json");
  } catch (error) {
    return problemsOf(error);
  }
}

Deno.test("problemsOf() shows nothing that may be a key", () => {
  const secret = "correct horse battery staple";
  const all = [
    problems(JSON.stringify({ http: { keys: [{ name: "a", sha256: secret, scopes: ["read"] }] } })),
    problems(JSON.stringify({ http: { keys: [{ name: "a", sha256: 7, scopes: secret }, secret] } })),
    problems("{}", { MEANDER_HTTP_KEYS: secret }),
    problems(
      JSON.stringify({ sources: { a: { registry: { url: `http://me:${encodeURI("horse:/s")}@b/` } } } }),
    ),
    problems(JSON.stringify({ kafka: { brokers: ["kafka://me:horse@b:9092"] } })),
  ].flat();
  assert.ok(all.length >= 4);
  for (const { what, remedy } of all) assert.doesNotMatch(what + remedy, /horse/);
});

Deno.test("problemsOf() says where a field is wrong, what was expected, what is there, and what to do", () => {
  const cases: [text: string, what: RegExp, remedy: RegExp][] = [
    [
      '{ // mine\n "learner": {\n "learningRate": 0 } }',
      /^shop\.json, line 3: learner\.learningRate: .*expected number to be >0; current value is 0$/,
      /^allowed: number > 0; or leave it out for the default: 0\.03; .*rate of that optimiser; docs\/reference\/configuration\.md/,
    ],
    [
      '{"learner": {"learningrate": 1}}',
      /line 1: learner\.learningrate: there is no such field/,
      /learner\.learningRate\?/,
    ],
    [
      '{"colours": 1}',
      /line 1: colours: there is no such field/,
      /remove it; the top level has .*features, .*models/,
    ],
    [
      '{"retrieval": {"learnNext": 1}}',
      /retrieval\.learnNext: there is no such field/,
      /^move it: it is learnNext, at the top$/,
    ],
    [
      '{"models": {"dien": {"attentionWidths": [1]}}}',
      /line 1: models\.dien\.attentionWidths: it is gone$/,
      /^remove it: attention is "bilinear" or "none"$/, // not those of DIN
    ],
    ['{"http": {"maxBehind": 5}}', /http\.maxBehind: it is gone$/, /set http\.maxBehindMs: a time/],
    [
      '{"learner": {"pairLearningRate": 1}}',
      /learner\.pairLearningRate: it is gone$/,
      /^set learner\.firstOrderLearningRate/,
    ],
    ['{"trendHalfLifeMs": 1}', /there is no such field/, /^move it: it is retrieval\.trendHalfLifeMs$/],
    [
      '{"http": {"keys": [{"name": "a",\n"sha256": "x", "scopes": ["read"]}]}}',
      /line 2: http\.keys\.0\.sha256: .*64 hex/,
      /no default/,
    ],
    [
      '{"http": {"keys": [{"name": "a", "scopes": ["read"], "sha256": "x", "extra": 1}]}}',
      /sha256/,
      /sha256sum/,
    ],
    [
      '{"actions": {"click": {"positive": true}}}',
      /actions\.click\.strength: expected number; current value is missing$/,
      /null = left out of it/,
    ],
    [
      '{"impressions": "both"}',
      /impressions: .*"served"\|"logged"; current value is "both"$/,
      /docs\/explanation\/join-and-labels\.md/,
    ],
    [
      '{"features": {"itemFields": ["a", ""]}}',
      /features\.itemFields\.1: .*current value is ""$/,
      /allowed: list of text/,
    ],
    ['{"policy": {"name": "softmax"}}', /policy\.name: /, /one of|configuration/],
    ['{"models": {"dien": {"hidden": 1.5}}}', /models\.dien\.hidden: .*current value is 1\.5/, /default: 32/],
    [
      '{"kafka": {"sasl": {"mechanism": "plain", "password": "hush"}}}',
      /line 1: kafka\.sasl\.password: it is a secret$/,
      /name a file that contains it/,
    ],
    ['{"logPath": "a.sqlite"}', /logPath: there is no such field/, /^remove it: it is a flag, --log-path$/],
    [
      '{"batchRows": 1,\n"keepRows": 2,\n"batchRows": 3}',
      /^shop\.json, line 3: batchRows: it is already in line 1$/,
      /^remove one of the two: the last one would win$/,
    ],
    ["[]", /line 1: the whole file: .*current value is \[\]/, /configuration\.md/],
    ['{"batchRows": 1', /Cannot read shop\.json as JSON: .*line 1/, /./],
    ['{"sequence": {"capacity": 30}}', /shop\.json: sequence: .*window 50, capacity 30/, /sequence\.\*/],
  ];
  for (const [text, what, remedy] of cases) {
    const [first] = problems(text);
    assert.match(first?.what ?? "", what, text);
    assert.match(first?.remedy ?? "", remedy, text);
  }
});

Deno.test("problemsOf() reports every field, and the environment variable that sets one", () => {
  const found = problems('{"batchRows": 0, "keepRows": -1}', { MEANDER_DEDUP_IDS: "many" });
  assert.deepEqual(found.map(({ what }) => what.slice(0, what.indexOf(": "))).sort(), [
    "MEANDER_DEDUP_IDS",
    "shop.json, line 1",
    "shop.json, line 1",
  ]);
  assert.deepEqual(problems('{"batchRows": 3, "guard": null}'), []);
});

Deno.test("ineffectiveIn() notes a head that is learnt although no order uses it", () => {
  const retrieval = { head: true };
  assert.match(
    ineffectiveIn({ retrieval, ranking: "blend" })[0]!.what,
    /^retrieval\.head .* "ranking" is "blend"/,
  );
  assert.deepEqual([ineffectiveIn({ retrieval }), ineffectiveIn({ ranking: "blend" })], [[], []]);
});
