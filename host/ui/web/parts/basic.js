// Small parts: badges, times, errors with their remedy, empty states, fields, tabs.

import { html, useCell, useEffect, useId, useState } from "../lib/h.js";
import { t } from "../lib/i18n.js";
import { both, span, instant } from "../lib/format.js";
import { zone } from "../lib/settings.js";
import { useNow } from "../lib/load.js";
import { hostNow, tone } from "../lib/live.js";

export const Health = ({ of }) => html`<span class=${`badge ${tone(of)}`}>${t(`health.${of}`)}</span>`;

/** A time in the chosen zone; the tooltip has the other one. */
export function Time({ at, ago }) {
  useCell(zone);
  const ms = instant(at);
  if (ms === null) return html`<span class="soft">–</span>`;
  const [shown, other] = both(ms);
  return html`<time datetime=${new Date(ms).toISOString()} title=${other} class="num nowrap">${ago ? html`<${Ago} ms=${ms} />` : shown}</time>`;
}

function Ago({ ms }) {
  useNow();
  return t("time.ago", { span: span(hostNow() - ms) });
}

/** Text of the host with its names between backticks set as code; an odd number of backticks is no markup. */
export function prose(text) {
  const pieces = String(text ?? "").split("`");
  return pieces.length % 2 === 0 ? text : pieces.map((piece, at) => (at % 2 ? html`<code key=${at}>${piece}</code>` : piece));
}

/** Everything an error says: what, where, why; its code with the page that explains it; what to do. */
export function Trouble({ error, title }) {
  if (!error) return null;
  const { message, code } = error;
  const fix = error.remedy ?? error.help;
  const lost = error.status === 0;
  return html`
    <div class="note bad" role="alert">
      ${title && html`<h2>${title}</h2>`}
      <p class="what wrap">${lost ? t("error.unreachable") : message || t("error.unknown")}</p>
      ${lost && html`<p class="soft small">${message}</p>`}
      ${fix && html`<p class="fix wrap"><b>${t("error.fix")}</b> ${prose(fix)}</p>`}
      ${code && html`<${Explain} code=${code} />`}
    </div>`;
}

/** The long form of an error code, loaded when it is asked for. */
function Explain({ code }) {
  const [text, set] = useState(null);
  async function open(event) {
    if (!event.currentTarget.open || text) return;
    const { get, seg } = await import("../lib/api.js");
    const { language } = await import("../lib/settings.js");
    get(`/api/v1/explain/${seg(code)}?lang=${language.get()}`).then((told) => set(told), (error) => set({ text: error.message }));
  }
  return html`
    <details onToggle=${open}>
      <summary class="small">${t("error.explain", { code })}</summary>
      ${text === null ? html`<p class="soft">${t("loading")}</p>` : html`<pre class="block">${text.title ? `${text.title}\n\n` : ""}${text.text}</pre>`}
    </details>`;
}

/** What a page shows around loaded data: loading, error, or the data (also beside an error). */
export function Loaded({ of, children }) {
  const { data, error, loading } = of;
  return html`
    ${error && html`<${Trouble} error=${error} />`}
    ${data !== undefined ? children(data) : loading && !error ? html`<p class="soft" role="status">${t("loading")}</p>` : null}`;
}

/** Nothing here: why, and what to do next. */
export const Empty = ({ title, text, command, children }) => html`
  <div class="card empty">
    <h2>${title}</h2>
    ${text && html`<p>${text}</p>`}
    ${command && html`<div><pre>${command}</pre></div>`}
    ${children && html`<div class="row">${children}</div>`}
  </div>`;

export function Head({ title, crumb, badge, children }) {
  useEffect(() => {
    document.title = `${title} · linkspan`;
  }, [title]);
  return html`
    <div class="head">
      ${crumb && html`<p class="crumb">${crumb}</p>`}
      <h1>${title}</h1>${badge}
      ${children && html`<div class="actions">${children}</div>`}
    </div>`;
}

/** A labelled input. `children` replaces the plain input and gets its ids. */
export function Field({ label, hint, wrong, wide, children, ...input }) {
  const id = useId();
  const about = [hint && `${id}-h`, wrong && `${id}-w`].filter(Boolean).join(" ") || undefined;
  const attributes = { id, "aria-describedby": about, "aria-invalid": wrong ? "true" : undefined };
  return html`
    <div class=${wide ? "field wide" : "field"}>
      <label for=${id}>${label}</label>
      ${typeof children === "function" ? children(attributes) : html`<input ...${attributes} ...${input} />`}
      ${wrong && html`<div class="wrong" id=${`${id}-w`}>${wrong}</div>`}
      ${hint && html`<div class="hint" id=${`${id}-h`}>${hint}</div>`}
    </div>`;
}

export function Choice({ label, value, options, onChange, hint }) {
  return html`
    <${Field} label=${label} hint=${hint}>${(attributes) => html`
      <select ...${attributes} value=${value} onChange=${(event) => onChange(event.currentTarget.value)}>
        ${options.map(([key, text]) => html`<option key=${key} value=${key} selected=${key === value}>${text}</option>`)}
      </select>`}<//>`;
}

/** Links that switch the part of a page. */
export const Tabs = ({ tabs, current, label }) => html`
  <nav class="tabs" aria-label=${label}>
    ${tabs.map(([key, text, href]) => html`<a key=${key} href=${href} aria-current=${key === current ? "page" : undefined}>${text}</a>`)}
  </nav>`;

export const Facts = ({ of }) => html`
  <dl class="facts">${of.filter(Boolean).map(([word, value, big]) => html`<div key=${word}><dt>${word}</dt><dd class=${big ? "big" : undefined}>${value}</dd></div>`)}</dl>`;

/** A table that scrolls by itself when the screen is narrow. */
export const Table = ({ label, heads, children }) => html`
  <div class="scroll" tabindex="0" role="region" aria-label=${label}>
    <table><caption class="sr">${label}</caption>
      <thead><tr>${heads.map((head) => Array.isArray(head) ? html`<th class="num" scope="col">${head[0]}</th>` : html`<th scope="col">${head || html`<span class="sr">${t("acts")}</span>`}</th>`)}</tr></thead>
      <tbody>${children}</tbody>
    </table>
  </div>`;
