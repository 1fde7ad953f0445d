import { CsvParseStream, type CsvParseStreamOptions } from "@std/csv";
import assert from "node:assert/strict";
import fc from "fast-check";

function parse<const T extends CsvParseStreamOptions>(text: string | string[], options?: T) {
  return Array.fromAsync(ReadableStream.from([text].flat()).pipeThrough(new CsvParseStream(options)));
}

Deno.test("CsvParseStream() yields arrays or objects as its options say", async () => {
  const text = 'a,b\n1,2\r\n\n3,"x,""y""\nz"';
  assert.deepEqual(await parse(text), [["a", "b"], ["1", "2"], ["3", 'x,"y"\nz']]);
  assert.deepEqual(await parse(text, { skipFirstRow: true }), [{ a: "1", b: "2" }, {
    a: "3",
    b: 'x,"y"\nz',
  }]);
  assert.deepEqual(await parse("1\t2|3\n", { separator: "\t" }), [["1", "2|3"]]);
  assert.deepEqual(await parse("1,2\n3\n"), [["1", "2"], ["3"]]);
});

Deno.test("CsvParseStream() errors with the line of a malformed row", async () => {
  const cases: [string, CsvParseStreamOptions][] = [
    ['1,2\n3,a"b\n', {}],
    ['1,2\n3,"b\n', {}],
    ["1,2\n3\n", { fieldsPerRecord: 2 }],
  ];
  for (const [text, options] of cases) {
    await assert.rejects(parse(text, options), (error) => {
      assert.ok(error instanceof SyntaxError, String(error));
      assert.match(error.message, /line [23]/);
      return true;
    });
  }
  await assert.rejects(parse("1,2\n3\n", { skipFirstRow: true }), /line [23]/);
});

Deno.test("CsvParseStream() does not depend on how the text is cut into chunks", async () => {
  const text = 'id,title\n1,"Cité, La ""x"""\n2,😀\n';
  const whole = await parse(text);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(text.length), { maxLength: 6 }), async (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), text.length];
      const chunks = at.slice(1).map((end, i) => text.slice(at[i], end));
      assert.deepEqual(await parse(chunks), whole);
    }),
    { numRuns: 50 },
  );
});
