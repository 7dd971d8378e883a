// Every screen over a made-up host with 0, 1 and 1,000 connectors: nothing breaks, nothing is wider than the window, light and dark, English
// and Korean, by keyboard; and what 1,000 connectors cost.

import { judge } from "./axe.mjs";
import { Page } from "./browser.mjs";
import { MARKUP, serve } from "./mock.mjs";

const SCREENS = ["fleet", "graph", "topics", "topics/flights", "topics/flights/settings", "letters", "letters/letters", "runs", "groups", "groups/connect-orders-0000", "plugins", "plugins/file-source", "host", "create"];
const WITH_RUNS = ["runs/01a21425-7c4b-70e6-b2de-000000000000"];
const OF_ONE = ["", "/offsets", "/config", "/logs", "/events"].map((tab) => `connectors/orders-0000${tab}`);
const WIDTHS = [[360, 740], [1280, 800], [3840, 2160]];
/** Lines of a list in the page at once. */
const LINES_MAX = 80;

export async function screens({ shots, ok }) {
  const page = await Page.open({ shots });
  try {
    for (const n of [0, 1, 1000]) {
      const server = await serve(n, 0);
      const base = `http://127.0.0.1:${server.address().port}/ui/`;
      await page.goto(`${base}?${n}`);
      await every(page, n, ok);
      if (n === 1000) await many(page, base, ok);
      server.close();
      server.closeAllConnections();
    }
    if (page.complaints.length) throw new Error([...new Set(page.complaints)].join("\n"));
  } finally {
    await page.close();
  }
}

/** Goes to a screen without loading the page anew, and looks until it stands. */
async function show(page, screen) {
  await page.eval(`location.hash = "#/${screen}"`);
  await page.wait(`location.hash === "#/${screen}" && document.querySelector("main h1, main .empty h2, main .note") && !document.querySelector("main [role=status]:not(.small)")?.textContent.includes("…")`, screen);
}

async function every(page, n, ok) {
  const all = n ? [...SCREENS, ...WITH_RUNS, ...OF_ONE] : SCREENS;
  let held = 0;
  const broken = [];
  for (const [theme, size] of [["light", WIDTHS[0]], ["dark", WIDTHS[1]], ["light", WIDTHS[2]]]) {
    await page.size(...size);
    await page.media(theme);
    for (const screen of all) {
      await show(page, screen);
      const wide = await page.eval("document.scrollingElement.scrollWidth - innerWidth");
      if (wide > 0) broken.push(`${screen} at ${size[0]} px: ${wide} px too wide`);
      if (size[0] === 1280 || (n === 1 && size[0] === 360)) await page.shot(`${n}-${theme}-${size[0]}-${screen.replaceAll("/", "-")}`);
      // The rules look at everything once in each theme; for 1,000 rows one width is enough.
      if (size[0] !== 3840 && (n !== 1000 || theme === "dark")) {
        const told = await judge(page);
        held += told.held;
        broken.push(...told.broken.map((one) => `${screen} ${theme} ${size[0]} px: ${one}`));
      }
    }
  }
  if (broken.length) throw new Error(broken.join("\n"));
  await page.size(1280, 800);
  await page.choose("select[aria-label^='Language']", "ko");
  await page.wait("document.documentElement.lang === 'ko'", "Korean");
  for (const screen of all) {
    await show(page, screen);
    const english = await page.eval("[...document.querySelectorAll('main h1, main h2, main label, main th, main .empty p')].map((one) => one.textContent.trim()).filter((text) => /[A-Za-z]{3,}/.test(text) && !/[가-힣]/.test(text))");
    const own = english.filter((text) => !/orders|flights|letters|YAML|SHA-256|file-source|01a21425|<script/.test(text));
    if (own.length) throw new Error(`${screen} in Korean: ${own.join(" | ")}`);
  }
  await page.shot(`${n}-korean`);
  await page.choose("select[aria-label^='Language']", "en");
  await page.wait("document.documentElement.lang === 'en'", "English");
  ok(`${all.length} screens with ${n} connectors at 360, 1280 and 3840 px, light and dark, in both languages${held ? `; ${held} accessibility rules held` : ""}`);
}

