// One connector: its state, why it failed with the remedy, how it goes, tasks, offsets, configuration, logs, and what can be done.

import { html, useState } from "../lib/h.js";
import { get, lines, query, seg } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { bytes, count, rate, short, span } from "../lib/format.js";
import { inTrouble, useFleet } from "../lib/live.js";
import { to } from "../lib/route.js";
import { useLoad } from "../lib/load.js";
import { seenSteps } from "../lib/past.js";
import { may } from "../lib/role.js";
import { Empty, Facts, Head, Health, Loaded, Table, Tabs, Time, Trouble } from "../parts/basic.js";
import { pause, remove, restart, restartTask, resume, stop } from "../parts/acts.js";
import { plain } from "../parts/bytes.js";
import { Chart } from "../parts/chart.js";
import { Events, Logs } from "./logs.js";
import { Offsets } from "./offsets.js";

const TABS = { overview: Overview, offsets: Offsets, config: Config, logs: Logs, events: Events };

export function Connector({ route }) {
  const [, name, tab = "overview"] = route.parts;
  const fleet = useFleet();
  const row = fleet?.rows.find((one) => one.name === name);
  if (!fleet) return html`<p class="soft" role="status">${t("loading")}</p>`;
  if (!row) return html`<${Empty} title=${t("connector.gone", { name: name ?? "" })}><a class="button" href="#/fleet">${t("nav.fleet")}</a><//>`;
  const still = ["paused", "stopped"].includes(row.health);
  const button = (text, act, danger) => html`<button type="button" class=${danger ? "button danger" : "button"} onClick=${act}>${text}</button>`;
  const Tab = TABS[tab] ?? Overview;
  return html`
    <${Head} title=${name} badge=${html`<${Health} of=${row.health} />`} crumb=${html`<a href="#/fleet">${t("nav.fleet")}</a> / ${t(`kind.${row.type}`)} · ${row.class}`}>
      ${may("operator") && html`
        ${inTrouble(row) && button(t("act.restart-failed"), () => restart(row, true))}
        ${button(t("act.restart"), () => restart(row, false))}
        ${still ? button(t("act.resume"), () => resume(row)) : button(t("act.pause"), () => pause(row))}
        ${row.health !== "stopped" && button(t("act.stop"), () => stop(row), true)}`}
      ${row.owner !== "file" && may("admin") && button(t("act.delete"), () => remove(row), true)}
    <//>
    <${Tabs} label=${name} current=${tab} tabs=${Object.keys(TABS).map((one) => [one, t(`connector.${one}`), to(["connectors", name, one])])} />
    <${Tab} row=${row} key=${`${name} ${tab}`} />`;
}

/** What the host keeps of the last hour, or what this page saw. */
function Charts({ row, detail }) {
  const kept = detail?.history ?? null;
  const steps = kept ?? seenSteps(row.name);
  const points = (name) => steps.map((step) => [step.t_ms, step[name] ?? null]);
  return html`<div class="cols"><${Chart} title=${kept ? t("chart.rate") : t("chart.rate-seen")} points=${points("records_per_s")} show=${rate} />
    ${row.type === "sink" && html`<${Chart} title=${kept ? t("chart.lag") : t("chart.lag-seen")} points=${points("lag_records")} show=${short} />`}</div>`;
}

/** The first records of a source's topic: whether what comes is what was meant. */
const FIRST = 5;
function First({ topic }) {
  const loaded = useLoad(async (signal) => {
    const stop = new AbortController();
    signal.addEventListener("abort", () => stop.abort());
    const found = [];
    await lines(`/api/v1/topics/${seg(topic)}/records${query({ from: "earliest", exit: true })}`, (record) => {
      if (record.error || record.note) return;
      if (found.length < FIRST) found.push(record);
      else stop.abort();
    }, { signal: stop.signal }).catch((error) => {
      if (error.name !== "AbortError" && error.status !== 404) throw error;
    });
    return found;
  }, [topic]);
  return html`<section class="card flush"><${Loaded} of=${loaded}>${(records) => html`<div class="card-head pad"><h2>${t("connector.first", { topic })}</h2><span class="row"><button type="button" class="button tiny" onClick=${loaded.reload}>${t("reload")}</button><a class="button tiny" href=${to(["topics", topic])}>${t("connector.all-records")}</a></span></div>
    ${records.length === 0 ? html`<p class="soft pad">${t("records.empty")}</p>` : html`<${Table} label=${t("connector.first", { topic })} heads=${[[t("offset")], t("records.key"), t("value")]}>${records.map((record) => html`<tr key=${`${record.partition}:${record.offset}`}><td class="num">${record.partition}:${record.offset}</td><td class="mono wrap">${plain(record.key)}</td><td class="mono wrap">${plain(record.value).slice(0, 400)}</td></tr>`)}<//>`}`}<//></section>`;
}

