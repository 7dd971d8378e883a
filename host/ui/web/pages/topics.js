// Topics: the list, and of one its partitions, settings and records.

import { html, useEffect, useRef, useState } from "../lib/h.js";
import { get, query, seg } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { bytes, count, fromField, toField } from "../lib/format.js";
import { hostNow, useFleet } from "../lib/live.js";
import { to, tune } from "../lib/route.js";
import { useLoad } from "../lib/load.js";
import { denial, may, useWho } from "../lib/role.js";
import { zone } from "../lib/settings.js";
import { Choice, Empty, Facts, Field, Head, Loaded, Table, Tabs, Time, Trouble } from "../parts/basic.js";
import { Act } from "../parts/act.js";
import { Bytes, download, plain } from "../parts/bytes.js";
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

/** Who writes the topic and who reads it. */
function Users({ topic }) {
  const rows = useFleet()?.rows.filter((row) => row.topics?.includes(topic)) ?? [];
  if (rows.length === 0) return null;
  const named = (type) => rows.filter((row) => row.type === type).map((row) => html`<a key=${row.name} class="wrap" href=${to(["connectors", row.name])}>${row.name}</a> `);
  return html`<p class="soft small users">${t("topics.writers")} ${named("source")} → ${t("topics.readers")} ${named("sink")}</p>`;
}

function Topic({ route }) {
  const [, name, tab = "records"] = route.parts;
  const loaded = useLoad((signal) => get(`/api/v1/topics/${seg(name)}`, { signal }), [name], { every: tab === "partitions" ? 5000 : undefined });
  return html`<${Head} title=${name} crumb=${html`<a href="#/topics">${t("nav.topics")}</a>`} />
    <${Tabs} label=${name} current=${tab} tabs=${["records", "partitions", "settings"].map((one) => [one, t(`topics.${one}`), to(["topics", name, one])])} />
    <${Users} topic=${name} /><${Loaded} of=${loaded}>${(topic) => tab === "records" ? html`<${Records} topic=${topic} />` : html`<section class="card flush">${tab === "settings"
      ? html`<${Table} label=${t("topics.settings")} heads=${[t("name"), t("value"), t("topics.meaning")]}>${topic.settings.map((one) => html`<tr key=${one.name}><td class="mono nowrap">${one.name}</td><td class="mono">${one.value}${one.default && html` <span class="tag">${t("topics.default")}</span>`}</td><td class="small">${one.docs}${one.no_effect && html`<br />${one.no_effect}`}</td></tr>`)}<//>`
      : html`<${Table} label=${t("topics.partitions")} heads=${[t("partition"), [t("topics.start")], [t("topics.end")], [t("bytes")], t("topics.oldest"), t("topics.newest")]}>${topic.partitions.map((one) => html`<tr key=${one.partition}><td>${one.partition}</td><td class="num">${count(one.log_start)}</td><td class="num">${count(one.high_watermark)}</td><td class="num">${bytes(one.bytes + one.unflushed_bytes)}</td><td><${Time} at=${one.oldest_ms} /></td><td><${Time} at=${one.newest_ms} /></td></tr>`)}<//>`}</section>`}<//>`;
}

/** Records of one answer of the host, and of the page at most. */
const PAGE = 100;
const RECORDS_MAX = 5000;
/** Bytes of a value in the list, and of one that is opened: enough for any record that a topic takes. */
const SHORT = 2048;
const WHOLE = 1 << 20;
const FOLLOW_EVERY = 1000;
const at = (record) => `${record.partition}:${record.offset}`;

/** Where a page begins, as the host reads it: a time in the chosen zone becomes one of UTC. */
function beginning({ start, offset, time }) {
  if (start === "offset") return offset.trim() || "0";
  if (start !== "time") return start;
  const ms = fromField(time);
  return ms === null ? "earliest" : new Date(ms).toISOString();
}

