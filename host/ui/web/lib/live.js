// The fleet, live: one request that stays open. It tells who looks, the host and all connectors, then what changed. What is known
// stays while the host is away.

import { cell, useCell } from "./h.js";
import { follow, get, signIn, reach } from "./api.js";
import { who } from "./role.js";

/** `{rows, totals, host, now_ms}` in order of urgency; null before the first answer. */
export const fleet = cell(null);
/** "wait", "live" or "lost". */
export const stream = cell("wait");
export const useFleet = () => useCell(fleet);

/** From bad to good, as a person should see them. */
export const HEALTHS = ["failed", "degraded", "hung", "retrying", "waiting", "starting", "running", "completed", "paused", "stopped"];
const TROUBLE = new Set(["failed", "degraded", "hung", "retrying"]);
const TONES = {
  failed: "bad", degraded: "bad", hung: "bad", retrying: "warn", waiting: "warn", starting: "info",
  running: "good", completed: "info", paused: "still", stopped: "still",
};
export const tone = (health) => TONES[health] ?? "still";
export const inTrouble = (row) => TROUBLE.has(row.health);

/** A sink that is this far behind is worth a look. */
const LAG_SECONDS = 30;
export const lagging = (row) => (row.lag?.seconds ?? 0) >= LAG_SECONDS;

function urgency(row) {
  if (inTrouble(row)) return TROUBLE.size - HEALTHS.indexOf(row.health) + 1000;
  // Rough steps, so that rows do not change places every second.
  return lagging(row) ? Math.floor(Math.log2(row.lag.seconds)) : 0;
}

export function inOrder(rows) {
  return [...rows].sort((a, b) => urgency(b) - urgency(a) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

const known = new Map();

function take(told, full) {
  if (full) known.clear();
  for (const row of told.connectors ?? []) known.set(row.name, row);
  for (const name of told.removed ?? []) known.delete(name);
  const old = fleet.get();
  fleet.set({
    rows: inOrder(known.values()), totals: told.totals ?? old?.totals ?? {}, host: told.host ?? old?.host ?? first,
    now_ms: told.now_ms ?? Date.now(), heard: Date.now(),
  });
}

/** Host time of now, so that a browser with a wrong clock shows right spans. */
export function hostNow() {
  const at = fleet.get();
  return at ? at.now_ms + (Date.now() - at.heard) : Date.now();
}

/** How often a host is asked whose stream cannot be had: it has none, or too many read it. */
const ASK_EVERY = 2000;
/** A page that nobody looks at lets go of its stream: a browser has six connections to a host, for all pages together. */
const REST_AFTER = 5000;

/** Asks for everything. */
export async function refresh() {
  take(await get("/api/v1/fleet"), true);
  reach.set("ok");
}

const EVENTS = {
  who: (told) => JSON.stringify(told) === JSON.stringify(who.get()) || who.set(told),
  host: (told) => {
    const old = fleet.get();
    if (old) fleet.set({ ...old, host: told, heard: Date.now(), now_ms: hostNow() });
    else first = told;
  },
  fleet: (told) => take(told, told.full === true),
};
/** What the host said of itself before it told of its connectors. */
let first = null;
let unfollow = null;

function listen() {
  unfollow = follow("/api/v1/events", {
    state: (now) => {
      if (now === "none") return ask();
      if (now === "live") return reach.set("ok");
      if (signIn.get()) return undefined;
      stream.set("lost");
      return reach.set("lost");
    },
    event: (name, told) => {
      EVENTS[name]?.(told);
      if (name === "fleet" || fleet.get()) stream.set("live");
    },
  });
}

/** Starts following; called once. */
export function start() {
  listen();
  let rest;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(rest);
    if (document.hidden) {
      rest = setTimeout(() => {
        unfollow?.();
        unfollow = null;
      }, REST_AFTER);
    } else if (!unfollow) listen();
  });
}

let asking = false;
async function ask() {
  if (asking) return;
  asking = true;
  get("/api/v1/whoami").then(who.set, () => { /* Its refusals still hold. */ });
  for (;;) {
    await refresh().then(() => stream.set("live"), () => stream.set("lost"));
    await new Promise((go) => setTimeout(go, document.hidden ? ASK_EVERY * 5 : ASK_EVERY));
  }
}
