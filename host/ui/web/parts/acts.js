// What can be done to a connector; each act says what it does before it does it.

import { html } from "../lib/h.js";
import { call, seg } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { fleet, refresh } from "../lib/live.js";
import { Act } from "./act.js";
import { ask, perform } from "./dialog.js";

const put = (name, verb, method = "PUT", query = "") => async () => {
  await call(method, `/connectors/${seg(name)}/${verb}${query}`);
  await refresh().catch(() => {});
};

/** Connectors that read what this one writes, or write what it reads. */
function related(row) {
  const other = row.type === "source" ? "sink" : "source";
  const rows = fleet.get()?.rows ?? [];
  return rows.filter((one) => one.type === other && one.topics?.some((topic) => row.topics?.includes(topic))).map((one) => one.name);
}

function effects(row) {
  const others = related(row);
  const list = [row.type === "source" ? t("act.source-idle", { topics: row.topics?.join(", ") || "–" }) : t("act.sink-idle")];
  const names = others.slice(0, 8).join(", ");
  if (others.length) list.push(row.type === "source" ? t("act.readers", { names }) : t("act.writers", { names }));
  return list;
}

/** What is said afterwards of an act that needs no asking. */
const did = (act, row) => `${act}: ${row.name} — ${t("act.done")}`;

export const pause = (row) => ask({
  title: t("act.pause-title", { name: row.name }), effects: effects(row), confirm: t("act.pause"), act: put(row.name, "pause"), done: t("act.done"),
});
export const stop = (row) => ask({
  title: t("act.stop-title", { name: row.name }), effects: [...effects(row), t("act.stop-tasks", { n: row.tasks.length })], confirm: t("act.stop"), danger: true, act: put(row.name, "stop"), done: t("act.done"),
});
export const resume = (row) => perform(put(row.name, "resume"), did(t("act.resume"), row));
export const restart = (row, onlyFailed) => perform(put(row.name, "restart", "POST", `?includeTasks=true&onlyFailed=${onlyFailed}`), did(t("act.restart"), row));
export const restartTask = (row, task) => perform(put(row.name, `tasks/${task}/restart`, "POST"), did(t("act.restart"), row));
export const remove = (row) => ask({
  title: t("act.delete-title", { name: row.name }), effects: [...effects(row), t("act.delete-offsets")], confirm: t("act.delete"), danger: true, typed: row.name, done: t("act.done"),
  act: async () => {
    await call("DELETE", `/connectors/${seg(row.name)}`);
    await refresh().catch(() => {});
    location.hash = "#/fleet";
  },
});

/** The act that a row needs most. */
export function NextAct({ row }) {
  const button = (text, act) => html`<${Act} look="button tiny" label=${`${text}: ${row.name}`} onClick=${act}>${text}<//>`;
  if (["failed", "degraded", "hung"].includes(row.health)) return button(t("act.restart"), () => restart(row, true));
  if (["paused", "stopped"].includes(row.health)) return button(t("act.resume"), () => resume(row));
  return null;
}
