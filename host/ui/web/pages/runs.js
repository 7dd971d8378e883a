// Runs of bounded jobs: what works now, what ran, what each connector of a run moved.

import { html } from "../lib/h.js";
import { call, get, seg } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { bytes, count, span } from "../lib/format.js";
import { to } from "../lib/route.js";
import { useLoad } from "../lib/load.js";
import { Empty, Facts, Head, Loaded, Offered, Table, Time, Trouble } from "../parts/basic.js";
import { ask } from "../parts/dialog.js";

export const Runs = ({ route }) => route.parts[1] ? html`<${Run} id=${route.parts[1]} key=${route.parts[1]} />` : html`<${List} />`;

const TONES = { succeeded: "good", completed: "good", ok: "good", running: "info", failed: "bad", cancelled: "still" };
const Status = ({ of }) => html`<span class=${`badge ${TONES[of] ?? "still"}`}>${of ?? "–"}</span>`;

const cancel = (job, reload) => ask({
  title: t("runs.cancel-title", { name: job.job }), text: t("runs.cancel-text"), confirm: t("runs.cancel"), danger: true, done: t("act.done"),
  act: async () => {
    await call("DELETE", `/api/v1/jobs/${seg(job.id ?? job.job)}`);
    reload();
  },
});

function List() {
  const jobs = useLoad((signal) => get("/api/v1/jobs", { signal }), [], { every: 5000 });
  const runs = useLoad((signal) => get("/api/v1/runs?limit=200", { signal }), [], { every: 10000 });
  return html`<${Head} title=${t("nav.runs")} /><div class="stack">
    <${Loaded} of=${jobs}>${(all) => all.length === 0 ? html`<${Empty} title=${t("runs.no-jobs")} text=${t("runs.no-jobs-text")} command="linkspan jobs" />` : html`<section class="card flush">
      <${Table} label=${t("runs.jobs")} heads=${[t("runs.job"), t("fleet.state"), t("runs.schedule"), t("runs.next"), t("runs.last"), t("runs.connectors"), ""]}>${all.map((job) => html`<tr key=${job.id ?? job.job}><td class="wrap">${job.job}</td><td><${Status} of=${job.state} /></td>
        <td class="mono">${job.schedule ?? "–"} ${job.timezone ? html`<span class="soft">${job.timezone}</span>` : ""}</td><td><${Time} at=${job.next} /></td><td>${job.last ? html`<${Status} of=${job.last.status} />` : "–"}</td>
        <td class="wrap small">${(job.connectors ?? []).join(", ")}</td><td>${job.state === "running" && html`<button type="button" class="button tiny danger" onClick=${() => cancel(job, jobs.reload)}>${t("runs.cancel")}</button>`}</td></tr>`)}<//></section>`}<//>
    <${Offered} of=${runs} what=${t("runs.list")} command="linkspan runs list">${(all) => all.length === 0 ? html`<${Empty} title=${t("runs.empty")} text=${t("runs.empty-text")} command="linkspan run --once configs/quickstart.yaml" />` : html`<section class="card flush">
      <${Table} label=${t("runs.list")} heads=${[t("runs.run"), t("fleet.state"), t("runs.job"), t("runs.trigger"), t("runs.started"), [t("runs.took")], [t("records")], [t("runs.letters")]]}>${all.map((run) => html`<tr key=${run.run_id}><td class="mono"><a href=${to(["runs", run.run_id])}>${run.run_id}</a></td><td><${Status} of=${run.status} /></td>
        <td class="wrap">${run.job ?? "–"}</td><td>${run.trigger ?? "–"}</td><td><${Time} at=${run.started} /></td><td class="num">${span(run.duration_ms)}</td>
        <td class="num">${count((run.connectors ?? []).reduce((sum, one) => sum + (one.type === "source" ? one.records : 0), 0))}</td><td class="num">${count((run.connectors ?? []).reduce((sum, one) => sum + (one.dlq ?? 0), 0))}</td></tr>`)}<//></section>`}<//>
  </div>`;
}

function Run({ id }) {
  const loaded = useLoad((signal) => get(`/api/v1/runs/${seg(id)}`, { signal }), [id]);
  return html`<${Head} title=${id} crumb=${html`<a href="#/runs">${t("nav.runs")}</a>`} /><${Offered} of=${loaded} what=${t("runs.list")} command=${`linkspan runs show ${id}`}>${(run) => html`<div class="stack">
    <section class="card"><${Facts} of=${[[t("fleet.state"), html`<${Status} of=${run.status} />`], [t("runs.started"), html`<${Time} at=${run.started} />`], [t("runs.ended"), html`<${Time} at=${run.ended} />`], [t("runs.took"), span(run.duration_ms)], [t("runs.trigger"), run.trigger ?? "–"]]} /></section>
    ${(run.connectors ?? []).map((one) => html`<section class="card" key=${one.name}><div class="card-head"><h2>${one.name}</h2><${Status} of=${one.state?.toLowerCase()} /></div>
      ${one.error && html`<${Trouble} error=${typeof one.error === "string" ? { message: one.error } : one.error} />`}
      <${Facts} of=${[[t("records"), count(one.records), true], [t("bytes"), bytes(one.bytes)], [t("connector.filtered"), count(one.filtered)], [t("runs.letters"), count(one.dlq)]]} />
      ${one.files?.length > 0 && html`<pre class="block" tabindex="0">${one.files.map((file) => typeof file === "string" ? file : JSON.stringify(file)).join("\n")}</pre>`}
      ${one.totals && html`<pre class="block" tabindex="0">${JSON.stringify(one.totals, null, 2)}</pre>`}</section>`)}
  </div>`}<//>`;
}