async function many(page, base, ok) {
  await page.size(1280, 800);
  await page.goto("about:blank");
  await page.goto(`${base}#/fleet`);
  await page.wait("document.querySelectorAll('.rows-line').length > 5", "rows");
  const paint = await page.eval("performance.getEntriesByType('paint').find((one) => one.name === 'first-contentful-paint')?.startTime ?? 0");
  const bytes = await page.eval("performance.getEntriesByType('resource').filter((one) => one.name.includes('/ui/')).length");
  const lines = await page.eval("document.querySelectorAll('.rows-line').length");
  if (lines > LINES_MAX) throw new Error(`${lines} lines in the page`);
  await page.wait(`document.querySelector('.rows-line .name')?.title.startsWith('orders-') && document.querySelector('.rows-line.bad')`, "failures first");
  const frames = await page.eval(`new Promise((done) => { const box = document.querySelector(".rows-body"); const times = []; let before = performance.now(); let left = 60;
    (function step(now) { times.push(now - before); before = now; box.scrollTop += box.scrollHeight / 60; left -= 1; if (left) requestAnimationFrame(step); else done(times.slice(2).sort((a, b) => a - b)); })(before); })`);
  const end = await page.wait("document.querySelector('.rows-line[data-line=\"999\"]') !== null", "the last line");
  await page.eval("document.querySelector('.rows-body').scrollTop = 0");
  await page.wait("document.querySelector('.rows-line[data-line=\"0\"]')", "the first line");
  await page.eval("document.querySelector('.rows-body').focus()");
  for (const key of ["Home", "ArrowDown", "ArrowDown"]) await page.key(key);
  await page.wait("document.activeElement.closest('[data-line]')?.dataset.line === '2'", "arrow keys move from line to line");
  await page.key("End");
  await page.wait("document.activeElement.closest('[data-line]')?.dataset.line === '999'", "End goes to the last line, which was not in the page");
  await page.key("Home");
  await page.wait("document.activeElement.closest('[data-line]')?.dataset.line === '0'", "and Home back");
  await page.key("Enter");
  await page.wait("location.hash.startsWith('#/connectors/')", "Enter opens it");
  for (const key of ["g", "f"]) await page.key(key);
  await page.wait("location.hash === '#/fleet'", "g f goes back");
  await page.wait("document.querySelector('input[type=search]')", "the fleet");
  await page.key("/");
  await page.wait("document.activeElement.type === 'search'", "/ goes to the search");
  await page.send("Input.insertText", { text: "orders-0097" });
  await page.wait("document.querySelectorAll('.rows-line').length === 1", "the search finds one");
  await page.eval(`location.hash = ${JSON.stringify(`#/fleet?state=running&q=${encodeURIComponent(MARKUP)}`)}`);
  await page.wait("document.querySelector('.rows-line .name')?.textContent.includes('<script>')", "also by markup");
  for (const height of [600, 500]) {
    await page.size(1280, height);
    await page.eval("location.hash = '#/fleet'");
    await page.wait("(() => { const box = document.querySelector('.rows-body'); return box && box.clientHeight % 58 === 0 && box.clientHeight >= 290; })()", "whole lines also in a low window");
  }
  await page.shot("1000-low");
  const { metrics } = await page.send("Performance.getMetrics");
  const heap = metrics.find((one) => one.name === "JSHeapUsedSize").value;
  ok(`1,000 connectors: ${lines} lines in the page, first paint ${Math.round(paint)} ms from this machine (${bytes} files), a frame takes ${frames[Math.floor(frames.length / 2)].toFixed(1)} ms in the middle, ${frames.at(-1).toFixed(1)} ms at most, ${(heap / 1048576).toFixed(1)} MiB of JavaScript; by keyboard to every line ${end}`);
}
