// Topics: the list, and of one its partitions, settings and records.

import { html, useState } from "../lib/h.js";
import { get, lines, query, seg } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { bytes, count } from "../lib/format.js";
import { to, tune } from "../lib/route.js";
import { useLoad } from "../lib/load.js";
import { Empty, Field, Head, Loaded, Table, Tabs, Time, Trouble } from "../parts/basic.js";
import { Bytes, plain } from "../parts/bytes.js";
import { Rows, useNarrow } from "../parts/rows.js";

export const Topics = ({ route }) => route.parts[1] ? html`<${Topic} route=${route} key=${route.parts[1]} />` : html`<${List} route=${route} />`;

function List({ route }) {
  const loaded = useLoad((signal) => get("/api/v1/topics", { signal }), [], { every: 5000 });
  const q = (route.query.q ?? "").toLowerCase();
  return html`<${Head} title=${t("nav.topics")} /><${Loaded} of=${loaded}>${(topics) => topics.length === 0
    ? html`<${Empty} title=${t("topics.empty")} text=${t("topics.empty-text")}><a class="button main" href="#/fleet">${t("nav.fleet")}</a><//>`
    : html`<div class="filters"><${Field} wide type="search" label=${t("search")} value=${route.query.q ?? ""} onInput=${(event) => tune({ q: event.currentTarget.value })} /></div>
      <${Rows} label=${t("nav.topics")} layout="topics" height=${44} keyOf=${(topic) => topic.name} items=${topics.filter((topic) => topic.name.toLowerCase().includes(q))}
        heads=${[[t("name")], [t("topics.partitions"), "right"], [t("records"), "right"], [t("bytes"), "opt right"], [t("topics.settings"), "opt"]]}
        line=${(topic) => html`<span role="cell" class="cut"><a href=${to(["topics", topic.name])}>${topic.name}</a></span><span role="cell" class="right num">${count(topic.partitions)}</span><span role="cell" class="right num">${count(topic.records)}</span>
          <span role="cell" class="right num opt">${bytes(topic.bytes)}</span><span role="cell" class="cut soft small opt">${Object.entries(topic.settings).map(([name, value]) => `${name}=${value}`).join(" ")}</span>`} />`}<//>`;
}

function Topic({ route }) {
  const [, name, tab = "records"] = route.parts;
  const loaded = useLoad((signal) => get(`/api/v1/topics/${seg(name)}`, { signal }), [name]);
  return html`<${Head} title=${name} crumb=${html`<a href="#/topics">${t("nav.topics")}</a>`} />
    <${Tabs} label=${name} current=${tab} tabs=${["records", "partitions", "settings"].map((one) => [one, t(`topics.${one}`), to(["topics", name, one])])} />
    <${Loaded} of=${loaded}>${(topic) => tab === "records" ? html`<${Records} topic=${topic} />` : html`<section class="card flush">${tab === "settings"
      ? html`<${Table} label=${t("topics.settings")} heads=${[t("name"), t("value"), t("topics.meaning")]}>${topic.settings.map((one) => html`<tr key=${one.name}><td class="mono nowrap">${one.name}</td><td class="mono">${one.value}${one.default && html` <span class="tag">${t("topics.default")}</span>`}</td><td class="small">${one.docs}${one.no_effect && html`<br />${one.no_effect}`}</td></tr>`)}<//>`
      : html`<${Table} label=${t("topics.partitions")} heads=${[t("partition"), [t("topics.start")], [t("topics.end")], [t("bytes")]]}>${topic.partitions.map((one) => html`<tr key=${one.partition}><td>${one.partition}</td><td class="num">${count(one.log_start)}</td><td class="num">${count(one.high_watermark)}</td><td class="num">${bytes(one.bytes + one.unflushed_bytes)}</td></tr>`)}<//>`}</section>`}<//>`;
}

/** Records that a page holds at most. */
const RECORDS_MAX = 500;
function Records({ topic }) {
  const narrow = useNarrow(800);
  const [from, start] = useState("earliest");
  const [key, want] = useState("");
  const [found, set] = useState(null);
  const [error, fail] = useState(null);
  const [open, look] = useState(null);
  async function read(event) {
    event?.preventDefault();
    const stop = new AbortController();
    const records = [];
    fail(null);
    look(null);
    try {
      await lines(`/api/v1/topics/${seg(topic.name)}/records${query({ from, exit: true })}`, (record) => {
        if (record.error) throw new Error(record.error);
        if (record.note || (key && !plain(record.key).includes(key))) return;
        records.push(record);
        if (records.length >= RECORDS_MAX) stop.abort();
      }, { signal: stop.signal });
    } catch (problem) {
      if (problem.name !== "AbortError") fail(problem);
    }
    set(records);
  }
  function download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(found.map((record) => `${JSON.stringify(record)}\n`), { type: "application/x-ndjson" }));
    link.download = `${topic.name}.jsonl`;
    link.click();
    URL.revokeObjectURL(link.href);
  }
  return html`<form class="filters" onSubmit=${read}>
      <${Field} label=${t("records.from")} hint=${t("records.from-hint")} value=${from} onInput=${(event) => start(event.currentTarget.value)} />
      <${Field} label=${t("records.key")} value=${key} onInput=${(event) => want(event.currentTarget.value)} />
      <button class="button main">${t("records.read")}</button>
      ${found?.length > 0 && html`<button type="button" class="button" onClick=${download}>${t("records.download")}</button>`}
    </form>
    ${error && html`<${Trouble} error=${error} />`}
    ${open && html`<div class="card record-more stack tight"><div class="row between"><h2>${open.partition}:${open.offset}</h2><button type="button" class="button tiny" onClick=${() => look(null)}>${t("close")}</button></div>
      <p><${Time} at=${open.timestamp} /></p><${Bytes} of=${open.key} title=${t("records.key")} /><${Bytes} of=${open.value} title=${t("value")} />
      ${open.headers.length > 0 && html`<h3>${t("records.headers")}</h3><dl class="pairs">${open.headers.map(([name, value]) => html`<dt class="mono">${name}</dt><dd class="mono">${plain(value)}</dd>`)}</dl>`}</div>`}
    ${found && (found.length === 0 ? html`<${Empty} title=${t("records.empty")} />` : html`<${Rows} label=${t("topics.records")} layout="records" height=${narrow ? 48 : 40} items=${found} keyOf=${(record) => `${record.partition}:${record.offset}`}
      heads=${[[""], [t("partition"), "opt"], [t("offset"), "right"], [t("time"), "opt"], [t("records.key"), "opt"], [t("value")]]}
      line=${(record) => html`<span role="cell"><button type="button" class="button tiny plain" aria-label=${`${t("records.open")} ${record.partition}:${record.offset}`} onClick=${() => look(record)}>⋯</button></span>
        <span role="cell" class="opt num">${record.partition}</span><span role="cell" class="right num">${record.offset}</span><span role="cell" class="opt small"><${Time} at=${record.timestamp} /></span><span role="cell" class="opt mono cut">${plain(record.key)}</span><span role="cell" class="mono cut">${plain(record.value)}</span>`} />`)}`;
}