function Lag({ row, detail }) {
  const group = useLoad((signal) => detail?.lag_by_partition ? Promise.resolve(null) : get(`/api/v1/groups/${seg(`connect-${row.name}`)}`, { signal }).catch(() => null), [row.name, Boolean(detail)], { every: 5000 });
  const all = detail?.lag_by_partition ?? group.data?.offsets.map((one) => ({ ...one, end: one.log_end })) ?? [];
  if (all.length === 0) return null;
  return html`<section class="card flush"><${Table} label=${t("connector.lag")} heads=${[t("topic"), t("partition"), [t("groups.committed")], [t("topics.end")], [t("fleet.lag")]]}>
    ${all.map((one) => html`<tr key=${`${one.topic} ${one.partition}`}><td class="wrap">${one.topic}</td><td>${one.partition}</td><td class="num">${count(one.committed)}</td><td class="num">${count(one.end)}</td><td class="num">${count(one.lag)}</td></tr>`)}<//></section>`;
}

function Overview({ row }) {
  const [error, close] = useState(null);
  const detail = useLoad((signal) => get(`/api/v1/connectors/${seg(row.name)}`, { signal }), [row.name], { every: 10000 }).data;
  const earlier = detail?.errors ?? [];
  return html`<div class="stack">
    ${row.error && html`<${Trouble} error=${row.error} title=${t("connector.why")} />`}
    <section class="card"><${Facts} of=${[
      [t("fleet.rate"), rate(row.rate?.records_per_s), true], [t("records"), count(row.records), true], [t("bytes"), bytes(row.bytes), true],
      row.lag && [t("fleet.lag"), count(row.lag.records), true], row.freshness_s != null && [t("fleet.fresh"), span(row.freshness_s * 1000), true],
      row.since_ms && [t("connector.since"), html`<${Time} at=${row.since_ms} ago />`], [t("connector.filtered"), count(row.filtered)], row.dlq != null && [t("nav.letters"), count(row.dlq)], [t("fleet.restarts"), count(row.restarts)],
      [t("connector.lost"), count(row.lost)], [t("connector.owner"), row.owner === "file" ? row.origin : t(`owner.${row.owner}`)],
      [t("topic"), row.topics?.length ? row.topics.map((topic) => html`<a href=${to(["topics", topic])}>${topic}</a> `) : "–"],
    ]} /></section>
    <${Charts} row=${row} detail=${detail} />
    <section class="card flush"><${Table} label=${t("connector.tasks")} heads=${[t("connector.task"), t("fleet.state"), [t("records")], [t("fleet.restarts")], t("connector.why"), ""]}>
      ${row.tasks.map((task) => html`<tr key=${task.id}><td>${task.id}</td><td>${task.state}</td><td class="num">${count(task.records)}</td><td class="num">${count(task.restarts)}</td>
        <td class="wrap">${task.error ? html`<button type="button" class="button tiny plain left" aria-expanded=${error === task.id ? "true" : "false"} onClick=${() => close(error === task.id ? null : task.id)}>${task.error.code ?? ""} ${task.error.message.slice(0, 160)}</button>${error === task.id && html`<${Trouble} error=${task.error} />`}` : ""}</td>
        <td>${may("operator") && html`<button type="button" class="button tiny" aria-label=${`${t("act.restart")}: ${t("connector.task")} ${task.id}`} onClick=${() => restartTask(row, task.id)}>${t("act.restart")}</button>`}</td></tr>`)}
    <//>${row.tasks.length === 0 && html`<p class="pad soft">${t("connector.no-tasks")}</p>`}</section>
    ${row.type === "sink" && html`<${Lag} row=${row} detail=${detail} />`}
    ${row.type === "source" && row.topics?.[0] && html`<${First} key=${row.topics[0]} topic=${row.topics[0]} />`}
    ${earlier.length > 0 && html`<section class="card"><h2>${t("connector.errors")}</h2><ul class="timeline">${earlier.map((one, n) => html`<li key=${n}><${Time} at=${one.t_ms} /><span class="wrap"><b class="mono">${one.code}</b> ${one.message}</span></li>`)}</ul></section>`}
  </div>`;
}

/** The configuration as it was given; what a file owns is changed there, anything else in the form. */
function Config({ row }) {
  const loaded = useLoad((signal) => get(`/connectors/${seg(row.name)}`, { signal }), [row.name]);
  return html`<${Loaded} of=${loaded}>${({ config }) => html`<div class="stack">
      ${row.owner === "file" ? html`<div class="note"><b>${t("config.owned", { file: row.origin })}</b><p>${t("config.owned-fix")}</p></div>`
        : may("admin") && html`<div><a class="button main" href=${to(["edit", row.name])}>${t("config.edit")}</a></div>`}
      <section class="card flush"><${Table} label=${t("connector.config")} heads=${[t("name"), t("value")]}>
        ${Object.entries(config).sort(([a], [b]) => a < b ? -1 : 1).map(([name, value]) => html`<tr key=${name}><td class="mono nowrap">${name}</td><td class="mono wrap">${value}</td></tr>`)}<//></section>
    </div>`}<//>`;
}
