// One connector: its state, why it failed with the remedy, tasks, offsets, configuration, and what can be done to it.

import { html, useState } from "../lib/h.js";
import { call, get, seg } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { bytes, count, rate } from "../lib/format.js";
import { inTrouble, useFleet } from "../lib/live.js";
import { to } from "../lib/route.js";
import { useLoad } from "../lib/load.js";
import { Empty, Facts, Head, Health, Loaded, Table, Tabs, Trouble } from "../parts/basic.js";
import { pause, remove, restart, restartTask, resume, stop } from "../parts/acts.js";
import { ask } from "../parts/dialog.js";

const TABS = ["overview", "offsets", "config"];

export function Connector({ route }) {
  const [, name, tab = "overview"] = route.parts;
  const fleet = useFleet();
  const row = fleet?.rows.find((one) => one.name === name);
  if (!fleet) return html`<p class="soft" role="status">${t("loading")}</p>`;
  if (!row) return html`<${Empty} title=${t("connector.gone", { name: name ?? "" })}><a class="button" href="#/fleet">${t("nav.fleet")}</a><//>`;
  const still = ["paused", "stopped"].includes(row.health);
  const button = (text, act, danger) => html`<button type="button" class=${danger ? "button danger" : "button"} onClick=${act}>${text}</button>`;
  return html`
    <${Head} title=${name} badge=${html`<${Health} of=${row.health} />`} crumb=${html`<a href="#/fleet">${t("nav.fleet")}</a> / ${t(`kind.${row.type}`)} · ${row.class}`}>
      ${inTrouble(row) && button(t("act.restart-failed"), () => restart(row, true))}
      ${button(t("act.restart"), () => restart(row, false))}
      ${still ? button(t("act.resume"), () => resume(row)) : button(t("act.pause"), () => pause(row))}
      ${row.health !== "stopped" && button(t("act.stop"), () => stop(row), true)}
      ${row.owner !== "file" && button(t("act.delete"), () => remove(row), true)}
    <//>
    <${Tabs} label=${name} current=${tab} tabs=${TABS.map((one) => [one, t(`connector.${one}`), to(["connectors", name, one])])} />
    ${tab === "offsets" ? html`<${Offsets} row=${row} />` : tab === "config" ? html`<${Config} row=${row} />` : html`<${Overview} row=${row} />`}`;
}

const Overview = ({ row }) => html`
  <div class="stack">
    ${row.error && html`<${Trouble} error=${row.error} title=${t("connector.why")} />`}
    <section class="card"><${Facts} of=${[
      [t("fleet.rate"), rate(row.rate?.records_per_s), true], [t("records"), count(row.records), true], [t("bytes"), bytes(row.bytes), true],
      row.lag && [t("fleet.lag"), count(row.lag.records), true], [t("connector.filtered"), count(row.filtered)], [t("fleet.restarts"), count(row.restarts)],
      [t("connector.lost"), count(row.lost)], [t("connector.owner"), row.owner === "file" ? row.origin : t(`owner.${row.owner}`)],
      [t("topic"), row.topics?.map((topic) => html`<a href=${to(["topics", topic])}>${topic}</a> `) ?? "–"],
    ]} /></section>
    <section class="card flush"><${Table} label=${t("connector.tasks")} heads=${[t("connector.task"), t("fleet.state"), [t("records")], [t("fleet.restarts")], t("connector.why"), ""]}>
      ${row.tasks.map((task) => html`<tr key=${task.id}><td>${task.id}</td><td>${task.state}</td><td class="num">${count(task.records)}</td><td class="num">${count(task.restarts)}</td>
        <td class="wrap">${task.error ? `${task.error.code ?? ""} ${task.error.message}` : ""}</td>
        <td><button type="button" class="button tiny" onClick=${() => restartTask(row, task.id)}>${t("act.restart")}</button></td></tr>`)}
    <//>${row.tasks.length === 0 && html`<p class="card soft">${t("connector.no-tasks")}</p>`}</section>
  </div>`;

