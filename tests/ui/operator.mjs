// A day's work on a real host by clicking: see why something failed, pause, restart, move offsets, go back to a time, replay and mend dead
// letters, change and delete a connector; markup in data; the host killed and back while the page is open.

import fs from "node:fs";
import path from "node:path";
import { spawnSync } from "node:child_process";
import { judge } from "./axe.mjs";
import { Page } from "./browser.mjs";
import { eventually, Host } from "./host.mjs";
import { MARKUP } from "./mock.mjs";

const YAML = `
topics: { again: { partitions: 1 } }
connectors:
  in: { connector: file-source, format: lines, path: in.txt, topic: lines, poll.interval: 200ms }
  out:
    connector: file-sink
    topics: [lines]
    path: out.txt
    value.converter: json
    value.converter.schemas.enable: false
    errors: { tolerance: all, deadletterqueue.topic.name: letters }
  bad: { connector: file-sink, topics: [lines], path: blocked/out.txt, format: lines, on.existing: truncate }
`;
const LINES = Array.from({ length: 40 }, (_, n) => n % 10 === 3 ? `poison ${n} ${MARKUP}` : `{"n":${n}}`);

export async function operator({ program, scratch, shots, ok }) {
  const folder = path.join(scratch, "operator");
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, "in.txt"), `${LINES.join("\n")}\n`);
  fs.writeFileSync(path.join(folder, "blocked"), "a file where a folder is wanted");
  const host = await Host.start(program, folder, YAML);
  const page = await Page.open({ shots });
  const pages = await host.pages();
  const at = (hash) => page.goto(pages + hash);
  const fleet = async (name) => (await host.ask("GET", "/api/v1/fleet")).connectors.find((row) => row.name === name);
  const clean = async () => {
    const { broken } = await judge(page);
    if (broken.length) throw new Error(`${await page.eval("location.hash")}\n${broken.join("\n")}`);
  };
  try {
    await eventually(async () => (await host.ask("GET", "/api/v1/dlq")).some((one) => one.letters === 4), "four letters");
    await trouble({ page, host, folder, at, fleet, ok, clean });
    await offsets({ page, host, at, ok, clean });
    await letters({ page, host, at, ok, clean });
    await mended({ page, host, folder, at, ok, clean });
    await around({ page, host, program, folder, at, ok, clean });
    await configuration({ page, host, folder, at, fleet, ok, clean });
    await markup({ page, host, at, ok });
    await away({ page, host, at, ok });
    if (page.complaints.length) throw new Error(page.complaints.join("\n"));
  } finally {
    await page.close();
    await host.close();
  }
}

async function trouble({ page, folder, at, fleet, ok, clean }) {
  await at("#/fleet");
  await page.wait("document.querySelector('.rows-line[data-line=\"0\"] .name')?.textContent === 'bad'", "what failed comes first");
  await clean();
  await page.shot("fleet");
  await page.click("bad");
  await page.sees("Why it failed");
  await page.sees("What to do:");
  await page.sees("p.yaml:");
  await clean();
  await page.shot("failed");
  fs.rmSync(path.join(folder, "blocked"));
  await page.click("Restart what failed");
  await eventually(async () => (await fleet("bad")).health === "running", "it works again");
  await page.wait("document.querySelector('.head .badge.good')", "the page says so");
  ok("what failed comes first, with why and what to do; mended, it is restarted by a click");
  await at("#/connectors/in");
  await page.click("Pause");
  await page.sees("Nothing new comes to: lines");
  await page.sees("These then wait for records");
  await clean();
  await page.click("Cancel");
  if ((await fleet("in")).target !== "RUNNING") throw new Error("a cancelled act did something");
  await page.click("Pause");
  await page.click("[data-confirm]");
  await eventually(async () => (await fleet("in")).health === "paused", "paused");
  await page.click("Resume");
  await eventually(async () => (await fleet("in")).health === "running", "resumed");
  ok("pause says what it does, does nothing when cancelled, and is undone");
}

