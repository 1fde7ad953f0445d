import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { MAX_REJECTED_BYTES } from "../../src/events/rejection.ts";
import { type Line, LineSplitter, readLines } from "../../streams/sources/lines.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const show = (
  { number, bytes, rejected }: Line,
) => [number, rejected?.code ?? new TextDecoder().decode(bytes)];

function split(chunks: readonly Uint8Array[]): Line[] {
  const splitter = new LineSplitter();
  return [...chunks.flatMap((chunk) => splitter.push(chunk)), ...splitter.end()];
}

async function withFile<T>(name: string, bytes: Uint8Array, use: (path: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/${name}`, bytes);
    return await use(`${folder}/${name}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function linesOf(path: string): Promise<unknown[]> {
  return (await Array.fromAsync(readLines(path))).flat().map(show);
}

Deno.test("LineSplitter() numbers lines, accepts both line ends, drops blank lines and the byte order mark", () => {
  const cases: [text: string, lines: unknown[]][] = [
    ["", []],
    ["a", [[1, "a"]]],
    ["a\n", [[1, "a"]]],
    ["a\r\n\r\n \t\nb\n\n", [[1, "a"], [4, "b"]]],
    ["\ufeffa\n\ufeffb", [[1, "a"], [2, "\ufeffb"]]],
    ["\ufeff\na", [[2, "a"]]],
    ["a\rb\r\r\n", [[1, "a\rb\r"]]],
  ];
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (const [text, wanted] of cases) {
    assert.deepEqual(
      split([encode(text)]).map(({ number, bytes }) => [number, decoder.decode(bytes)]),
      wanted,
    );
  }
});

Deno.test("LineSplitter() gives the same lines, however the bytes are chunked", () => {
  const bytes = encode("\ufeffé1\r\n\n😀2\r\n\r\nlast");
  const wanted = split([bytes]).map(show);
  fc.assert(fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (cuts) => {
    const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
    assert.deepEqual(split(at.slice(1).map((end, i) => bytes.slice(at[i], end))).map(show), wanted);
  }));
});

Deno.test("LineSplitter() refuses a line above 1 MiB and keeps only its beginning", () => {
  for (const chunkBytes of [1000, 65_536, 900_000, 4_000_000]) {
    const splitter = new LineSplitter();
    const lines = splitter.push(encode("a\n"));
    const chunk = new Uint8Array(chunkBytes).fill(0x78);
    const chunks = Math.ceil(4_000_000 / chunkBytes);
    for (let i = 0; i < chunks; i++) lines.push(...splitter.push(chunk));
    lines.push(...splitter.push(encode("\nb")), ...splitter.end());
    assert.deepEqual(lines.map(show), [[1, "a"], [2, "too-large"], [3, "b"]]);
    assert.equal(lines[1]?.size, chunks * chunkBytes);
    assert.equal(lines[1]?.bytes.length, MAX_REJECTED_BYTES);
  }
});

Deno.test("LineSplitter() accepts a line of exactly 1 MiB, with any line end", () => {
  const line = new Uint8Array(1 << 20).fill(0x78);
  for (const end of ["", "\n", "\r\n"]) {
    const [only, ...more] = split([line, encode(end)]);
    assert.deepEqual([only?.bytes.length, only?.rejected, more], [1 << 20, undefined, []]);
  }
  assert.equal(split([line, encode("x\n")])[0]?.rejected?.code, "too-large");
});

Deno.test("readLines() reads gzip, even of several members", async () => {
  const members = [...gzipSync("a\nb"), ...gzipSync("c\nd\n")];
  assert.deepEqual(await withFile("x.gz", Uint8Array.from(members), linesOf), [[1, "a"], [2, "bc"], [
    3,
    "d",
  ]]);
});

Deno.test("readLines() ends with a rejected line when gzip data is truncated or corrupt", async () => {
  const text = Array.from({ length: 20_000 }, (_, i) => `line ${i * i}\n`).join("");
  const whole = new Uint8Array(gzipSync(text));
  const cut = await withFile("x.gz", whole.slice(0, whole.length / 2), linesOf);
  assert.ok(cut.length > 1000);
  assert.deepEqual(cut.at(-1), [cut.length, "truncated-gzip"]);
  assert.deepEqual(cut.slice(0, 2), [[1, "line 0"], [2, "line 1"]]);

  const flipped = whole.map((byte, i) => i === Math.floor(whole.length / 2) ? byte ^ 0xff : byte);
  assert.equal((await withFile("x.gz", flipped, linesOf) as unknown[][]).at(-1)?.[1], "corrupt-gzip");
  assert.deepEqual(await withFile("x.gz", encode("no gzip"), linesOf), [[1, "corrupt-gzip"]]);
  assert.deepEqual(await withFile("x.gz", new Uint8Array(), linesOf), [[1, "truncated-gzip"]]);
});

Deno.test("readLines() reports a missing file, and stops when its signal is aborted", async () => {
  await assert.rejects(Array.fromAsync(readLines("/no/such/file")), Deno.errors.NotFound);
  await assert.rejects(Array.fromAsync(readLines("/no/such/file.gz")), Deno.errors.NotFound);
  const stop = AbortSignal.abort(new Error("enough"));
  for (const [name, bytes] of [["x", encode("a\n")], ["x.gz", new Uint8Array(gzipSync("a\n"))]] as const) {
    await withFile(name, bytes, (path) => assert.rejects(Array.fromAsync(readLines(path, stop)), /enough/));
  }
});

Deno.test("readLines() closes the file when its reader stops early", async () => {
  for (
    const [name, bytes] of [["x", encode("a\nb\n")], ["x.gz", new Uint8Array(gzipSync("a\nb\n"))]] as const
  ) {
    await withFile(name, bytes, async (path) => {
      for await (const lines of readLines(path)) {
        assert.ok(lines.length > 0);
        break;
      }
    });
  }
});
