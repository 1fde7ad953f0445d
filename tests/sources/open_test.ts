import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { type Format, openSource } from "../../streams/sources/open.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";
import { seeded, testLines } from "../events/broken_lines.ts";

type Files = Readonly<Record<string, string | Uint8Array>>;

async function withFolder<T>(files: Files, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, content] of Object.entries(files)) {
      await Deno.writeFile(
        `${folder}/${name}`,
        typeof content === "string" ? new TextEncoder().encode(content) : content,
      );
    }
    return await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Reads a source made of these files; `name` is the file to open, absent for the folder. */
function read(format: Format, files: Files, name?: string): Promise<SourceRecord[]> {
  return withFolder(
    files,
    (folder) => Array.fromAsync(openSource(format, name === undefined ? folder : `${folder}/${name}`)),
  );
}

/** A record in short: its file and line, and what it is. */
function brief(record: SourceRecord): string {
  const place = `${record.file.replace(/^.*\//, "")}:${record.line}`;
  if (record.kind === "rejected") return `${place} rejected ${record.rejection.code}`;
  if (record.kind === "item") return `${place} item ${record.item.item}`;
  const { event } = record;
  const what = event.type === "interaction"
    ? `${event.action} ${event.item} ${event.value ?? ""}`.trim()
    : event.type;
  return `${place} ${event.user} ${what}`;
}

const forget = (user: string) => `{"type":"forget","user":"${user}","time":1700000000000}\n`;
const item = (id: string) => `{"item":"${id}","time":1700000000000}\n`;

Deno.test("openSource() reads a folder in our format, items first, plain or gzipped", async () => {
  const items = item("i1") + "{}\n";
  const events = `${forget("u1")}\n${forget("u2")}`;
  const wanted = ["items.jsonl:1 item i1", "items.jsonl:2 rejected missing-field"];
  const more = ["events.jsonl:1 u1 forget", "events.jsonl:3 u2 forget"];
  const plain = await read("meander", { "items.jsonl": items, "events.jsonl": events });
  assert.deepEqual(plain.map(brief), [...wanted, ...more]);
  const zipped = await read("meander", {
    "items.jsonl.gz": new Uint8Array(gzipSync(items)),
    "events.jsonl.gz": new Uint8Array(gzipSync(events)),
  });
  assert.deepEqual(zipped.map(brief).map((line) => line.replace(".gz", "")), [...wanted, ...more]);
});

Deno.test("openSource() reads a single file in our format: of events, or of items by its name", async () => {
  const files = { "items-2.jsonl": item("i1"), "log.jsonl": forget("u1") };
  assert.deepEqual((await read("meander", files, "items-2.jsonl")).map(brief), ["items-2.jsonl:1 item i1"]);
  assert.deepEqual((await read("meander", files, "log.jsonl")).map(brief), ["log.jsonl:1 u1 forget"]);
});

Deno.test("openSource() rejects exactly the broken lines of a file, each with code, place and bytes", async () => {
  const lines = [...testLines(seeded(5), 3000, 0.1)];
  const parts = lines.flatMap(({ bytes }) => [bytes, new Uint8Array([0x0a])]);
  const file = new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
  const records = await read("meander", { "events.jsonl": file });
  assert.equal(records.length, lines.length);
  for (const [i, record] of records.entries()) {
    const { bytes, broken } = lines[i] ?? assert.fail();
    assert.equal(record.line, i + 1);
    assert.equal(record.kind === "rejected" ? record.rejection.code : undefined, broken?.code);
    if (record.kind !== "rejected") continue;
    assert.equal(record.rejection.bytes, bytes.subarray(0, 65_536).toBase64());
    assert.equal(record.rejection.cut, bytes.length > 65_536 ? true : undefined);
  }
});

const U_ITEM = ["1|Café (1995)|01-Jan-1995||u|", "2|Odd|||u|"]
  .map((line, i) => line + Array.from({ length: 19 }, (_, g) => (g === i + 5 ? "1" : "0")).join("|") + "\n")
  .join("");
const QUOTED = U_ITEM.replace("Odd", `11'09"01 - September 11`).replace("Café", '"Café"');
const U_USER = "2|33|F|artist|1\n10|24|M|writer|2\n11|70|M|none|3\n12|x|M|none|3\n";

