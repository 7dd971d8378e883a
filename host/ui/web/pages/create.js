// Making a connector, or changing one that no file owns: a form from the plugin's options, checked by the host while one types,
// and the same as YAML beside it. Either side can be edited.

import { html, useEffect, useMemo, useRef, useState } from "../lib/h.js";
import { call, get, seg } from "../lib/api.js";
import { t, tn } from "../lib/i18n.js";
import { go, to } from "../lib/route.js";
import { refresh } from "../lib/live.js";
import { denial, may, useWho } from "../lib/role.js";
import { useLate, useLoad } from "../lib/load.js";
import { read, write } from "../lib/yaml.js";
import { Empty, Field, Head, Loaded, Table, Trouble } from "../parts/basic.js";
import { Act } from "../parts/act.js";
import { plain } from "../parts/bytes.js";
import { ask } from "../parts/dialog.js";
import { Options } from "../parts/options.js";
import { plugins } from "./plugins.js";

/** How secrets are shown; sending that back would make it the secret. */
const HIDDEN = /\[hidden\]|^\*\*\*$/;
const VEIL = "[hidden]";

export function Create({ route }) {
  const [, kind] = route.parts;
  useWho();
  // A form that is checked by the host is of no use to who may not ask it that.
  if (!may("operator")) return html`<${Head} title=${t("create.title")} /><${Empty} title=${denial("admin")}><a class="button" href="#/plugins">${t("nav.plugins")}</a><//>`;
  if (kind) return html`<${Form} kind=${kind} start=${route.query} key=${kind} />`;
  return html`<${Gallery} />`;
}

export function Edit({ route }) {
  const name = route.parts[1];
  const loaded = useLoad((signal) => get(`/connectors/${seg(name)}`, { signal }), [name]);
  return html`<${Loaded} of=${loaded}>${({ config }) => html`<${Form} kind=${config["connector.class"]} was=${config} key=${name} />`}<//>`;
}

function Gallery() {
  const loaded = useLoad(plugins, []);
  return html`<${Head} title=${t("create.title")} crumb=${html`<a href="#/fleet">${t("nav.fleet")}</a>`} />
    <${Loaded} of=${loaded}>${(all) => all.length === 0 ? html`<${Empty} title=${t("plugins.empty")} text=${t("plugins.empty-text")} />` : html`<div class="stack">${["source", "sink"].map((type) => html`
      <section key=${type} class="stack tight"><h2>${t(`create.${type}`)}</h2><div class="gallery">${all.filter((one) => one.type === type).map((one) => html`
        <a key=${`${one.class} ${one.version}`} href=${to(["create", one.class])}><b>${one.class}</b><span class="soft small">${one.summary || `${one.plugin} ${one.version}`}</span></a>`)}</div></section>`)}</div>`}<//>`;
}

const given = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "" && value !== undefined));

/** What `after` changes in `before`, line by line. */
export const Difference = ({ before, after }) => {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort().filter((name) => before[name] !== after[name]);
  if (names.length === 0) return html`<p class="soft">${t("config.same")}</p>`;
  return html`<div class="diff">${names.map((name) => html`${before[name] !== undefined && html`<div class="del">- ${name}: ${before[name]}</div>`}${after[name] !== undefined && html`<div class="add">+ ${name}: ${after[name]}</div>`}`)}</div>`;
};

/** What the test of the connection found. */
function Outside({ of }) {
  if (of === null) return null;
  if (of === "asking") return html`<p class="soft" role="status">${t("create.connecting")}</p>`;
  if (of.error) return html`<${Trouble} error=${of.error} />`;
  if (of.problems.length === 0) return html`<p class="note good" role="status">${t("create.connected")}</p>`;
  return html`<div class="note bad" role="alert"><h3>${t("create.not-connected")}</h3>${of.problems.map((one, n) => html`<p class="what wrap" key=${n}>${one}</p>`)}</div>`;
}