function Records({ topic }) {
  const narrow = useNarrow(800);
  useWho();
  const path = `/api/v1/topics/${seg(topic.name)}/browse`;
  const [where, set] = useState({ start: "earliest", offset: "0", time: toField(hostNow() - 3_600_000).slice(0, 16), partition: "", key: "", match: "contains" });
  const [found, keep] = useState(null);
  const [busy, work] = useState(false);
  const [live, follow] = useState(false);
  const [error, fail] = useState(null);
  const [open, look] = useState(null);
  const turn = useRef(0);
  const put = (name) => (event) => set({ ...where, [name]: event.currentTarget.value });
  const asked = () => ({ partition: where.partition, limit: PAGE, value_bytes: SHORT, ...(where.key ? { key: where.key, key_match: where.match } : {}) });
  /** One page from there; what was found before stays in front of it. */
  async function read(from, before) {
    const mine = (turn.current += 1);
    work(true);
    fail(null);
    try {
      const page = await get(`${path}${query({ ...asked(), from })}`);
      if (mine === turn.current) keep({ ...page, records: [...before, ...page.records].slice(-RECORDS_MAX), scanned: page.scanned });
    } catch (problem) {
      if (mine === turn.current) {
        fail(problem);
        follow(false);
      }
    }
    if (mine === turn.current) work(false);
  }
  const begin = (event) => {
    event.preventDefault();
    look(null);
    follow(false);
    read(beginning(where), []);
  };
  useEffect(() => { read("earliest", []); }, []);
  useEffect(() => {
    if (!live || busy) return undefined;
    const timer = setTimeout(() => read(found.next, found.records), FOLLOW_EVERY);
    return () => clearTimeout(timer);
  }, [live, busy]);
  /** The list has the beginning of a value; what is opened is read anew, whole. */
  async function show(record) {
    look(record);
    if (!record.truncated) return;
    const page = await get(`${path}${query({ from: record.offset, partition: record.partition, limit: 1, value_bytes: WHOLE })}`).catch(() => null);
    if (page?.records[0]?.offset === record.offset) look(page.records[0]);
  }
  const hidden = may("operator") ? null : denial("operator");
  return html`<form class="filters" onSubmit=${begin}>
      <${Choice} label=${t("records.from")} value=${where.start} onChange=${(start) => set({ ...where, start })} options=${["earliest", "tail", "offset", "time"].map((one) => [one, t(`records.start.${one}`)])} />
      ${where.start === "offset" && html`<${Field} label=${t("offset")} inputmode="numeric" value=${where.offset} onInput=${put("offset")} />`}
      ${where.start === "time" && html`<${Field} label=${`${t("rewind.to")} (${zone.get() === "utc" ? "UTC" : t("zone.local")})`} type="datetime-local" step="1" value=${where.time} onInput=${put("time")} />`}
      ${topic.partitions.length > 1 && html`<${Choice} label=${t("partition")} value=${where.partition} onChange=${(partition) => set({ ...where, partition })} options=${[["", t("all")], ...topic.partitions.map((one) => [String(one.partition), String(one.partition)])]} />`}
      <${Field} label=${t("records.key")} hint=${hidden} disabled=${Boolean(hidden)} value=${where.key} onInput=${put("key")} />
      ${where.key && html`<${Choice} label=${t("records.match")} value=${where.match} onChange=${(match) => set({ ...where, match })} options=${["contains", "exact"].map((one) => [one, t(`records.match.${one}`)])} />`}
      <button class="button main">${t("records.read")}</button>
      ${found && html`<button type="button" class="button" aria-pressed=${live ? "true" : "false"} onClick=${() => follow(!live)}>${live ? t("records.freeze") : t("records.follow")}</button>`}
      ${found?.records.length > 0 && html`<${Act} not=${hidden} onClick=${() => download(`${topic.name}.jsonl`, found.records.map((record) => `${JSON.stringify(record)}\n`), "application/x-ndjson")}>${t("records.download")}<//>`}
    </form>
    ${error && html`<${Trouble} error=${error} />`}
    ${hidden && found?.records.length > 0 && html`<p class="note" role="note">${t("records.hidden-why")} ${hidden}</p>`}
    ${(found?.notes ?? []).map((note) => html`<p class="note warn">${note}</p>`)}
    ${open && html`<${Opened} record=${open} close=${() => look(null)} />`}
    ${found && (found.records.length === 0 ? html`<${Empty} title=${found.end ? t("records.empty") : t("records.none-yet", { n: count(found.scanned) })} />` : html`<${Rows} label=${t("topics.records")} layout="records" height=${narrow ? 48 : 40} foot=${120} items=${found.records} keyOf=${at}
      heads=${[[""], [t("partition"), "opt"], [t("offset"), "right"], [t("time"), "opt"], [t("records.key"), "opt"], [t("value")], [t("records.headers"), "opt right"]]}
      line=${(record) => html`<span role="cell"><button type="button" class="button tiny plain" aria-label=${`${t("records.open")} ${at(record)}`} onClick=${() => show(record)}>⋯</button></span>
        <span role="cell" class="opt num">${record.partition}</span><span role="cell" class="right num">${record.offset}</span><span role="cell" class="opt small"><${Time} at=${record.timestamp} /></span><span role="cell" class="opt mono cut">${plain(record.key)}</span><span role="cell" class="mono cut">${plain(record.value)}</span><span role="cell" class="opt right num">${Array.isArray(record.headers) ? record.headers.length : "–"}</span>`} />`)}
    ${found && html`<div class="row"><${Act} need="viewer" not=${found.end ? t("records.end") : busy ? t("loading") : null} onClick=${() => read(found.next, found.records)}>${t("records.more")}<//>
      <span class="soft small" role="status">${t("records.count", { n: count(found.records.length) })}${found.end ? ` · ${t("records.end")}` : ""}${found.records.length >= RECORDS_MAX ? ` · ${t("records.most")}` : ""}</span></div>`}`;
}

/** One record with its coordinates, every byte, and its headers. */
const Opened = ({ record, close }) => html`<section class="card record-more stack tight"><div class="row between"><h2>${at(record)}</h2><button type="button" class="button tiny" onClick=${close}>${t("close")}</button></div>
  <${Facts} of=${[[t("time"), html`<${Time} at=${record.timestamp} />`], [t("records.key-bytes"), bytes(record.key_bytes)], [t("records.value-bytes"), bytes(record.value_bytes)]]} />
  <${Bytes} of=${record.key} title=${t("records.key")} /><${Bytes} of=${record.value} title=${t("value")} />
  ${record.truncated && html`<p class="soft small">${t("records.cut", { n: bytes(WHOLE) })}</p>`}
  ${record.headers.hidden ? html`<p class="soft">${t("records.hidden")}</p>` : record.headers.length > 0 && html`<h3>${t("records.headers")}</h3><dl class="pairs">${record.headers.map(([name, value], n) => html`<dt class="mono wrap" key=${n}>${name}</dt><dd class="mono">${plain(value)}</dd>`)}</dl>`}</section>`;