async function offsets({ page, host, at, ok, clean }) {
  const committed = async () => (await host.ask("GET", "/api/v1/connectors/bad/offsets")).offsets[0]?.offset.kafka_offset;
  await eventually(async () => await committed() === 40, "all is read");
  await at("#/connectors/bad/offsets");
  await page.sees("Offsets can be changed while the connector is stopped");
  await page.click("=Stop");
  await page.click("[data-confirm]");
  await page.wait("document.querySelector('td input.mono')", "offsets can be edited");
  await page.type("td input.mono", "{\"kafka_offset\":");
  await page.wait("document.querySelector('td input[aria-invalid=true]')", "half a value is not taken");
  await page.type("td input.mono", "{\"kafka_offset\":10}");
  await page.click("Preview the change");
  await page.sees("+ {\"kafka_offset\":10}");
  await clean();
  await page.shot("offsets");
  if (await committed() !== 40) throw new Error("a preview changed something");
  await page.click("[data-confirm]");
  await eventually(async () => await committed() === 10, "the offset is set");
  ok("an offset is edited; its preview changes nothing");
  await page.loses("+ {\"kafka_offset\":10}");
  await page.wait("document.querySelector('input[type=datetime-local]')", "a time");
  await page.click("form.filters button");
  await page.wait("document.querySelector('dialog .diff .add')?.textContent.includes('\"kafka_offset\":0')", "back to the first record");
  await clean();
  await page.click("[data-confirm]");
  await eventually(async () => await committed() === 0 || (await host.ask("GET", "/api/v1/connectors/bad/offsets")).offsets.length === 0, "set back");
  await page.click("Resume");
  await eventually(async () => await committed() === 40, "read again");
  ok("going back to a time names the new positions first; the sink reads again");
}

async function letters({ page, host, at, ok, clean }) {
  const count = async (topic) => (await host.ask("GET", "/api/v1/topics")).find((one) => one.name === topic)?.records ?? 0;
  await at("#/letters");
  await page.click("=letters");
  await page.sees("LS0410");
  await page.click("Open 0:0");
  await page.sees("What went wrong");
  await page.click("As bytes");
  await page.sees("70 6f 69 73 6f 6e 20 33");
  await clean();
  await page.shot("letters");
  await page.click("Preview the replay of 4 letters");
  await page.sees("What is written where");
  await page.click("Cancel");
  await page.type(".stack > .filters input", "again");
  await page.click("Preview the replay of 4 letters");
  await page.wait("document.querySelector('dialog table')?.innerText.includes('again')", "the target");
  if (await count("again") !== 0) throw new Error("a preview wrote something");
  await clean();
  await page.shot("replay");
  await page.click("[data-confirm]");
  await eventually(async () => await count("again") === 4, "four records written");
  ok("dead letters are grouped, shown with origin and bytes, and replayed after a preview");
  await page.click("Open 0:1");
  const before = await count("lines");
  await page.type("textarea[aria-label='Mend this record by hand']", "{\"n\":13}");
  await page.click(".record-more form button, .record-more .filters button");
  await page.sees("+ {\"n\":13}");
  await page.click("[data-confirm]");
  await eventually(async () => await count("lines") === before + 1, "the mended record is written");
  ok("a record is mended by hand and written to where it was for");
}

/** Letters that no sink could read, made into what it reads, by steps that are put together by clicking. */
async function mended({ page, host, folder, at, ok, clean }) {
  const count = async () => (await host.ask("GET", "/api/v1/topics")).find((one) => one.name === "lines").records;
  const before = await count();
  // Anew: what was chosen before is not chosen now.
  await page.goto("about:blank");
  await at("#/letters/letters");
  await page.click("Add a step");
  await page.choose(".card fieldset select", "org.apache.kafka.connect.transforms.HoistField$Value");
  await page.wait("document.querySelector('[data-option=field]')", "its options");
  await page.click("Open 0:0");
  await page.click("Try the steps on this record");
  await page.sees("`transforms.step1.field` is required");
  await page.type("[data-option=field]", "text");
  await page.click("Try the steps on this record");
  await page.sees("+ {\"text\":\"poison 3 <script>");
  await clean();
  await page.shot("mend");
  await page.click("Preview the mended replay of 4 letters");
  await page.wait("document.querySelectorAll('dialog .diff').length === 4", "each before and after");
  await clean();
  await page.shot("mend-preview");
  if (await count() !== before) throw new Error("a preview wrote something");
  await page.click("[data-confirm]");
  await eventually(async () => await count() === before + 4, "four mended records");
  await eventually(() => fs.readFileSync(path.join(folder, "out.txt"), "utf8").includes("poison 33"), "the sink takes them");
  await page.wait("!document.querySelector('dialog[open]')", "it is done");
  await page.click("Preview the mended replay of 4 letters");
  await page.sees("4 letters were replayed there before");
  await page.click("Cancel");
  ok("dead letters are mended by transforms: tried on one, shown before and after, written once");
}

