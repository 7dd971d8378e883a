// The pipelines as a graph: sources, topics, sinks, and topics of dead letters, with live rates on the edges.
//
// What hangs together is laid out as one band; bands with trouble come first. Inside a band each column is in the order of the mean
// place of its neighbours, so that few edges cross.

import { html, useMemo } from "../lib/h.js";
import { get } from "../lib/api.js";
import { t, tn } from "../lib/i18n.js";
import { count, rate, short } from "../lib/format.js";
import { tone } from "../lib/live.js";
import { to, tune } from "../lib/route.js";
import { useLoad } from "../lib/load.js";
import { Empty, Field, Head, Loaded } from "../parts/basic.js";

const [WIDTH, HEIGHT, STEP_X, STEP_Y, EDGE] = [190, 48, 290, 62, 16];
/** Things that are drawn at most; the filter finds the others. */
const DRAWN_MAX = 400;

function bands(nodes, edges) {
  const near = new Map(nodes.map((node) => [node.id, []]));
  for (const edge of edges) {
    near.get(edge.from)?.push(edge.to);
    near.get(edge.to)?.push(edge.from);
  }
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const seen = new Set();
  const all = [];
  for (const node of nodes) {
    if (seen.has(node.id)) continue;
    const band = [];
    const next = [node.id];
    seen.add(node.id);
    while (next.length) {
      const id = next.pop();
      if (!byId.has(id)) continue;
      band.push(byId.get(id));
      for (const other of near.get(id)) {
        if (!seen.has(other)) {
          seen.add(other);
          next.push(other);
        }
      }
    }
    all.push(band);
  }
  const bad = (band) => band.some((node) => node.health && ["bad", "warn"].includes(tone(node.health))) ? 1 : 0;
  const first = (band) => band.map((node) => node.name).sort()[0];
  return { near, all: all.sort((a, b) => bad(b) - bad(a) || b.length - a.length || (first(a) < first(b) ? -1 : 1)) };
}

/** As many nodes as are drawn at once: whole bands, those with trouble first. */
function first(nodes, edges) {
  if (nodes.length <= DRAWN_MAX) return nodes;
  const ids = new Set(nodes.map((node) => node.id));
  const drawn = [];
  for (const band of bands(nodes, edges.filter((edge) => ids.has(edge.from) && ids.has(edge.to))).all) {
    if (drawn.length && drawn.length + band.length > DRAWN_MAX) break;
    drawn.push(...band.slice(0, DRAWN_MAX));
  }
  return drawn;
}

/** Places of all nodes: `Map id → {node, x, y}`, and the size of the whole. */
export function layout(nodes, edges) {
  const dead = new Set(edges.filter((edge) => edge.dlq).map((edge) => edge.to));
  const column = (node) => node.kind === "source" ? 0 : node.kind === "sink" ? 2 : dead.has(node.id) ? 3 : 1;
  const { near, all } = bands(nodes, edges);
  const places = new Map();
  let top = EDGE;
  let most = 0;
  for (const band of all) {
    const columns = [[], [], [], []];
    for (const node of band) columns[column(node)].push(node);
    const tall = Math.max(...columns.map((one) => one.length));
    columns.forEach((one, x) => {
      if (one.length === 0) return;
      most = Math.max(most, x);
      const mean = (node) => {
        const ys = near.get(node.id).map((id) => places.get(id)?.y).filter((y) => y !== undefined);
        return ys.length ? ys.reduce((a, b) => a + b) / ys.length : 0;
      };
      const ordered = one.map((node) => [mean(node), node]).sort(([a, n], [b, m]) => a - b || (n.name < m.name ? -1 : 1));
      const gap = (tall - one.length) / 2;
      ordered.forEach(([, node], n) => places.set(node.id, { node, x: EDGE + x * STEP_X, y: top + (gap + n) * STEP_Y }));
    });
    top += tall * STEP_Y + 14;
  }
  return { places, width: EDGE * 2 + most * STEP_X + WIDTH, height: top };
}

const cut = (text, n) => text.length > n ? `${text.slice(0, n - 1)}…` : text;

