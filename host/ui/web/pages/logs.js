// What a connector logged, and what became of it: from the host where it keeps that, else what this page saw itself.

import { html, useState } from "../lib/h.js";
import { get, query, seg } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { useLoad } from "../lib/load.js";
import { useFleet } from "../lib/live.js";
import { seenChanges } from "../lib/past.js";
import { Choice, Empty, Health, Loaded, Offered, Time } from "../parts/basic.js";

const LEVELS = ["error", "warn", "info", "debug"];

export function Logs({ row }) {
  const [level, set] = useState("info");
  const loaded = useLoad((signal) => get(`/api/v1/connectors/${seg(row.name)}/logs${query({ limit: 500, level })}`, { signal }), [row.name, level], { every: 2000 });
  return html`<${Offered} of=${loaded} what=${t("logs.what")} command=${`linkspan describe ${row.name}`}>${({ lines, dropped }) => html`
    <div class="filters"><${Choice} label=${t("logs.level")} value=${level} onChange=${set} options=${LEVELS.map((one) => [one, one.toUpperCase()])} /></div>
    ${lines.length === 0 ? html`<${Empty} title=${t("logs.empty")} />` : html`<ul class="log" tabindex="0" aria-label=${t("connector.logs")}>${lines.map((line) => html`
      <li key=${line.seq} class=${line.level}><${Time} at=${line.t_ms} /><span class="level">${line.level}</span><span class="wrap">${line.message} <span class="soft">${Object.entries(line.fields ?? {}).map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`).join(" ")}</span></span></li>`)}</ul>`}
    ${dropped > 0 && html`<p class="soft small">${t("logs.dropped", { n: dropped })}</p>`}`}<//>`;
}

export function Events({ row }) {
  useFleet();
  const loaded = useLoad((signal) => get(`/api/v1/connectors/${seg(row.name)}/events?limit=100`, { signal }), [row.name, row.health]);
  const own = seenChanges(row.name);
  const told = loaded.data?.events ?? null;
  const line = (event, n) => html`<li key=${n}><${Time} at=${event.t_ms} /><span class="wrap">${event.task !== null && event.task !== undefined ? `${t("connector.task")} ${event.task}: ` : ""}${told ? `${event.from ?? "–"} → ${event.to ?? "–"}` : html`<${Health} of=${event.from} /> → <${Health} of=${event.to} />`} ${event.code ?? event.error?.code ?? ""} ${event.message ?? event.error?.message ?? ""}</span></li>`;
  if (!told && loaded.error && loaded.error.status !== 404) return html`<${Loaded} of=${loaded}>${() => null}<//>`;
  const all = told ?? own;
  return html`<section class="card">${!told && html`<p class="soft small">${t("events.own")}</p>`}
    ${row.since_ms && html`<p>${t("events.since")} <${Health} of=${row.health} /> <${Time} at=${row.since_ms} /></p>`}
    ${all.length === 0 ? html`<p class="soft">${t("events.empty")}</p>` : html`<ul class="timeline">${[...all].reverse().map(line)}</ul>`}</section>`;
}
