// What this page saw of each connector since it was opened: rates and lag in ten-second steps for charts, changes of health.
//
// A host that keeps a history of its own is asked for that instead (see `pages/connector.js`).

import { fleet } from "./live.js";

/** Steps that are kept: an hour. */
const STEPS_MAX = 360;
const STEP_MS = 10_000;
/** Changes that are kept for all connectors together. */
const CHANGES_MAX = 500;

const steps = new Map();
const health = new Map();
let changes = [];
let last = 0;

fleet.watch((now) => {
  if (!now) return;
  const whole = now.now_ms - last >= STEP_MS;
  if (whole) last = now.now_ms;
  for (const row of now.rows) {
    const before = health.get(row.name);
    if (before !== undefined && before !== row.health) {
      changes.push({ t_ms: now.now_ms, connector: row.name, from: before, to: row.health, error: row.error });
    }
    health.set(row.name, row.health);
    if (!whole) continue;
    const own = steps.get(row.name) ?? [];
    own.push({ t_ms: now.now_ms, records_per_s: row.rate?.records_per_s ?? null, lag_records: row.lag?.records ?? null });
    if (own.length > STEPS_MAX) own.shift();
    steps.set(row.name, own);
  }
  if (changes.length > CHANGES_MAX) changes = changes.slice(-CHANGES_MAX);
  if (health.size > now.rows.length) {
    const names = new Set(now.rows.map((row) => row.name));
    for (const name of health.keys()) {
      if (names.has(name)) continue;
      health.delete(name);
      steps.delete(name);
    }
  }
});

export const seenSteps = (name) => steps.get(name) ?? [];
export const seenChanges = (name) => changes.filter((change) => change.connector === name);
