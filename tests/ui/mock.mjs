// A made-up host for trying the pages, or the pages of this folder before a real one.
//
//   node tests/ui/mock.mjs 1000 18471                          N connectors: some failed, some lagging, one named by markup
//   node tests/ui/mock.mjs 0 18471 http://127.0.0.1:8083       files from here, everything else from that host
//
// Answers have the shapes that `/api/v1` promises.

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
    name, type, class: n % 2 ? "sql-sink" : "file-source", health: state, state: state === "paused" ? "PAUSED" : "RUNNING", target: state === "paused" ? "PAUSED" : "RUNNING", since_ms: Date.now() - 3600000 - n * 1000,
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

const WHO = { user: "local", role: "admin", auth: false };
const HOST = { name: "linkspan", version: "0.1.0", pid: 7, started_ms: Date.now() - 86_400_000, uptime_s: 86_400, data_dir: "/srv/linkspan-data", commit: null, ready: true, starting: null, log: { health: "ok", topics: 2, disk_bytes: 1e9, log_bytes: 9e8, log_bytes_max: null, commits: 9, fsync: { count: 9, p50_us: 180, p99_us: 900, max_us: 5000 } }, memory: { rss_bytes: 9e7, open_files: 40, threads: 30 }, disk: { total_bytes: 4e11, free_bytes: 2e11 }, listen: { address: "127.0.0.1:8083", tls: false, auth: false } };
const PLUGINS = [["file-source", "source"], ["file-sink", "sink"], ["mask", "transform"]].map(([name, type]) => ({ class: name, type, version: "0.1.0", plugin: "file", path: "/opt/linkspan/plugins/liblinkspan_connector_file.so", aliases: [`${name}-alias`], summary: `What it does ${MARKUP}`, options: 30 }));
const run = (n) => ({ run_id: `01a21425-7c4b-70e6-b2de-${String(n).padStart(12, "0")}`, status: n % 9 === 4 ? "failed" : "ok", job: "nightly", trigger: "schedule", started: "2026-11-25T19:18:50.699Z", ended: "2026-11-25T19:18:51.037Z", duration_ms: 380, exit_code: 0, config_sha256: "ca62560f107e84bc74fa58d2a9ff7ffb", params: { day: MARKUP }, warnings: [{ code: "LS0905", message: MARKUP }],
  connectors: [{ name: "flights-in", type: "source", state: "COMPLETED", records: 1458, filtered: 3, dlq: 0, bytes: 250003, files: [{ path: `/data/${MARKUP}.csv`, sha256: "36c290b69800422f", bytes: 104302, records: 1458, sums: { balance: "118.45" } }], error: null },
    { name: "flights-out", type: "sink", state: "COMPLETED", records: 1455, filtered: 0, dlq: 0, bytes: 190225, files: [], error: null }] });

const LETTERS = Array.from({ length: 12 }, (_, n) => ({ partition: 0, offset: n, timestamp: Date.now() - n * 1000, from: `flights-0@${n}`, connector: n % 3 ? "orders-0003" : MARKUP, stage: "VALUE_CONVERTER", code: n % 3 ? "LS0410" : "LS0412", class: "json", message: `not valid JSON ${MARKUP}`, topic: "flights", key: n % 2 ? "k" : null, value: n % 4 ? `{"a":${n}} ${MARKUP}` : { base64: "AP8QgA==" }, headers: [[MARKUP, MARKUP]] }));

