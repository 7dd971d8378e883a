// The frame of the dashboard: links, sign-in, settings, and which page is shown.

import { html, render, useCell, useEffect, useErrorBoundary, useRef, useState } from "./lib/h.js";
import { ready, t, words } from "./lib/i18n.js";
import { language, theme, zone } from "./lib/settings.js";
import { authorize, basic, bearer, reach, signIn, signedIn } from "./lib/api.js";
import { go, to, useRoute } from "./lib/route.js";
import { fleet, inTrouble, start, stream, useFleet } from "./lib/live.js";
import { useWho } from "./lib/role.js";
import { Field, Time, Trouble } from "./parts/basic.js";
import { Modal, Overlay } from "./parts/dialog.js";
import { Icon } from "./parts/icons.js";
import { Fleet } from "./pages/fleet.js";

/** Pages by their first segment; all but the first come when they are wanted. */
const PAGES = {
  fleet: () => Fleet,
  connectors: async () => (await import("./pages/connector.js")).Connector,
  graph: async () => (await import("./pages/graph.js")).Graph,
  create: async () => (await import("./pages/create.js")).Create,
  edit: async () => (await import("./pages/create.js")).Edit,
  topics: async () => (await import("./pages/topics.js")).Topics,
  letters: async () => (await import("./pages/letters.js")).Letters,
  runs: async () => (await import("./pages/runs.js")).Runs,
  groups: async () => (await import("./pages/groups.js")).Groups,
  plugins: async () => (await import("./pages/plugins.js")).Plugins,
  host: async () => (await import("./pages/host.js")).Host,
};
const LINKS = ["fleet", "graph", "topics", "letters", "runs", "groups", "plugins", "host"];
/** Pages that belong to a link of another name. */
const UNDER = { connectors: "fleet", edit: "fleet", create: "fleet" };
/** The key after `g` for each page. */
const KEYS = { f: "fleet", p: "graph", t: "topics", d: "letters", r: "runs", l: "groups", i: "plugins", h: "host", n: "create" };

function Side({ current }) {
  const [open, set] = useState(false);
  const trouble = useFleet()?.rows.filter(inTrouble).length ?? 0;
  return html`
    <header class=${open ? "side open" : "side"}>
      <div class="top row between"><a class="brand" href="#/fleet"><img src="icon.svg" alt="" />linkspan</a>
        <button type="button" class="button menu-button" aria-expanded=${open ? "true" : "false"} onClick=${() => set(!open)}><${Icon} name="menu" />${t("menu")}</button></div>
      <nav aria-label=${t("menu")}><ul>${LINKS.map((name) => html`
        <li key=${name}><a href=${to([name])} aria-current=${(UNDER[current] ?? current) === name ? "page" : undefined} onClick=${() => set(false)}><${Icon} name=${name} />${t(`nav.${name}`)}
          ${name === "fleet" && trouble > 0 && html`<span class="tally">${trouble}</span>`}</a></li>`)}</ul></nav>
      <${Settings} />
    </header>`;
}

function Settings() {
  const [, state, who] = [useCell(theme), useCell(stream), useWho()];
  const pick = (label, of, choices) => html`
    <select aria-label=${label} onChange=${(event) => of.set(event.currentTarget.value)}>
      ${choices.map(([key, text]) => html`<option value=${key} selected=${of.get() === key}>${text}</option>`)}</select>`;
  return html`
    <div class="side-foot">
      <span class=${`badge ${state === "live" ? "good" : state === "lost" ? "bad" : "still"}`}>${t(`stream.${state}`)}</span>
      ${pick(t("settings.theme"), theme, [["auto", t("theme.auto")], ["light", t("theme.light")], ["dark", t("theme.dark")]])}
      ${pick("Language · 언어", language, [["en", "English"], ["ko", "한국어"]])}
      ${pick(t("settings.zone"), zone, [["local", t("zone.local")], ["utc", "UTC"]])}
      ${who.auth && html`<span class="soft">${who.user} · ${t(`role.${who.role}`)}</span>`}
      ${signedIn() && html`<button class="button tiny" onClick=${() => { authorize(null); location.reload(); }}>${t("login.out")}</button>`}
    </div>`;
}

