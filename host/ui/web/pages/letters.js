// Dead letters: topics that hold them; of one the failures in groups, each record with its origin and bytes, and ways to mend them.

import { html, useMemo, useState } from "../lib/h.js";
import { call, get, send, seg } from "../lib/api.js";
import { t, tn } from "../lib/i18n.js";
import { count } from "../lib/format.js";
import { to } from "../lib/route.js";
import { useLoad } from "../lib/load.js";
import { may, useWho } from "../lib/role.js";
import { Empty, Facts, Field, Head, Loaded, Table, Time, Trouble } from "../parts/basic.js";
import { Act } from "../parts/act.js";
import { Bytes, plain } from "../parts/bytes.js";
import { ask } from "../parts/dialog.js";
import { Fix, optionsOf } from "../parts/steps.js";
import { Rows, useNarrow } from "../parts/rows.js";

/** Letters that a page holds at most. */
const LETTERS_MAX = 1000;

export const Letters = ({ route }) => route.parts[1] ? html`<${Topic} name=${route.parts[1]} key=${route.parts[1]} />` : html`<${List} />`;

function List() {
  const loaded = useLoad((signal) => get("/api/v1/dlq", { signal }), [], { every: 5000 });
  return html`<${Head} title=${t("nav.letters")} /><${Loaded} of=${loaded}>${(topics) => topics.length === 0
    ? html`<${Empty} title=${t("letters.empty")} text=${t("letters.empty-text")} command=${"errors: { tolerance: all, deadletterqueue.topic.name: letters }"} />`
    : html`<section class="card flush"><${Table} label=${t("nav.letters")} heads=${[t("topic"), [t("nav.letters")]]}>
        ${topics.map((one) => html`<tr key=${one.topic}><td><a class="wrap" href=${to(["letters", one.topic])}>${one.topic}</a></td><td class="num">${count(one.letters)}</td></tr>`)}<//></section>`}<//>`;
}

const place = (letter) => `${letter.partition}:${letter.offset}`;

/** Letters by what went wrong, most first. */
function groups(letters) {
  const found = new Map();
  for (const letter of letters) {
    const key = JSON.stringify([letter.code, letter.connector, letter.stage, letter.class]);
    const group = found.get(key) ?? { ...letter, key, letters: [] };
    group.letters.push(letter);
    found.set(key, group);
  }
  return [...found.values()].sort((a, b) => b.letters.length - a.letters.length);
}

const headersOf = (record) => record.headers.map(([name, value]) => `${name}: ${plain(value)}`).join(", ");

/** A record as it was and as it would be written; of key and headers what changes. */
function Sample({ of }) {
  const { before, after } = of;
  const part = (one, word, text) => text(one) === text(before) ? null : html`<div class="del">- ${word} ${text(before)}</div><div class="add">+ ${word} ${text(one)}</div>`;
  return html`<div><h3>${place(of)}</h3><div class="diff"><div class="del">- ${plain(before.value)}</div>
    ${after.length === 0 ? html`<div class="same">${t("connector.filtered")}</div>` : after.map((one, n) => html`<div class="add" key=${n}>+ ${plain(one.value)}</div>${part(one, t("records.key"), (record) => plain(record.key))}${part(one, t("records.headers"), headersOf)}`)}</div></div>`;
}