function answer(n, url) {
  const parts = url.pathname.split("/").slice(1).map(decodeURIComponent);
  const at = parts.slice(2).join("/");
  if (url.pathname === "/") return { version: "4.3.1", commit: "linkspan-0.1.0", kafka_cluster_id: "abcdefghijklmnopqrstuv" };
  if (parts[0] === "connector-plugins") return parts.length > 1 ? [] : [{ class: "org.apache.kafka.connect.transforms.ReplaceField$Value", type: "transformation", version: "0.1.0" }];
  if (parts[0] !== "api") return undefined;
  if (at === "fleet") return { ...fleet(n), host: HOST };
  if (at === "whoami") return WHO;
  if (at === "host") return HOST;
  if (at === "doctor") return { findings: [{ check: "disk space", status: "warn", found: "900 MiB free", remedy: "make room" }] };
  if (at === "log/stat") return { dir: HOST.data_dir, health: "ok", topics: [{ name: "flights", partitions: [{ bytes: 70000, unflushed_bytes: 0 }] }], commits: 9, disk_bytes: 1e9, bytes_in: 1e6, bytes_out: 1e6, cache_hit_rate: 0.9, syncs: { latency: { count: 9, p50_us: 180, p99_us: 900, max_us: 5000, buckets: [{ up_to_us: 250, count: 7 }, { up_to_us: 1000, count: 2 }] } } };
  if (at === "plugins") return PLUGINS;
  if (parts[2] === "plugins") return { ...PLUGINS[0], class: parts[3], options: [{ name: "path", type: "string", required: true, default: null, importance: "high", doc: `A file ${MARKUP}`, secret: false, values: [] }], config_keys: [] };
  if (at === "config/export") return { yaml: "connectors: {}\n" };
  if (at === "pipelines") return pipelines(n);
  if (at === "topics") return [{ name: "flights", partitions: 4, records: 1458, bytes: 70000, settings: {} }, { name: MARKUP, partitions: 1, records: 1, bytes: 7, settings: {} }];
  if (parts[2] === "topics" && parts[4] === "browse") return { topic: parts[3], records: [0, 1].map((offset) => ({ topic: "flights", partition: 0, offset, timestamp: Date.now(), key: MARKUP, value: MARKUP, headers: [[MARKUP, MARKUP]], key_bytes: 90, value_bytes: 90, truncated: false })), next: "0:2", scanned: 2, end: true, notes: [] };
  if (parts[2] === "topics" && parts[3]) return { name: parts[3], partitions: [{ partition: 0, log_start: 0, high_watermark: 2, segments: 1, bytes: 100, unflushed_bytes: 0 }], settings: [{ name: "retention.ms", value: "604800000", default: true, docs: "How long." }] };
  if (at === "dlq") return n ? [{ topic: "letters", letters: LETTERS.length }] : [];
  if (parts[2] === "dlq" && parts[4] === "show") return { topic: parts[3], letters: LETTERS, more: false };
  if (at === "groups") return Array.from({ length: n }, (_, one) => ({ group: `connect-${row(one).name}`, state: "Stable", members: 1 }));
  if (parts[2] === "groups") return { group: parts[3], state: "Stable", assignor: "range", members: [], offsets: [{ topic: "flights", partition: 0, committed: 3, log_end: 9, lag: 6, member: null, commit_ts: Date.now() }] };
  if (at === "jobs") return n ? [{ job: MARKUP, state: "SCHEDULED", schedule: "0 3 * * *", timezone: "Asia/Seoul", next: "2026-11-26T18:00:00.000Z", last: { status: "ok" }, connectors: ["orders-0000"] }] : [];
  if (at === "runs") return n ? Array.from({ length: Math.min(n, 200) }, (_, one) => run(one)) : [];
  if (parts[2] === "runs") return run(0);
  if (parts[2] === "connectors" && parts[3]) {
    const one = fleet(n).connectors.find((found) => found.name === parts[3]);
    if (!one) return undefined;
    if (!parts[4]) return detail(one);
    if (parts[4] === "offsets") return { offsets: [{ partition: { kafka_topic: MARKUP, kafka_partition: 0 }, offset: { kafka_offset: 10 } }] };
    if (parts[4] === "events") return { events: [{ id: 1, t_ms: Date.now(), type: "connector", connector: one.name, from: "running", to: "failed", code: "LS0412", message: MARKUP }] };
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

/** Answers for the pages of this folder where LINKSPAN_TEST_UI_FILES=1 wants these; whether it did. */
export function mine(url, response) {
  if (!process.env.LINKSPAN_TEST_UI_FILES || !url.pathname.startsWith("/ui/")) return false;
  file(url, response);
  return true;
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

/** The stream as a host tells it: who reads, the host, all connectors, then each second those whose figures moved. */
function stream(n, request, response) {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const push = (event, data) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  push("who", WHO);
  push("host", HOST);
  push("fleet", { full: true, removed: [], ...fleet(n) });
  const timer = setInterval(() => {
    const told = fleet(n);
    push("fleet", { full: false, removed: [], ...told, connectors: told.connectors.filter((one) => one.rate.records_per_s > 0) });
  }, 1000);
  request.on("close", () => clearInterval(timer));
}

/** Serves; resolves to the server when it listens. */
export function serve(n, port, host) {
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, "http://x");
    if (url.pathname.startsWith("/ui/")) return file(url, response);
    if (host) return pass(host, request, response);
    if (url.pathname === "/api/v1/events") return stream(n, request, response);
    const told = answer(n, url);
    const [status, body] = told === undefined ? [404, { error_code: 404, code: "LS0601", message: "there is nothing at this path" }] : [200, told];
    response.writeHead(status, { "content-type": "application/json" });
    return response.end(JSON.stringify(body));
  });
  return new Promise((ready) => server.listen(port, "127.0.0.1", () => ready(server)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await serve(Number(process.argv[2] ?? 3), Number(process.argv[3] ?? 0), process.argv[4]);
  console.log(`http://127.0.0.1:${server.address().port}/ui/`);
}
