// Runs of bounded jobs: what works now, what ran, and of each run whether it adds up: its connectors, files, counts and control totals.

import { html } from "../lib/h.js";
import { call, get, seg } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { bytes, count, span } from "../lib/format.js";
import { to } from "../lib/route.js";
import { useLoad } from "../lib/load.js";
import { Empty, Facts, Head, Loaded, Table, Time, Trouble } from "../parts/basic.js";
import { Act } from "../parts/act.js";
import { ask } from "../parts/dialog.js";

export const Runs = ({ route }) => route.parts[1] ? html`<${Run} id=${route.parts[1]} key=${route.parts[1]} />` : html`<${List} />`;

const TONES = { succeeded: "good", completed: "good", ok: "good", running: "info", partial: "warn", failed: "bad", lost: "bad" };
const Status = ({ of }) => {
  const word = of?.toLowerCase();
  return html`<span class=${`badge ${TONES[word] ?? "still"}`}>${word ? t(`run.${word}`) : "–"}</span>`;
};

/** Sums of a run: read, written, and what became of the rest. */
function sums(connectors) {
  const of = (type, name) => connectors.filter((one) => !type || one.type === type).reduce((sum, one) => sum + (one[name] ?? 0), 0);
  return { read: of("source", "records"), written: of("sink", "records"), filtered: of(null, "filtered"), dlq: of(null, "dlq"), skipped: of(null, "skipped"), sinks: connectors.filter((one) => one.type === "sink").length };
}

const cancel = (job, reload) => ask({
  title: t("runs.cancel-title", { name: job.job }), text: t("runs.cancel-text"), confirm: t("runs.cancel"), danger: true, done: t("act.done"),
  act: async () => {
    await call("DELETE", `/api/v1/jobs/${seg(job.run_id)}`);
    reload();
  },
});

