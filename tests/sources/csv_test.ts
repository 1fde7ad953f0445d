import assert from "node:assert/strict";
import { CsvParseStream } from "@std/csv";
import fc from "fast-check";
import { type CsvOptions, readCsv } from "../../streams/sources/csv.ts";

const COLUMNS = ["a", "b", "c"];
const field = fc.string({
  unit: fc.constantFrom("x", "é", "€", "😀", "\ufeff", " ", "\t", ";", '"', "\r", "'"),
});
const line = fc.array(field, { minLength: 2, maxLength: 4 }).map((fields) => fields.join(";"));
const plainLine = fc.array(fc.string({ unit: fc.constantFrom("x", "é", " ", "1") }), {
  minLength: 3,
  maxLength: 3,
})
  .map((fields) => fields.join(";"));

Deno.test("readCsv() takes the lines that the parser takes one by one, as it takes them", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(line, plainLine), { maxLength: 8 }), async (lines) => {
      const read = await readText(`first;line;x\n${lines.join("\n")}`);
      const taken = read.map((each) => each.ok ? each.row : null);
      assert.deepEqual(taken, [{ a: "first", b: "line", c: "x" }, ...(await oneByOne(lines))]);
    }),
    { numRuns: 300, examples: [[["\ufeff\ufeff;;", ";"]], [[";;\r\r", ";;", ";;"]]] },
  );
});

Deno.test("readCsv() numbers the lines and takes bytes that are no UTF-8 for what they are", async () => {
  const bytes = Uint8Array.of(
    ...new TextEncoder().encode("a;b;c\n\nd;\xe9;f\n"),
    0x67,
    0x3b,
    0xe9,
    0x3b,
    0x68,
  );
  const read = await readBytes(bytes);
  assert.deepEqual(read.map(({ ok, line }) => [ok, line.number]), [[true, 1], [true, 3], [false, 4]]);
  const [, , latin] = await readBytes(bytes, { encoding: "latin1" });
  assert.deepEqual(latin?.ok && latin.row, { a: "g", b: "é", c: "h" });
});

/** What the parser makes of each line that is not blank; `null` = it refuses it. */
async function oneByOne(lines: readonly string[]): Promise<unknown[]> {
  const rows: unknown[] = [];
  for (const text of lines) {
    const whole = text.replace(/\r$/, "");
    if (/^[ \t]*$/.test(whole)) continue;
    const parser = new CsvParseStream({ fieldsPerRecord: COLUMNS.length, separator: ";" });
    const parsed = await Array.fromAsync(
      ReadableStream.from([whole.replace(/^\ufeff+/, "")]).pipeThrough(parser),
    )
      .catch(() => []);
    const [fields] = parsed;
    rows.push(
      fields === undefined || parsed.length > 1
        ? null
        : Object.fromEntries(COLUMNS.map((column, i) => [column, fields[i]])),
    );
  }
  return rows;
}

Deno.test("readCsv() without quotes takes each line by its separators alone", async () => {
  const text = 'a;"b;c\n"a";1;2\nx;y\n\ufeff;q"q;\r\n';
  const read = await readBytes(new TextEncoder().encode(text), { quotes: false });
  assert.deepEqual(read.map((each) => each.ok ? each.row : [each.line.number, each.rejected.code]), [
    { a: "a", b: '"b', c: "c" },
    { a: '"a"', b: "1", c: "2" },
    [3, "malformed-row"],
    { a: "", b: 'q"q', c: "" },
  ]);
});

function readText(text: string) {
  return readBytes(new TextEncoder().encode(text));
}

async function readBytes(bytes: Uint8Array<ArrayBuffer>, options: Partial<CsvOptions> = {}) {
  const file = await Deno.makeTempFile({ suffix: ".csv" });
  try {
    await Deno.writeFile(file, bytes);
    return await Array.fromAsync(readCsv(file, { columns: COLUMNS, separator: ";", ...options }));
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("readCsv() refuses a header whose fields something else parts, rather than each row", async () => {
  for (const [separator, text] of [[",", "who;what\nann;tent\n"], ["\t", "who,what\n"]] as const) {
    const file = await Deno.makeTempFile({ suffix: ".csv" });
    await Deno.writeTextFile(file, text);
    const read = Array.fromAsync(readCsv(file, { header: true, columns: [], separator }));
    await assert.rejects(
      read,
      /as the header: it is one column, "who[;,]what"; fields are separated by commas/,
    );
    await Deno.remove(file);
  }
  const file = await Deno.makeTempFile({ suffix: ".csv" });
  await Deno.writeTextFile(file, "who\nann\n");
  assert.equal((await Array.fromAsync(readCsv(file, { header: true, columns: [] }))).length, 1);
  await Deno.remove(file);
});
