// The form of a connector's options: what must be given and what matters first, the rest by groups, each with what the host says
// about its value.

import { html, useId, useState } from "../lib/h.js";
import { t, tn } from "../lib/i18n.js";
import { Field, prose } from "./basic.js";

/** Options that stand elsewhere on the page. */
const ELSEWHERE = new Set(["name", "connector.class", "connector.plugin.version"]);
const VERSIONS = /\.plugin\.version$/;

export function Value({ option, known, value, set, wrong, more }) {
  const { name, type, documentation, required } = option;
  const list = useId();
  const hint = html`${prose(documentation)}${option.default_value !== null && option.default_value !== "" && html` <span class="tag">${t("topics.default")} ${option.default_value}</span>`}`;
  const label = html`<span class="mono">${name}</span>${required && html` <span class="tag">${t("create.required")}</span>`}`;
  const change = (event) => set(name, event.currentTarget.value);
  const choices = type === "BOOLEAN" ? ["true", "false"] : [...new Set([...(known?.recommended_values ?? []), ...more])];
  const closed = type === "BOOLEAN" || (known?.recommended_values?.length > 0 && known.recommended_values.length <= 12 && type !== "LIST" && type !== "CLASS");
  return html`<${Field} label=${label} hint=${hint} wrong=${wrong}>${(attributes) => closed
    ? html`<select ...${attributes} data-option=${name} value=${value ?? ""} onChange=${change}><option value="">${option.default_value ? `${t("topics.default")}: ${option.default_value}` : "–"}</option>
        ${[...choices, ...(value && !choices.includes(value) ? [value] : [])].map((one) => html`<option key=${one} value=${one} selected=${one === value}>${one}</option>`)}</select>`
    : html`<input ...${attributes} data-option=${name} class="mono" type=${type === "PASSWORD" ? "password" : "text"} autocomplete="off" spellcheck="false" list=${choices.length ? list : undefined} value=${value ?? ""} onInput=${change} />
        ${choices.length > 0 && html`<datalist id=${list}>${choices.map((one) => html`<option key=${one} value=${one} />`)}</datalist>`}
        ${type === "PASSWORD" && html`<div class="hint">${t("create.secret")}</div>`}`}<//>`;
}

/**
 * `configs`: what validation says, each with `definition` and `value`. `values`: what is given. `wrongOf(name)`: the error to show.
 * `topics`: names that exist, for options that want one.
 */
export function Options({ configs, values, set, wrongOf, topics }) {
  const [wanted, want] = useState("");
  const all = configs.filter(({ definition }) => !ELSEWHERE.has(definition.name) && !VERSIONS.test(definition.name) && !definition.internal);
  const given = (definition) => (values[definition.name] ?? "") !== "";
  const first = ({ definition }) => definition.required || (definition.importance === "HIGH" && definition.group !== "Transforms");
  const line = ({ definition, value }) => html`<${Value} key=${definition.name} option=${definition} known=${value} value=${values[definition.name]} set=${set} wrong=${wrongOf(definition.name)}
    more=${["topic", "topics"].includes(definition.name) ? topics : []} />`;
  const rest = new Map();
  for (const one of all.filter((config) => !first(config))) {
    const group = one.definition.group ?? t("create.other");
    rest.set(group, [...(rest.get(group) ?? []), one]);
  }
  const needle = wanted.trim().toLowerCase();
  const fits = ({ definition }) => definition.name.includes(needle) || definition.documentation?.toLowerCase().includes(needle);
  return html`<div class="options">
    ${all.filter(first).sort((a, b) => b.definition.required - a.definition.required || (a.definition.group === "Common") - (b.definition.group === "Common")).map(line)}
    <${Field} type="search" label=${t("create.find")} value=${wanted} onInput=${(event) => want(event.currentTarget.value)} />
    ${[...rest].map(([group, options]) => {
      const shown = needle ? options.filter(fits) : options;
      if (shown.length === 0) return null;
      const n = options.filter(({ definition }) => given(definition)).length;
      const bad = options.some(({ definition }) => wrongOf(definition.name));
      return html`<details key=${group} class="card more" open=${Boolean(needle) || bad || undefined}><summary>${group} <span class="soft small">${tn("create.options", options.length)}${n > 0 ? ` · ${t("create.given", { n })}` : ""}</span></summary><div class="options">${shown.map(line)}</div></details>`;
    })}
  </div>`;
}