Deno.test("openSource() reads MovieLens by time, then user and item as numbers, profiles before first ratings", async () => {
  const data = [
    "10\t2\t3\t880000100",
    "2\t10\t5\t880000100",
    "2\t9\t1\t880000100",
    "2\t1\t6\t880000100",
    "10\t1\t4\t880000000",
    "x\t1",
    "10\t1\t4\t88",
  ].join("\n");
  const records = await read("ml-100k", { "u.data": data, "u.item": latin1(U_ITEM), "u.user": U_USER });
  assert.deepEqual(records.map(brief), [
    "u.data:4 rejected malformed-row",
    "u.data:6 rejected malformed-row",
    "u.data:7 rejected time-out-of-range",
    "u.item:1 item 1",
    "u.item:2 item 2",
    "u.user:3 11 profile",
    "u.user:4 rejected malformed-row",
    "u.user:2 10 profile",
    "u.data:5 10 impression",
    "u.data:5 10 rating 1 4",
    "u.user:1 2 profile",
    "u.data:3 2 impression",
    "u.data:3 2 rating 9 1",
    "u.data:2 2 impression",
    "u.data:2 2 rating 10 5",
    "u.data:1 10 impression",
    "u.data:1 10 rating 2 3",
  ]);
  const [first] = records.filter((record) => record.kind === "item");
  assert.equal(first?.item.title, "Café (1995)");
  assert.equal(first?.item.time, 880_000_000_000);
  const profile = records.find((record) => record.kind === "event" && record.event.user === "2");
  assert.deepEqual(profile?.kind === "event" && profile.event, {
    type: "profile",
    user: "2",
    time: 880_000_100_000,
    attributes: { age: "25-34", gender: "F", occupation: "artist" },
  });
});

Deno.test("openSource() reads other editions of MovieLens: half stars, and titles with quotes", async () => {
  const data = ["1", "2.5", "0.5", "5", "0", "5.5", "3.", "x"].map((stars, i) =>
    `1\t2\t${stars}\t88000000${i}`
  );
  const records = await read("ml-100k", {
    "u.data": data.join("\n"),
    "u.item": latin1(QUOTED),
    "u.user": U_USER,
  });
  assert.deepEqual(
    records.flatMap((record) => record.kind === "item" ? [record.item.title] : []),
    ['"Café" (1995)', `11'09"01 - September 11`],
  );
  assert.deepEqual(
    records.flatMap(({ kind, line, ...record }) =>
      kind === "rejected" && "file" in record && record.file.endsWith("u.data") ? [line] : []
    ),
    [5, 6, 8],
  );
  assert.deepEqual(
    records.flatMap((record) =>
      record.kind === "event" && record.event.type === "interaction" ? [record.event.value] : []
    ),
    [1, 2.5, 0.5, 5, 3],
  );
});

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

const HEADER =
  "movieId,userId,rating,timestamp,label,releaseYear,movieGenre1,movieGenre2,movieGenre3,movieRatingCount," +
  "movieAvgRating,movieRatingStddev,userRatedMovie1,userRatedMovie2,userRatedMovie3,userRatedMovie4,userRatedMovie5," +
  "userRatingCount,userAvgReleaseYear,userReleaseYearStddev,userAvgRating,userRatingStddev," +
  "userGenre1,userGenre2,userGenre3,userGenre4,userGenre5\n";
const sample = (user: number, rating: string) =>
  `1,${user},${rating},825006653,1,1995,War,"","",9,3.91,0.89,2,10,"","","",6,1995,0.00,4.00,1.26,War,"","","",""\n`;

Deno.test("openSource() reads SparrowRecSys: movies, training and test samples, and continues after bad rows", async () => {
  const files = {
    "movies.csv":
      'movieId,title,genres\n1,"City, The ""Old"" (1995)",War\n2,"never closed,War\n3,C,War|Drama\n',
    "trainSamples.substitute.csv": HEADER + sample(7, "4.0") + sample(8, "4.0,9") + sample(9, "0.5"),
    "testSamples.csv": HEADER + sample(7, "9") + sample(8, "3.5"),
  };
  assert.deepEqual((await read("sparrow", files)).map(brief), [
    "movies.csv:2 item 1",
    "movies.csv:3 rejected malformed-row",
    "movies.csv:4 item 3",
    "trainSamples.substitute.csv:2 7 impression",
    "trainSamples.substitute.csv:2 7 rating 1 4",
    "trainSamples.substitute.csv:3 rejected malformed-row",
    "trainSamples.substitute.csv:4 9 impression",
    "trainSamples.substitute.csv:4 9 rating 1 0.5",
    "testSamples.csv:2 rejected malformed-row",
    "testSamples.csv:3 8 impression",
    "testSamples.csv:3 8 rating 1 3.5",
  ]);
  assert.equal((await read("sparrow", files, "testSamples.csv")).length, 3);
});

Deno.test("openSource() reads Taobao, with an item before its first interaction", async () => {
  const log =
    "1,5,36,pv,1511848894\n1,5,36,buy,1511848895\n2,5,36,fly,1511848896\n2,6,36,fav,1511848890\n2,6\n";
  assert.deepEqual((await read("taobao", { "log.csv": log }, "log.csv")).map(brief), [
    "log.csv:1 item 5",
    "log.csv:1 1 view 5",
    "log.csv:2 1 purchase 5",
    "log.csv:3 rejected malformed-row",
    "log.csv:4 item 6",
    "log.csv:4 2 like 6",
    "log.csv:5 rejected malformed-row",
  ]);
});