/** What the host says a replay would write where. */
const Targets = ({ of }) => html`<div class="stack tight">${of.replayed.length === 0 ? html`<p class="soft">${t("letters.nothing")}</p>` : html`<${Table} label=${t("letters.targets")} heads=${[t("topic"), [t("records")]]}>${of.replayed.map((one) => html`<tr key=${one.topic}><td>${one.topic}</td><td class="num">${count(one.records)}</td></tr>`)}<//>`}
  ${of.before > 0 && html`<p class="note">${tn("letters.before", of.before)}</p>`}
  ${of.unknown > 0 && html`<p class="note warn">${tn("letters.unknown", of.unknown)}</p>`}
  ${of.filtered > 0 && html`<p class="note warn">${tn("letters.filtered", of.filtered)}</p>`}
  ${(of.samples ?? []).map((one) => html`<${Sample} key=${place(one)} of=${one} />`)}
  <p class="soft small">${t("letters.once")}</p></div>`;

/** Replays: as the records were, or through steps that mend them. The host works out what that would write before it is done. */
function Replay({ name, which, n, fix, reload }) {
  const [target, set] = useState("");
  const body = { ...which, ...(target.trim() ? { to: target.trim() } : {}), ...(fix ? { transforms: fix } : {}) };
  const send = (preview) => call("POST", `/api/v1/dlq/${seg(name)}/replay`, { ...body, preview });
  const go = () => ask({
    title: tn("letters.replay-title", n), confirm: t("letters.replay"), danger: true, done: t("act.done"),
    effects: [fix ? t("letters.fix-effect") : t("letters.replay-effect"), t("letters.stay")],
    preview: async () => html`<${Targets} of=${await send(true)} />`,
    act: async () => {
      await send(false);
      reload();
    },
  });
  return html`<div class="filters"><${Field} label=${t("letters.to")} hint=${t("letters.to-hint")} value=${target} onInput=${(event) => set(event.currentTarget.value)} />
    <${Act} look="button main" onClick=${go}>${tn(fix ? "letters.fix-n" : "letters.replay-n", n)}<//></div>`;
}

/** One record by hand: what it was, what it becomes, and where that goes. */
function Mend({ letter }) {
  const [value, edit] = useState(typeof letter.value === "string" ? letter.value : "");
  const [topic, set] = useState(letter.topic ?? "");
  const go = () => ask({
    title: t("letters.mend-title", { topic }), confirm: t("letters.send"), danger: true, done: t("act.done"), effects: [t("letters.mend-effect", { topic }), t("letters.stay")],
    body: html`<div class="diff"><div class="del">- ${plain(letter.value)}</div><div class="add">+ ${value}</div></div>`,
    act: () => send("POST", `/api/v1/topics/${seg(topic)}/records`, `${JSON.stringify({ key: letter.key, value, timestamp: letter.timestamp, headers: letter.headers })}\n`, { type: "application/x-ndjson" }),
  });
  return html`<div class="stack tight"><h3>${t("letters.mend")}</h3><textarea class="mono" rows="4" aria-label=${t("letters.mend")} value=${value} onInput=${(event) => edit(event.currentTarget.value)} />
    <div class="filters"><${Field} label=${t("topic")} value=${topic} onInput=${(event) => set(event.currentTarget.value)} /><button type="button" class="button" disabled=${!topic.trim() || value === letter.value} onClick=${go}>${t("offsets.preview")}</button></div></div>`;
}

/** One record through the steps, by the host, without writing anything. */
function Try({ name, letter, fix }) {
  const [told, set] = useState(null);
  const [error, fail] = useState(null);
  const go = () => call("POST", `/api/v1/dlq/${seg(name)}/replay`, { offsets: [place(letter)], to: letter.topic ? undefined : name, transforms: fix, preview: true })
    .then((answer) => { set(answer); fail(null); }, (problem) => { set(null); fail(problem); });
  return html`<div class="stack tight"><div><${Act} not=${fix ? null : t("letters.no-steps")} onClick=${go}>${t("letters.try")}<//></div>
    ${error && html`<${Trouble} error=${error} />`}
    ${told && (told.samples?.length > 0 ? told.samples.map((one) => html`<${Sample} key=${place(one)} of=${one} />`) : html`<p class="soft">${tn("letters.before", told.before)}</p>`)}</div>`;
}

const Letter = ({ name, letter, fix, close }) => html`
  <section class="card record-more stack tight"><div class="row between"><h2>${place(letter)}</h2><button type="button" class="button tiny" onClick=${close}>${t("close")}</button></div>
    <${Trouble} error=${letter} />
    <${Facts} of=${[[t("letters.from"), letter.from], [t("letters.connector"), letter.connector && html`<a href=${to(["connectors", letter.connector])}>${letter.connector}</a>`], [t("letters.stage"), letter.stage ?? "–"], [t("time"), html`<${Time} at=${letter.timestamp} />`]]} />
    <${Bytes} of=${letter.key} title=${t("records.key")} /><${Bytes} of=${letter.value} title=${t("value")} />
    ${letter.headers?.length > 0 && html`<h3>${t("records.headers")}</h3><dl class="pairs">${letter.headers.map(([header, value], n) => html`<dt class="mono wrap" key=${n}>${header}</dt><dd class="mono">${plain(value)}</dd>`)}</dl>`}
    <${Try} name=${name} letter=${letter} fix=${fix} />
    ${may("operator") && html`<${Mend} letter=${letter} />`}
  </section>`;