function SignIn({ asked }) {
  const [token, byToken] = useState(false);
  function go(event) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    authorize(token ? bearer(form.get("token")) : basic(form.get("user"), form.get("password")));
  }
  return html`
    <main class="login"><form class="card" onSubmit=${go}>
      <h1>${t("login.title")}</h1>
      ${asked.failed && html`<${Trouble} error=${{ message: asked.message ?? t("login.failed"), help: asked.help }} />`}
      ${token ? html`<${Field} label=${t("login.token")} name="token" type="password" required />`
        : html`<${Field} label=${t("login.user")} name="user" autocomplete="username" required />
               <${Field} label=${t("login.password")} name="password" type="password" autocomplete="current-password" required />`}
      <button class="button main">${t("login.go")}</button>
      <button type="button" class="button plain" onClick=${() => byToken(!token)}>${token ? t("login.with-password") : t("login.with-token")}</button>
    </form></main>`;
}

function Page({ route }) {
  const name = PAGES[route.parts[0]] ? route.parts[0] : "fleet";
  const [page, set] = useState({ name: "fleet", View: Fleet });
  const [error, reset] = useErrorBoundary();
  useEffect(() => {
    let gone = false;
    Promise.resolve(PAGES[name]()).then((View) => gone || set({ name, View }));
    return () => { gone = true; };
  }, [name]);
  useEffect(() => { if (error) reset(); }, [route]);
  if (error) return html`<${Trouble} error=${{ message: String(error.stack ?? error) }} title=${t("error.page")} />`;
  return page.name === name ? html`<${page.View} route=${route} key=${name} />` : html`<p class="soft">${t("loading")}</p>`;
}

/** Keys that work everywhere but in fields. */
function useKeys(help) {
  useEffect(() => {
    let after = null;
    function press(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
      const target = KEYS[event.key];
      if (after === "g" && target) go([target]);
      else if (event.key === "/") {
        event.preventDefault();
        document.querySelector("input[type=search]")?.focus();
      } else if (event.key === "?") help(true);
      after = event.key === "g" && after !== "g" ? "g" : null;
    }
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

/** The page stands still, and says since when. */
function Lost() {
  const heard = fleet.get()?.heard;
  return html`<div class="banner" role="alert">${t("lost")} ${heard && html`${t("lost.since")} <${Time} at=${heard} />`}</div>`;
}

function App() {
  useCell(words);
  const route = useRoute();
  const asked = useCell(signIn);
  const lost = [useCell(stream), useCell(reach)].includes("lost");
  const [help, show] = useState(false);
  const page = useRef();
  useKeys(show);
  useEffect(() => page.current?.focus({ preventScroll: true }), [route.parts.join("/")]);
  if (asked) return html`<${SignIn} asked=${asked} />`;
  return html`
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); page.current.focus(); }}>${t("skip")}</a>
    <div class="frame"><${Side} current=${route.parts[0]} />
      <main class="page" id="main" tabindex="-1" ref=${page}>
        ${lost && html`<${Lost} />`}
        <${Page} route=${route} />
      </main></div>
    ${help && html`<${Modal} title=${t("keys.title")} onClose=${() => show(false)}>
      <div class="keys">${[["/", t("search")], ...Object.entries(KEYS).map(([key, name]) => [`g ${key}`, t(`nav.${name}`)]), ["↑ ↓ PgUp PgDn Home End", t("keys.rows")], ["?", t("keys.help")]]
        .map(([key, word]) => html`<span><kbd>${key}</kbd></span><span>${word}</span>`)}</div>
      <div class="dialog-foot"><button class="button" onClick=${() => show(false)}>${t("close")}</button></div><//>`}
    <${Overlay} />`;
}

await ready;
start();
const app = document.getElementById("app");
app.replaceChildren();
render(html`<${App} />`, app);