function Node({ of: { node, x, y } }) {
  const topic = node.kind === "topic";
  const href = topic ? to(node.dlq ? ["letters", node.name] : ["topics", node.name]) : to(["connectors", node.name]);
  const sub = topic ? tn("graph.topic", node.partitions, { n: short(node.records), parts: count(node.partitions) }) : `${t(`health.${node.health}`)} · ${node.class}`;
  return html`
    <a href=${href}>
      <g class=${`node ${topic ? "topic" : tone(node.health)}`} transform=${`translate(${x} ${y})`}><title>${node.name}</title>
        <rect width=${WIDTH} height=${HEIGHT} rx=${topic ? 24 : 8} />
        ${!topic && html`<circle class="dot" cx="14" cy="17" r="4.5" />`}
        <text x=${topic ? 18 : 26} y="21">${cut(node.name, topic ? 21 : 20)}</text><text class="sub" x=${topic ? 18 : 14} y="38">${cut(sub, 29)}</text>
      </g></a>`;
}

function Edge({ edge, from, to: end }) {
  const [x1, y1, x2, y2] = [from.x + WIDTH, from.y + HEIGHT / 2, end.x, end.y + HEIGHT / 2];
  const bend = Math.max(40, (x2 - x1) / 2);
  const told = edge.dlq ? "" : [edge.records_per_s > 0 && rate(edge.records_per_s), edge.lag_records > 0 && t("graph.lag", { n: short(edge.lag_records) })].filter(Boolean).join(" · ");
  return html`
    <g><path class=${`edge ${edge.dlq ? "dead" : edge.records_per_s > 0 ? "live" : ""}`} d=${`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`} />
      ${told && html`<text class="flow" x=${(x1 + x2) / 2} y=${(y1 + y2) / 2 - 5}>${told}</text>`}</g>`;
}

export function Graph({ route }) {
  const loaded = useLoad((signal) => get("/api/v1/pipelines", { signal }), [], { every: 3000 });
  const q = (route.query.q ?? "").toLowerCase();
  return html`<${Head} title=${t("nav.graph")} />
    <${Loaded} of=${loaded}>${(told) => told.nodes.length === 0 ? html`<${Empty} title=${t("fleet.empty")} text=${t("graph.empty-text")}><a class="button main" href="#/create">${t("create.first")}</a><//>` : html`
      <div class="filters"><${Field} wide type="search" label=${t("search")} value=${route.query.q ?? ""} placeholder=${t("graph.search")} onInput=${(event) => tune({ q: event.currentTarget.value })} /></div>
      <${Drawing} told=${told} q=${q} />`}<//>`;
}

function Drawing({ told, q }) {
  const { nodes, edges, hidden } = useMemo(() => {
    const near = new Set(told.nodes.filter((node) => node.name.toLowerCase().includes(q)).map((node) => node.id));
    const wanted = new Set(near);
    if (q) for (const edge of told.edges) if (near.has(edge.from) || near.has(edge.to)) wanted.add(edge.from).add(edge.to);
    const all = told.nodes.filter((node) => wanted.has(node.id));
    const drawn = first(all, told.edges);
    const ids = new Set(drawn.map((node) => node.id));
    return { nodes: drawn, hidden: all.length - drawn.length, edges: told.edges.filter((edge) => ids.has(edge.from) && ids.has(edge.to)) };
  }, [told, q]);
  const { places, width, height } = useMemo(() => layout(nodes, edges), [nodes, edges]);
  if (nodes.length === 0) return html`<${Empty} title=${t("fleet.none")} />`;
  return html`<section class="card graph" role="region" aria-label=${t("nav.graph")} tabindex="0">
      <svg viewBox=${`0 0 ${width} ${height}`} width=${width} height=${height} role="group" aria-label=${t("nav.graph")}>
        ${edges.map((edge) => html`<${Edge} key=${`${edge.from} ${edge.to}`} edge=${edge} from=${places.get(edge.from)} to=${places.get(edge.to)} />`)}
        ${[...places.values()].map((place) => html`<${Node} key=${place.node.id} of=${place} />`)}
      </svg></section>
    ${hidden > 0 && html`<p class="soft small">${t("graph.hidden", { n: count(hidden) })}</p>`}`;
}
