// The live stream between a page and a real host: one request for the fleet page; a stream that is cut, falls silent or cannot be had;
// a page that nobody looks at.

import fs from "node:fs";
import path from "node:path";
import { Between } from "./between.mjs";
import { Page } from "./browser.mjs";
import { eventually, Host } from "./host.mjs";

const YAML = `
connectors:
  in: { connector: file-source, format: lines, path: in.txt, topic: lines, poll.interval: 200ms }
  out: { connector: file-sink, topics: [lines], path: out.txt, format: lines }
`;
const REST_MS = 3000;
const pause = (ms) => new Promise((go) => setTimeout(go, ms));
const BANNER = "document.querySelector('.banner')";

export async function live({ program, scratch, shots, ok }) {
  const folder = path.join(scratch, "live");
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, "in.txt"), "one\ntwo\n");
  const host = await Host.start(program, folder, YAML);
  const between = await Between.open(host.url);
  const page = await Page.open({ shots });
  const seen = (health) => page.wait(`document.querySelector('.rows-line [title=in]')?.closest('.rows-line').innerText.includes(${JSON.stringify(health)})`, `in is ${health}`);
  try {
    await eventually(async () => (await host.ask("GET", "/api/v1/fleet")).connectors.length === 2, "two connectors");
    await page.goto(between.url);
    await seen("Running");
    await page.sees("Up for");
    await pause(REST_MS);
    const calls = between.calls();
    if (calls.join() !== "GET /api/v1/events") throw new Error(`the fleet page asked for ${calls}`);
    if (await page.eval(BANNER)) throw new Error("nothing is lost yet");
    ok("one request for the fleet page: who looks, the host and all connectors come with the stream");
    const began = Date.now();
    await host.ask("PUT", "/connectors/in/pause");
    await seen("Paused");
    const took = Date.now() - began;
    ok(`what somebody else does shows after ${took} ms, without asking`);
    await cut({ page, host, between, seen, ok });
    await silent({ page, between, ok });
    await hidden({ page, between, seen, host, ok });
    await without({ page, host, between, seen, ok });
    if (page.complaints.length) throw new Error(page.complaints.join("\n"));
  } finally {
    await page.close();
    between.close();
    await host.close();
  }
}

async function cut({ page, host, between, seen, ok }) {
  between.away = true;
  between.cut();
  await page.wait(BANNER, "the page says that it stands still");
  await page.sees("What you see is from");
  await host.ask("PUT", "/connectors/in/resume");
  await pause(REST_MS);
  await seen("Paused");
  await page.shot("frozen");
  between.away = false;
  await page.wait(`!${BANNER}`, "it goes on");
  await seen("Running");
  ok("a cut stream freezes the page and says since when; it goes on by itself with what is true then");
}

async function silent({ page, between, ok }) {
  between.muted = true;
  const began = Date.now();
  await page.wait(BANNER, "a stream that says nothing is dead");
  const took = Date.now() - began;
  between.muted = false;
  between.cut();
  await page.wait(`!${BANNER}`, "it goes on");
  ok(`a stream that falls silent is given up after ${(took / 1000).toFixed(0)} s`);
}

async function hidden({ page, between, seen, host, ok }) {
  const look = (away) => page.eval(`Object.defineProperty(document, "hidden", { configurable: true, get: () => ${away} }); document.dispatchEvent(new Event("visibilitychange"))`);
  await eventually(() => between.streams.size === 1, "one stream");
  await look(true);
  await eventually(() => between.streams.size === 0, "nobody looks: the stream is let go");
  await host.ask("PUT", "/connectors/in/pause");
  await look(false);
  await seen("Paused");
  if (between.streams.size !== 1) throw new Error(`${between.streams.size} streams`);
  ok("a page that nobody looks at holds no connection, and is up to date when it is looked at again");
}

async function without({ page, host, between, seen, ok }) {
  between.full = true;
  between.cut();
  await eventually(() => between.calls().includes("GET /api/v1/fleet"), "the fleet is asked for");
  await host.ask("PUT", "/connectors/in/resume");
  await seen("Running");
  await page.wait(`!${BANNER}`, "it is live");
  ok("where no stream is left the fleet is asked for every two seconds");
}
