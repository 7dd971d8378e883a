// Plugins: what this host can connect, in which versions and from which files, and every option of each class.

import { html } from "../lib/h.js";
import { get, seg } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { count } from "../lib/format.js";
import { to, tune } from "../lib/route.js";
import { useLoad } from "../lib/load.js";
import { Empty, Facts, Field, Head, Loaded, Table, prose } from "../parts/basic.js";
import { Act } from "../parts/act.js";

const ORDER = ["source", "sink", "transform"];

/** Classes of connectors and transforms, by kind and name. */
export async function plugins(signal) {
  const all = await get("/api/v1/plugins", { signal });
  return all.sort((a, b) => ORDER.indexOf(a.type) - ORDER.indexOf(b.type) || a.class.localeCompare(b.class));
}

export const Plugins = ({ route }) => route.parts[1] ? html`<${One} route=${route} key=${route.parts[1]} />` : html`<${List} />`;

const Make = ({ of }) => of.type !== "transform" && html`<${Act} need="admin" look="button tiny" href=${to(["create", of.class])} label=${`${t("create.go")}: ${of.class}`}>${t("create.go")}<//>`;

function List() {
  const loaded = useLoad(plugins, []);
  return html`<${Head} title=${t("nav.plugins")} />
    <${Loaded} of=${loaded}>${(all) => all.length === 0 ? html`<${Empty} title=${t("plugins.empty")} text=${t("plugins.empty-text")} command="linkspan plugin new my-plugin" />` : html`<div class="stack"><section class="card flush">
      <${Table} label=${t("nav.plugins")} heads=${[t("name"), t("fleet.kind"), t("plugins.version"), t("plugins.file"), ""]}>
        ${all.map((one) => html`<tr key=${`${one.class} ${one.version}`}><td><a class="wrap" href=${to(["plugins", one.class])}>${one.class}</a>${one.summary && html`<div class="soft small">${one.summary}</div>`}</td>
          <td>${t(`kind.${one.type}`)}</td><td class="mono nowrap">${one.version}</td><td class="mono small wrap">${one.path || one.plugin || "–"}</td>
          <td><${Make} of=${one} /></td></tr>`)}<//></section><p class="soft small">${t("plugins.refused")} <a href="#/host">${t("host.doctor-head")}</a></p></div>`}<//>`;
}

function One({ route }) {
  const name = route.parts[1];
  const q = (route.query.q ?? "").toLowerCase();
  const loaded = useLoad((signal) => get(`/api/v1/plugins/${seg(name)}`, { signal }), [name]);
  return html`<${Head} title=${name} crumb=${html`<a href="#/plugins">${t("nav.plugins")}</a>`}>${loaded.data && html`<${Make} of=${loaded.data} />`}<//>
    <${Loaded} of=${loaded}>${(one) => html`<div class="stack">
      <section class="card">${one.summary && html`<p class="lead">${one.summary}</p>`}<${Facts} of=${[[t("fleet.kind"), t(`kind.${one.type}`)], [t("plugins.version"), one.version || "–"], [t("plugins.plugin"), one.plugin || "–"], [t("plugins.options"), count(one.options.length)]]} />
        ${one.aliases.length > 0 && html`<p class="soft small wrap owner">${t("plugins.aliases")}: <span class="mono">${one.aliases.join(", ")}</span></p>`}
        <p class="soft small wrap owner">${t("plugins.file")}: <span class="mono">${one.path || "–"}</span></p></section>
      <div class="filters"><${Field} wide type="search" label=${t("create.find")} value=${route.query.q ?? ""} onInput=${(event) => tune({ q: event.currentTarget.value })} /></div>
      <section class="card flush"><${Table} label=${t("plugins.options")} heads=${[t("name"), t("plugins.type"), t("topics.default"), t("topics.meaning")]}>
      ${one.options.filter((option) => !q || `${option.name} ${option.doc}`.toLowerCase().includes(q)).map((option) => html`<tr key=${option.name}><td class="mono wrap">${option.name} ${option.required && html`<span class="tag">${t("create.required")}</span>`} ${option.secret && html`<span class="tag">${t("plugins.secret")}</span>`}</td><td class="small">${option.type}</td>
        <td class="mono wrap">${option.default ?? "–"}</td><td class="small">${prose(option.doc)}${option.values?.length > 0 && html`<div class="mono soft">${option.values.join(" · ")}</div>`}</td></tr>`)}<//></section></div>`}<//>`;
}
