// From an empty host to a healthy pipeline by clicking only; how many clicks and seconds that takes.

import fs from "node:fs";
import path from "node:path";
import { judge } from "./axe.mjs";
import { Page } from "./browser.mjs";
import { eventually, Host } from "./host.mjs";

const LINES = Array.from({ length: 500 }, (_, n) => `flight ${n} 서울 <b>&amp;</b>`);

/** Seconds that a person takes, by the keystroke-level model: to think and to point for each click, and to type. */
const person = (clicks, characters) => clicks * (1.35 + 1.1 + 0.2) + characters * 0.28;

export async function newcomer({ program, scratch, shots, ok }) {
  const folder = path.join(scratch, "newcomer");
  const host = await Host.start(program, folder);
  const [input, output] = [path.join(folder, "in.txt"), path.join(folder, "out.txt")];
  fs.writeFileSync(input, `${LINES.join("\n")}\n`);
  const page = await Page.open({ shots });
  try {
    const began = Date.now();
    await page.goto(await host.pages());
    await page.sees("No connectors yet");
    await page.shot("newcomer-empty");
    await page.click("Make the first connector");
    await page.click("file-source");
    await page.sees("3 options need a look");
    await page.click("Create and start");
    await page.sees("Missing required configuration \"path\"");
    await page.sees("A connector needs a name");
    await page.shot("newcomer-missing");
    ok("an empty host says what to do; what is missing is said at its field and nothing is made");
    if ((await host.ask("GET", "/connectors")).length) throw new Error("something was made");
    await page.type("[data-option=name]", "flights-in");
    await page.type("[data-option=path]", input);
    await page.type("[data-option=topic]", "flights");
    await page.sees("Nothing wrong");
    await page.wait("document.querySelector('textarea.yaml').value.includes('topic: flights')", "the YAML follows the form");
    await page.click("Test the connection");
    await page.sees("The connection works");
    await page.click("=Preview");
    await page.sees("flight 9 서울 <b>&amp;</b>");
    if ((await host.ask("GET", "/api/v1/topics")).length) throw new Error("a preview made a topic");
    await page.shot("newcomer-form");
    await page.click("Create and start");
    await page.sees("First records of flights");
    await eventually(async () => (await host.ask("GET", "/api/v1/fleet")).totals.records_per_s >= 0, "the fleet answers");
    ok("a source is made by a form");
    await page.click("Fleet");
    await page.click("New connector");
    await page.click("file-sink");
    await page.type("[data-option=name]", "flights-out");
    await page.type("[data-option=path]", output);
    await page.type("[data-option=topics]", "flights");
    await page.choose("[data-option=format]", "lines");
    await page.sees("Nothing wrong");
    await page.click("Create and start");
    await page.sees("Lag by partition");
    await page.click("Pipelines");
    await page.wait("document.querySelectorAll('.graph .node.good').length === 2", "both are healthy in the graph");
    const [clicks, typed, seconds] = [page.clicks, page.typed, (Date.now() - began) / 1000];
    await page.shot("newcomer-graph");
    await eventually(() => fs.existsSync(output) && fs.readFileSync(output, "utf8").split("\n").length > LINES.length, "every line arrived");
    const written = fs.readFileSync(output, "utf8").trimEnd().split("\n");
    if (JSON.stringify(written) !== JSON.stringify(LINES)) throw new Error(`other lines: ${written.slice(0, 3)}`);
    ok(`from an empty host to a healthy pipeline: ${clicks} clicks, ${typed} characters, about ${(person(clicks, typed) / 60).toFixed(1)} min by a person, ${seconds.toFixed(1)} s by machine (a wrong try, a test and a preview included), ${LINES.length} lines out`);
    await yaml(page, host, ok);
    await outside(page, host, folder, ok);
    const { broken } = await judge(page);
    if (broken.length) throw new Error(broken.join("\n"));
    if (page.complaints.length) throw new Error(page.complaints.join("\n"));
  } finally {
    await page.close();
    await host.close();
  }
}

/** What a plugin cannot reach is said before anything is made. */
async function outside(page, host, folder, ok) {
  await page.goto(`${await host.pages()}#/create/file-source`);
  await page.type("[data-option=name]", "nowhere");
  await page.type("[data-option=path]", path.join(folder, "missing", "in.txt"));
  await page.type("[data-option=topic]", "nowhere");
  await page.sees("Nothing wrong");
  await page.click("Test the connection");
  await page.sees("The test found this");
  await page.shot("newcomer-unreachable");
  if ((await host.ask("GET", "/connectors")).includes("nowhere")) throw new Error("a test made something");
  ok("the test of a connection finds what is not there and makes nothing");
}

/** The other direction: text into the form, and what is wrong with it by its line. */
async function yaml(page, host, ok) {
  await page.goto(`${await host.pages()}#/create/file-sink`);
  const set = (text) => page.eval(`(() => { const area = document.querySelector("textarea.yaml"); area.focus(); area.value = ${JSON.stringify(text)}; area.dispatchEvent(new Event("input", { bubbles: true })); })()`);
  await page.wait("document.querySelector('[data-option=path]')", "the form");
  await set("connectors:\n  typed:\n    connector: file-sink\n    path: 'it''s.txt'\n    topics: [a, b]\n    csv: { delimiter: x }\n");
  await page.sees("Line 6:");
  await set("connectors:\n  typed:\n    connector: file-sink\n    path: 'it''s.txt'   # a remark\n    topics: [a, \"b c\"]\n    csv:\n      delimiter: ';'\n    pth: x\n");
  await page.wait("document.querySelector('[data-option=path]').value === \"it's.txt\"", "the form follows the YAML");
  await page.wait("document.querySelector('[data-option=topics]').value === 'a,b c' && document.querySelector('[data-option=\"csv.delimiter\"]').value === ';'", "lists and nested names");
  await page.sees("The plugin has no such options: pth");
  ok("YAML fills the form; a line that is wrong and an option that does not exist are named");
}
