// Plugins: what this host can connect, in which versions, and every option of each.

import { html } from "../lib/h.js";
import { get, seg } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { to } from "../lib/route.js";
import { useLoad } from "../lib/load.js";
import { Empty, Head, Loaded, Table } from "../parts/basic.js";

/** Sources and sinks, those of Kafka Connect's names last. */
export async function plugins(signal) {
  const all = await get("/api/v1/plugins", { signal }).catch((error) => {
    if (error.status === 404) return get("/connector-plugins", { signal });
    throw error;
  });
  const foreign = (one) => one.class.includes(".");
  return all.filter((one) => one.type === "source" || one.type === "sink")
    .sort((a, b) => foreign(a) - foreign(b) || a.type.localeCompare(b.type) * -1 || a.class.localeCompare(b.class));
}

/** The options of a class as Kafka Connect tells them. */
export const options = (kind, signal) => get(`/connector-plugins/${seg(kind)}/config`, { signal });

export const Plugins = ({ route }) => route.parts[1] ? html`<${One} name=${route.parts[1]} key=${route.parts[1]} />` : html`<${List} />`;

function List() {
  const loaded = useLoad(plugins, []);
  return html`<${Head} title=${t("nav.plugins")} />
    <${Loaded} of=${loaded}>${(all) => all.length === 0 ? html`<${Empty} title=${t("plugins.empty")} text=${t("plugins.empty-text")} />` : html`<section class="card flush">
      <${Table} label=${t("nav.plugins")} heads=${[t("name"), t("fleet.kind"), t("plugins.version"), t("plugins.file"), ""]}>
        ${all.map((one) => html`<tr key=${`${one.class} ${one.version}`}><td><a class="wrap" href=${to(["plugins", one.class])}>${one.class}</a>${one.summary && html`<div class="soft small">${one.summary}</div>`}</td>
          <td>${t(`kind.${one.type}`)}</td><td class="mono nowrap">${one.version}</td><td class="mono wrap">${one.path ?? one.plugin ?? "–"}</td>
          <td><a class="button tiny" href=${to(["create", one.class])} aria-label=${`${t("create.go")}: ${one.class}`}>${t("create.go")}</a></td></tr>`)}<//></section>`}<//>`;
}

function One({ name }) {
  const loaded = useLoad((signal) => options(name, signal), [name]);
  return html`<${Head} title=${name} crumb=${html`<a href="#/plugins">${t("nav.plugins")}</a>`}><a class="button main" href=${to(["create", name])}>${t("create.go")}</a><//>
    <${Loaded} of=${loaded}>${(all) => html`<section class="card flush"><${Table} label=${t("plugins.options")} heads=${[t("name"), t("plugins.type"), t("topics.default"), t("topics.meaning")]}>
      ${all.map((one) => html`<tr key=${one.name}><td class="mono wrap">${one.name} ${one.required && html`<span class="tag">${t("create.required")}</span>`}</td><td class="small">${one.type.toLowerCase()}</td>
        <td class="mono wrap">${one.default_value ?? "–"}</td><td class="small">${one.documentation}</td></tr>`)}<//></section>`}<//>`;
}
