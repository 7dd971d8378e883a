// What the host said of a connector lately, and what became of it.

import { html, useEffect, useRef, useState } from "../lib/h.js";
import { get, query, seg } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { useLoad } from "../lib/load.js";
import { Choice, Empty, Field, Health, Loaded, Time } from "../parts/basic.js";

const LEVELS = ["error", "warn", "info", "debug"];
/** Lines that are asked for: as many as the host keeps of a connector. */
const LINES_MAX = 500;

const fieldsOf = (line) => Object.entries(line.fields ?? {}).map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`).join(" ");

export function Logs({ row }) {
  const [level, set] = useState("info");
  const [wanted, want] = useState("");
  const [still, freeze] = useState(null);
  const box = useRef();
  const loaded = useLoad((signal) => get(`/api/v1/connectors/${seg(row.name)}/logs${query({ limit: LINES_MAX, level })}`, { signal }), [row.name, level], { every: 2000 });
  const told = still ?? loaded.data;
  // The last line stays in sight for who reads the last line.
  const end = useRef(true);
  useEffect(() => {
    if (box.current && end.current) box.current.scrollTop = box.current.scrollHeight;
  }, [told]);
  const needle = wanted.trim().toLowerCase();
  const lines = (told?.lines ?? []).filter((line) => !needle || `${line.message} ${fieldsOf(line)}`.toLowerCase().includes(needle));
  return html`<div class="filters"><${Choice} label=${t("logs.level")} value=${level} onChange=${set} options=${LEVELS.map((one) => [one, one.toUpperCase()])} />
      <${Field} wide type="search" label=${t("search")} value=${wanted} onInput=${(event) => want(event.currentTarget.value)} />
      <button type="button" class="button" aria-pressed=${still ? "true" : "false"} onClick=${() => freeze(still ? null : loaded.data)}>${still ? t("records.follow") : t("records.freeze")}</button></div>
    <${Loaded} of=${loaded}>${() => html`${lines.length === 0 ? html`<${Empty} title=${t("logs.empty")} text=${t("logs.empty-text")} />` : html`<ul class="log" tabindex="0" aria-label=${t("connector.logs")} ref=${box} onScroll=${({ currentTarget: of }) => { end.current = of.scrollTop + of.clientHeight >= of.scrollHeight - 4; }}>${lines.map((line) => html`
      <li key=${line.seq} class=${line.level}><${Time} at=${line.t_ms} /><span class="level">${line.level}</span><span class="wrap">${line.task !== null && line.task !== undefined ? html`<b>${t("connector.task")} ${line.task}</b> ` : ""}${line.message} <span class="soft">${fieldsOf(line)}</span></span></li>`)}</ul>`}
    ${told?.dropped > 0 && html`<p class="soft small">${t("logs.dropped", { n: told.dropped })}</p>`}`}<//>`;
}

const Step = ({ of }) => of ? html`<${Health} of=${of} />` : "–";

export function Events({ row }) {
  const loaded = useLoad((signal) => get(`/api/v1/connectors/${seg(row.name)}/events?limit=100`, { signal }), [row.name, row.health, row.error?.message]);
  return html`<section class="card">
    ${row.since_ms && html`<p>${t("events.since")} <${Health} of=${row.health} /> <${Time} at=${row.since_ms} /></p>`}
    <${Loaded} of=${loaded}>${({ events }) => events.length === 0 ? html`<p class="soft">${t("events.empty")}</p>` : html`<ul class="timeline">${[...events].reverse().map((event) => html`
      <li key=${event.id}><${Time} at=${event.t_ms} /><span class="wrap"><${Step} of=${event.from} /> → <${Step} of=${event.to} /> ${event.code && html`<b class="mono">${event.code}</b>`} ${event.message}</span></li>`)}</ul>`}<//></section>`;
}