Deno.test("openSource() reads a folder of Taobao file by file", async () => {
  const files = { "b.csv": "2,5,36,pv,1511848890\n", "a.csv": "1,5,36,pv,1511848894\n", "README": "1,5" };
  const wanted = ["a.csv:1 item 5", "a.csv:1 1 view 5", "b.csv:1 2 view 5"];
  assert.deepEqual((await read("taobao", files)).map(brief), wanted);
});

Deno.test("openSource() reads Open Bandit: items, profiles, impressions with propensities, clicks", async () => {
  const header =
    ",timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1,user_feature_2," +
    "user_feature_3,user-item_affinity_0,user-item_affinity_1\n";
  const row = (index: number, rest: string) =>
    `${index},2019-11-24 00:01:0${index}.979311+00:00,${rest},a,b,c,d,0.0,2.0\n`;
  const files = {
    "item_context.csv":
      ",item_id,item_feature_0,item_feature_1,item_feature_2,item_feature_3\n0,0,-0.5,x,y,z\n",
    "men.csv": header + row(0, "1,2,0,0.25") + row(1, "0,1,1,0.5") + row(2, "0,1,1,1.5"),
  };
  const records = await read("open-bandit", files);
  assert.deepEqual(records.map(brief), [
    "item_context.csv:2 item 0",
    "men.csv:2 a.b.c.d profile",
    "men.csv:2 a.b.c.d impression",
    "men.csv:3 a.b.c.d impression",
    "men.csv:3 a.b.c.d click 0",
    "men.csv:4 rejected malformed-row",
  ]);
  const impression = records[2];
  assert.deepEqual(impression?.kind === "event" && impression.event, {
    type: "impression",
    user: "a.b.c.d",
    time: Date.UTC(2019, 10, 24, 0, 1, 0, 979),
    request: "r0",
    items: ["1"],
    propensities: [0.25],
    positions: [1],
    context: { affinity: 2 },
  });
});

Deno.test("openSource() says what is wrong with its files", async () => {
  assert.throws(() => openSource("json" as Format, "x"), /expected a format of meander, ml-100k/);
  await assert.rejects(Array.fromAsync(openSource("meander", "/no/such")), Deno.errors.NotFound);
  await assert.rejects(read("meander", {}), /it has no events.jsonl/);
  await assert.rejects(read("sparrow", {}), /it has none of trainingSamples.csv/);
  await assert.rejects(
    read("sparrow", { "testSamples.csv": "movieId,userId\n1,2\n" }),
    /column rating is missing/,
  );
  await assert.rejects(read("open-bandit", { "a.csv": "", "b.csv": "" }), /got a.csv, b.csv/);
  await assert.rejects(read("ml-100k", { "u.data": "", "u.user": "" }), /it has no u.item/);
  await assert.rejects(read("taobao", { "README": "" }), /no file that ends with .csv/);
  await withFolder({}, async (folder) => {
    await Deno.mkdir(`${folder}/bts/men`, { recursive: true });
    await Deno.writeTextFile(`${folder}/bts/men/item_context.csv`, "");
    const opened = Array.fromAsync(openSource("open-bandit", folder));
    await assert.rejects(opened, /got none; open one of .*\/bts\/men$/);
  });
});

const data = Deno.env.get("MEANDER_DATA") ?? new URL("../../../shared/data", import.meta.url).pathname;
const SETS: [format: Format, path: string, counts: Record<string, number>][] = [
  ["ml-100k", "ml-100k", { item: 1682, profile: 943, impression: 100_000, rating: 100_000 }],
  ["sparrow", "sparrowrecsys", { item: 982, impression: 86_195, rating: 86_195 }],
  ["taobao", "taobao-userbehavior/users-113.csv", {
    item: 7623,
    view: 9046,
    cart: 536,
    purchase: 206,
    like: 212,
  }],
  ["open-bandit", "open-bandit/bts/men", { item: 34, profile: 238, impression: 10_000, click: 69 }],
];
for (const [format, path, wanted] of SETS) {
  const there = await Deno.stat(`${data}/${path}`).then(() => true, () => false);
  if (!there) Deno.stderr.writeSync(new TextEncoder().encode(`skipped: no data at ${data}/${path}\n`));
  Deno.test({
    name: `openSource() accepts every row of the real ${format}`,
    ignore: !there,
    fn: async () => {
      const counts: Record<string, number> = {};
      for await (const record of openSource(format, `${data}/${path}`)) {
        const { kind } = record;
        const event = kind === "event" ? record.event : undefined;
        const name = event?.type === "interaction" ? event.action : event?.type ?? kind;
        counts[name] = (counts[name] ?? 0) + 1;
      }
      assert.deepEqual(counts, wanted);
    },
  });
}
