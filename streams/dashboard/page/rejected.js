// @ts-check
/// <reference lib="dom" />
/**
 * The page of rejected records: how many for which reason, and the newest, decoded. Bytes are anybody's: they become
 * text, of which what cannot be seen is written out.
 *
 * @module
 */

import { card, empty, html, table } from "./elements.js";
import { count, moment } from "./figures.js";
import { getJson } from "./server.js";

/** @typedef {import("../../feeders/rejected_records.ts").RejectedCount} RejectedCount */
/** @typedef {import("../../feeders/rejected_records.ts").RejectedRecord} RejectedRecord */
/** @typedef {{ isAll: boolean, reasons: readonly RejectedCount[], records: readonly RejectedRecord[] }} View */

const AGAIN_MS = 10_000;

/**
 * Renders the rejected records.
 *
 * @param {HTMLElement} main
 * @returns {() => void} Renders updates.
 */
export function showRejected(main) {
  const box = html(
    "div",
    { class: "stack" },
    html("p", { class: "card muted", role: "status" }, "Reads the log …"),
  );
  main.replaceChildren(html("div", { class: "heading" }, html("h1", {}, "Rejected")), box);
  let asked = -Infinity, busy = false, before = "";
  return () => {
    if (busy || performance.now() - asked < AGAIN_MS) return;
    busy = true;
    asked = performance.now();
    getJson("/v1/rejected").then(
      (/** @type {View} */ view) => {
        const now = JSON.stringify(view);
        // What somebody has opened stays open until there is something new.
        if (now !== before) show(box, view);
        before = now;
      },
      (error) => box.replaceChildren(html("p", { class: "card", role: "alert" }, error.message)),
    ).finally(() => busy = false);
  };
}

/** @param {HTMLElement} box @param {View} view */
function show(box, { reasons, records, isAll }) {
  if (reasons.length === 0) {
    box.replaceChildren(card(
      isAll ? "Nothing was rejected" : "Nothing among the newest",
      "Records that cannot be taken come here, with reason and bytes. What was replayed is not shown.",
    ));
    return;
  }
  const sources = [...new Set(reasons.flatMap(({ source }) => source ?? []))];
  box.replaceChildren(
    card(
      "Reasons",
      isAll ? "Of all that is on the topic and was not replayed." : "Of the newest records only.",
      table(
        "Reasons",
        [
          { title: "code" },
          { title: "records", number: true },
          { title: "source" },
          { title: "from" },
          { title: "rule" },
          { title: "reason of the newest" },
        ],
        reasons.map(({ code, count: many, source, from, rule, newest }) => [
          seen(code),
          count(many),
          seen(source ?? "–"),
          seen(from),
          seen(rule ?? "–"),
          html("span", { class: "reason" }, seen(newest.rejection.reason)),
        ]),
      ),
      sources.length === 0 ? null : html(
        "p",
        { class: "said" },
        "Once its mapping is mended, take a source once more, with the flags of run that name the log:",
      ),
      ...sources.slice(0, 3).map((source) =>
        html("pre", {}, html("code", {}, `deno task meander rejected replay ${word(source)}`))
      ),
    ),
    card("The newest", "The first KiB of each; open one for what it was.", ...records.map(record)),
  );
}

/** @param {RejectedRecord} one */
function record({ partition, offset, time, key, headers, rejection }) {
  const { code, reason, source = "–", rule = "–", cut } = rejection;
  const { text, kind } = decoded(rejection.bytes);
  const rows = [
    ["stood at", placeOf(rejection)],
    ["source", source],
    ["rule", rule],
    ["reason", reason],
    ["key", key ?? "–"],
    ["headers", Object.keys(headers).length === 0 ? "–" : JSON.stringify(headers)],
    ["on the topic", `${partition}/${offset}`],
  ];
  return html(
    "details",
    { class: "record" },
    html(
      "summary",
      {},
      html("span", { class: "tag bad" }, seen(code)),
      " ",
      html("span", {}, seen(placeOf(rejection))),
      " ",
      html("span", { class: "muted" }, time > 0 ? moment(time) : ""),
    ),
    table(
      "What was rejected",
      [{ title: "" }, { title: "" }],
      rows.map(([name = "", value = ""]) => [name, seen(value)]),
    ),
    html("p", { class: "muted" }, `${kind}${cut ? ", the beginning" : ""}`),
    text === "" ? empty("No bytes.") : html("pre", { tabindex: 0 }, html("code", {}, text)),
  );
}

/** @param {RejectedRecord["rejection"]} rejection */
function placeOf(rejection) {
  if ("file" in rejection) return `${rejection.file}:${rejection.line}`;
  return `${rejection.topic}/${rejection.partition}@${rejection.offset}`;
}

/**
 * Bytes as people can read them: text where they are text, else hexadecimal digits beside what is ASCII of them.
 *
 * @param {string} base64
 */
export function decoded(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  // The end may be cut within a character.
  for (let end = bytes.length; end >= Math.max(0, bytes.length - 3); end--) {
    try {
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, end));
      if (/[^\P{Cc}\t\n\v\f\r\x7f-\x9f]/u.test(text)) break;
      return { text: seen(text), kind: `${count(bytes.length)} bytes of text` };
    } catch {
      continue;
    }
  }
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = [...bytes.subarray(at, at + 16)];
    const digits = part.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const ascii = part.map((byte) => byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·").join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${digits.padEnd(47)}  ${ascii}`);
  }
  return { text: lines.join("\n"), kind: `${count(bytes.length)} bytes that are no text` };
}

/**
 * A text in which control characters, and those that turn its direction or show nothing, are written out.
 *
 * @param {string} text
 */
function seen(text) {
  return text.replaceAll(
    /[^\P{C}\n\t]|[\u2028\u2029]/gu,
    (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/**
 * A word of a command line, quoted where a shell would read it otherwise.
 *
 * @param {string} text
 */
function word(text) {
  return /^[\w.-]+$/.test(text) ? text : `'${seen(text).replaceAll("'", `'"'"'`)}'`;
}