function Topic({ name }) {
  const narrow = useNarrow(800);
  const [picked, pick] = useState(null);
  const [open, look] = useState(null);
  const loaded = useLoad((signal) => call("POST", `/api/v1/dlq/${seg(name)}/show`, { limit: LETTERS_MAX }, { signal }), [name]);
  const [steps, mend] = useState([]);
  const fix = optionsOf(steps);
  // All letters of the topic, where only the first of them are shown.
  const all = useLoad((signal) => get("/api/v1/dlq", { signal }), [name, loaded.data?.more]);
  const total = all.data?.find((one) => one.topic === name)?.letters ?? loaded.data?.letters.length ?? 0;
  useWho();
  const letters = loaded.data?.letters ?? [];
  const grouped = useMemo(() => groups(letters), [letters]);
  const shown = picked === null ? letters : grouped.find((group) => group.key === picked)?.letters ?? letters;
  return html`<${Head} title=${name} crumb=${html`<a href="#/letters">${t("nav.letters")}</a>`}><button type="button" class="button" onClick=${loaded.reload}>${t("reload")}</button><a class="button" href=${to(["topics", name])}>${t("letters.as-topic")}</a><//>
    <${Loaded} of=${loaded}>${({ more }) => letters.length === 0 ? html`<${Empty} title=${t("letters.none")} />` : html`<div class="stack">
      <section class="card flush"><${Table} label=${t("letters.groups")} heads=${["", [t("nav.letters")], t("letters.code"), t("letters.connector"), t("letters.stage"), t("letters.example")]}>
        ${grouped.map((group) => html`<tr key=${group.key}><td><button type="button" class="button tiny" aria-pressed=${picked === group.key ? "true" : "false"} aria-label=${`${t("letters.only")}: ${group.code ?? ""} ${group.connector ?? ""}`} onClick=${() => pick(picked === group.key ? null : group.key)}>${picked === group.key ? t("letters.all") : t("letters.only")}</button></td>
          <td class="num">${count(group.letters.length)}</td><td class="mono">${group.code ?? "–"}</td><td class="wrap">${group.connector ?? "–"}</td><td class="small">${group.stage ?? "–"}</td><td class="wrap small">${group.message ?? group.class ?? ""}</td></tr>`)}<//></section>
      <${Fix} steps=${steps} onChange=${mend} />
      <${Replay} key=${picked} name=${name} which=${picked === null ? {} : { offsets: shown.map(place) }} n=${picked === null && more ? total : shown.length} fix=${fix} reload=${loaded.reload} />
      ${more && html`<p class="note warn">${t("letters.more", { n: count(LETTERS_MAX) })}</p>`}
      ${open && html`<${Letter} key=${place(open)} name=${name} letter=${open} fix=${fix} close=${() => look(null)} />`}
      <${Rows} label=${t("nav.letters")} layout="letters" height=${narrow ? 48 : 42} items=${shown} keyOf=${place}
        heads=${[[""], [t("letters.from")], [t("time"), "opt"], [t("letters.code"), "opt"], [t("value")]]}
        line=${(letter) => html`<span role="cell"><button type="button" class="button tiny plain" aria-label=${`${t("records.open")} ${place(letter)}`} onClick=${() => look(letter)}>⋯</button></span>
          <span role="cell" class="cut mono">${letter.from}</span><span role="cell" class="opt small"><${Time} at=${letter.timestamp} /></span><span role="cell" class="opt mono">${letter.code}</span><span role="cell" class="mono cut">${plain(letter.value)}</span>`} />
    </div>`}<//>`;
}
