// A line over the last hour, with its value where the pointer is, and in words for those who do not see it.

import { html, useState } from "../lib/h.js";
import { t } from "../lib/i18n.js";
import { both } from "../lib/format.js";

const WIDE = 600;
const HIGH = 120;

/** `points`: `[[ms, value]]`, oldest first; a null value is a gap. `show` writes a value. */
export function Chart({ title, points, show, span = 3600000, until }) {
  const [at, look] = useState(null);
  const values = points.filter(([, value]) => value !== null && value !== undefined);
  if (values.length === 0) {
    return html`<figure class="card chart"><h3>${title}</h3><p class="soft">${t("chart.nothing")}</p></figure>`;
  }
  const end = until ?? points[points.length - 1][0];
  const start = Math.max(end - span, points[0][0] < end - span ? end - span : points[0][0]);
  const most = Math.max(...values.map(([, value]) => value), 0) || 1;
  const x = (ms) => end === start ? WIDE : ((ms - start) / (end - start)) * WIDE;
  const y = (value) => HIGH - (value / most) * (HIGH - 8);
  const strokes = [];
  let stroke = [];
  for (const [ms, value] of points) {
    if (value === null || value === undefined) {
      if (stroke.length) strokes.push(stroke);
      stroke = [];
    } else stroke.push([x(ms), y(value)]);
  }
  if (stroke.length) strokes.push(stroke);
  const path = (points) => points.map(([px, py], n) => `${n ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");
  const now = values[values.length - 1][1];
  const chosen = at === null ? null : values.reduce((best, point) => Math.abs(x(point[0]) - at) < Math.abs(x(best[0]) - at) ? point : best);
  function point(event) {
    const box = event.currentTarget.getBoundingClientRect();
    look(((event.clientX - box.left) / box.width) * WIDE);
  }
  return html`
    <figure class="card chart">
      <div class="row between"><h3>${title}</h3><span class="now num">${show(chosen ? chosen[1] : now)}</span></div>
      <svg viewBox=${`0 0 ${WIDE} ${HIGH}`} preserveAspectRatio="none" role="img" aria-label=${t("chart.says", { title, now: show(now), most: show(Math.max(...values.map(([, value]) => value))) })}
        onMouseMove=${point} onMouseLeave=${() => look(null)}>
        <line class="axis" x1="0" x2=${WIDE} y1=${HIGH} y2=${HIGH} />
        ${strokes.map((points) => html`
          <path class="area" d=${`${path(points)}L${points[points.length - 1][0].toFixed(1)} ${HIGH}L${points[0][0].toFixed(1)} ${HIGH}Z`} />
          <path class="path" d=${path(points.length === 1 ? [[points[0][0] - 2, points[0][1]], points[0]] : points)} />`)}
        ${chosen && html`<line class="at" x1=${x(chosen[0])} x2=${x(chosen[0])} y1="0" y2=${HIGH} />`}
      </svg>
      <figcaption class="legend"><span>${both(start)[0].slice(11, 16)}</span><span>${chosen ? both(chosen[0])[0] : t("chart.most", { value: show(most) })}</span><span>${both(end)[0].slice(11, 16)}</span></figcaption>
    </figure>`;
}
