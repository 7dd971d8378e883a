// A host with users: who signs in sees and does what their role allows; what it does not allow is there and says why it is not.

import fs from "node:fs";
import path from "node:path";
import { judge } from "./axe.mjs";
import { Page } from "./browser.mjs";
import { eventually, Host } from "./host.mjs";

const SECRET = "walnut-7Q";
const TOKEN = "t0ken-of-a-script-which-is-long-enough";
const YAML = `
host:
  users:
    vera: { role: viewer, password: "\${env:VERA}" }
    otto: { role: operator, password: "\${env:OTTO}" }
    anna: { role: admin, password: "\${env:ANNA}" }
  tokens:
    script: { role: operator, token: "\${env:SCRIPT}" }
connectors:
  in: { connector: file-source, format: lines, path: in.txt, topic: lines, poll.interval: 200ms }
  out:
    connector: file-sink
    topics: [lines]
    path: out.txt
    value.converter: json
    value.converter.schemas.enable: false
    errors: { tolerance: all, deadletterqueue.topic.name: letters }
`;
const env = { VERA: "vera-password-1", OTTO: "otto-password-2", ANNA: "anna-password-3", SCRIPT: TOKEN };
const basic = (user, password) => `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

export async function roles({ program, scratch, shots, ok }) {
  const folder = path.join(scratch, "roles");
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, "in.txt"), `poison ${SECRET}\n{"n":1}\n`);
  const host = await Host.start(program, folder, YAML, { env, authorization: basic("anna", env.ANNA) });
  const page = await Page.open({ shots });
  const pages = await host.pages();
  const at = (hash) => page.goto(pages + hash);
  const state = async (name) => (await host.ask("GET", "/api/v1/fleet")).connectors.find((row) => row.name === name).target;
  /** Tries what a role may not do; the page must say so and the host hear nothing of it. */
  const denied = async (what) => {
    await page.wait(`${Page.find(what)}?.getAttribute("aria-disabled") === "true"`, `${what} is there and cannot be used`);
    await page.click(what);
    await page.sees("This is for the role");
  };
  try {
    await eventually(async () => (await host.ask("GET", "/api/v1/dlq")).some((one) => one.letters === 1), "a letter");
    await page.goto(pages);
    await page.sees("Sign in");
    if (await page.eval("document.querySelector('.rows') !== null")) throw new Error("the fleet is shown to nobody");
    await signIn(page, "vera", "wrong");
    await page.wait("document.querySelector('.login .note.bad')", "what was wrong");
    await judged(page);
    await page.shot("sign-in");
    ok("nobody sees anything without signing in; a wrong password is said");
    await signIn(page, "vera", env.VERA);
    await page.sees("vera · viewer");
    await viewer({ page, at, denied, state, ok });
    await signOut(page);
    await page.click("Use a token instead");
    await page.type("input[name=token]", TOKEN);
    await page.click("form button.main");
    await operator({ page, at, denied, state, ok });
    await signOut(page);
    await signIn(page, "anna", env.ANNA);
    await page.sees("anna · admin");
    await page.wait("document.querySelector('a[href=\"#/create\"]')", "an admin makes connectors");
    const kept = await page.eval("JSON.stringify(localStorage) + location.href + document.cookie");
    if (/Basic|Bearer|password/.test(kept)) throw new Error(`credentials outlive the tab: ${kept}`);
    ok("an admin may everything; credentials live in the tab alone");
    if (page.complaints.length) throw new Error(page.complaints.join("\n"));
  } finally {
    await page.close();
    await host.close();
  }
}

async function signIn(page, user, password) {
  await page.type("input[name=user]", user);
  await page.type("input[name=password]", password);
  await page.click("form button.main");
}

async function signOut(page) {
  await page.click("Sign out");
  await page.wait("document.querySelector('.login')", "signed out");
}

async function judged(page) {
  const { broken } = await judge(page);
  if (broken.length) throw new Error(broken.join("\n"));
}

async function viewer({ page, at, denied, state, ok }) {
  await at("#/topics/lines");
  await page.sees("Keys, values and headers are hidden");
  await page.wait("document.querySelectorAll('.rows-line.records').length === 2", "the records, without what is in them");
  await page.click("Open 0:0");
  await page.sees("Size of the value");
  await judged(page);
  await page.shot("viewer-records");
  await at("#/letters/letters");
  await page.click("Open 0:0");
  await page.sees("(hidden)");
  await denied("Preview the replay");
  if ((await page.eval("document.documentElement.innerHTML")).includes(SECRET)) throw new Error("a viewer sees a value");
  await at("#/connectors/in");
  await page.sees("First records of lines");
  await denied("=Pause");
  await judged(page);
  await page.shot("viewer");
  if (await state("in") !== "RUNNING") throw new Error("a viewer paused it");
  await at("#/connectors/out/offsets");
  await denied("Remove all");
  await at("#/create");
  await page.sees("This is for the role admin");
  await at("#/host");
  await denied("Take over changed files");
  await denied("Check now");
  ok("a viewer sees states and no values; what a viewer may not do is there and says why");
}

async function operator({ page, at, denied, state, ok }) {
  await page.sees("script · operator");
  await at("#/connectors/in");
  await page.click("=Pause");
  await page.click("[data-confirm]");
  await eventually(async () => await state("in") === "PAUSED", "paused");
  await denied("=Delete");
  await at("#/letters/letters");
  await page.sees(SECRET);
  await at("#/create/file-sink");
  await page.wait("document.querySelector('[data-option=path]')", "a form to look at");
  await denied("[data-create]");
  await judged(page);
  ok("an operator signs in by token, pauses and sees values; making and deleting is an admin's");
}
