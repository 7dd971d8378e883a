// The offsets of a connector: edit, remove, go back to a time. Each shows what changes before it is done; only a stopped connector
// takes them.

import { html, useState } from "../lib/h.js";
import { call, get, seg } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { fromField, stamp, toField } from "../lib/format.js";
import { hostNow, refresh } from "../lib/live.js";
import { useLoad } from "../lib/load.js";
import { may } from "../lib/role.js";
import { zone } from "../lib/settings.js";
import { Empty, Field, Loaded, Table, Trouble } from "../parts/basic.js";
import { stop } from "../parts/acts.js";
import { ask } from "../parts/dialog.js";
import { Positions } from "./groups.js";

const shown = (value) => value === null ? t("offsets.none") : JSON.stringify(value);

/** Edited lines as what they say, or what is wrong with them. */
function changed(edits, offsets) {
  return Object.entries(edits).map(([at, text]) => {
    try {
      return { at, to: text.trim() === "" ? null : JSON.parse(text) };
    } catch (error) {
      return { at, wrong: error.message };
    }
  }).filter(({ at, to: next, wrong }) => wrong || (offsets[at] && JSON.stringify(next) !== JSON.stringify(offsets[at].offset)));
}

export function Offsets({ row }) {
  const [edits, edit] = useState({});
  const path = `/api/v1/connectors/${seg(row.name)}/offsets`;
  const loaded = useLoad((signal) => get(path, { signal }), [row.name]);
  const stopped = row.health === "stopped";
  return html`<${Loaded} of=${loaded}>${({ offsets }) => {
    const entries = changed(edits, offsets);
    const changes = entries.filter((entry) => !entry.wrong);
    const send = (title, lines, act, typed) => ask({
      title, confirm: t("apply"), danger: true, typed, done: t("act.done"),
      body: html`<div class="diff">${lines.map(([partition, from, next]) => html`<div class="same">${JSON.stringify(partition)}</div><div class="del">- ${shown(from)}</div><div class="add">+ ${shown(next)}</div>`)}</div>`,
      act: async () => {
        await act();
        edit({});
        loaded.reload();
        await refresh().catch(() => {});
      },
    });
    const apply = () => send(t("offsets.set-title", { name: row.name }), changes.map(({ at, to: next }) => [offsets[at].partition, offsets[at].offset, next]),
      () => call("PATCH", path, { offsets: changes.map(({ at, to: next }) => ({ partition: offsets[at].partition, offset: next })) }));
    const reset = () => send(t("offsets.reset-title", { name: row.name }), offsets.map(({ partition, offset }) => [partition, offset, null]), () => call("DELETE", path), row.name);
    if (offsets.length === 0) return html`<${Empty} title=${t("offsets.empty")} />`;
    return html`<div class="stack">
      ${!stopped && html`<div class="note row between"><span>${t("offsets.stop-first")}</span>${may("operator") && html`<button type="button" class="button" onClick=${() => stop(row)}>${t("act.stop")}</button>`}</div>`}
      <section class="card flush"><${Table} label=${t("connector.offsets")} heads=${[t("partition"), t("offset")]}>
        ${offsets.map(({ partition, offset }, at) => html`<tr key=${at}><td class="mono wrap">${JSON.stringify(partition)}</td>
          <td>${stopped && may("operator") ? html`<input class="mono" aria-label=${`${t("offset")} ${JSON.stringify(partition)}`} aria-invalid=${entries.some((entry) => entry.wrong && entry.at === String(at)) ? "true" : undefined}
            value=${edits[at] ?? JSON.stringify(offset)} onInput=${(event) => edit({ ...edits, [at]: event.currentTarget.value })} />` : html`<span class="mono wrap">${JSON.stringify(offset)}</span>`}</td></tr>`)}<//></section>
      ${entries.filter((entry) => entry.wrong).map((entry) => html`<${Trouble} error=${{ message: entry.wrong }} />`)}
      ${may("operator") && html`<div class="row"><button type="button" class="button main" disabled=${!stopped || changes.length === 0 || entries.some((entry) => entry.wrong)} onClick=${apply}>${t("offsets.preview")}</button>
        <button type="button" class="button danger" disabled=${!stopped} onClick=${reset}>${t("offsets.reset")}</button></div>
        ${row.type === "sink" && html`<${Rewind} row=${row} stopped=${stopped} reload=${loaded.reload} />`}`}
    </div>`;
  }}<//>`;
}

const HOUR_MS = 3_600_000;

/** Reading again from a time: what each partition goes back to is asked of the host first. */
function Rewind({ row, stopped, reload }) {
  const [field, set] = useState(() => toField(hostNow() - HOUR_MS).slice(0, 16));
  const ms = fromField(field);
  const go = (event) => {
    event.preventDefault();
    ask({
      title: t("rewind.title", { name: row.name, time: stamp(ms, true) }), effects: [t("rewind.again"), t("rewind.twice")], confirm: t("rewind.go"), danger: true, done: t("act.done"),
      preview: async () => html`<${Positions} of=${(await call("POST", `/api/v1/groups/${seg(`connect-${row.name}`)}/reset`, { to: new Date(ms).toISOString(), execute: false })).positions} />`,
      act: async () => {
        await call("POST", `/api/v1/connectors/${seg(row.name)}/offsets/rewind`, { to_ms: ms });
        reload();
      },
    });
  };
  return html`<section class="card"><h2>${t("rewind.head")}</h2><p class="soft small">${t("rewind.text")}</p>
    <form class="filters" onSubmit=${go}><${Field} label=${`${t("rewind.to")} (${zone.get() === "utc" ? "UTC" : t("zone.local")})`} type="datetime-local" step="1" value=${field} onInput=${(event) => set(event.currentTarget.value)} />
      <button class="button" disabled=${!stopped || ms === null}>${t("offsets.preview")}</button></form></section>`;
}
