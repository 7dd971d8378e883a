// A made-up host for trying the pages, or the pages of this folder before a real one.
//
//   node tests/ui/mock.mjs 1000 18471                          N connectors: some failed, some lagging, one named by markup
//   node tests/ui/mock.mjs 0 18471 http://127.0.0.1:8083       files from here, everything else from that host
//
// Answers have the shapes that `/api/v1` promises; what a real host may lack (history, logs, events) is there.

import http from "node:http";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "../..");
const web = path.join(root, "host/ui/web");
export const MARKUP = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const policy = () => /"(default-src[^]*?)";/.exec(fs.readFileSync(path.join(root, "host/ui/src/lib.rs"), "utf8"))[1].replace(/\\\n\s*/g, "");

function health(n) {
  if (n % 97 === 0) return "failed";
  if (n % 101 === 5) return "retrying";
  if (n % 53 === 2) return "paused";
  return "running";
}

/** One row; figures move with the time so that the page has something to draw. */
function row(n) {
  const name = n === 1 ? MARKUP : `orders-${String(n).padStart(4, "0")}`;
  const type = n % 2 ? "sink" : "source";
  const state = health(n);
  const error = ["failed", "retrying"].includes(state) ? { code: "LS0412", message: `duplicate key \`A-${n}\` in table orders ${MARKUP}`, remedy: "use `insert.mode: upsert`, or remove the row" } : null;
  const rate = state === "running" ? 100 + 40 * Math.sin(Date.now() / 7000 + n) : 0;
  const lag = type === "sink" ? { records: n % 31 === 3 ? 120000 : n % 7, seconds: n % 31 === 3 ? 95 + (n % 50) : 0.4, partitions: 4 } : null;
  const topic = `orders-${Math.floor(n / 4)}`;
  return {
    name, type, class: n % 3 ? "sql-sink" : "file-source", health: state, state: state === "paused" ? "PAUSED" : "RUNNING", target: state === "paused" ? "PAUSED" : "RUNNING", since_ms: Date.now() - 3600000 - n * 1000,
    origin: n % 3 ? `pipelines/orders-${n}.yaml:4` : "", owner: n % 3 ? "file" : "rest", left: false,
    tasks: [{ id: 0, state: state === "failed" ? "FAILED" : "RUNNING", connect_state: "RUNNING", restarts: n % 5, starts: 1, records: 1000 * n, error, next_attempt_ms: null, hung_ms: null }],
    error, records: 1000 * n, bytes: 64000 * n, filtered: 0, dlq: n % 11 === 0 ? 4 : 0, skipped: 0, lost: 0, restarts: n % 5, starts: 1, zombies: 0,
    rate: { records_per_s: rate, bytes_per_s: rate * 64 }, lag, freshness_s: state === "running" ? 0.6 : 400, topics: [topic], job: null, stage: null,
  };
}

function fleet(n) {
  const connectors = Array.from({ length: n }, (_, at) => row(at));
  const sum = (of) => connectors.reduce((all, one) => all + of(one), 0);
  return { now_ms: Date.now(), seq: 1, connectors, totals: { connectors: n, records_per_s: sum((one) => one.rate.records_per_s), lag_records: sum((one) => one.lag?.records ?? 0), dlq: sum((one) => one.dlq), restarts: sum((one) => one.restarts) } };
}

function pipelines(n) {
  const rows = Array.from({ length: n }, (_, at) => row(at));
  const topics = [...new Set(rows.flatMap((one) => one.topics))];
  return {
    nodes: [...rows.map((one) => ({ id: `c:${one.name}`, kind: one.type, name: one.name, health: one.health, class: one.class, records_per_s: one.rate.records_per_s, lag_records: one.lag?.records ?? null })),
      ...topics.map((name) => ({ id: `t:${name}`, kind: "topic", name, partitions: 4, records: 1458, bytes: 70000, records_per_s: 12, dlq: false }))],
    edges: rows.map((one) => one.type === "source" ? { from: `c:${one.name}`, to: `t:${one.topics[0]}`, records_per_s: one.rate.records_per_s, lag_records: null, dlq: false }
      : { from: `t:${one.topics[0]}`, to: `c:${one.name}`, records_per_s: one.rate.records_per_s, lag_records: one.lag.records, dlq: false }),
  };
}

function detail(one) {
  const history = Array.from({ length: 360 }, (_, at) => ({ t_ms: Date.now() - (360 - at) * 10000, records_per_s: 120 + 60 * Math.sin(at / 23) + (at % 7) * 4, bytes_per_s: 1, lag_records: Math.max(0, Math.round(400 * Math.sin(at / 40))), lag_seconds: 1, dlq: 0, health: "running" }));
  return { ...one, config: { "connector.class": one.class }, history, events: [], errors: one.error ? [{ t_ms: Date.now() - 60000, task: 0, ...one.error }] : [],
    lag_by_partition: one.lag ? [0, 1, 2, 3].map((partition) => ({ topic: one.topics[0], partition, committed: 10, end: 12, lag: 2 })) : [] };
}

