// @ts-check
/// <reference lib="dom" />
/**
 * The page of rejected records: how many for which reason, and the newest, decoded. Their bytes are not trusted: they
 * are shown only as text.
 *
 * @module
 */

import { card, empty, html, numbers, table, tag } from "./elements.js";
import { count, moment } from "./figures.js";
import { keepAsking } from "./server.js";

/** @typedef {import("../../feeders/rejected_records.ts").RejectedCount} RejectedCount */
/** @typedef {import("../../feeders/rejected_records.ts").RejectedRecord} RejectedRecord */
/** @typedef {{ isAll: boolean, reasons: readonly RejectedCount[], records: readonly RejectedRecord[] }} View */

/**
 * Renders the rejected records.
 *
 * @param {HTMLElement} main
 * @returns {() => void} Renders updates.
 */
export function showRejected(main) {
  let before = "";
  return keepAsking(main, "Rejected", "/v1/rejected", (box, /** @type {View} */ view) => {
    const now = JSON.stringify(view);
    // Opened records stay open until there is something new.
    if (now !== before) show(box, view);
    before = now;
  });
}

/** @param {HTMLElement} box @param {View} view */
function show(box, { reasons, records, isAll }) {
  if (reasons.length === 0) {
    box.replaceChildren(card(
      isAll ? "Nothing has been rejected" : "Nothing among the newest",
      "Rejected records appear here, with reason and bytes, unless they were replayed.",
    ));
    return;
  }
  const sources = [...new Set(reasons.flatMap(({ source }) => source ?? []))];
  box.replaceChildren(
    card(
      "Reasons",
      isAll ? "Of all records on the topic that were not replayed." : "Of the newest records only.",
      table(
        "Reasons",
        ["code", ...numbers("records"), "source", "from", "rule", "reason of the newest"],
        reasons.map(({ code, count: many, source, from, rule, newest }) => [
          html("span", { class: "together" }, code),
          count(many),
          source ?? "–",
          from,
          rule ?? "–",
          html("span", { class: "reason" }, newest.rejection.reason),
        ]),
      ),
      sources.length === 0 ? null : html(
        "p",
        { class: "said" },
        "Once the mapping of a source is fixed, replay its records. Name the log by the same flags as for `run`:",
      ),
      ...sources.slice(0, 3).map((source) =>
        html("pre", {}, html("code", {}, `deno task meander rejected replay ${word(source)}`))
      ),
    ),
    card("The newest", "The first KiB of each; open one to read it.", ...records.map(record)),
  );
}

/** @param {RejectedRecord} one */
function record({ partition, offset, time, key, headers, rejection }) {
  const { code, reason, source = "–", rule = "–", entries = [], cut } = rejection;
  const { text, kind } = decoded(rejection.bytes);
  const rows = [
    ["origin", placeOf(rejection)],
    ["source", source],
    ["rule", rule],
    ["reason", reason],
    ...(entries.length === 0 ? [] : [["entries", entries.join(" ")]]),
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
      tag(code, "bad"),
      " ",
      html("span", {}, placeOf(rejection)),
      " ",
      html("span", { class: "muted" }, time > 0 ? moment(time) : ""),
    ),
    table("Rejected record", ["", ""], rows),
    html("p", { class: "muted" }, `${kind}${cut ? ", truncated" : ""}`),
    text === "" ? empty("No bytes.") : html("pre", { tabindex: 0 }, html("code", {}, text)),
  );
}

/** @param {RejectedRecord["rejection"]} rejection */
function placeOf(rejection) {
  if ("file" in rejection) return `${rejection.file}:${rejection.line}`;
  return `${rejection.topic}/${rejection.partition}@${rejection.offset}`;
}

/**
 * Renders bytes for people: as text if they are text, else as hexadecimal digits alongside their ASCII characters.
 *
 * @param {string} base64
 */
export function decoded(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  // The last character may be truncated.
  for (let end = bytes.length; end >= Math.max(0, bytes.length - 3); end--) {
    try {
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, end));
      if (/[^\P{Cc}\t\n\v\f\r\x7f-\x9f]/u.test(text)) break;
      return { text, kind: `${count(bytes.length)} bytes of text` };
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
  return { text: lines.join("\n"), kind: `${count(bytes.length)} bytes that are not text` };
}

/**
 * A word of a command line, quoted where a shell would interpret it.
 *
 * @param {string} text
 */
function word(text) {
  return /^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}
