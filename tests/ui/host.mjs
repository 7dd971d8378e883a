// A real host as a process of its own: started on a free port, killed and started again, asked beside the browser.

import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { serve } from "./mock.mjs";

const LIMIT_MS = 60_000;
const LOOK_AGAIN_MS = 40;

function freePort() {
  return new Promise((found) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });
}

/** Looks until `of` answers with something true. */
export async function eventually(of, what, limit = LIMIT_MS) {
  const end = Date.now() + limit;
  for (;;) {
    const value = await of();
    if (value) return value;
    if (Date.now() > end) throw new Error(`did not become so: ${what}`);
    await new Promise((go) => setTimeout(go, LOOK_AGAIN_MS));
  }
}

export class Host {
  /** `yaml`: the text of a pipeline file, or nothing for an empty host. `env` for its placeholders, `authorization` to ask it with. */
  static async start(program, folder, yaml, { env, authorization } = {}) {
    const host = new Host();
    Object.assign(host, { program, folder, port: await freePort(), yaml, env, authorization });
    fs.mkdirSync(folder, { recursive: true });
    if (yaml) fs.writeFileSync(path.join(folder, "p.yaml"), yaml);
    await host.run();
    return host;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Where the pages are: the program's own, or with LINKSPAN_TEST_UI_FILES=1 those of this folder, to try them without a build. */
  async pages() {
    if (!process.env.LINKSPAN_TEST_UI_FILES) return `${this.url}/ui/`;
    this.files ??= await serve(0, 0, this.url);
    return `http://127.0.0.1:${this.files.address().port}/ui/`;
  }

  async run() {
    const files = this.yaml ? [path.join(this.folder, "p.yaml")] : [];
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("LINKSPAN_") && name !== "RUST_LOG"));
    const log = fs.openSync(path.join(this.folder, "host.log"), "a");
    this.process = spawn(this.program, ["run", "--listen", `127.0.0.1:${this.port}`, "--data", path.join(this.folder, "data"), ...files], { cwd: this.folder, env: { ...env, ...this.env }, stdio: ["ignore", log, log] });
    fs.closeSync(log);
    const mine = this.process;
    process.once("exit", () => mine.kill("SIGKILL"));
    await eventually(async () => {
      if (this.process.exitCode !== null) throw new Error(`the host ended:\n${fs.readFileSync(path.join(this.folder, "host.log"), "utf8")}`);
      return fetch(`${this.url}/health`).then((answer) => answer.ok, () => false);
    }, "the host is ready");
  }

  async end(signal = "SIGTERM") {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = new Promise((done) => this.process.once("exit", done));
    this.process.kill(signal);
    await ended;
  }

  /** Ends for good. */
  async close() {
    await this.end();
    this.files?.close();
    this.files?.closeAllConnections();
  }

  async ask(method, at, body) {
    const answer = await fetch(this.url + at, { method, headers: { "content-type": "application/json", ...(this.authorization ? { authorization: this.authorization } : {}) }, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${at}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }
}