function Jobs() {
  const jobs = useLoad((signal) => get("/api/v1/jobs", { signal }), [], { every: 5000 });
  return html`<${Loaded} of=${jobs}>${(all) => all.length === 0 ? html`<${Empty} title=${t("runs.no-jobs")} text=${t("runs.no-jobs-text")} command="linkspan jobs" />` : html`<section class="card flush">
    <${Table} label=${t("runs.jobs")} heads=${[t("runs.job"), t("fleet.state"), t("runs.schedule"), t("runs.next"), t("runs.last"), t("runs.connectors"), ""]}>${all.map((job) => html`<tr key=${job.run_id ?? job.job}><td class="wrap">${job.job}</td><td><${Status} of=${job.state} /></td>
      <td class="mono">${job.schedule ?? "–"} ${job.timezone ? html`<span class="soft">${job.timezone}</span>` : ""}</td><td><${Time} at=${job.next ?? job.next_ms} /></td><td>${job.last ? html`<${Status} of=${job.last.status} />` : "–"}</td>
      <td class="wrap small">${(job.connectors ?? []).join(", ")}</td><td>${job.run_id && html`<${Act} look="button tiny danger" label=${`${t("runs.cancel")}: ${job.job}`} onClick=${() => cancel(job, jobs.reload)}>${t("runs.cancel")}<//>`}</td></tr>`)}<//></section>`}<//>`;
}

function List() {
  const runs = useLoad((signal) => get("/api/v1/runs?limit=200", { signal }), [], { every: 10000 });
  return html`<${Head} title=${t("nav.runs")} /><div class="stack"><${Jobs} />
    <${Loaded} of=${runs}>${(all) => all.length === 0 ? html`<${Empty} title=${t("runs.empty")} text=${t("runs.empty-text")} command="linkspan run --once configs/quickstart.yaml" />` : html`<section class="card flush">
      <${Table} label=${t("runs.list")} heads=${[t("runs.run"), t("fleet.state"), t("runs.job"), t("runs.trigger"), t("runs.started"), [t("runs.took")], [t("runs.read")], [t("runs.written")], [t("runs.letters")]]}>${all.map((run) => {
        const sum = sums(run.connectors ?? []);
        return html`<tr key=${run.run_id}><td class="mono"><a class="nowrap" href=${to(["runs", run.run_id])} title=${run.run_id}>${run.run_id.slice(0, 13)}…</a></td><td><${Status} of=${run.status} /></td>
        <td class="wrap">${run.job ?? "–"}</td><td>${run.trigger ?? "–"}</td><td><${Time} at=${run.started} /></td><td class="num">${span(run.duration_ms)}</td>
        <td class="num">${count(sum.read)}</td><td class="num">${count(sum.written)}</td><td class="num">${count(sum.dlq)}</td></tr>`;
      })}<//></section>`}<//>
  </div>`;
}

/** Whether every record that was read is somewhere: the sum that an auditor asks for. */
function Sum({ of }) {
  const { read, written, filtered, dlq, skipped, sinks } = sums(of);
  if (sinks !== 1) return null;
  const even = read === written + filtered + dlq + skipped;
  return html`<p class=${even ? "note good num" : "note warn num"}>${t(even ? "runs.even" : "runs.uneven", { read: count(read), written: count(written), filtered: count(filtered), dlq: count(dlq), skipped: count(skipped) })}</p>`;
}

const problem = (error) => typeof error === "string" ? { message: error } : error;

function Run({ id }) {
  const loaded = useLoad((signal) => get(`/api/v1/runs/${seg(id)}`, { signal }), [id]);
  return html`<${Head} title=${id} crumb=${html`<a href="#/runs">${t("nav.runs")}</a>`} /><${Loaded} of=${loaded}>${(run) => html`<div class="stack">
    ${run.error && html`<${Trouble} error=${problem(run.error)} title=${t("connector.why")} />`}
    <${Sum} of=${run.connectors ?? []} />
    <section class="card"><${Facts} of=${[[t("fleet.state"), html`<${Status} of=${run.status} />`], [t("runs.exit"), run.exit_code ?? "–"], [t("runs.started"), html`<${Time} at=${run.started} />`], [t("runs.ended"), html`<${Time} at=${run.ended} />`], [t("runs.took"), span(run.duration_ms)],
      [t("runs.job"), run.job ?? "–"], [t("runs.trigger"), run.trigger ?? "–"], run.due && [t("runs.due"), html`<${Time} at=${run.due} />`], run.rerun_of && [t("runs.rerun"), html`<a class="mono" href=${to(["runs", run.rerun_of])}>${run.rerun_of.slice(0, 13)}…</a>`],
      ...Object.entries(run.params ?? {}).map(([name, value]) => [html`<span class="mono">${name}</span>`, String(value)])]} />
      ${run.config_sha256 && html`<p class="soft small wrap owner">${t("runs.config")}: <span class="mono">${run.config_sha256}</span></p>`}</section>
    ${(run.warnings ?? []).map((one, n) => html`<div key=${n} class="note warn wrap"><b class="mono">${one.code}</b> ${one.message}</div>`)}
    ${(run.connectors ?? []).map((one) => html`<${Part} key=${one.name} of=${one} />`)}
  </div>`}<//>`;
}

const Part = ({ of: one }) => html`<section class="card"><div class="card-head"><h2>${one.name}</h2><${Status} of=${one.state} /></div>
  ${one.error && html`<${Trouble} error=${problem(one.error)} />`}
  <${Facts} of=${[[t(one.type === "sink" ? "runs.written" : "runs.read"), count(one.records), true], [t("bytes"), bytes(one.bytes)], [t("connector.filtered"), count(one.filtered)], [t("runs.letters"), count(one.dlq)], one.skipped > 0 && [t("runs.skipped"), count(one.skipped)]]} />
  ${one.files?.length > 0 && html`<${Table} label=${`${t("runs.files")}: ${one.name}`} heads=${[t("runs.file"), [t("records")], [t("runs.rejected")], [t("bytes")], t("runs.totals"), "SHA-256"]}>${one.files.map((file) => html`<tr key=${file.path}><td class="mono wrap">${file.path}</td><td class="num">${count(file.records)}</td><td class="num">${count(file.rejected ?? 0)}</td><td class="num" title=${count(file.bytes)}>${bytes(file.bytes)}</td>
    <td class="mono small">${Object.entries(file.sums ?? {}).map(([name, sum]) => html`<div key=${name}>${name} = ${sum}</div>`)}${file.sums ? "" : "–"}</td><td class="mono small" title=${file.sha256}>${file.sha256 ? `${file.sha256.slice(0, 12)}…` : "–"}</td></tr>`)}<//>`}</section>`;
