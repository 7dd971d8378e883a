// One connector: its state, why it failed with the remedy, how it goes, tasks, offsets, configuration, logs, and what can be done.

import { html, useState } from "../lib/h.js";
import { get, query, seg } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { bytes, count, rate, short, span } from "../lib/format.js";
import { hostNow, inTrouble, useFleet } from "../lib/live.js";
import { to } from "../lib/route.js";
import { useLoad, useNow } from "../lib/load.js";
import { Empty, Facts, Head, Health, Loaded, Table, Tabs, Time, Trouble } from "../parts/basic.js";
import { Act } from "../parts/act.js";
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
  const button = (text, act, danger) => html`<${Act} look=${danger ? "button danger" : "button"} onClick=${act}>${text}<//>`;
  const Tab = TABS[tab] ?? Overview;
  return html`
    <${Head} title=${name} badge=${html`<${Health} of=${row.health} />`} crumb=${html`<a href="#/fleet">${t("nav.fleet")}</a> / ${t(`kind.${row.type}`)} · ${row.class}`}>
      ${inTrouble(row) && button(t("act.restart-failed"), () => restart(row, true))}
      ${button(t("act.restart"), () => restart(row, false))}
      ${still ? button(t("act.resume"), () => resume(row)) : button(t("act.pause"), () => pause(row))}
      ${row.health !== "stopped" && button(t("act.stop"), () => stop(row), true)}
      <${Act} need="admin" not=${row.owner === "file" ? t("act.delete-file", { file: row.origin }) : null} look="button danger" onClick=${() => remove(row)}>${t("act.delete")}<//>
    <//>
    <${Tabs} label=${name} current=${tab} tabs=${Object.keys(TABS).map((one) => [one, t(`connector.${one}`), to(["connectors", name, one])])} />
    <${Tab} row=${row} key=${`${name} ${tab}`} />`;
}

/** What the host keeps of the last hour. */
function Charts({ row, detail }) {
  const points = (name) => (detail?.history ?? []).map((step) => [step.t_ms, step[name] ?? null]);
  return html`<div class="cols"><${Chart} title=${t("chart.rate")} points=${points("records_per_s")} show=${rate} />
    <${Chart} title=${t("chart.bytes")} points=${points("bytes_per_s")} show=${(n) => t("unit.rate", { n: bytes(n) })} />
    ${row.type === "sink" && html`<${Chart} title=${t("chart.lag")} points=${points("lag_records")} show=${short} />
      <${Chart} title=${t("chart.delay")} points=${points("lag_seconds")} show=${(n) => span(n * 1000)} />`}</div>`;
}

/** The first records of a source's topic: whether what comes is what was meant. */
const FIRST = 5;
function First({ topic }) {
  const loaded = useLoad((signal) => get(`/api/v1/topics/${seg(topic)}/browse${query({ from: "earliest", limit: FIRST, value_bytes: 400 })}`, { signal })
    .catch((error) => error.status === 404 ? { records: [] } : Promise.reject(error)), [topic]);
  return html`<section class="card flush"><${Loaded} of=${loaded}>${({ records }) => html`<div class="card-head pad"><h2>${t("connector.first", { topic })}</h2><span class="row"><button type="button" class="button tiny" onClick=${loaded.reload}>${t("reload")}</button><a class="button tiny" href=${to(["topics", topic])}>${t("connector.all-records")}</a></span></div>
    ${records.length === 0 ? html`<p class="soft pad">${t("records.empty")}</p>` : html`<${Table} label=${t("connector.first", { topic })} heads=${[[t("offset")], t("records.key"), t("value")]}>${records.map((record) => html`<tr key=${`${record.partition}:${record.offset}`}><td class="num">${record.partition}:${record.offset}</td><td class="mono wrap">${plain(record.key)}</td><td class="mono wrap">${plain(record.value)}</td></tr>`)}<//>`}`}<//></section>`;
}

function Lag({ detail }) {
  const all = detail?.lag_by_partition ?? [];
  if (all.length === 0) return null;
  return html`<section class="card flush"><${Table} label=${t("connector.lag")} heads=${[t("topic"), t("partition"), [t("groups.committed")], [t("topics.end")], [t("fleet.lag")]]}>
    ${all.map((one) => html`<tr key=${`${one.topic} ${one.partition}`}><td class="wrap"><a href=${to(["topics", one.topic])}>${one.topic}</a></td><td>${one.partition}</td><td class="num">${count(one.committed)}</td><td class="num">${count(one.end)}</td><td class="num">${count(one.lag)}</td></tr>`)}<//></section>`;
}

/** What a task does besides its state: when it tries again, how long it does not answer. */
function Waits({ task }) {
  const now = useNow() && hostNow();
  if (task.hung_ms) return html`<span class="small soft"> ${t("task.hung", { span: span(task.hung_ms) })}</span>`;
  if (!task.next_attempt_ms) return null;
  return html`<span class="small soft"> ${t("task.again", { span: span(Math.max(0, task.next_attempt_ms - now)) })}</span>`;
}