const LETTERS = Array.from({ length: 12 }, (_, n) => ({ partition: 0, offset: n, timestamp: Date.now() - n * 1000, from: `flights-0@${n}`, connector: n % 3 ? "orders-0003" : MARKUP, stage: "VALUE_CONVERTER", code: n % 3 ? "LS0410" : "LS0412", class: "json", message: `not valid JSON ${MARKUP}`, topic: "flights", key: n % 2 ? "k" : null, value: n % 4 ? `{"a":${n}} ${MARKUP}` : { base64: "AP8QgA==" } }));

function answer(n, url) {
  const parts = url.pathname.split("/").slice(1).map(decodeURIComponent);
  const at = parts.slice(2).join("/");
  if (parts[0] === "connector-plugins") return [];
  if (parts[0] !== "api") return undefined;
  if (at === "fleet") return fleet(n);
  if (at === "pipelines") return pipelines(n);
  if (at === "topics") return [{ name: "flights", partitions: 4, records: 1458, bytes: 70000, settings: {} }, { name: MARKUP, partitions: 1, records: 1, bytes: 7, settings: {} }];
  if (parts[2] === "topics" && parts[4] === "records") return [0, 1].map((offset) => ({ topic: "flights", partition: 0, offset, timestamp: Date.now(), key: MARKUP, value: MARKUP, headers: [[MARKUP, MARKUP]] }));
  if (parts[2] === "topics" && parts[3]) return { name: parts[3], partitions: [{ partition: 0, log_start: 0, high_watermark: 2, segments: 1, bytes: 100, unflushed_bytes: 0 }], settings: [{ name: "retention.ms", value: "604800000", default: true, docs: "How long." }] };
  if (at === "dlq") return n ? [{ topic: "letters", letters: LETTERS.length }] : [];
  if (parts[2] === "dlq" && parts[4] === "show") return { topic: parts[3], letters: LETTERS, more: false };
  if (at === "groups" || at === "jobs" || at === "runs") return [];
  if (parts[2] === "connectors" && parts[3]) {
    const one = fleet(n).connectors.find((found) => found.name === parts[3]);
    if (!one) return undefined;
    if (!parts[4]) return detail(one);
    if (parts[4] === "offsets") return { offsets: [{ partition: { kafka_topic: MARKUP, kafka_partition: 0 }, offset: { kafka_offset: 10 } }] };
    if (parts[4] === "logs") return { lines: [{ seq: 1, t_ms: Date.now(), level: "ERROR", message: MARKUP, fields: { code: "LS0412" } }], dropped: 0, next: 1 };
  }
  return undefined;
}

function file(url, response) {
  const found = path.join(web, path.normalize(url.pathname.slice(4) || "index.html"));
  if (!found.startsWith(web) || !fs.existsSync(found)) return response.writeHead(404).end();
  response.writeHead(200, { "content-type": TYPES[path.extname(found)] ?? "text/plain", "content-security-policy": policy(), "cache-control": "no-store" });
  return response.end(fs.readFileSync(found));
}

function pass(host, request, response) {
  const { origin, "sec-fetch-site": _, ...headers } = request.headers;
  const on = http.request(new URL(request.url, host), { method: request.method, headers: { ...headers, host: new URL(host).host } }, (answered) => {
    response.writeHead(answered.statusCode, answered.headers);
    answered.pipe(response);
  });
  on.on("error", () => response.destroy());
  request.pipe(on);
}

/** Serves; resolves to the server when it listens. */
export function serve(n, port, host) {
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, "http://x");
    if (url.pathname.startsWith("/ui/")) return file(url, response);
    if (host) return pass(host, request, response);
    const told = answer(n, url);
    const [status, body] = told === undefined ? [404, { error_code: 404, code: "LS0601", message: "there is nothing at this path" }] : [200, told];
    const lines = url.pathname.endsWith("/records");
    response.writeHead(status, { "content-type": lines ? "application/x-ndjson" : "application/json" });
    return response.end(lines && status === 200 ? body.map((one) => `${JSON.stringify(one)}\n`).join("") : JSON.stringify(body));
  });
  return new Promise((ready) => server.listen(port, "127.0.0.1", () => ready(server)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await serve(Number(process.argv[2] ?? 3), Number(process.argv[3] ?? 0), process.argv[4]);
  console.log(`http://127.0.0.1:${server.address().port}/ui/`);
}
