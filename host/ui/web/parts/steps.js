// Steps of transforms that are put together by hand: a class and its options for each, as the host describes them.

import { html } from "../lib/h.js";
import { get, seg } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { useLoad } from "../lib/load.js";
import { Choice, Loaded } from "./basic.js";
import { Act } from "./act.js";
import { Value } from "./options.js";

/** Steps as options of a connector: `transforms: step1,…`, `transforms.step1.type`; null: there are none. */
export function optionsOf(steps) {
  const whole = steps.filter((step) => step.type);
  if (whole.length === 0) return null;
  const options = { transforms: whole.map((_, n) => `step${n + 1}`).join(",") };
  whole.forEach((step, n) => {
    options[`transforms.step${n + 1}.type`] = step.type;
    for (const [name, value] of Object.entries(step.values)) if (value !== "") options[`transforms.step${n + 1}.${name}`] = value;
  });
  return options;
}

/** `org.apache.kafka.connect.transforms.ReplaceField$Value` is `ReplaceField$Value`. */
const short = (name) => name.slice(name.lastIndexOf(".") + 1);

function Step({ step, classes, onChange, onRemove, n }) {
  const loaded = useLoad((signal) => step.type ? get(`/connector-plugins/${seg(step.type)}/config`, { signal }) : Promise.resolve([]), [step.type]);
  const set = (name, value) => onChange({ ...step, values: { ...step.values, [name]: value } });
  return html`<fieldset class="stack tight"><legend>${t("steps.step", { n })}</legend>
    <div class="row between"><${Choice} label=${t("steps.type")} value=${step.type} onChange=${(type) => onChange({ type, values: {} })} options=${[["", "–"], ...classes.map((one) => [one, short(one)])]} />
      <button type="button" class="button tiny" onClick=${onRemove} aria-label=${`${t("steps.remove")}: ${t("steps.step", { n })}`}>${t("steps.remove")}</button></div>
    <${Loaded} of=${loaded}>${(all) => all.map((option) => html`<${Value} key=${option.name} option=${{ ...option, type: option.type.toUpperCase() }} value=${step.values[option.name]} set=${set} more=${[]} />`)}<//></fieldset>`;
}

/** The steps, and adding one. */
export function Fix({ steps, onChange }) {
  const loaded = useLoad((signal) => get("/connector-plugins?connectorsOnly=false", { signal }), []);
  const classes = (loaded.data ?? []).filter((one) => one.type === "transformation").map((one) => one.class).sort((a, b) => short(a) < short(b) ? -1 : 1);
  const put = (at, step) => onChange(step ? steps.with(at, step) : steps.toSpliced(at, 1));
  return html`<section class="card stack tight"><div class="card-head"><h2>${t("steps.title")}</h2><${Act} look="button tiny" onClick=${() => onChange([...steps, { type: "", values: {} }])}>${t("steps.add")}<//></div>
    <p class="soft small">${t("steps.text")}</p>
    ${steps.map((step, at) => html`<${Step} key=${at} n=${at + 1} step=${step} classes=${classes} onChange=${(next) => put(at, next)} onRemove=${() => put(at, null)} />`)}</section>`;
}
