// The first page: is anything wrong, where, why, and the button that mends it.

import { html, useEffect, useMemo } from "../lib/h.js";
import { t, tn } from "../lib/i18n.js";
import { bytes, count, rate, short, span } from "../lib/format.js";
import { HEALTHS, hostNow, inTrouble, lagging, tone, useFleet } from "../lib/live.js";
import { to, tune } from "../lib/route.js";
import { Act } from "../parts/act.js";
import { Choice, Empty, Field, Head, Health } from "../parts/basic.js";
import { NextAct } from "../parts/acts.js";
import { Icon } from "../parts/icons.js";
import { Rows, useNarrow } from "../parts/rows.js";

const GROUPS = {
  trouble: inTrouble,
  lagging: (row) => lagging(row) && !inTrouble(row),
  running: (row) => ["running", "starting", "waiting", "completed"].includes(row.health),
  still: (row) => ["paused", "stopped"].includes(row.health),
};

function matches(row, { q, kind, state, topic, group }) {
  if (kind && row.type !== kind) return false;
  if (state && row.health !== state) return false;
  if (topic && !row.topics?.includes(topic)) return false;
  if (group && GROUPS[group] && !GROUPS[group](row)) return false;
  if (!q) return true;
  const text = `${row.name} ${row.class} ${row.topics?.join(" ") ?? ""} ${row.error?.message ?? ""} ${row.error?.code ?? ""}`.toLowerCase();
  return q.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

export function Fleet({ route }) {
  const fleet = useFleet();
  const narrow = useNarrow(700);
  const query = route.query;
  const rows = fleet?.rows ?? [];
  const shown = useMemo(() => rows.filter((row) => matches(row, query)), [rows, query]);
  const topics = useMemo(() => [...new Set(rows.flatMap((row) => row.topics ?? []))].sort(), [rows]);
  useEffect(() => { performance.mark?.("fleet"); }, []);
  if (!fleet) return html`<${Head} title=${t("nav.fleet")} /><p class="soft" role="status">${t("loading")}</p>`;
  if (rows.length === 0 && fleet.host?.ready === false) return html`<${Head} title=${t("nav.fleet")} /><p class="note" role="status">${t("fleet.starting")}</p>`;
  if (rows.length === 0) {
    return html`<${Head} title=${t("nav.fleet")} />
      <${Empty} title=${t("fleet.empty")} text=${t("fleet.empty-text")} command=${"linkspan run configs/quickstart.yaml"}><${Act} need="admin" look="button main" href="#/create">${t("create.first")}<//><//>`;
  }
  const { totals } = fleet;
  return html`
    <${Head} title=${t("nav.fleet")} crumb=${html`<${HostLine} of=${fleet.host} />`}><${Act} need="admin" href="#/create"><${Icon} name="create" />${t("nav.create")}<//><//>
    <div class="tallies">
      ${[["trouble", "bad"], ["lagging", "warn"], ["running", "good"], ["still", ""]].map(([group, colour]) => {
        const n = rows.filter(GROUPS[group]).length;
        return html`<button type="button" key=${group} class=${`tile ${n ? colour : ""}`} aria-pressed=${query.group === group ? "true" : "false"}
          onClick=${() => tune({ group: query.group === group ? "" : group })}><b>${count(n)}</b><span>${t(`fleet.${group}`)}</span></button>`;
      })}
      <div class="tile"><b>${rate(totals.records_per_s)}</b><span>${t("fleet.rate")}</span></div>
      ${totals.lag_records != null && html`<div class="tile"><b>${short(totals.lag_records)}</b><span>${t("fleet.lag")}</span></div>`}
      <div class="tile"><b>${count(totals.restarts)}</b><span>${t("fleet.restarts")}</span></div>
    </div>
    <div class="filters" role="search">
      <${Field} wide label=${t("search")} type="search" placeholder=${t("fleet.search")} value=${query.q ?? ""} onInput=${(event) => tune({ q: event.currentTarget.value })} />
      <${Choice} label=${t("fleet.kind")} value=${query.kind ?? ""} onChange=${(kind) => tune({ kind })} options=${[["", t("all")], ["source", t("kind.source")], ["sink", t("kind.sink")]]} />
      <${Choice} label=${t("fleet.state")} value=${query.state ?? ""} onChange=${(state) => tune({ state })} options=${[["", t("all")], ...HEALTHS.map((health) => [health, t(`health.${health}`)])]} />
      <${Choice} label=${t("topic")} value=${query.topic ?? ""} onChange=${(topic) => tune({ topic })} options=${[["", t("all")], ...topics.map((topic) => [topic, topic])]} />
    </div>
    ${shown.length === 0
      ? html`<${Empty} title=${t("fleet.none")}><button type="button" class="button" onClick=${() => tune({ q: "", kind: "", state: "", topic: "", group: "" })}>${t("fleet.clear")}</button><//>`
      : html`<${Rows} label=${t("nav.fleet")} layout="fleet" height=${narrow ? 78 : 58} items=${shown} keyOf=${(row) => row.name}
          toneOf=${(row) => inTrouble(row) ? tone(row.health) : lagging(row) ? "warn" : ""}
          heads=${[[t("name")], [t("fleet.state")], [t("topic"), "opt"], [t("fleet.rate"), "right"], [t("fleet.lag"), "right"], [t("fleet.fresh"), "opt right"], [t("fleet.restarts"), "opt right"], [""]]}
          line=${(row) => html`<${Line} row=${row} />`} />
        <p class="soft small" role="status">${tn("fleet.shown", shown.length, { all: count(rows.length) })}</p>`}`;
}

/** What the connectors run in, in a line. */
const HostLine = ({ of }) => of && html`<a href="#/host">linkspan ${of.version}</a> · ${t("host.up")} ${span(hostNow() - of.started_ms)} · ${t("host.disk")} ${bytes(of.log?.disk_bytes)}${of.disk && html` · ${t("host.free")} ${bytes(of.disk.free_bytes)}`}`;

const Line = ({ row }) => html`
  <span role="cell" class="first"><a class="name cut" href=${to(["connectors", row.name])} title=${row.name}>${row.name}</a>
    ${row.error && inTrouble(row) ? html`<span class="why cut" title=${row.error.message}>${row.error.code ? `${row.error.code} · ` : ""}${row.error.message}</span>` : html`<span class="soft small cut">${t(`kind.${row.type}`)} · ${row.class}</span>`}</span>
  <span role="cell" class="c-state"><${Health} of=${row.health} /></span>
  <span role="cell" class="opt c-topic cut soft small">${row.topics?.join(", ")}</span>
  <span role="cell" class="right num c-rate">${rate(row.rate?.records_per_s)}</span>
  <span role="cell" class="right num c-lag">${row.lag ? `${short(row.lag.records)} · ${span(row.lag.seconds === null ? null : row.lag.seconds * 1000)}` : "–"}</span>
  <span role="cell" class="right num opt">${row.freshness_s === null ? "–" : span(row.freshness_s * 1000)}</span>
  <span role="cell" class="right num opt">${count(row.restarts)}</span>
  <span role="cell" class="end"><${NextAct} row=${row} /></span>`;