/** The first records of a source, read by the host without making it: whether what would come is what is meant. */
function Preview({ sent, not }) {
  const [told, set] = useState(null);
  useEffect(() => set(null), [sent]);
  async function go() {
    set("asking");
    const { name, ...config } = JSON.parse(sent);
    await call("POST", "/api/v1/sources/try", { name: name || "new", config }).then(set, (error) => set({ error }));
  }
  const asking = told === "asking";
  return html`<section class="card stack tight"><div class="card-head"><h2>${t("create.preview")}</h2><${Act} need="admin" look="button tiny" not=${not ?? (asking ? t("create.checking") : null)} onClick=${go}>${t("create.preview-go")}<//></div>
    ${told === null && html`<p class="soft small">${t("create.preview-hint")}</p>`}
    ${asking && html`<p class="soft" role="status">${t("create.previewing")}</p>`}
    ${told?.error && html`<${Trouble} error=${told.error} />`}
    ${told?.records && html`<p class="soft small" role="status">${t("records.count", { n: told.records.length })}${told.filtered > 0 ? ` · ${t("connector.filtered")} ${told.filtered}` : ""}${told.ended ? ` · ${t("create.preview-end")}` : ""}</p>`}
    ${told?.records?.length > 0 && html`<${Table} label=${t("create.preview")} heads=${[t("topic"), t("records.key"), t("value")]}>${told.records.map((record, n) => html`<tr key=${n}><td>${record.topic}</td><td class="mono wrap">${plain(record.key)}</td><td class="mono wrap">${plain(record.value).slice(0, 400)}</td></tr>`)}<//>`}
    ${told?.records?.length === 0 && html`<p class="soft">${t("create.preview-none")}</p>`}</section>`;
}

function Form({ kind, was, start }) {
  const [values, put] = useState(() => was ?? { "connector.class": kind, name: "", ...start });
  const [touched, touch] = useState(() => new Set(was ? Object.keys(was) : []));
  const [text, retype] = useState(null);
  const [slip, slipped] = useState(null);
  const [tried, attempt] = useState(false);
  const [checked, check] = useState({ configs: null, error: null, of: null });
  const [busy, work] = useState(false);
  const [failed, fail] = useState(null);
  const [outside, test] = useState(null);
  const plugin = useLoad((signal) => get(`/api/v1/plugins/${seg(kind)}`, { signal }), [kind]);
  const topics = useLoad((signal) => get("/api/v1/topics", { signal }), []);
  const asking = useRef(0);
  const sent = JSON.stringify(given({ ...values, "connector.class": kind }));
  const late = useLate(sent, 250);
  async function validate(body) {
    const turn = (asking.current += 1);
    try {
      const told = await call("PUT", `/connector-plugins/${seg(kind)}/config/validate`, JSON.parse(body));
      if (turn === asking.current) check({ configs: told.configs, error: null, of: body });
      return told.configs;
    } catch (error) {
      if (turn === asking.current) check((old) => ({ ...old, error, of: body }));
      return null;
    }
  }
  useEffect(() => { validate(late); }, [late]);
  const lists = useMemo(() => new Set((checked.configs ?? []).filter(({ definition }) => definition.type === "LIST").map(({ definition }) => definition.name)), [checked.configs]);
  const known = useMemo(() => new Set((checked.configs ?? []).map(({ definition }) => definition.name)), [checked.configs]);
  const veils = useMemo(() => new Set((checked.configs ?? []).filter(({ definition }) => definition.type === "PASSWORD").map(({ definition }) => definition.name)), [checked.configs]);
  /** The options as text shows them: secrets stay in their field. */
  const shown = Object.fromEntries(Object.entries(given(values)).map(([name, value]) => [name, veils.has(name) && !value.includes("${") ? VEIL : value]));
  const yaml = text ?? write(values.name, shown, lists);
  const errors = (checked.configs ?? []).filter(({ value }) => value.errors.length > 0);
  const wrongOf = (name) => {
    const found = errors.find(({ value }) => value.name === name);
    return found && (tried || touched.has(name)) ? found.value.errors.join(" ") : undefined;
  };
  function set(name, value) {
    put((old) => ({ ...old, [name]: value }));
    touch((old) => new Set(old).add(name));
    retype(null);
    slipped(null);
  }
  function typed(event) {
    const now = event.currentTarget.value;
    retype(now);
    try {
      const { name, values: found } = read(now);
      slipped(found["connector.class"] && found["connector.class"] !== kind ? { line: null, message: t("yaml.kind", { kind }) } : null);
      for (const name of veils) if (found[name] === VEIL && values[name]) found[name] = values[name];
      put({ ...found, "connector.class": kind, name: was ? was.name : name === "NAME" ? "" : name ?? "" });
      touch(new Set(Object.keys(found)));
    } catch (error) {
      slipped({ message: t("yaml.wrong", { line: error.line ?? "?", what: error.line ? t(`yaml.${error.message}`) : error.message }) });
    }
  }
  const strange = Object.keys(given(values)).filter((name) => known.size > 0 && !known.has(name));
  const secrets = Object.entries(given(values)).filter(([, value]) => HIDDEN.test(value)).map(([name]) => name);
  const open = !was && tried && !values.name?.trim();
  /** Has the class try what it needs outside: servers, credentials, paths. Nothing is made. */
  async function connect() {
    attempt(true);
    test("asking");
    try {
      const told = await call("PUT", `/connector-plugins/${seg(kind)}/config/validate?connect=true`, JSON.parse(sent));
      test({ problems: told.configs.flatMap(({ value }) => value.errors.map((error) => `${value.name}: ${error}`)) });
    } catch (error) {
      test({ error });
    }
  }
  useEffect(() => test(null), [sent]);
  async function finish(event) {
    event.preventDefault();
    attempt(true);
    fail(null);
    work(true);
    const configs = await validate(sent);
    work(false);
    if (!configs || configs.some(({ value }) => value.errors.length > 0) || !values.name?.trim() || slip || secrets.length) {
      requestAnimationFrame(() => document.querySelector("form.split [aria-invalid=true]")?.focus());
      return;
    }
    const config = given({ ...values, "connector.class": kind, name: values.name.trim() });
    if (was) {
      ask({ title: t("config.apply-title", { name: was.name }), confirm: t("apply"), effects: [t("config.restarts")], body: html`<${Difference} before=${was} after=${config} />`, done: t("act.done"),
        act: async () => {
          await call("PUT", `/connectors/${seg(was.name)}/config`, config);
          await refresh().catch(() => {});
          go(["connectors", was.name]);
        } });
      return;
    }
    work(true);
    try {
      await call("POST", "/connectors", { name: config.name, config });
      await refresh().catch(() => {});
      go(["connectors", config.name]);
    } catch (error) {
      fail(error);
    }
    work(false);
  }
  const state = checked.error ? html`<${Trouble} error=${checked.error} />` : checked.of !== sent ? html`<p class="soft" role="status">${t("create.checking")}</p>`
    : errors.length === 0 ? html`<p role="status"><span class="badge good">${t("create.fine")}</span></p>` : html`<div role="status"><span class="badge warn">${tn("create.left", errors.length)}</span> <span class="soft small mono">${errors.slice(0, 6).map(({ value }) => value.name).join(", ")}</span></div>`;
  return html`<${Head} title=${was ? t("create.edit-title", { name: was.name }) : t("create.new-title", { kind })} crumb=${was ? html`<a href=${to(["connectors", was.name, "config"])}>${was.name}</a>` : html`<a href="#/create">${t("create.title")}</a>`} />
    ${plugin.data?.summary && html`<p class="soft lead">${plugin.data.summary}</p>`}
    <form class="split" onSubmit=${finish} novalidate>
      <div class="stack">
        ${!was && html`<${Field} label=${t("create.name")} hint=${t("create.name-hint")} wrong=${open ? t("create.name-wrong") : undefined} value=${values.name} data-option="name" autocomplete="off" autofocus onInput=${(event) => set("name", event.currentTarget.value)} />`}
        ${checked.configs ? html`<${Options} configs=${checked.configs} values=${values} set=${set} wrongOf=${wrongOf} topics=${(topics.data ?? []).map((one) => one.name)} />` : !checked.error && html`<p class="soft">${t("loading")}</p>`}
      </div>
      <div class="stack sticky">
        <section class="card stack tight"><div class="card-head"><h2>YAML</h2><button type="button" class="button tiny" onClick=${() => navigator.clipboard?.writeText(yaml)}>${t("create.copy")}</button></div>
          <textarea class="mono yaml" rows="14" spellcheck="false" aria-label="YAML" aria-invalid=${slip ? "true" : undefined} value=${yaml} onInput=${typed} onBlur=${() => slip || retype(null)} />
          ${slip && html`<p class="wrong" role="alert">${slip.message}</p>`}
          <p class="soft small">${t("create.yaml-hint")}</p></section>
        <section class="card stack tight">${state}
          ${strange.length > 0 && html`<p class="note warn small">${t("create.strange", { names: strange.join(", ") })}</p>`}
          ${secrets.length > 0 && html`<p class="note warn small">${t("create.hidden", { names: secrets.join(", ") })}</p>`}
          ${failed && html`<${Trouble} error=${failed} />`}
          <${Outside} of=${outside} />
          <div class="row"><${Act} need="admin" type="submit" look="button main" data-create disabled=${busy || Boolean(slip)}>${was ? t("config.preview") : t("create.go-start")}<//>
            <${Act} not=${outside === "asking" ? t("create.checking") : null} onClick=${connect}>${t("create.check")}<//></div>
          <p class="soft small">${t("create.check-hint")}</p></section>
        ${plugin.data?.type === "source" && html`<${Preview} sent=${sent} not=${checked.of === sent && errors.length === 0 ? null : t("create.preview-first")} />`}
      </div>
    </form>`;
}
