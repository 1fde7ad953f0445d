import assert from "node:assert/strict";
import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { Feeder } from "../../streams/feeders/feeder.ts";
import { replayRejected } from "../../streams/feeders/rejected_replay.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { compileSource } from "../../streams/mapping/record_source.ts";
import { avroValues, openMapped } from "../../streams/sources/mapped.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { readAvroFile } from "../../streams/formats/avro_file.ts";

/**
 * Files of seven records that fastavro 1.13.1 writes, with a block after each 40 bytes:
 * `fastavro.writer(file, schema, records, codec=codec, sync_interval=40, sync_marker=bytes(range(16)))`.
 */
const FILES: Readonly<Record<string, string>> = {
  null:
    "4f626a0104146176726f2e636f646563086e756c6c166176726f2e736368656d61f6057b2274797065223a20227265636f72" +
    "64222c20226e616d65223a2022436c69636b222c20226e616d657370616365223a2022636f6d2e73686f70222c2022666965" +
    "6c6473223a205b7b226e616d65223a202275736572222c202274797065223a2022737472696e67227d2c207b226e616d6522" +
    "3a20226174222c202274797065223a207b2274797065223a20226c6f6e67222c20226c6f676963616c54797065223a202274" +
    "696d657374616d702d6d696c6c6973227d7d2c207b226e616d65223a20226974656d222c202274797065223a205b226e756c" +
    "6c222c2022737472696e67225d7d2c207b226e616d65223a202277686f222c202274797065223a205b226e756c6c222c207b" +
    "2274797065223a20227265636f7264222c20226e616d65223a202257686f222c20226669656c6473223a205b7b226e616d65" +
    "223a20226e616d65222c202274797065223a2022737472696e67227d5d7d5d7d5d2c2022646f63223a20224b6c69636b7320" +
    "665c75303066637220756e73227d00000102030405060708090a0b0c0d0e0f065404753080c494c7c3680204693000047531" +
    "82c494c7c368020469310204c3a404753284c494c7c3680000000102030405060708090a0b0c0d0e0f086a04753386c494c7" +
    "c368020469330004753488c494c7c36802046934000475358ac494c7c36800000475368cc494c7c368020469360000010203" +
    "0405060708090a0b0c0d0e0f",
  deflate:
    "4f626a0104146176726f2e636f6465630e6465666c617465166176726f2e736368656d61f6057b2274797065223a20227265" +
    "636f7264222c20226e616d65223a2022436c69636b222c20226e616d657370616365223a2022636f6d2e73686f70222c2022" +
    "6669656c6473223a205b7b226e616d65223a202275736572222c202274797065223a2022737472696e67227d2c207b226e61" +
    "6d65223a20226174222c202274797065223a207b2274797065223a20226c6f6e67222c20226c6f676963616c54797065223a" +
    "202274696d657374616d702d6d696c6c6973227d7d2c207b226e616d65223a20226974656d222c202274797065223a205b22" +
    "6e756c6c222c2022737472696e67225d7d2c207b226e616d65223a202277686f222c202274797065223a205b226e756c6c22" +
    "2c207b2274797065223a20227265636f7264222c20226e616d65223a202257686f222c20226669656c6473223a205b7b226e" +
    "616d65223a20226e616d65222c202274797065223a2022737472696e67227d5d7d5d7d5d2c2022646f63223a20224b6c6963" +
    "6b7320665c75303066637220756e73227d00000102030405060708090a0b0c0d0e0f064c632935683832e5f8e10c26964c03" +
    "069652c32618cf9089e5f0129652a316b00003030057ff10000102030405060708090a0b0c0d0e0f08506329356e3b32e5f8" +
    "e10c26964c63069652930e18cf04c833ed02f318804cb31e9884190300247213000102030405060708090a0b0c0d0e0f",
  snappy:
    "4f626a0104146176726f2e636f6465630c736e61707079166176726f2e736368656d61f6057b2274797065223a2022726563" +
    "6f7264222c20226e616d65223a2022436c69636b222c20226e616d657370616365223a2022636f6d2e73686f70222c202266" +
    "69656c6473223a205b7b226e616d65223a202275736572222c202274797065223a2022737472696e67227d2c207b226e616d" +
    "65223a20226174222c202274797065223a207b2274797065223a20226c6f6e67222c20226c6f676963616c54797065223a20" +
    "2274696d657374616d702d6d696c6c6973227d7d2c207b226e616d65223a20226974656d222c202274797065223a205b226e" +
    "756c6c222c2022737472696e67225d7d2c207b226e616d65223a202277686f222c202274797065223a205b226e756c6c222c" +
    "207b2274797065223a20227265636f7264222c20226e616d65223a202257686f222c20226669656c6473223a205b7b226e61" +
    "6d65223a20226e616d65222c202274797065223a2022737472696e67227d5d7d5d7d5d2c2022646f63223a20224b6c69636b" +
    "7320665c75303066637220756e73227d00000102030405060708090a0b0c0d0e0f06562a4404753080c494c7c36802046930" +
    "0004753182110e3c310204c3a404753284c494c7c3680000d8372a2a000102030405060708090a0b0c0d0e0f086835440475" +
    "3386c494c7c368020469330004753488110e1434000475358a050e3c00000475368cc494c7c3680204693600f543f9960001" +
    "02030405060708090a0b0c0d0e0f",
  zstandard:
    "4f626a0104146176726f2e636f646563127a7374616e64617264166176726f2e736368656d61f6057b2274797065223a2022" +
    "7265636f7264222c20226e616d65223a2022436c69636b222c20226e616d657370616365223a2022636f6d2e73686f70222c" +
    "20226669656c6473223a205b7b226e616d65223a202275736572222c202274797065223a2022737472696e67227d2c207b22" +
    "6e616d65223a20226174222c202274797065223a207b2274797065223a20226c6f6e67222c20226c6f676963616c54797065" +
    "223a202274696d657374616d702d6d696c6c6973227d7d2c207b226e616d65223a20226974656d222c202274797065223a20" +
    "5b226e756c6c222c2022737472696e67225d7d2c207b226e616d65223a202277686f222c202274797065223a205b226e756c" +
    "6c222c207b2274797065223a20227265636f7264222c20226e616d65223a202257686f222c20226669656c6473223a205b7b" +
    "226e616d65223a20226e616d65222c202274797065223a2022737472696e67227d5d7d5d7d5d2c2022646f63223a20224b6c" +
    "69636b7320665c75303066637220756e73227d00000102030405060708090a0b0c0d0e0f066628b52ffd202a510100047530" +
    "80c494c7c368020469300004753182c494c7c368020469310204c3a404753284c494c7c3680000000102030405060708090a" +
    "0b0c0d0e0f086828b52ffd20355d0100040204753386c494c7c36802046933000475348834000475358a00000475368c3600" +
    "03003ca9805b0431c3000102030405060708090a0b0c0d0e0f",
};
const RECORDS = Array.from({ length: 7 }, (_, i) => ({
  user: `u${i}`,
  at: 1_795_773_600_000 + i,
  item: i % 3 === 2 ? null : `i${i}`,
  who: i === 1 ? { name: "ä" } : null,
}));

