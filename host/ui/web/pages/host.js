// The host itself: version, disk, how long the disk takes to keep a write, memory; and taking over changed files.

import { html } from "../lib/h.js";
import { call, get } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { bytes, count, span } from "../lib/format.js";
import { useLoad } from "../lib/load.js";
import { may } from "../lib/role.js";
import { hostNow, refresh } from "../lib/live.js";
import { Facts, Head, Loaded, Table, Time, Trouble } from "../parts/basic.js";
import { ask } from "../parts/dialog.js";

const us = (n) => n === null || n === undefined ? "–" : n < 1000 ? `${n} µs` : span(n / 1000);
const optional = (path, signal) => get(path, { signal }).catch((error) => {
  if (error.status === 404) return null;
  throw error;
});

async function load(signal) {
  const [stat, host, about, ready] = await Promise.all([get("/api/v1/log/stat", { signal }), optional("/api/v1/host", signal), get("/", { signal }),
    get("/health", { signal }).catch((error) => ({ status: "starting", message: error.message }))]);
  return { stat, host, about, ready };
}

const Syncs = ({ buckets }) => {
  const most = Math.max(1, ...buckets.map((one) => one.count));
  return html`<dl class="bars">${buckets.map((one) => html`<div key=${one.up_to_us}><dt class="num">≤ ${us(one.up_to_us)}</dt><dd><meter min="0" max=${most} value=${one.count}>${one.count}</meter><span class="num">${count(one.count)}</span></dd></div>`)}</dl>`;
};

const list = (names) => names?.length ? names.join(", ") : "–";
/** What would be done, where the host can tell; and the doing. */
function applyFiles() {
  ask({
    title: t("host.apply-title"), text: t("host.apply-text"), confirm: t("apply"), done: t("act.done"),
    preview: async () => {
      const plan = await optional("/api/v1/config/plan");
      if (!plan) return html`<p class="soft">${t("host.no-plan")}</p>`;
      return html`<div class="stack tight">${(plan.diagnostics ?? []).map((one) => html`<${Trouble} error=${one} title=${one.file ? `${one.file}:${one.line}` : undefined} />`)}
        <${Facts} of=${["started", "restarted", "left"].map((word) => [t(`host.${word}`), list(plan[word])])} /></div>`;
    },
    act: async () => {
      await call("POST", "/api/v1/apply");
      await refresh().catch(() => {});
    },
  });
}

export function Host() {
  const loaded = useLoad(load, [], { every: 5000 });
  return html`<${Head} title=${t("nav.host")}>${may("admin") && html`<button type="button" class="button" onClick=${applyFiles}>${t("host.apply")}</button>`}<//>
    <${Loaded} of=${loaded}>${({ stat, host, about, ready }) => html`<div class="stack">
      ${ready.status !== "healthy" && html`<div class="note warn">${ready.message}</div>`}
      ${stat.health !== "ok" && html`<${Trouble} error=${{ message: t("host.log-bad", { health: String(stat.health) }) }} />`}
      <section class="card"><h2>${t("host.program")}</h2><${Facts} of=${[
        [t("plugins.version"), host ? host.version : about.commit?.replace(/^linkspan-/, "")], [t("host.connect"), about.version],
        [t("host.up"), span(hostNow() - (host?.started_ms ?? stat.opened_ms)), true], [t("host.since"), html`<${Time} at=${host?.started_ms ?? stat.opened_ms} />`],
        host?.memory && [t("host.memory"), bytes(host.memory.rss_bytes), true], host?.memory && [t("host.files"), count(host.memory.open_files)],
        host?.listen && [t("host.listen"), host.listen.address], [t("host.dir"), stat.dir],
      ]} /></section>
      <section class="card"><h2>${t("host.log")}</h2><${Facts} of=${[
        [t("fleet.state"), stat.health === "ok" ? t("host.ok") : String(stat.health), true], [t("host.disk"), bytes(stat.disk_bytes), true],
        host?.disk && [t("host.free"), bytes(host.disk.free_bytes), true], [t("nav.topics"), count(stat.topics.length)], [t("host.limit"), stat.log_bytes_max ? bytes(stat.log_bytes_max) : t("host.none")],
        [t("host.commits"), count(stat.commits)], [t("host.in"), bytes(stat.bytes_in)], [t("host.out"), bytes(stat.bytes_out)],
        [t("host.hits"), stat.cache_hit_rate === null || stat.cache_hit_rate === undefined ? "–" : `${Math.round(stat.cache_hit_rate * 100)} %`],
        stat.recovery && [t("host.recovery"), us(stat.recovery.took_us)],
      ]} /></section>
      ${stat.syncs && html`<section class="card"><h2>${t("host.sync")}</h2><${Facts} of=${[[t("host.median"), us(stat.syncs.latency.p50_us), true], ["99 %", us(stat.syncs.latency.p99_us), true], [t("host.most"), us(stat.syncs.latency.max_us), true], [t("host.writes"), count(stat.syncs.latency.count)]]} />
        <${Syncs} buckets=${stat.syncs.latency.buckets} /></section>`}
      ${stat.topics.length > 0 && html`<section class="card flush"><${Table} label=${t("nav.topics")} heads=${[t("topic"), [t("topics.partitions")], [t("bytes")]]}>${[...stat.topics]
        .map((topic) => ({ ...topic, bytes: topic.partitions.reduce((sum, one) => sum + one.bytes + one.unflushed_bytes, 0) })).sort((a, b) => b.bytes - a.bytes).slice(0, 12)
        .map((topic) => html`<tr key=${topic.name}><td class="wrap">${topic.name}</td><td class="num">${topic.partitions.length}</td><td class="num">${bytes(topic.bytes)}</td></tr>`)}<//></section>`}
      <p class="soft small">${t("host.doctor")} <code>linkspan doctor</code></p>
    </div>`}<//>`;
}
