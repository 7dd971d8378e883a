// A small line chart: one figure over time, its last value, its highest, and the value under the pointer.

import { html, useState } from "../lib/h.js";
import { t } from "../lib/i18n.js";
import { both } from "../lib/format.js";

const [W, H] = [600, 120];

/** `points`: `[ms, number|null]` in order of time. `show`: a number as text. */
export function Chart({ title, points, show }) {
  const [at, point] = useState(null);
  const known = points.filter(([, value]) => value !== null && value !== undefined);
  const last = known.at(-1);
  if (known.length < 2) {
    return html`<section class="card chart"><div class="legend"><span>${title}</span></div><div class="now num">${last ? show(last[1]) : "–"}</div><p class="soft small">${t("chart.few")}</p></section>`;
  }
  const [from, to] = [known[0][0], last[0]];
  const high = Math.max(...known.map(([, value]) => value));
  const x = (ms) => ((ms - from) / Math.max(1, to - from)) * W;
  const y = (value) => H - (value / (high || 1)) * (H - 6);
  const path = known.map(([ms, value], n) => `${n ? "L" : "M"}${x(ms).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  function look(event) {
    const box = event.currentTarget.getBoundingClientRect();
    const ms = from + ((event.clientX - box.left) / box.width) * (to - from);
    point(known.reduce((best, one) => Math.abs(one[0] - ms) < Math.abs(best[0] - ms) ? one : best));
  }
  const shown = at ?? last;
  return html`
    <section class="card chart">
      <div class="legend"><span>${title}</span><span>${t("chart.high", { n: show(high) })}</span></div>
      <div class="now num">${show(shown[1])}</div>
      <svg viewBox=${`0 0 ${W} ${H}`} preserveAspectRatio="none" role="img" aria-label=${`${title}: ${show(last[1])}, ${t("chart.high", { n: show(high) })}`} onPointerMove=${look} onPointerLeave=${() => point(null)}>
        <path class="axis" d=${`M0 ${H}H${W}`} vector-effect="non-scaling-stroke" />
        <path class="area" d=${`${path}L${W} ${H}L0 ${H}Z`} /><path class="path" d=${path} />
        ${at && html`<path class="at" d=${`M${x(at[0])} 0V${H}`} />`}
      </svg>
      <div class="legend"><span>${both(from)[0]}</span>${at && html`<b>${both(at[0])[0]}</b>`}<span>${both(to)[0]}</span></div>
    </section>`;
}
