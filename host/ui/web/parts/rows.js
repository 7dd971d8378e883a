// A long list of which only the seen part is in the page: a thousand rows cost as much as twenty.
//
// Lines have a fixed height. Arrow keys, Page Up/Down, Home and End move the focus from line to line, also to lines that are not
// in the page yet.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/h.js";
import { t } from "../lib/i18n.js";

/** Lines kept above and below what is seen. */
const BEYOND = 6;
/** Lines that are seen at least. */
const LINES_MIN = 5;

export function Rows({ label, layout, heads, items, keyOf, line, toneOf, height = 58, foot = 76 }) {
  const body = useRef();
  const [top, scrolled] = useState(0);
  const [seen, measured] = useState(900);
  const [room, fits] = useState(900);
  const wanted = useRef(null);
  // Whole lines down to the end of the window; where few fit the page itself scrolls.
  useLayoutEffect(() => {
    const fit = () => {
      const above = body.current.getBoundingClientRect().top + (document.scrollingElement?.scrollTop ?? 0);
      fits(Math.max(LINES_MIN, Math.floor((innerHeight - above - foot) / height)) * height);
      measured(body.current.clientHeight || 900);
    };
    const watch = new ResizeObserver(fit);
    watch.observe(body.current);
    watch.observe(document.body);
    addEventListener("resize", fit);
    fit();
    return () => {
      watch.disconnect();
      removeEventListener("resize", fit);
    };
  }, [height, foot]);
  const first = Math.max(0, Math.floor(top / height) - BEYOND);
  const last = Math.min(items.length, Math.ceil((top + seen) / height) + BEYOND);
  useEffect(() => {
    if (wanted.current === null) return;
    const target = body.current.querySelector(`[data-line="${wanted.current}"] :is(a, button, input)`);
    if (target) {
      wanted.current = null;
      target.focus({ preventScroll: true });
    }
  });
  function move(event) {
    // A key that comes before the focus moved counts from where it goes.
    const at = wanted.current ?? Number(event.target.closest?.("[data-line]")?.dataset.line ?? -1);
    const page = Math.max(1, Math.floor(seen / height) - 1);
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: items.length - 1 };
    if (!(event.key in steps) || items.length === 0 || event.target.matches("input, select, textarea")) return;
    event.preventDefault();
    const to = Math.min(items.length - 1, Math.max(0, steps[event.key]));
    wanted.current = to;
    const box = body.current;
    if (to * height < box.scrollTop) box.scrollTop = to * height;
    else if ((to + 1) * height > box.scrollTop + seen) box.scrollTop = (to + 1) * height - seen;
    scrolled(box.scrollTop + Math.random() * 1e-6);
  }
  const lines = [];
  for (let at = first; at < last; at += 1) {
    const item = items[at];
    lines.push(html`
      <div key=${keyOf(item)} class=${`rows-line ${layout} ${toneOf?.(item) ?? ""}`} role="row" aria-rowindex=${at + 2} data-line=${at}
        style=${{ transform: `translateY(${at * height}px)`, height: `${height}px` }}>${line(item, at)}</div>`);
  }
  return html`
    <div class="rows" role="table" aria-label=${label} aria-rowcount=${items.length + 1}>
      <div role="rowgroup"><div class=${`rows-head ${layout}`} role="row" aria-rowindex="1">
        ${heads.map(([text, cls]) => html`<span role="columnheader" class=${cls}>${text || html`<span class="sr">${t("acts")}</span>`}</span>`)}
      </div></div>
      <div class="rows-body" role="rowgroup" tabindex="0" aria-label=${label} ref=${body} onKeyDown=${move} onScroll=${(event) => scrolled(event.currentTarget.scrollTop)} style=${{ maxHeight: `${room}px` }}>
        <div role="presentation" style=${{ height: `${items.length * height}px` }}>${lines}</div>
      </div>
    </div>`;
}

/** Whether the screen is narrow; lines are then higher. */
export function useNarrow(px = 700) {
  const media = useRef(matchMedia(`(max-width: ${px - 1}px)`));
  const [narrow, set] = useState(media.current.matches);
  useEffect(() => {
    const change = (event) => set(event.matches);
    media.current.addEventListener("change", change);
    return () => media.current.removeEventListener("change", change);
  }, []);
  return narrow;
}
