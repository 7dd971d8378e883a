// Requests to the host: JSON in and out, errors with their code and remedy, sign-in when the host asks for it.
//
// Credentials live in this tab only and travel in a header; cookies are never sent, so no foreign page can use them.

import { cell } from "./h.js";

/** A request that failed. `status` 0: nobody answered. */
export class ApiError extends Error {
  constructor(status, body) {
    super(body?.message ?? `HTTP ${status}`);
    this.status = status;
    this.code = body?.code ?? null;
    this.help = body?.help ?? null;
    this.body = body;
  }
}

/** Whether the host can be reached: "ok", "lost". */
export const reach = cell("ok");
/** Somebody must sign in: null, or what the host said. */
export const signIn = cell(null);

const KEY = "linkspan.authorization";
let authorization = null;
try {
  authorization = sessionStorage.getItem(KEY);
} catch { /* Without storage a reload asks again. */ }
let waiting = [];

/** Takes a header value (or null: sign out) and lets what waits for it try again. */
export function authorize(value) {
  authorization = value;
  try {
    if (value) sessionStorage.setItem(KEY, value);
    else sessionStorage.removeItem(KEY);
  } catch { /* As above. */ }
  if (!value) return;
  signIn.set(null);
  for (const go of waiting.splice(0)) go();
}
export const signedIn = () => authorization !== null;

export const basic = (user, password) => {
  const utf8 = new TextEncoder().encode(`${user}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...utf8))}`;
};
export const bearer = (token) => `Bearer ${token.trim()}`;

/** One name in a path. */
export const seg = encodeURIComponent;

/** Query text of what is given; empty and missing values are left out. */
export function query(values) {
  const text = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== "" && value !== false) text.append(name, value);
  }
  return text.size ? `?${text}` : "";
}

/** Sends; answers with the raw response, or throws an ApiError. */
export async function send(method, path, body, { signal, type } = {}) {
  for (;;) {
    const headers = {};
    if (authorization) headers.authorization = authorization;
    if (body !== undefined) headers["content-type"] = type ?? "application/json";
    const sent = authorization;
    let response;
    try {
      response = await fetch(path, {
        method, headers, signal, credentials: "omit", cache: "no-store",
        body: body === undefined ? undefined : type ? body : JSON.stringify(body),
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      reach.set("lost");
      throw new ApiError(0, { message: String(error.message ?? error) });
    }
    reach.set("ok");
    if (response.ok) return response;
    const answer = await response.json().catch(() => null);
    // Too many wrong passwords: the form says when to try again.
    const slow = response.status === 429 && signIn.get();
    if (response.status !== 401 && !slow) throw new ApiError(response.status, answer);
    if (authorization === sent) {
      if (sent) authorize(null);
      signIn.set({ message: answer?.message ?? null, help: answer?.help ?? null, failed: sent !== null });
      await new Promise((go) => waiting.push(go));
    }
  }
}

/** Reads JSON; whole numbers that JavaScript would round stay as they were written, where the browser can do that. */
export const exact = (text) => JSON.parse(text, (_, value, context) =>
  typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "") && JSON.rawJSON ? JSON.rawJSON(context.source) : value);

/** Sends and reads JSON; null when there is no body. `read`: another reader than JSON's own. */
export async function call(method, path, body, options) {
  const response = await send(method, path, body, options);
  const text = await response.text();
  return text ? (options?.read ?? JSON.parse)(text) : null;
}

export const get = (path, options) => call("GET", path, undefined, options);

/** Calls `take` with each JSON line of a response until it ends or the signal aborts. */
export async function lines(path, take, options) {
  await read(await send("GET", path, undefined, options), "\n", (line) => line.trim() && take(JSON.parse(line)));
}

async function read(response, mark, take, heard) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    heard?.();
    const parts = (rest + value).split(mark);
    rest = parts.pop();
    for (const part of parts) take(part);
  }
  if (rest) take(rest);
}

const PAUSES = [500, 1000, 2000, 5000];
/** A stream that says nothing for so long is dead; the host says something every ten seconds. */
const SILENCE_MS = 25_000;

/** One server-sent event: its name and data. */
function parse(block, event) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
  }
  if (data.length) event(name, JSON.parse(data.join("\n")));
}

/**
 * Follows a stream of server-sent events for as long as the page wants it; answers with how to stop.
 * `state` is told "live", "lost", or "none": the host has no such stream, or none left. `fetch` and not EventSource, because that
 * one cannot send a header.
 */
export function follow(path, { event, state }) {
  const stop = new AbortController();
  (async () => {
    let failures = 0;
    while (!stop.signal.aborted) {
      const silent = new AbortController();
      let timer;
      const heard = () => {
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), SILENCE_MS);
      };
      try {
        const response = await send("GET", path, undefined, { signal: AbortSignal.any([stop.signal, silent.signal]) });
        failures = 0;
        state("live");
        heard();
        await read(response, "\n\n", (block) => parse(block, event), heard);
      } catch (error) {
        if (stop.signal.aborted) return;
        if (error.status === 404 || error.code === "LS0625") return state("none");
      } finally {
        clearTimeout(timer);
      }
      if (stop.signal.aborted) return;
      state("lost");
      await new Promise((go) => setTimeout(go, PAUSES[Math.min(failures, PAUSES.length - 1)]));
      failures += 1;
    }
  })();
  return () => stop.abort();
}