/** What surrounds connectors: runs with their files and sums, groups and lag, plugins, the host and its doctor. */
async function around({ page, host, program, folder, at, ok, clean }) {
  const job = path.join(folder, "job.yaml");
  fs.writeFileSync(path.join(folder, "job.txt"), "a\nb\nc\n");
  fs.writeFileSync(job, `connectors:\n  job-in: { connector: file-source, format: lines, path: job.txt, topic: job-lines }\n  job-out: { connector: file-sink, topics: [job-lines], path: job-out.txt, format: lines }\n`);
  const ran = spawnSync(program, ["run", "--once", "--data", path.join(folder, "data"), job], { cwd: folder, encoding: "utf8", timeout: 60_000 });
  if (ran.status !== 0) throw new Error(`the job: ${ran.status} ${ran.stderr}`);
  await at("#/runs");
  await page.sees("job");
  await clean();
  await page.click("td a");
  await page.sees("3 read = 3 written + 0 filtered + 0 dead letters");
  await page.sees("job.txt");
  await page.wait("[...document.querySelectorAll('td[title]')].some((cell) => /^[0-9a-f]{64}$/.test(cell.title))", "the checksum of a file");
  await clean();
  await page.shot("run");
  await at("#/groups");
  await page.click("connect-out");
  await page.wait("document.querySelector('main table tbody td.num')", "positions");
  await clean();
  await at("#/plugins");
  await page.click("file-source");
  await page.sees("path");
  await page.sees("liblinkspan_connector_file.so");
  await clean();
  await at("#/host");
  await page.sees("How long the disk takes");
  await page.click("Check now");
  await page.sees("a durable write of 4 KiB takes");
  await clean();
  await page.shot("host");
  await at("#/connectors/bad/logs");
  await page.wait("document.querySelector('.log li') || document.querySelector('.empty')", "the log");
  await clean();
  await at("#/connectors/bad/events");
  await page.sees("Failed");
  await page.wait("document.querySelector('.timeline li')", "what happened");
  await clean();
  ok("a run adds up, with files and checksums; groups, plugins, the host, its doctor, logs and events of a connector");
}

async function configuration({ page, host, folder, at, fleet, ok, clean }) {
  await host.ask("POST", "/connectors", { name: "over-rest", config: { "connector.class": "file-sink", topics: "lines", path: path.join(folder, "rest.txt"), format: "lines", "value.converter": "org.apache.kafka.connect.storage.StringConverter" } });
  await at("#/connectors/in/config");
  await page.sees("Read only:");
  await at("#/connectors/over-rest/config");
  await page.click("=Edit");
  await page.type("[data-option=path]", path.join(folder, "rest2.txt"));
  await page.sees("Nothing wrong");
  await clean();
  await page.click("Preview the change");
  await page.sees("rest2.txt");
  await page.wait("document.querySelectorAll('dialog .diff .del, dialog .diff .add').length === 2", "one line before and after");
  await page.shot("config");
  await page.click("[data-confirm]");
  await eventually(async () => (await host.ask("GET", "/connectors/over-rest")).config.path.endsWith("rest2.txt"), "changed");
  ok("a configuration is changed after its difference was shown; what a file owns is read only");
  await at("#/connectors/over-rest");
  await page.click("Delete");
  await page.wait("document.querySelector('[data-confirm]')?.disabled", "only with the name typed");
  await page.type("dialog input", "over-rest");
  await page.click("[data-confirm]");
  await eventually(async () => !await fleet("over-rest"), "deleted");
  ok("a connector is deleted only with its name typed");
}

/** Names, values, headers and errors that would like to be code. */
async function markup({ page, host, at, ok }) {
  await host.ask("POST", "/connectors", { name: "markup", config: { "connector.class": "file-sink", topics: "lines", path: `/dev/null/${MARKUP}`, format: "lines" } });
  const seen = async (hash, text = MARKUP) => {
    await at(hash);
    await page.sees(text.slice(0, 20));
    const harm = await page.eval("document.title === 'owned' || document.querySelector('main script, main img') !== null");
    if (harm) throw new Error(`data became markup at ${hash}`);
  };
  for (const hash of ["#/fleet", "#/connectors/markup", "#/connectors/markup/config", "#/letters/letters", `#/topics/${encodeURIComponent(MARKUP)}`]) await seen(hash);
  await at("#/edit/markup");
  await page.wait("document.querySelector('[data-option=path]')?.value.includes('<script>')", "markup in a field");
  await at("#/graph");
  await page.wait("document.querySelector('.graph .node')", "the graph");
  await at("#/topics/lines");
  await page.sees("poison 3 <script>");
  await host.ask("DELETE", "/connectors/markup");
  ok("markup in records, options and errors stays text");
}

async function away({ page, host, at, ok }) {
  await at("#/connectors/in");
  await page.sees("Rate");
  await host.end("SIGKILL");
  await page.wait("document.querySelector('.banner')", "the page says that the host is away");
  await page.sees("Rate");
  await page.shot("away");
  await host.run();
  await page.wait("!document.querySelector('.banner')", "and that it is back");
  await page.wait("document.querySelector('.head .badge.good')", "the connector runs");
  ok("a host that is killed and comes back is told; what was seen stays");
}
