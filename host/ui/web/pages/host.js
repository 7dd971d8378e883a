// The host itself: version, disk, how long the disk takes to keep a write, memory; and taking over changed files.

import { html, useState } from "../lib/h.js";
import { call, get } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { bytes, count, span } from "../lib/format.js";
import { useLoad } from "../lib/load.js";
import { hostNow, refresh } from "../lib/live.js";
import { Facts, Head, Loaded, Table, Time, Trouble } from "../parts/basic.js";
import { Act } from "../parts/act.js";
import { download } from "../parts/bytes.js";
import { ask, perform } from "../parts/dialog.js";

const us = (n) => n === null || n === undefined ? "–" : n < 1000 ? `${n} µs` : span(n / 1000);

async function load(signal) {
  const [stat, host, about] = await Promise.all([get("/api/v1/log/stat", { signal }), get("/api/v1/host", { signal }), get("/", { signal })]);
  return { stat, host, about };
}

const Syncs = ({ buckets }) => {
  const most = Math.max(1, ...buckets.map((one) => one.count));
  return html`<dl class="bars">${buckets.map((one) => html`<div key=${one.up_to_us}><dt class="num">≤ ${us(one.up_to_us)}</dt><dd><meter min="0" max=${most} value=${one.count}>${one.count}</meter><span class="num">${count(one.count)}</span></dd></div>`)}</dl>`;
};

const list = (names) => names?.length ? names.join(", ") : "–";
/** What would be done, and the doing. A file that is wrong changes nothing and says where. */
function applyFiles() {
  ask({
    title: t("host.apply-title"), text: t("host.apply-text"), confirm: t("apply"), done: t("act.done"),
    preview: async () => {
      const plan = await get("/api/v1/config/plan");
      return html`<div class="stack tight">${plan.diagnostics.map((one) => html`<${Trouble} error=${{ ...one, help: one.hint ?? one.help }} title=${one.file ? `${one.file}:${one.line}` : undefined} />`)}
        <${Facts} of=${[...["started", "restarted", "left"].map((word) => [t(`host.${word}`), list(plan[word])]), [t("host.unchanged"), count(plan.unchanged)]]} /></div>`;
    },
    act: async () => {
      await call("POST", "/api/v1/apply");
      await refresh().catch(() => {});
    },
  });
}

async function exportYaml() {
  await perform(async () => download("connectors.yaml", (await get("/api/v1/config/export")).yaml, "application/yaml"));
}

const VERDICTS = { ok: "good", warn: "warn", fail: "bad" };

/** Whether everything around the host is as it should be; asked for, because it writes to the disk to time it. */
function Doctor() {
  const [found, set] = useState(null);
  const [error, fail] = useState(null);
  const [busy, work] = useState(false);
  const go = async () => {
    work(true);
    await get("/api/v1/doctor").then((told) => { set(told.findings); fail(null); }, fail);
    work(false);
  };
  return html`<section class="card"><div class="card-head"><h2>${t("host.doctor-head")}</h2><${Act} look="button tiny" not=${busy ? t("loading") : null} onClick=${go}>${t("host.doctor-go")}<//></div>
    ${error && html`<${Trouble} error=${error} />`}
    ${found === null ? html`<p class="soft small">${t("host.doctor")} <code>linkspan doctor</code></p>` : html`<div role="status"><ul class="findings">${found.map((one) => html`<li key=${one.check}><span class=${`badge ${VERDICTS[one.status]}`}>${t(`doctor.${one.status}`)}</span><b>${one.check}</b><span class="wrap">${one.found}${one.remedy && html`<br /><span class="soft">${t("error.fix")} ${one.remedy}</span>`}</span></li>`)}</ul></div>`}</section>`;
}

export function Host() {
  const loaded = useLoad(load, [], { every: 5000 });
  return html`<${Head} title=${t("nav.host")}><${Act} need="admin" onClick=${applyFiles}>${t("host.apply")}<//><${Act} onClick=${exportYaml} need="viewer">${t("host.export")}<//><//>
    <${Loaded} of=${loaded}>${({ stat, host, about }) => html`<div class="stack">
      ${host.ready === false && html`<div class="note warn">${host.starting}</div>`}
      ${stat.health !== "ok" && html`<${Trouble} error=${{ message: t("host.log-bad", { health: String(stat.health) }) }} />`}
      <section class="card"><h2>${t("host.program")}</h2><${Facts} of=${[
        [t("plugins.version"), `${host.version}${host.commit ? ` (${host.commit.slice(0, 12)})` : ""}`, true], [t("host.up"), span(hostNow() - host.started_ms), true], [t("host.memory"), bytes(host.memory.rss_bytes), true],
        [t("host.since"), html`<${Time} at=${host.started_ms} />`], [t("host.threads"), count(host.memory.threads)], [t("host.files"), count(host.memory.open_files)], [t("host.pid"), host.pid],
        [t("host.listen"), host.listen.address ?? "–"], [t("host.security"), `${host.listen.tls ? "TLS" : t("host.no-tls")} · ${host.listen.auth ? t("host.auth") : t("host.no-auth")}`],
        [t("host.connect"), about.version], [t("host.cluster"), html`<span class="mono">${about.kafka_cluster_id}</span>`],
      ]} /><p class="soft small wrap owner">${t("host.dir")}: <span class="mono">${stat.dir}</span></p></section>
      <${Doctor} />
      <section class="card"><h2>${t("host.log")}</h2><${Facts} of=${[
        [t("fleet.state"), stat.health === "ok" ? t("host.ok") : String(stat.health), true], [t("host.disk"), bytes(stat.disk_bytes), true],
        host.disk && [t("host.free"), `${bytes(host.disk.free_bytes)} / ${bytes(host.disk.total_bytes)}`, true], [t("nav.topics"), count(stat.topics.length)], [t("host.limit"), stat.log_bytes_max ? bytes(stat.log_bytes_max) : t("host.none")],
        [t("host.commits"), count(stat.commits)], [t("host.in"), bytes(stat.bytes_in)], [t("host.out"), bytes(stat.bytes_out)],
        [t("host.hits"), stat.cache_hit_rate === null || stat.cache_hit_rate === undefined ? "–" : `${Math.round(stat.cache_hit_rate * 100)} %`],
        stat.recovery && [t("host.recovery"), us(stat.recovery.took_us)],
      ]} /></section>
      ${stat.syncs && html`<section class="card"><h2>${t("host.sync")}</h2><${Facts} of=${[[t("host.median"), us(stat.syncs.latency.p50_us), true], ["99 %", us(stat.syncs.latency.p99_us), true], [t("host.most"), us(stat.syncs.latency.max_us), true], [t("host.writes"), count(stat.syncs.latency.count)]]} />
        <${Syncs} buckets=${stat.syncs.latency.buckets} /></section>`}
      ${stat.topics.length > 0 && html`<section class="card flush"><${Table} label=${t("nav.topics")} heads=${[t("topic"), [t("topics.partitions")], [t("bytes")]]}>${[...stat.topics]
        .map((topic) => ({ ...topic, bytes: topic.partitions.reduce((sum, one) => sum + one.bytes + one.unflushed_bytes, 0) })).sort((a, b) => b.bytes - a.bytes).slice(0, 12)
        .map((topic) => html`<tr key=${topic.name}><td class="wrap">${topic.name}</td><td class="num">${topic.partitions.length}</td><td class="num">${bytes(topic.bytes)}</td></tr>`)}<//></section>`}
    </div>`}<//>`;
}
