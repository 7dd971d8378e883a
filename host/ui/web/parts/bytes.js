// A key, value or header as people read it: as text, as JSON on lines, or byte by byte.

import { html, useState } from "../lib/h.js";
import { t } from "../lib/i18n.js";

/** Bytes that are shown one by one at most. */
const HEX_MAX = 4096;

export const plain = (value) => value === null || value === undefined ? "null" : typeof value === "string" ? value
  : value.base64 !== undefined ? `base64:${value.base64}` : t("records.hidden");
const hidden = (value) => typeof value === "object" && value !== null && value.base64 === undefined;

function pretty(value) {
  try {
    return JSON.stringify(JSON.parse(value), null, 2);
  } catch {
    return plain(value);
  }
}

function raw(value) {
  if (typeof value === "string") return new TextEncoder().encode(value);
  return Uint8Array.from(atob(value.base64), (c) => c.charCodeAt(0));
}

function dump(value) {
  const all = raw(value);
  const lines = [];
  for (let at = 0; at < Math.min(all.length, HEX_MAX); at += 16) {
    const part = [...all.subarray(at, at + 16)];
    const hex = part.map((byte) => byte.toString(16).padStart(2, "0")).join(" ").padEnd(47);
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex}  ${part.map((byte) => byte > 31 && byte < 127 ? String.fromCharCode(byte) : "·").join("")}`);
  }
  if (all.length > HEX_MAX) lines.push("…");
  return lines.join("\n");
}

/** Lets the browser keep a text as a file. */
export function download(name, parts, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([parts].flat(), { type }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

export function Bytes({ of, title }) {
  const [bytes, show] = useState(false);
  const some = of !== null && of !== undefined && !hidden(of);
  return html`
    <div class="row between"><h3>${title}</h3>${some && html`<button type="button" class="button tiny plain" aria-pressed=${bytes ? "true" : "false"} onClick=${() => show(!bytes)}>${bytes ? t("bytes.text") : t("bytes.bytes")}</button>`}</div>
    <pre class=${bytes && some ? "block hex" : "block"} tabindex="0" aria-label=${title}>${bytes && some ? dump(of) : pretty(of)}</pre>`;
}