async function* inChunks(bytes: Uint8Array, size = bytes.length): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

async function valuesOf(bytes: Uint8Array, size?: number): Promise<readonly unknown[]> {
  const values = await Array.fromAsync(readAvroFile(inChunks(bytes, size)));
  assert.deepEqual(values.map(({ number }) => number), values.map((_, i) => i + 1));
  return values.map(({ read }) => read.ok ? read.value : read.reason);
}

const text = (
  own: string,
) => [...zigzag(new TextEncoder().encode(own).length), ...new TextEncoder().encode(own)];

function zigzag(value: number): readonly number[] {
  const bytes: number[] = [];
  let rest = value * 2;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push(rest % 0x80 + 0x80);
  return [...bytes, rest];
}

const MARKER = [...new Uint8Array(16).keys()];

function fileOf(
  schema: string,
  blocks: readonly (readonly [count: number, data: Uint8Array])[],
  codec = "null",
) {
  const head = [
    0x4f,
    0x62,
    0x6a,
    1,
    4,
    ...text("avro.codec"),
    ...text(codec),
    ...text("avro.schema"),
  ];
  const body = blocks.flatMap((
    [count, data],
  ) => [...zigzag(count), ...zigzag(data.length), ...data, ...MARKER]);
  return new Uint8Array([...head, ...text(schema), 0, ...MARKER, ...body]);
}

Deno.test("readAvroFile() reads what fastavro writes, with any codec and in chunks of any size", async () => {
  for (const [codec, hex] of Object.entries(FILES)) {
    for (const size of [1, 7, 1000]) {
      assert.deepEqual(await valuesOf(Uint8Array.fromHex(hex), size), RECORDS, `${codec}, ${size}`);
    }
  }
});

