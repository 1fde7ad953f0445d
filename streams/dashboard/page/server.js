// @ts-check
/// <reference lib="dom" />
/** Fetches from the server, with this tab's API key if one is required. @module */

import { html, setText } from "./elements.js";

const KEY = "meander-key";
/** Pause between two requests for the data of a page. */
const AGAIN_MS = 10_000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 15_000;
/** A stream without data for this long counts as broken. */
const SILENCE_MS = 10_000;

/** An error response of the server. */
export class ServerError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} detail
   */
  constructor(status, code, detail) {
    super(detail);
    this.name = "ServerError";
    this.status = status;
    this.code = code;
  }
}

/** @type {Promise<void> | undefined} */
let asking;

/**
 * Fetches a path; prompts for a key when the server requires one.
 *
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<Response>}
 */
async function request(path, signal) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    /** @type {RequestInit} */
    const init = { headers: key === null ? {} : { "x-api-key": key }, signal: signal ?? null };
    const response = await fetch(path, init);
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({}));
    if (response.status !== 401 && problem.code !== "forbidden") {
      throw new ServerError(response.status, problem.code ?? "", problem.detail ?? response.statusText);
    }
    // Concurrent failures share one prompt.
    if (key === sessionStorage.getItem(KEY)) await (asking ??= askForKey(key === null ? "" : problem.detail));
  }
}

/**
 * @param {string} reason
 * @returns {Promise<void>}
 */
function askForKey(reason) {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("key"));
  const input = /** @type {HTMLInputElement} */ (document.getElementById("key-value"));
  const about = /** @type {HTMLElement} */ (document.getElementById("key-reason"));
  setText(about, reason);
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      sessionStorage.setItem(KEY, input.value);
      asking = undefined;
      resolve();
    }, { once: true });
  });
}

/**
 * Fills a page with the JSON at a path, every ten seconds.
 *
 * @template View
 * @param {HTMLElement} main
 * @param {string} title
 * @param {string} path
 * @param {(box: HTMLElement, view: View) => void} show
 * @returns {() => void} Renders updates.
 */
export function keepAsking(main, title, path, show) {
  const box = html(
    "div",
    { class: "stack" },
    html("p", { class: "card muted", role: "status" }, "Reading the log …"),
  );
  main.replaceChildren(html("div", { class: "heading" }, html("h1", {}, title)), box);
  let asked = -Infinity, busy = false;
  return () => {
    if (busy || performance.now() - asked < AGAIN_MS) return;
    busy = true;
    asked = performance.now();
    getJson(path).then(
      (view) => show(box, view),
      (error) => box.replaceChildren(html("p", { class: "card", role: "alert" }, error.message)),
    ).finally(() => busy = false);
  };
}

/**
 * The JSON at a path.
 *
 * @param {string} path
 * @returns {Promise<any>}
 */
export async function getJson(path) {
  return (await request(path)).json();
}

/**
 * Follows the live stream while the page is open, and reconnects.
 *
 * @param {(event: string, data: any) => void} onEvent
 * @param {(state: "live" | "connecting" | "lost") => void} onState
 * @returns {Promise<never>}
 */
export async function follow(onEvent, onState) {
  for (let pause = FIRST_PAUSE_MS;; pause = Math.min(LONGEST_PAUSE_MS, 2 * pause)) {
    const silence = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
    };
    try {
      const response = await request("/v1/live", silence.signal);
      heard();
      for await (const [event, data] of messages(response)) {
        heard();
        onState("live");
        onEvent(event, data);
        pause = FIRST_PAUSE_MS;
      }
    } catch {
      // The server is unavailable or was silent for too long.
    }
    clearTimeout(timer);
    onState("lost");
    await new Promise((resolve) => setTimeout(resolve, pause));
    onState("connecting");
  }
}

/**
 * Parses an event stream: `event: NAME`, `data: JSON`, a blank line.
 *
 * @param {Response} response
 * @returns {AsyncGenerator<[event: string, data: any]>}
 */
async function* messages(response) {
  if (response.body === null) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const [, event = "", data = ""] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      if (data !== "") yield [event, JSON.parse(data)];
    }
  }
}
