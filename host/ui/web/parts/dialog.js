// Asking before something is done, and telling that it was done.
//
// Every act that destroys or interrupts goes through `ask`: it names what will happen, may show a preview the host worked out,
// and may want the name typed. An error stays in the dialog, with its remedy.

import { cell, html, useCell, useEffect, useRef, useState } from "../lib/h.js";
import { t } from "../lib/i18n.js";
import { Field, Trouble } from "./basic.js";

const asked = cell(null);
const told = cell([]);
let number = 0;

/** Says something in passing. */
export function say(text, bad) {
  const note = { id: ++number, text, bad };
  told.set([...told.get(), note].slice(-4));
  setTimeout(() => told.set(told.get().filter((other) => other !== note)), bad ? 12000 : 5000);
}

/**
 * Opens a dialog; resolves to what `act` answered, or undefined.
 * `{title, effects: [text], text, body, confirm, danger, typed, preview: async () => vnode, act: async () => value, done}`
 */
export function ask(what) {
  return new Promise((resolve) => asked.set({ ...what, id: ++number, resolve }));
}

/** Does something without asking, and says how it went. */
export async function perform(act, done) {
  try {
    const value = await act();
    if (done) say(done);
    return value;
  } catch (error) {
    say(`${error.code ? `${error.code}: ` : ""}${error.message}${error.help ? ` — ${error.help}` : ""}`, true);
    return undefined;
  }
}

export function Modal({ title, onClose, wide, children }) {
  const self = useRef();
  useEffect(() => {
    const dialog = self.current;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  return html`
    <dialog ref=${self} class=${wide ? "wide" : undefined} aria-label=${title} onCancel=${(event) => { event.preventDefault(); onClose(); }}>
      <div class="dialog-in"><h2>${title}</h2>${children}</div>
    </dialog>`;
}

function Question({ of }) {
  const [typed, type] = useState("");
  const [busy, work] = useState(false);
  const [error, fail] = useState(null);
  const [shown, show] = useState(null);
  useEffect(() => {
    if (of.preview) of.preview().then(show, fail);
  }, []);
  function close(value) {
    asked.set(null);
    of.resolve(value);
  }
  async function go(event) {
    event.preventDefault();
    work(true);
    fail(null);
    try {
      const value = await of.act();
      if (of.done) say(`${of.title} — ${of.done}`);
      close(value ?? true);
    } catch (problem) {
      fail(problem);
      work(false);
    }
  }
  const waits = of.preview && shown === null;
  const ready = (!of.typed || typed === of.typed) && !waits && !busy;
  return html`
    <${Modal} title=${of.title} wide=${Boolean(of.preview || of.body)} onClose=${() => close(undefined)}>
      <form class="stack" onSubmit=${go}>
        ${of.text && html`<p>${of.text}</p>`}
        ${of.effects?.length > 0 && html`<ul class="stack tight prose">${of.effects.map((effect) => html`<li>• ${effect}</li>`)}</ul>`}
        ${of.body}
        ${waits && !error && html`<p class="soft" role="status">${t("dialog.working-out")}</p>`}
        ${shown}
        ${of.typed && html`<${Field} label=${t("dialog.type-name", { name: of.typed })} value=${typed} autocomplete="off" onInput=${(event) => type(event.currentTarget.value)} />`}
        ${error && html`<${Trouble} error=${error} />`}
        <div class="dialog-foot">
          <button type="button" class="button" onClick=${() => close(undefined)}>${t("cancel")}</button>
          <button class=${`button main ${of.danger ? "danger" : ""}`} disabled=${!ready} data-confirm>${of.confirm}</button>
        </div>
      </form>
    <//>`;
}

/** Where dialogs and notes appear; once on the page. */
export function Overlay() {
  const question = useCell(asked);
  const notes = useCell(told);
  return html`
    ${question && html`<${Question} key=${question.id} of=${question} />`}
    <div class="toasts" role="status" aria-live="polite">
      ${notes.map((note) => html`<div key=${note.id} class=${note.bad ? "toast bad" : "toast"}><span class="grow wrap">${note.text}</span></div>`)}
    </div>`;
}
