// One page of a headless Chromium, driven by its debugging pipe as a person would: find, click, type, look.
//
// Clicks are real mouse events at the middle of what is seen, so that what is covered or off the screen cannot be clicked. Nothing
// here waits for a time: `wait` looks until something is so.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";

const LIMIT_MS = 60_000;
const LOOK_AGAIN_MS = 40;
const pause = (ms) => new Promise((go) => setTimeout(go, ms));

export class Page {
  static async open({ shots, width = 1280, height = 800, language = "en-US" } = {}) {
    const page = new Page();
    page.profile = mkdtempSync(path.join(os.tmpdir(), "linkspan-chromium-"));
    page.shots = shots;
    if (shots) mkdirSync(shots, { recursive: true });
    page.clicks = 0;
    page.typed = 0;
    page.complaints = [];
    const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-component-update",
      `--lang=${language}`, `--accept-lang=${language}`, `--user-data-dir=${page.profile}`, "--remote-debugging-pipe", "about:blank"];
    page.chrome = spawn(process.env.LINKSPAN_TEST_CHROMIUM ?? "chromium", flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    process.once("exit", () => page.chrome.kill("SIGKILL"));
    page.waiting = new Map();
    page.number = 0;
    let rest = "";
    page.chrome.stdio[4].on("data", (some) => {
      const messages = (rest + some).split("\0");
      rest = messages.pop();
      for (const message of messages) page.hear(JSON.parse(message));
    });
    page.chrome.stdio[3].on("error", () => {});
    const { targetInfos } = await page.send("Target.getTargets");
    const { targetId } = targetInfos.find((target) => target.type === "page");
    page.session = (await page.send("Target.attachToTarget", { targetId, flatten: true })).sessionId;
    for (const domain of ["Page", "Runtime", "Log", "Performance"]) await page.send(`${domain}.enable`);
    await page.size(width, height);
    await page.media("light");
    return page;
  }

  hear(message) {
    if (message.id) {
      const [resolve, reject] = this.waiting.get(message.id) ?? [];
      this.waiting.delete(message.id);
      if (message.error) reject?.(new Error(message.error.message));
      else resolve?.(message.result);
    } else if (message.method === "Runtime.exceptionThrown") {
      this.complaints.push(message.params.exceptionDetails.exception?.description ?? message.params.exceptionDetails.text);
    } else if (message.method === "Log.entryAdded" && message.params.entry.level === "error" && message.params.entry.source !== "network") {
      this.complaints.push(message.params.entry.text);
    } else if (message.method === "Runtime.consoleAPICalled" && message.params.type === "error") {
      this.complaints.push(message.params.args.map((one) => one.value ?? one.description).join(" "));
    }
  }