/** Offsets as JSON lines; changed ones are shown before and after, and only a stopped connector takes them. */
function Offsets({ row }) {
  const [edits, edit] = useState({});
  const path = `/api/v1/connectors/${seg(row.name)}/offsets`;
  const loaded = useLoad((signal) => get(path, { signal }), [row.name]);
  const stopped = row.health === "stopped";
  return html`<${Loaded} of=${loaded}>${({ offsets }) => {
    const entries = Object.entries(edits).map(([at, text]) => {
      try {
        return { at, to: text.trim() === "" ? null : JSON.parse(text) };
      } catch (error) {
        return { at, wrong: error.message };
      }
    }).filter(({ at, to: next, wrong }) => wrong || JSON.stringify(next) !== JSON.stringify(offsets[at].offset));
    const changes = entries.filter((entry) => !entry.wrong);
    const show = (value) => value === null ? t("offsets.none") : JSON.stringify(value);
    const send = (title, lines, act, typed) => ask({
      title, confirm: t("apply"), danger: true, typed, done: t("act.done"),
      body: html`<div class="diff">${lines.map(([partition, from, next]) => html`<div class="same">${JSON.stringify(partition)}</div><div class="del">- ${show(from)}</div><div class="add">+ ${show(next)}</div>`)}</div>`,
      act: async () => {
        await act();
        edit({});
        loaded.reload();
      },
    });
    const apply = () => send(t("offsets.set-title", { name: row.name }), changes.map(({ at, to: next }) => [offsets[at].partition, offsets[at].offset, next]),
      () => call("PATCH", path, { offsets: changes.map(({ at, to: next }) => ({ partition: offsets[at].partition, offset: next })) }));
    const reset = () => send(t("offsets.reset-title", { name: row.name }), offsets.map(({ partition, offset }) => [partition, offset, null]), () => call("DELETE", path), row.name);
    if (offsets.length === 0) return html`<${Empty} title=${t("offsets.empty")} />`;
    return html`<div class="stack">
      ${!stopped && html`<div class="note row between"><span>${t("offsets.stop-first")}</span><button type="button" class="button" onClick=${() => stop(row)}>${t("act.stop")}</button></div>`}
      <section class="card flush"><${Table} label=${t("connector.offsets")} heads=${[t("partition"), t("offset")]}>
        ${offsets.map(({ partition, offset }, at) => html`<tr key=${at}><td class="mono wrap">${JSON.stringify(partition)}</td>
          <td><input class="mono" aria-label=${`${t("offset")} ${JSON.stringify(partition)}`} disabled=${!stopped} aria-invalid=${entries.some((entry) => entry.wrong && entry.at === String(at)) ? "true" : undefined}
            value=${edits[at] ?? JSON.stringify(offset)} onInput=${(event) => edit({ ...edits, [at]: event.currentTarget.value })} /></td></tr>`)}<//></section>
      ${entries.filter((entry) => entry.wrong).map((entry) => html`<${Trouble} error=${{ message: entry.wrong }} />`)}
      <div class="row"><button type="button" class="button main" disabled=${!stopped || changes.length === 0 || entries.some((entry) => entry.wrong)} onClick=${apply}>${t("offsets.preview")}</button>
        <button type="button" class="button danger" disabled=${!stopped} onClick=${reset}>${t("offsets.reset")}</button></div>
    </div>`;
  }}<//>`;
}

/** The configuration as it was given; changed lines are shown as a difference before they are applied. */
function Config({ row }) {
  const [text, edit] = useState(null);
  const loaded = useLoad((signal) => get(`/connectors/${seg(row.name)}`, { signal }), [row.name]);
  return html`<${Loaded} of=${loaded}>${({ config }) => {
    const lines = (of) => Object.entries(of).sort(([a], [b]) => a < b ? -1 : 1);
    let wanted = null;
    let wrong = null;
    if (text !== null) {
      try {
        wanted = JSON.parse(text);
      } catch (error) {
        wrong = error.message;
      }
    }
    const names = wanted ? [...new Set([...Object.keys(config), ...Object.keys(wanted)])].sort().filter((name) => config[name] !== (wanted[name] === undefined ? undefined : String(wanted[name]))) : [];
    const apply = () => ask({
      title: t("config.apply-title", { name: row.name }), confirm: t("apply"), done: t("act.done"), effects: [t("config.restarts")],
      body: html`<div class="diff">${names.map((name) => html`${config[name] !== undefined && html`<div class="del">- ${name}: ${config[name]}</div>`}${wanted[name] !== undefined && html`<div class="add">+ ${name}: ${String(wanted[name])}</div>`}`)}</div>`,
      act: async () => {
        await call("PUT", `/connectors/${seg(row.name)}/config`, wanted);
        edit(null);
        loaded.reload();
      },
    });
    return html`<div class="stack">
      ${row.owner === "file" && html`<div class="note"><b>${t("config.owned", { file: row.origin })}</b><p>${t("config.owned-fix")}</p></div>`}
      ${text === null ? html`<section class="card flush"><${Table} label=${t("connector.config")} heads=${[t("name"), t("value")]}>
          ${lines(config).map(([name, value]) => html`<tr key=${name}><td class="mono nowrap">${name}</td><td class="mono wrap">${value}</td></tr>`)}<//></section>
          ${row.owner !== "file" && html`<div><button type="button" class="button main" onClick=${() => edit(JSON.stringify(Object.fromEntries(lines(config)), null, 2))}>${t("config.edit")}</button></div>`}`
        : html`<textarea class="mono" rows="18" aria-label=${t("connector.config")} value=${text} aria-invalid=${wrong ? "true" : undefined} onInput=${(event) => edit(event.currentTarget.value)} />
          ${wrong && html`<${Trouble} error=${{ message: wrong }} />`}
          <div class="row"><button type="button" class="button main" disabled=${names.length === 0} onClick=${apply}>${t("config.preview")}</button><button type="button" class="button" onClick=${() => edit(null)}>${t("cancel")}</button></div>`}
    </div>`;
  }}<//>`;
}
