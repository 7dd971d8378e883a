// A listener between the page and its host that counts what is asked, and can cut, mute or refuse the stream as networks do.

import http from "node:http";
import { mine } from "./mock.mjs";

export class Between {
  /** `files`: the pages of this folder and not the program's. */
  static async open(host) {
    const self = new Between();
    Object.assign(self, { host, asked: [], streams: new Set(), away: false, muted: false, full: false });
    self.server = http.createServer((request, response) => self.take(request, response));
    await new Promise((ready) => self.server.listen(0, "127.0.0.1", ready));
    return self;
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}/ui/`;
  }

  /** What was asked of the interface since the last time. */
  calls() {
    return this.asked.splice(0);
  }

  take(request, response) {
    if (this.away) return request.socket.destroy();
    const url = new URL(request.url, "http://x");
    if (mine(url, response)) return undefined;
    const stream = url.pathname === "/api/v1/events";
    if (!url.pathname.startsWith("/ui/")) this.asked.push(`${request.method} ${url.pathname}`);
    if (stream && this.full) {
      response.writeHead(503, { "content-type": "application/json" });
      return response.end(JSON.stringify({ error_code: 503, code: "LS0625", message: "100 programs read this stream already" }));
    }
    const { origin, "sec-fetch-site": _, ...headers } = request.headers;
    const on = http.request(new URL(request.url, this.host), { method: request.method, headers: { ...headers, host: new URL(this.host).host } }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.on("data", (some) => this.muted || response.write(some));
      answer.on("end", () => response.end());
    });
    on.on("error", () => response.destroy());
    if (stream) {
      this.streams.add(response);
      response.on("close", () => {
        this.streams.delete(response);
        on.destroy();
      });
    }
    return request.pipe(on);
  }

  /** Cuts the streams that are open. */
  cut() {
    for (const stream of this.streams) stream.destroy();
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }
}
