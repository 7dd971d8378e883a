// A button or link for those who may: others see it, cannot use it, and are told why, by pointing at it, by touch and by ear.

import { html } from "../lib/h.js";
import { denial, useWho } from "../lib/role.js";
import { say } from "./dialog.js";

/** `need`: the role. `not`: why it cannot be done now, whoever asks; null when it can. `href` makes it a link. */
export function Act({ need = "operator", not, look = "button", href, onClick, label, type = "button", children, ...more }) {
  useWho();
  const why = denial(need) ?? not ?? null;
  if (why) {
    const tell = (event) => {
      event.preventDefault();
      say(why, true);
    };
    return html`<button type="button" class=${look} aria-disabled="true" aria-label=${label} title=${why} onClick=${tell} ...${more}>${children}</button>`;
  }
  if (href) return html`<a class=${look} href=${href} aria-label=${label} ...${more}>${children}</a>`;
  return html`<button type=${type} class=${look} aria-label=${label} onClick=${onClick} ...${more}>${children}</button>`;
}