Deno.test("readAvroFile() drops a damaged block, reports it, and continues after it", async () => {
  for (const codec of ["deflate", "snappy", "zstandard"]) {
    const bytes = Uint8Array.fromHex(FILES[codec] ?? "");
    const marker = latin1(new Uint8Array(MARKER)), all = latin1(bytes);
    bytes[all.indexOf(marker, all.indexOf(marker) + 16) - 5]! ^= 0xff; // in the first block
    const values = await valuesOf(bytes);
    const lost = values.filter((value) => typeof value === "string");
    assert.equal(lost.length, 1, codec);
    assert.match(lost.join(), /^Cannot (read the file|decode the record) as Avro: /);
    assert.deepEqual(values.at(-1), RECORDS.at(-1), codec);
  }
  const whole = fileOf('"int"', [[2, Uint8Array.of(2, 4)], [1, Uint8Array.of(6)]]);
  assert.deepEqual(await valuesOf(whole), [1, 2, 3]);
  const short = whole.length - 19;
  assert.match(
    String((await valuesOf(whole.subarray(0, short + 10))).at(-1)),
    /ends within a block of 1 records/,
  );
  const blocks = [[2, Uint8Array.of(2, 4)], [1, Uint8Array.of(6)], [1, Uint8Array.of(8)]] as const;
  const markerless = fileOf('"int"', blocks);
  markerless[markerless.length - 2 * 19 - 1] = 99;
  assert.deepEqual(await valuesOf(markerless), [
    "Cannot read the file as Avro: no marker follows a block of 2 records",
    4,
  ], "the next marker is behind the next block");
  assert.deepEqual(await valuesOf(fileOf('"int"', [[3, Uint8Array.of(2)], [1, Uint8Array.of(2, 4)]])), [
    1,
    "Cannot decode the record as Avro: its block has 1 records, not 3",
    1,
    "Cannot decode the record as Avro: 1 bytes are left after the records of its block",
  ]);
});

Deno.test("readAvroFile() says why a file is invalid, and bounds its work by the file's size", async () => {
  const schema = '{"type":"record","name":"N","fields":[{"name":"n","type":["null","N"]}]}';
  const bomb = deflateRawSync(new Uint8Array(80 << 20));
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [new TextEncoder().encode('{"a":1}'), /does not begin with "Obj"/],
    [fileOf('"int"', [], "xz"), /its codec is xz; supported are null, deflate, snappy, zstandard/],
    [fileOf('"nope"', []), /there is no type nope/],
    [fileOf("", []), /JSON/],
    [fileOf('{"type":"record","name":1,"fields":7}', []), /Cannot read the file as Avro/],
    [fileOf('"int"', []).subarray(0, 30), /it ends at byte/],
    [fileOf('"null"', [[2 ** 52, new Uint8Array(0)]]), /has 0 records, not/],
    [fileOf('"null"', [[2 ** 52, new Uint8Array(1)]]), /such records would never end/],
    [fileOf(schema, [[1, new Uint8Array(100).fill(2)]]), /nested more than 32/],
    [fileOf('"int"', [[1, bomb]], "deflate"), /larger than 67108864/],
    [
      fileOf('"bytes"', [[1, new Uint8Array([...zigzag(2 << 20), ...new Uint8Array(2 << 20)])]]),
      /1048576 are allowed/,
    ],
  ];
  for (const [bytes, reason] of cases) {
    const values = await valuesOf(bytes);
    assert.match(String(values[0]), reason);
    assert.equal(values.length, 1, String(reason));
  }
  const blocks = fileOf('"int"', Array.from({ length: 4000 }, () => [1, new Uint8Array(0)]));
  for (let at = blocks.length - 16; at > 0; at -= 18) blocks.fill(7, at - 2, at); // wrong sizes
  assert.ok((await valuesOf(blocks)).length > 0);
  const bytes = Uint8Array.fromHex(FILES["deflate"] ?? "");
  await fc.assert(
    fc.asyncProperty(
      fc.nat(bytes.length - 1),
      fc.nat(255),
      fc.nat(bytes.length),
      async (at, byte, length) => {
        const damaged = bytes.slice(0, length);
        if (at < length) damaged[at] = byte;
        await valuesOf(damaged);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("rules feed Avro files; what they reject is kept as JSON, and can be replayed", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/a.avro`, Uint8Array.fromHex(FILES["snappy"] ?? ""));
    await Deno.writeFile(`${folder}/b.avro`, fileOf('"int"', [[1, Uint8Array.of(2)]]));
    await Deno.writeTextFile(`${folder}/c.avro`, "none");
    await Deno.writeTextFile(`${folder}/readme.json`, "{}");
    const source = (item: object | string) =>
      compileSource("clicks", {
        format: "avro",
        rules: [{ as: "interaction", fields: { user: "user", time: "at", item, action: { value: "view" } } }],
      });
    const topics = topicNames();
    await using log = new MemoryLog();
    await log.createTopics(topicSpecs(topics, 1));
    await using feeder = await Feeder.open(log, topics, openMapped(folder, source("item")), {
      name: "files",
    });
    while (await feeder.feed());
    assert.deepEqual([feeder.events, feeder.rejected], [5, 4]);
    const mended = source({ path: "item", default: "home" });
    assert.deepEqual(await replayRejected(log, topics, mended), {
      records: 4,
      taken: 2,
      rejected: 2,
      leftOut: 0,
      cut: 0,
    });
    for await (const { read } of avroValues(`${folder}/a.avro`)) {
      assert.ok(read.ok);
      break; // closes the file
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
