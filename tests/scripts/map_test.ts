/** From an unknown file to a mapping, and from a wrong mapping to all records of the file, by commands alone. */

import assert from "node:assert/strict";
import { withoutComments } from "../../streams/settings/json_comments.ts";
import { readAll } from "../../streams/log/reading.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { runCall } from "./command.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Runs a command in a folder. */
function meander(folder: string, script: string, ...args: readonly string[]) {
  return runCall({ script, args, folder });
}

const lines = Array.from({ length: 30 }, (_, i) =>
  JSON.stringify({
    evt: i % 3 === 0 ? "product_view" : i % 3 === 1 ? "product_clik" : "zoom",
    ctx: { uid: `u${i % 4}`, ts: new Date(Date.UTC(2026, 10, 27, 10, i)).toISOString() },
    sku: `A${i}`,
  }));

Deno.test("map, ingest and rejected: suggest a mapping, take in a file by it, and replay the rest once it is mended", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-map-" });
  try {
    const snowplow = await meander(folder, "map", "--try", `${ROOT}tests/mapping/samples/snowplow.tsv`);
    assert.match(
      snowplow.stdout,
      /"snowplow": \{\s+"format": "tsv",\s+"preset": "snowplow"\s+\}[\s\S]* 2 rejected/,
    );
    await Deno.writeTextFile(`${folder}/clicks.jsonl`, `${lines.join("\n")}\n`);
    const tried = await meander(folder, "map", "--try", "clicks.jsonl");
    assert.equal(tried.code, 0, tried.stderr);
    assert.match(tried.stdout, /ctx\.uid +100 % {2}text, 4 different/);
    assert.match(tried.stdout, /open: records whose evt is .*zoom become nothing/);
    assert.match(tried.stdout, /30 records: 10 interaction, 20 nothing, 0 rejected/);
    const odd = JSON.stringify({
      user: "\u001b[2J",
      item: "[a](http://[)",
      ts: 1_795_773_600_000,
      event: "view",
    });
    await Deno.writeTextFile(`${folder}/odd.jsonl`, `${odd}\n`.repeat(3));
    const escaped = await meander(folder, "map", "--try", "odd.jsonl");
    assert.match(
      escaped.stdout,
      /different: \\u001b\[2J[\s\S]*different: \[a\]\(http:\/\/\[\)/,
      escaped.stderr,
    );
    const rows = "Jürgen,Größe,2026-11-27,view\n".repeat(3);
    await Deno.writeTextFile(`${folder}/named.csv`, `\ufeff"Käufer","Artikel-Nr.",Zeit,Aktion\r\n${rows}`);
    assert.match((await meander(folder, "map", "--try", "named.csv")).stdout, /\nKäufer +100 % +text/);
    const latin = Uint8Array.from(`user,item,time,action\n${rows}`, (letter) => letter.charCodeAt(0));
    await Deno.writeFile(`${folder}/latin.csv`, latin);
    const unread = await meander(folder, "map", "--try", "latin.csv");
    assert.match(
      unread.stdout,
      /3 of them cannot be read; the first: .* as UTF-8[^]*suggested: no record could be read\n$/,
    );
    const notes = 'user;item;time;action;note\nann;tent;2026-11-27T10:00:00Z;view;"a; b\n\nc"\n' +
      'bob;lamp;2026-11-27T10:00:01Z;view;""\n';
    await Deno.writeTextFile(`${folder}/semicolons.csv`, notes);
    const parted = await meander(
      folder,
      "map",
      "--try",
      "semicolons.csv",
      "--config",
      "other.json",
      "--write",
    );
    assert.match(parted.stdout, /2 records: 2 interaction, 0 nothing, 0 rejected/, parted.stderr);
    const taken = await meander(
      folder,
      "ingest",
      "--from",
      "semicolons.csv",
      "--format",
      "semicolons",
      "--config",
      "other.json",
      "--log-path",
      "other.sqlite",
    );
    assert.match(taken.stdout, /done: 2 events .* 0 rejected/, taken.stderr);
    const [, suggested = ""] = /^(\{\n[\s\S]*?\n\})\n/m.exec(tried.stdout) ?? [];
    await Deno.writeTextFile(`${folder}/meander.json`, ""); // as the shell leaves it
    const written = await meander(folder, "map", "--try", "clicks.jsonl", "--write");
    assert.equal(written.code, 0, written.stderr);
    const config = JSON.parse(await Deno.readTextFile(`${folder}/meander.json`));
    assert.deepEqual(config, JSON.parse(suggested));
    const twice = await meander(folder, "map", "--try", "clicks.jsonl", "--write");
    assert.match(
      twice.stderr,
      /Cannot write the source clicks to meander\.json: it already has a source of that name/,
    );
    const commented = '// "the" shop {\r\n/* { */ {\r\n  // how long\r\n  "outcomeWindowMs": 5000,\r\n}\r\n';
    await Deno.writeTextFile(`${folder}/meander.json`, commented);
    const beside = await meander(folder, "map", "--try", "clicks.jsonl", "--write");
    assert.match(beside.stdout, /written to meander\.json/, beside.stderr);
    const merged = await Deno.readTextFile(`${folder}/meander.json`);
    assert.ok(commented.split("\r\n").every((line) => merged.includes(line)), merged);
    assert.deepEqual(JSON.parse(withoutComments(merged)), { ...config, outcomeWindowMs: 5000 });
    const third = await meander(folder, "map", "--try", "semicolons.csv", "--write");
    assert.match(third.stdout, /written to meander\.json/, third.stderr);
    const both = await Deno.readTextFile(`${folder}/meander.json`);
    assert.ok(commented.split("\r\n").every((line) => both.includes(line)), both);
    const { semicolons, ...others } = JSON.parse(withoutComments(both)).sources;
    assert.deepEqual(others, config.sources);
    assert.equal(semicolons.format, "csv");
    const rules = config.sources.clicks.rules;
    rules.pop(); // as one who knows the data would: zoom is useless, the misspelt clicks are not
    rules.push({ name: "zooms", as: "nothing", when: { evt: "zoom" } });
    await Deno.writeTextFile(`${folder}/meander.json`, JSON.stringify(config));
    const fed = await meander(folder, "ingest", "--from", "clicks.jsonl", "--format", "clicks");
    assert.match(fed.stdout, /done: 10 events of clicks\.jsonl .* 10 rejected/);
    const listed = await meander(folder, "rejected", "list");
    assert.match(listed.stdout, /10 {6}0 {2}clicks {2}unmapped .*evt is "product_clik"/);
    const shown = await meander(folder, "rejected", "show", "0/0");
    assert.match(shown.stdout, /came from clicks\.jsonl:2\n[\s\S]*"product_clik"/);

    rules[0].when.evt = ["product_view", "product_clik"];
    rules[0].fields.action.values.product_clik = "click";
    await Deno.writeTextFile(`${folder}/meander.json`, JSON.stringify(config));
    const again = await meander(folder, "rejected", "replay", "clicks");
    assert.match(again.stdout, /^10 records of clicks: 10 events and items sent, 0 rejected again\n/);
    const none = await meander(folder, "rejected", "replay", "meander", "--from", "events");
    assert.match(
      none.stdout,
      /^0 records of meander: .*, `rejected list` names the sources and topics/,
    );
    assert.equal((await meander(folder, "rejected", "list")).stdout, "nothing was rejected\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("map: --try with several files writes one configuration, or none if a name is taken", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-map-" });
  try {
    const at = (n: number) => 1_795_773_600_000 + n;
    const files = {
      lists: (n: number) => ({
        token: `t${n}`,
        deviceId: `d${n % 9}`,
        at: at(n),
        tiles: [{ id: n % 7 }, { id: 8 }],
      }),
      plays: (n: number) => ({
        event: "play",
        from: `t${n}`,
        deviceId: `d${n % 9}`,
        at: at(n),
        videoId: n % 7,
      }),
      logins: (n: number) => ({ deviceId: `d${n}`, accountId: `a${n}`, at: at(n) }),
    };
    for (const [name, make] of Object.entries(files)) {
      const rows = Array.from({ length: 40 }, (_, n) => JSON.stringify(make(n)));
      await Deno.writeTextFile(`${folder}/${name}.jsonl`, rows.join("\n"));
    }
    const all = ["lists.jsonl", "plays.jsonl", "logins.jsonl"];
    const { stdout, stderr } = await meander(folder, "map", "--write", "--try", ...all);
    assert.match(
      stdout,
      /\nplays\.jsonl\n[^]*\n40 records: 40 interaction, [^]*\n40 records: 40 alias, /,
      stderr,
    );
    const { sources } = JSON.parse(await Deno.readTextFile(`${folder}/meander.json`));
    assert.deepEqual(Object.keys(sources), ["lists", "plays", "logins"]);
    assert.equal(sources.plays.rules[0].fields.request, "from");
    const { logins } = sources;
    await Deno.writeTextFile(`${folder}/meander.json`, JSON.stringify({ sources: { logins } }));
    const taken = await meander(folder, "map", "--write", "--try", ...all);
    assert.match(taken.stderr, /Cannot write the source logins to meander\.json: it already has/);
    assert.equal(await Deno.readTextFile(`${folder}/meander.json`), JSON.stringify({ sources: { logins } }));
    const named = await meander(folder, "map", "--format", "logins", "--try", ...all);
    assert.match(named.stderr, /Cannot try 3 files or topics as one source/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("map: --try --format reads rows as ingest does, with a header unless the source names columns", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-map-" });
  try {
    const fields = { user: '["user:id"]', time: "at", item: '["item/id"]', action: { value: "view" } };
    const rules = [{ as: "interaction", fields }];
    const columns = ["user:id", "item/id", "at"];
    const sources = {
      headed: { format: "csv", rules },
      named: {
        format: "csv",
        columns,
        rules: [{ as: "interaction", fields: { ...fields, time: { value: 1e12 } } }],
      },
    };
    await Deno.writeTextFile(`${folder}/meander.json`, JSON.stringify({ sources }));
    await Deno.writeTextFile(`${folder}/headed.csv`, `${columns.join()}\nann,tent,1788220800\n`);
    const headed = await meander(folder, "map", "--try", "headed.csv", "--format", "headed");
    assert.match(headed.stdout, /1 records: 1 interaction, 0 nothing, 0 rejected/, headed.stderr);
    await Deno.writeTextFile(`${folder}/named.csv`, "ann,tent,monday\nbea,map,tuesday\n"); // might be a header
    const named = await meander(folder, "map", "--try", "named.csv", "--format", "named");
    assert.match(named.stdout, /2 records: 2 interaction, 0 nothing, 0 rejected/, named.stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("ingest: warns of a file whose rows tasks would reject, and --sort feeds events in order of time", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-map-" });
  try {
    const fields = { user: "who", time: "at", item: "what" };
    const rules = [
      { as: "item", goOn: true, fields: { item: "what", time: "at" } },
      { as: "interaction", fields: { ...fields, action: { value: "view" } } },
    ];
    await Deno.writeTextFile(
      `${folder}/meander.json`,
      JSON.stringify({ sources: { c: { format: "csv", rules } } }),
    );
    const rows = [30, 10, 20].map((day) => `ann,2026-09-${day},tent ${day}`);
    await Deno.writeTextFile(`${folder}/rows.csv`, `who,at,what\n${rows.join("\n")}\n`);
    const ingest = (...more: string[]) =>
      meander(folder, "ingest", "--from", "rows.csv", "--format", "c", ...more);
    const plain = await ingest("--log-path", "plain.sqlite");
    assert.equal(plain.code, 0, plain.stderr);
    assert.match(
      plain.stderr,
      /warning: line 3 is 1728000 s older than .* the same user; .* 300 s late: use --sort /,
    );
    const sorted = await ingest("--log-path", "sorted.sqlite", "--sort");
    assert.deepEqual([sorted.code, sorted.stderr], [0, ""]);
    await using log = await SqliteLog.open(`${folder}/sorted.sqlite`);
    const topics = topicNames();
    const values = async (topic: string) =>
      (await Array.fromAsync(readAll(log, topic, 0))).map(({ value }) =>
        JSON.parse(new TextDecoder().decode(value!))
      );
    assert.deepEqual((await values(topics.events)).map(({ item }) => item), [
      "tent 10",
      "tent 20",
      "tent 30",
    ]);
    assert.deepEqual((await values(topics.items)).map(({ item }) => item), ["tent 30", "tent 10", "tent 20"]);
    const topic = await meander(folder, "ingest", "--from", "kafka:rows", "--format", "c");
    assert.match(
      topic.stderr,
      /Cannot ingest kafka:rows: topics are taken in by `run`, with "follow" in a source/,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
