// The offsets of a connector: edit, remove, go back to a time. Each shows what changes before it is done; only a stopped connector
// takes them.

import { html, useState } from "../lib/h.js";
import { call, exact, get, seg } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { fromField, stamp, toField } from "../lib/format.js";
import { hostNow, refresh } from "../lib/live.js";
import { useLoad } from "../lib/load.js";
import { may } from "../lib/role.js";
import { zone } from "../lib/settings.js";
import { Empty, Field, Loaded, Table, Trouble } from "../parts/basic.js";
import { Act } from "../parts/act.js";
import { stop } from "../parts/acts.js";
import { ask } from "../parts/dialog.js";

const shown = (value) => value === null ? t("offsets.none") : JSON.stringify(value);

/** Edited lines as what they say, or what is wrong with them. */
function changed(edits, offsets) {
  return Object.entries(edits).map(([at, text]) => {
    try {
      return { at, to: text.trim() === "" ? null : exact(text) };
    } catch (error) {
      return { at, wrong: error.message };
    }
  }).filter(({ at, to: next, wrong }) => wrong || (offsets[at] && JSON.stringify(next) !== JSON.stringify(offsets[at].offset)));
}

export function Offsets({ row }) {
  const [edits, edit] = useState({});
  const stopped = row.health === "stopped";
  const path = `/api/v1/connectors/${seg(row.name)}/offsets`;
  const loaded = useLoad((signal) => get(path, { signal, read: exact }), [row.name], { every: stopped ? undefined : 5000 });
  return html`<${Loaded} of=${loaded}>${({ offsets }) => {
    const entries = changed(edits, offsets);
    const changes = entries.filter((entry) => !entry.wrong);
    const done = async () => {
      edit({});
      loaded.reload();
      await refresh().catch(() => {});
    };
    const wanted = { offsets: changes.map(({ at, to: next }) => ({ partition: offsets[at].partition, offset: next })) };
    const apply = () => change({ title: t("offsets.set-title", { name: row.name }), method: "PATCH", path, body: wanted, done });
    const reset = () => change({ title: t("offsets.reset-title", { name: row.name }), effects: [t("offsets.reset-effect")], method: "DELETE", path, typed: row.name, done });
    const not = stopped ? null : t("offsets.stop-first");
    if (offsets.length === 0) return html`<${Empty} title=${t("offsets.empty")} />`;
    return html`<div class="stack">
      ${!stopped && html`<div class="note row between"><span>${t("offsets.stop-first")}</span><${Act} onClick=${() => stop(row)}>${t("act.stop")}<//></div>`}
      <section class="card flush"><${Table} label=${t("connector.offsets")} heads=${[t("partition"), t("offset")]}>
        ${offsets.map(({ partition, offset }, at) => html`<tr key=${at}><td class="mono wrap">${JSON.stringify(partition)}</td>
          <td>${stopped && may("operator") ? html`<input class="mono" aria-label=${`${t("offset")} ${JSON.stringify(partition)}`} aria-invalid=${entries.some((entry) => entry.wrong && entry.at === String(at)) ? "true" : undefined}
            value=${edits[at] ?? JSON.stringify(offset)} onInput=${(event) => edit({ ...edits, [at]: event.currentTarget.value })} />` : html`<span class="mono wrap">${JSON.stringify(offset)}</span>`}</td></tr>`)}<//></section>
      ${entries.filter((entry) => entry.wrong).map((entry) => html`<${Trouble} error=${{ message: entry.wrong }} />`)}
      <div class="row"><${Act} look="button main" not=${not ?? (changes.length === 0 ? t("offsets.unchanged") : null)} disabled=${entries.some((entry) => entry.wrong)} onClick=${apply}>${t("offsets.preview")}<//>
        <${Act} look="button danger" not=${not} onClick=${reset}>${t("offsets.reset")}<//></div>
      ${row.type === "sink" && html`<${Rewind} row=${row} not=${not} path=${path} reload=${loaded.reload} />`}
    </div>`;
  }}<//>`;
}

/** What the host says would become of each offset. */
function Changes({ of }) {
  if (of.length === 0) return html`<p class="soft">${t("groups.same")}</p>`;
  return html`<div class="diff">${of.map(({ partition, from, to: next }) => html`<div class="same">${JSON.stringify(partition)}</div><div class="del">- ${shown(from)}</div><div class="add">+ ${shown(next)}</div>`)}</div>`;
}

/** Asks the host what a change would do, shows that, and does it once it is confirmed. */
const change = ({ title, effects, method, path, body, typed, confirm, done }) => ask({
  title, effects, confirm: confirm ?? t("apply"), danger: true, typed, done: t("act.done"),
  preview: async () => html`<${Changes} of=${(await call(method, `${path}?preview=true`, body, { read: exact })).changes} />`,
  act: async () => {
    await call(method, path, body);
    await done();
  },
});

const HOUR_MS = 3_600_000;

/** Reading again from a time. */
function Rewind({ row, not, path, reload }) {
  const [field, set] = useState(() => toField(hostNow() - HOUR_MS).slice(0, 16));
  const ms = fromField(field);
  const go = () => change({
    title: t("rewind.title", { name: row.name, time: stamp(ms, true) }), effects: [t("rewind.again"), t("rewind.twice")], confirm: t("rewind.go"),
    method: "POST", path: `${path}/rewind`, body: { to_ms: ms }, done: reload,
  });
  return html`<section class="card"><h2>${t("rewind.head")}</h2><p class="soft small">${t("rewind.text")}</p>
    <form class="filters" onSubmit=${(event) => event.preventDefault()}><${Field} label=${`${t("rewind.to")} (${zone.get() === "utc" ? "UTC" : t("zone.local")})`} type="datetime-local" step="1" value=${field} onInput=${(event) => set(event.currentTarget.value)} />
      <${Act} not=${not} type="submit" disabled=${ms === null} onClick=${go}>${t("offsets.preview")}<//></form></section>`;
}
