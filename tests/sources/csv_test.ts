import assert from "node:assert/strict";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { repeatedIn } from "../../streams/mapping/row.ts";
import { type CsvOptions, readCsv } from "../../streams/sources/csv.ts";

const COLUMNS = ["a", "b", "c"];
const field = fc.string({
  unit: fc.constantFrom("x", "é", "€", "😀", "\ufeff", " ", "\t", ";", '"', "\r", "'"),
});
/** A row by RFC 4180, with any characters in its fields. */
const quotedRow = fc.array(fc.string({ unit: fc.constantFrom("x", "é", '"', ";", "\n", "'") }), {
  minLength: 3,
  maxLength: 3,
}).map((fields) => fields.map((text) => `"${text.replaceAll('"', '""')}"`).join(";"));
const line = fc.array(field, { minLength: 2, maxLength: 4 }).map((fields) => fields.join(";"))
  .filter((text) => text.split('"').length % 2 === 1);
const plainLine = fc.array(fc.string({ unit: fc.constantFrom("x", "é", " ", "1") }), {
  minLength: 3,
  maxLength: 3,
})
  .map((fields) => fields.join(";"));

Deno.test("readCsv() reads each line like the parser does", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(line, plainLine), { maxLength: 8 }), async (lines) => {
      const read = await readText(`first;line;x\n${lines.join("\n")}`);
      const taken = read.map((each) => each.ok ? each.row : null);
      assert.deepEqual(taken, [{ a: "first", b: "line", c: "x" }, ...oneByOne(lines)]);
    }),
    { numRuns: 300, examples: [[["\ufeff\ufeff;;", ";"]], [[";;\r\r", ";;", ";;"]]] },
  );
});

Deno.test("readCsv() numbers lines, and rejects bytes that are not UTF-8 unless the encoding is latin1", async () => {
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

/** The row that the parser reads in each line that is not blank; `null` = it refuses the line. */
function oneByOne(lines: readonly string[]): unknown[] {
  return lines.map((text) => text.replace(/\r$/, "")).filter((text) => !/^[ \t]*$/.test(text)).map((text) => {
    try {
      const [row, ...more] = parsed(text.replace(/^\ufeff+/, ""));
      return row?.length === COLUMNS.length && more.length === 0 ? rowOf(row) : null;
    } catch {
      return null;
    }
  });
}

function parsed(text: string): string[][] {
  return parse(text, { delimiter: ";", relax_column_count: true, record_delimiter: ["\r\n", "\n"] });
}

function rowOf(fields: readonly string[]): Record<string, string | undefined> {
  return Object.fromEntries(COLUMNS.map((column, i) => [column, fields[i]]));
}

Deno.test("readCsv() reads rows with line breaks in their fields like the parser does", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(quotedRow, plainLine), { minLength: 1, maxLength: 8 }),
      async (rows) => {
        const text = `first;line;x\n${rows.filter((row) => row.trim() !== "").join("\n")}`;
        const read = await readText(text);
        assert.deepEqual(
          read.map((each) => each.ok ? each.row : each.rejected.reason),
          parsed(text).map(rowOf),
        );
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("readCsv() loses one line to a quote that is never closed, or too late", async () => {
  const good = Array.from({ length: 2500 }, (_, n) => n % 7 === 0 ? `${n};"b;""c""";d` : `${n};b;c`);
  for (const at of [0, 1, 1200, 2499]) {
    const lines = good.toSpliced(at, 0, 'bad;"b;c');
    const read = await readText(lines.join("\n"));
    const refused = read.filter((each) => !each.ok);
    assert.deepEqual(refused.map(({ line }) => line.number), [at + 1]);
    assert.equal(read.length, lines.length);
  }
});

Deno.test("readCsv() without quotes splits each line by its separators alone", async () => {
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

async function withHeader(text: string, options: Partial<CsvOptions> = {}) {
  const file = await Deno.makeTempFile({ suffix: ".csv" });
  try {
    await Deno.writeTextFile(file, text);
    return await Array.fromAsync(readCsv(file, { header: true, columns: [], ...options }));
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("readCsv() detects the separator in the header, and refuses a header that has another one", async () => {
  for (const separator of [",", ";", "\t", "|"]) {
    const [read] = await withHeader(`who${separator}what\nann${separator}"a, b; c|d"\n`);
    assert.deepEqual(read?.ok && { ...read.row }, { who: "ann", what: "a, b; c|d" });
    const other = separator === "," ? ";" : ",";
    await assert.rejects(
      withHeader(`who${separator}what\n`, { separator: other }),
      /as the header: it is one column, "who.+what"; set "separator" to ".+", or "format" to "csv"/,
    );
  }
  assert.equal((await withHeader("who\nann\n")).length, 1);
});

Deno.test("readCsv() refuses a header with a duplicate column, of which one would be lost", async () => {
  await assert.rejects(withHeader("who,what,at,what\nann,a,1,b\n"), {
    name: "SyntaxError",
    message:
      /\.csv:1 as the header: it names column what twice; give every column of the file a name of its own/,
  });
  const [read] = await withHeader("who,,\nann,a,b\n"); // nothing refers to columns without a name
  assert.equal(read?.ok && read.row["who"], "ann");
});

Deno.test("repeatedIn() finds a name that a header has twice, also among as many as fit in a record", () => {
  const names = Array.from({ length: 400_000 }, (_, n) => `c${n}`);
  assert.equal(repeatedIn(names), undefined);
  assert.equal(repeatedIn([...names, "c7"]), "c7");
  assert.equal(repeatedIn(["a", "", "", "_", "_", "b", "a"]), "a");
});