function Tasks({ row }) {
  const [error, close] = useState(null);
  return html`<section class="card flush"><${Table} label=${t("connector.tasks")} heads=${[t("connector.task"), t("fleet.state"), [t("records")], [t("fleet.restarts")], t("connector.why"), ""]}>
      ${row.tasks.map((task) => html`<tr key=${task.id}><td>${task.id}</td><td>${task.state}<${Waits} task=${task} /></td><td class="num">${count(task.records)}</td><td class="num">${count(task.restarts)}</td>
        <td class="wrap">${task.error ? html`<button type="button" class="button tiny plain left" aria-expanded=${error === task.id ? "true" : "false"} onClick=${() => close(error === task.id ? null : task.id)}>${task.error.code ?? ""} ${task.error.message.slice(0, 160)}</button>${error === task.id && html`<${Trouble} error=${task.error} />`}` : ""}</td>
        <td><${Act} look="button tiny" label=${`${t("act.restart")}: ${t("connector.task")} ${task.id}`} onClick=${() => restartTask(row, task.id)}>${t("act.restart")}<//></td></tr>`)}
    <//>${row.tasks.length === 0 && html`<p class="pad soft">${t("connector.no-tasks")}</p>`}</section>`;
}

function Overview({ row }) {
  const loaded = useLoad((signal) => get(`/api/v1/connectors/${seg(row.name)}`, { signal }), [row.name], { every: 10000 });
  const detail = loaded.data;
  const earlier = detail?.errors ?? [];
  const letters = detail?.config?.["errors.deadletterqueue.topic.name"];
  const dead = letters && row.dlq > 0 ? html`<a href=${to(["letters", letters])}>${count(row.dlq)}</a>` : count(row.dlq);
  return html`<div class="stack">
    ${row.error && html`<${Trouble} error=${row.error} title=${t("connector.why")} />`}
    ${row.stage && html`<div class="note" role="status">${t("connector.stage")} ${row.stage}</div>`}
    <section class="card"><${Facts} of=${[
      [t("fleet.rate"), rate(row.rate?.records_per_s), true], [t("records"), count(row.records), true], [t("bytes"), bytes(row.bytes), true],
      row.lag && [t("fleet.lag"), `${count(row.lag.records)}${row.lag.seconds ? ` · ${span(row.lag.seconds * 1000)}` : ""}`, true],
      [t("fleet.fresh"), row.last_record_ms ? html`<${Time} at=${row.last_record_ms} ago />` : "–", true],
      row.since_ms && [t("connector.since"), html`<${Time} at=${row.since_ms} ago />`], [t("connector.filtered"), count(row.filtered)], [t("nav.letters"), dead], [t("fleet.restarts"), count(row.restarts)],
      [t("connector.lost"), count(row.lost)], row.type === "sink" && [t("groups.one"), html`<a class="wrap" href=${to(["groups", `connect-${row.name}`])}>connect-${row.name}</a>`],
      [t("topic"), row.topics?.length ? row.topics.map((topic) => html`<a href=${to(["topics", topic])}>${topic}</a> `) : "–"],
    ]} /><p class="soft small wrap owner">${t("connector.owner")}: ${row.owner === "file" ? html`<span class="mono">${row.origin}</span>` : t(`owner.${row.owner}`)}</p></section>
    ${loaded.error && html`<${Trouble} error=${loaded.error} />`}
    <${Charts} row=${row} detail=${detail} />
    <${Tasks} row=${row} />
    ${row.type === "sink" && html`<${Lag} detail=${detail} />`}
    ${row.type === "source" && row.topics?.[0] && html`<${First} key=${row.topics[0]} topic=${row.topics[0]} />`}
    ${earlier.length > 0 && html`<section class="card"><h2>${t("connector.errors")}</h2><ul class="timeline">${earlier.map((one, n) => html`<li key=${n}><${Time} at=${one.t_ms} /><span class="wrap"><b class="mono">${one.code}</b> ${one.message}${one.remedy && html`<br /><span class="soft small">${t("error.fix")} ${one.remedy}</span>`}</span></li>`)}</ul></section>`}
  </div>`;
}

/** The configuration as it was given; what a file owns is changed there, anything else in the form. */
function Config({ row }) {
  const loaded = useLoad((signal) => get(`/api/v1/connectors/${seg(row.name)}`, { signal }), [row.name]);
  return html`<${Loaded} of=${loaded}>${({ config }) => html`<div class="stack">
      ${row.owner === "file" ? html`<div class="note"><b>${t("config.owned", { file: row.origin })}</b><p>${t("config.owned-fix")}</p></div>`
        : html`<div><${Act} need="admin" look="button main" href=${to(["edit", row.name])}>${t("config.edit")}<//></div>`}
      <section class="card flush"><${Table} label=${t("connector.config")} heads=${[t("name"), t("value")]}>
        ${Object.entries(config ?? {}).sort(([a], [b]) => a < b ? -1 : 1).map(([name, value]) => html`<tr key=${name}><td class="mono nowrap">${name}</td><td class="mono wrap">${value}</td></tr>`)}<//></section>
    </div>`}<//>`;
}
