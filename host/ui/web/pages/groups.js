// Groups of readers: who is in them, how far they are, and setting their positions with a preview.

import { html, useState } from "../lib/h.js";
import { call, get, seg } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { count, short, span } from "../lib/format.js";
import { fleet, useFleet } from "../lib/live.js";
import { to, tune } from "../lib/route.js";
import { useLoad } from "../lib/load.js";
import { Empty, Facts, Field, Head, Loaded, Table, Time } from "../parts/basic.js";
import { Act } from "../parts/act.js";
import { ask } from "../parts/dialog.js";
import { Rows } from "../parts/rows.js";

export const Groups = ({ route }) => route.parts[1] ? html`<${Group} name=${route.parts[1]} key=${route.parts[1]} />` : html`<${List} route=${route} />`;

/** The sink that reads as this group; null: somebody else does. */
const sinkOf = (group) => fleet.get()?.rows.find((row) => row.type === "sink" && `connect-${row.name}` === group) ?? null;

function List({ route }) {
  useFleet();
  const loaded = useLoad((signal) => get("/api/v1/groups", { signal }), [], { every: 5000 });
  const q = (route.query.q ?? "").toLowerCase();
  const behind = (one) => {
    const lag = sinkOf(one.group)?.lag;
    return lag ? `${short(lag.records)} · ${span(lag.seconds === null ? null : lag.seconds * 1000)}` : "–";
  };
  return html`<${Head} title=${t("nav.groups")} /><${Loaded} of=${loaded}>${(groups) => groups.length === 0
    ? html`<${Empty} title=${t("groups.empty")} text=${t("groups.empty-text")} command="linkspan consume TOPIC --group mine" />`
    : html`<div class="filters"><${Field} wide type="search" label=${t("search")} value=${route.query.q ?? ""} onInput=${(event) => tune({ q: event.currentTarget.value })} /></div>
      <${Rows} label=${t("nav.groups")} layout="groups" height=${44} keyOf=${(one) => one.group} items=${groups.filter((one) => one.group.toLowerCase().includes(q))}
        heads=${[[t("name")], [t("fleet.state")], [t("groups.members"), "right"], [t("fleet.lag"), "right"]]}
        line=${(one) => html`<span role="cell" class="cut"><a href=${to(["groups", one.group])}>${one.group}</a></span><span role="cell">${one.state}</span><span role="cell" class="right num">${count(one.members)}</span><span role="cell" class="right num">${behind(one)}</span>`} />`}<//>`;
}

const position = (n) => n === null || n === undefined || n < 0 ? "–" : count(n);

/** What a reset would do, asked of the host before it is done. */
const Positions = ({ of }) => of.length === 0 ? html`<p class="soft">${t("groups.same")}</p>` : html`<${Table} label=${t("groups.positions")} heads=${[t("topic"), t("partition"), [t("groups.from")], [t("groups.to")]]}>
  ${of.map((one) => html`<tr key=${`${one.topic} ${one.partition}`}><td>${one.topic}</td><td>${one.partition}</td><td class="num">${position(one.from)}</td><td class="num">${position(one.to)}</td></tr>`)}<//>`;

function Group({ name }) {
  const path = `/api/v1/groups/${seg(name)}`;
  const loaded = useLoad((signal) => get(path, { signal }), [name], { every: 5000 });
  const [where, set] = useState("earliest");
  const reset = () => ask({
    title: t("groups.reset-title", { name }), text: t("groups.reset-text"), confirm: t("apply"), danger: true, done: t("act.done"),
    preview: async () => html`<${Positions} of=${(await call("POST", `${path}/reset`, { to: where, execute: false })).positions} />`,
    act: async () => {
      await call("POST", `${path}/reset`, { to: where, execute: true });
      loaded.reload();
    },
  });
  return html`<${Head} title=${name} crumb=${html`<a href="#/groups">${t("nav.groups")}</a>`} />
    <${Loaded} of=${loaded}>${(group) => html`<div class="stack">
      <section class="card"><${Facts} of=${[[t("fleet.state"), group.state], [t("groups.members"), count(group.members.length), true],
        sinkOf(name) && [t("kind.sink"), html`<a href=${to(["connectors", name.slice("connect-".length)])}>${name.slice("connect-".length)}</a>`],
        [t("fleet.lag"), count(group.offsets.reduce((sum, one) => sum + (one.lag ?? 0), 0)), true], [t("groups.assignor"), group.assignor || "–"]]} /></section>
      <section class="card flush"><${Table} label=${t("groups.positions")} heads=${[t("topic"), t("partition"), [t("groups.committed")], [t("topics.end")], [t("fleet.lag")], t("groups.member"), t("groups.when")]}>
        ${group.offsets.map((one) => html`<tr key=${`${one.topic} ${one.partition}`}><td><a class="wrap" href=${to(["topics", one.topic])}>${one.topic}</a></td><td>${one.partition}</td><td class="num">${position(one.committed)}</td>
          <td class="num">${position(one.log_end)}</td><td class="num">${position(one.lag)}</td><td class="wrap">${one.member ?? "–"}</td><td><${Time} at=${one.commit_ts} /></td></tr>`)}<//></section>
      <section class="card"><h2>${t("groups.reset")}</h2>
        ${group.members.length > 0 && html`<p class="soft">${t("groups.busy")}</p>`}
        <form class="filters" onSubmit=${(event) => event.preventDefault()}><${Field} label=${t("groups.to")} hint=${t("records.from-hint")} value=${where} onInput=${(event) => set(event.currentTarget.value)} />
          <${Act} type="submit" not=${group.members.length > 0 ? t("groups.busy") : null} disabled=${!where.trim()} onClick=${reset}>${t("offsets.preview")}<//></form></section>
    </div>`}<//>`;
}
