import assert from "node:assert/strict";
import {
  formatBytes,
  formatCount,
  formatFixed,
  formatPercent,
  formatSeconds,
  formatTime,
  printable,
} from "../../streams/report/format.ts";

Deno.test("format functions show a dash for undefined figures", () => {
  for (const format of [formatCount, formatFixed, formatPercent, formatBytes, formatSeconds]) {
    for (const value of [null, undefined, NaN, Infinity]) assert.equal(format(value), "–");
  }
  for (const time of [null, NaN, 1e300]) assert.equal(formatTime(time), "–");
});

Deno.test("formatBytes() chooses the largest unit that does not exceed the value", () => {
  const cases: [number, string][] = [
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [512 * 1024 ** 2, "512.0 MiB"],
    [3 * 1024 ** 5, "3072.0 TiB"],
  ];
  for (const [bytes, text] of cases) assert.equal(formatBytes(bytes), text);
});

Deno.test("formatSeconds() carries over instead of showing 60 seconds", () => {
  const cases: [number, string][] = [
    [0, "0.0 s"],
    [59.94, "59.9 s"],
    [59.96, "1 min 0 s"],
    [3599.9, "1 h 0 min 0 s"],
  ];
  for (const [seconds, text] of cases) assert.equal(formatSeconds(seconds), text);
});

Deno.test("printable() leaves nothing that moves the cursor, hides or reorders text", () => {
  assert.equal(
    printable("\u009b2J\u007f\u202egnp.exe\u200b\ud800"),
    "\\u009b2J\\u007f\\u202egnp.exe\\u200b\\ud800",
  );
  assert.equal(printable("推荐 naïve 👍"), "推荐 naïve 👍");
});

Deno.test("printable() cuts between characters, never inside one", () => {
  assert.equal(printable("👍👍👍👍", 3), "👍👍…");
  assert.equal(printable("👍👍👍", 3), "👍👍👍");
  assert.equal(printable("", 3), "");
});