  send(method, params = {}) {
    this.number += 1;
    const id = this.number;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, [resolve, reject]);
      this.chrome.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId: this.session })}\0`);
    });
  }

  async close() {
    const ended = new Promise((done) => this.chrome.once("exit", done));
    this.send("Browser.close").catch(() => {});
    const stuck = setTimeout(() => this.chrome.kill("SIGKILL"), 5000);
    await ended;
    clearTimeout(stuck);
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }

  size(width, height) {
    return this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
  }

  /** Light or dark; always without motion, so that nothing is looked at half-way. */
  media(scheme) {
    return this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }, { name: "prefers-reduced-motion", value: "reduce" }] });
  }

  async goto(url) {
    await this.send("Page.navigate", { url });
    await this.wait("document.readyState === 'complete'", `load ${url}`);
  }

  async eval(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(`${exceptionDetails.exception?.description ?? exceptionDetails.text}\n${expression.slice(0, 300)}`);
    return result.value;
  }

  /** Looks until the expression is true; what it then is. */
  async wait(expression, what, limit = LIMIT_MS) {
    const end = Date.now() + limit;
    for (;;) {
      const value = await this.eval(expression).catch((error) => {
        if (Date.now() > end) throw error;
        return false;
      });
      if (value) return value;
      if (Date.now() > end) throw new Error(`not seen: ${what ?? expression}\n${(await this.text()).slice(0, 1500)}`);
      await pause(LOOK_AGAIN_MS);
    }
  }

  text() {
    return this.eval("(document.querySelector('dialog[open]') ?? document.querySelector('main') ?? document.body).innerText");
  }

  sees(text, limit) {
    return this.wait(`document.body.innerText.includes(${JSON.stringify(text)})`, `the text “${text}”`, limit);
  }

  loses(text) {
    return this.wait(`!document.body.innerText.includes(${JSON.stringify(text)})`, `the text “${text}” is gone`);
  }

  /** Finds by selector, or what can be clicked by its words (`=Exactly these`, or the start of them); an open dialog hides what is behind it. */
  static find(what) {
    return `(() => { const root = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document; const what = ${JSON.stringify(what)};
      if (/^[.#\\[]|^(input|select|textarea|button|a|tr|td|form|dialog)[.#\\[: ]/.test(what) && !what.startsWith("=")) return root.querySelector(what);
      const exact = what.startsWith("="); const words = exact ? what.slice(1) : what;
      const named = (one) => [one.innerText?.trim(), one.getAttribute("aria-label")].filter(Boolean);
      const all = [...root.querySelectorAll("button, a, summary, [role=button]")].filter((one) => one.getClientRects().length && !one.disabled);
      return all.find((one) => named(one).includes(words)) ?? (exact ? null : all.find((one) => named(one).some((name) => name.startsWith(words)))); })()`;
  }

  /** Clicks, once it is there, at rest and not covered. */
  async click(what) {
    const spot = `(() => { const one = ${Page.find(what)}; if (!one || one.disabled) return null; one.scrollIntoView({ block: "nearest", inline: "nearest" }); const box = one.getBoundingClientRect();
      const [x, y] = [box.left + Math.min(box.width / 2, 300), box.top + box.height / 2]; const hit = document.elementFromPoint(x, y); return hit && (one.contains(hit) || hit.contains(one)) ? [x, y] : null; })()`;
    let [x, y] = await this.wait(spot, `something to click: ${what}`);
    for (;;) {
      await pause(LOOK_AGAIN_MS);
      const again = await this.wait(spot, `something to click: ${what}`);
      if (again[0] === x && again[1] === y) break;
      [x, y] = again;
    }
    for (const type of ["mousePressed", "mouseReleased"]) await this.send("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
    this.clicks += 1;
  }

  /** Clicks into a field and types over what it holds. */
  async type(what, text) {
    await this.click(what);
    await this.eval(`(() => { const one = ${Page.find(what)}; one.focus(); one.select?.(); })()`);
    await this.send("Input.insertText", { text });
    this.typed += text.length;
  }

  /** Chooses of a list: two clicks of a person. */
  async choose(what, value) {
    await this.wait(`(() => { const one = ${Page.find(what)}; if (!one || ![...one.options].some((option) => option.value === ${JSON.stringify(value)})) return false;
      one.value = ${JSON.stringify(value)}; one.dispatchEvent(new Event("input", { bubbles: true })); one.dispatchEvent(new Event("change", { bubbles: true })); return true; })()`, `${value} in ${what}`);
    this.clicks += 2;
  }

  async key(key) {
    const text = key.length === 1 ? key : key === "Enter" ? "\r" : undefined;
    const code = { Enter: 13, Tab: 9, Escape: 27, ArrowDown: 40, ArrowUp: 38, PageDown: 34, PageUp: 33, End: 35, Home: 36, " ": 32 }[key];
    for (const type of ["keyDown", "keyUp"]) await this.send("Input.dispatchKeyEvent", { type, key, text: type === "keyDown" ? text : undefined, windowsVirtualKeyCode: code, code: key });
  }

  async shot(name) {
    if (!this.shots) return;
    const { data } = await this.send("Page.captureScreenshot");
    writeFileSync(path.join(this.shots, `${name}.png`), Buffer.from(data, "base64"));
  }
}
