// The fleet, live: one request at the start, then what changed, as the host tells it. What is known stays while it is away.

import { cell, useCell } from "./h.js";
import { follow, get, signIn, reach } from "./api.js";

/** `{rows, totals, host, now_ms}` in order of urgency; null before the first answer. */
export const fleet = cell(null);
/** "wait", "live" or "lost". */
export const stream = cell("wait");
/** The last thing that happened to some connector: `{connector, type, …}`. */
export const happening = cell(null);

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
    rows: inOrder(known.values()), totals: told.totals ?? old?.totals ?? {}, host: told.host ?? old?.host ?? null,
    now_ms: told.now_ms ?? Date.now(), heard: Date.now(),
  });
}

/** Host time of now, so that a browser with a wrong clock shows right spans. */
export function hostNow() {
  const at = fleet.get();
  return at ? at.now_ms + (Date.now() - at.heard) : Date.now();
}

/** How often a host without a stream is asked. */
const ASK_EVERY = 2000;
let before = new Map();

/** A raw status as a row of the fleet. */
function rowOf(status, now) {
  const words = [status.state, ...status.tasks.map((task) => task.state)];
  const has = (word) => words.includes(word);
  const health = has("FAILED") ? "failed" : has("DEGRADED") ? "degraded" : status.tasks.some((task) => task.hung_ms) ? "hung"
    : has("RETRYING") ? "retrying" : has("DISK_BOUND") || status.stage ? "waiting"
      : ["PAUSED", "STOPPED"].includes(status.state) ? status.state.toLowerCase()
        : status.tasks.length && status.tasks.every((task) => task.state === "COMPLETED") ? "completed"
          : status.state === "RUNNING" ? "running" : "starting";
  const old = before.get(status.name);
  const error = (text) => {
    const [, code, message] = /^(LS\d{4}): ([^]*)$/.exec(text) ?? [null, null, text];
    return { code, message };
  };
  const trace = status.trace ?? status.tasks.find((task) => task.trace)?.trace ?? status.error;
  const seconds = old ? (now - old.now) / 1000 : 0;
  const per = (n, was) => seconds > 0 ? Math.max(0, n - was) / seconds : null;
  return {
    ...status, health, error: trace ? error(trace) : null, lag: null, freshness_s: null, since_ms: null, dlq: null,
    owner: status.left ? "none" : /:\d+$/.test(status.origin ?? "") ? "file" : "rest",
    rate: { records_per_s: per(status.records, old?.records), bytes_per_s: per(status.bytes, old?.bytes) },
    tasks: status.tasks.map((task) => ({ ...task, error: task.trace ? error(task.trace) : null })),
  };
}

/** Asks for everything: the fleet, or on a host that has no such answer its connectors. */
export async function refresh() {
  try {
    take(await get("/api/v1/fleet"), true);
    stream.set("live");
    reach.set("ok");
    return true;
  } catch (error) {
    if (error.status !== 404) throw error;
  }
  const now = Date.now();
  const statuses = await get("/api/v1/connectors");
  const rows = statuses.map((status) => rowOf(status, now));
  before = new Map(statuses.map(({ name, records, bytes }) => [name, { now, records, bytes }]));
  const sum = (of) => rows.reduce((total, row) => total + (of(row) ?? 0), 0);
  take({
    now_ms: now, connectors: rows,
    totals: { connectors: rows.length, records_per_s: sum((row) => row.rate.records_per_s), lag_records: null, dlq: null, restarts: sum((row) => row.restarts) },
  }, true);
  stream.set("live");
  reach.set("ok");
  return false;
}

/** Starts following; called once. */
export async function start() {
  let streams;
  while (streams === undefined) {
    streams = await refresh().catch(() => void stream.set("lost"));
    if (streams === undefined) await new Promise((go) => setTimeout(go, ASK_EVERY));
  }
  if (!streams) return ask();
  follow("/api/v1/events", {
    state: (now) => {
      if (now === "none") ask();
      else if (now === "live") reach.set("ok");
      else if (!signIn.get()) {
        stream.set("lost");
        reach.set("lost");
      }
    },
    event: (name, told) => {
      stream.set("live");
      reach.set("ok");
      if (name === "fleet") take(told, told.full === true);
      else if (name === "state") happening.set(told);
    },
  });
}

async function ask() {
  for (;;) {
    await new Promise((go) => setTimeout(go, document.hidden ? ASK_EVERY * 5 : ASK_EVERY));
    await refresh().catch(() => stream.set("lost"));
  }
}
