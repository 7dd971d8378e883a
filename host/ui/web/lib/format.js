// Numbers, sizes, spans and times for people. Times are local with UTC at hand, or the other way round.

import { language, zone } from "./settings.js";
import { t } from "./i18n.js";

const NONE = "–";

/** A count: 1,234,567; short: 1.2M. */
export function count(n) {
  return n === null || n === undefined ? NONE : Number(n).toLocaleString(language.get());
}

export function short(n) {
  if (n === null || n === undefined) return NONE;
  if (Math.abs(n) < 10000) return count(Math.round(n));
  return new Intl.NumberFormat(language.get(), { notation: "compact", maximumFractionDigits: 1 }).format(n);
}

/** Records in a second. */
export function rate(n) {
  if (n === null || n === undefined) return NONE;
  const figure = n > 0 && n < 10 ? n.toLocaleString(language.get(), { maximumFractionDigits: 1 }) : short(n);
  return t("unit.rate", { n: figure });
}

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB"];
export function bytes(n) {
  if (n === null || n === undefined) return NONE;
  let at = 0;
  while (n >= 1024 && at < SIZES.length - 1) {
    n /= 1024;
    at += 1;
  }
  return `${n.toLocaleString(language.get(), { maximumFractionDigits: n < 10 && at > 0 ? 1 : 0 })} ${SIZES[at]}`;
}

/** A span in its two largest units. */
export function span(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return NONE;
  const s = Math.max(0, ms) / 1000;
  if (s < 1) return t("unit.ms", { n: Math.round(s * 1000) });
  if (s < 60) return t("unit.s", { n: s < 10 ? Math.round(s * 10) / 10 : Math.round(s) });
  if (s < 3600) return t("unit.min", { n: Math.floor(s / 60) });
  if (s < 86400) return `${t("unit.h", { n: Math.floor(s / 3600) })} ${t("unit.min", { n: Math.floor((s % 3600) / 60) })}`;
  return `${t("unit.d", { n: Math.floor(s / 86400) })} ${t("unit.h", { n: Math.floor((s % 86400) / 3600) })}`;
}

/** Milliseconds since 1970 of what the host says: a number, or a text of RFC 3339. */
export function instant(value) {
  if (value === null || value === undefined || value === "") return null;
  const ms = typeof value === "number" ? value : Date.parse(value);
  return Number.isFinite(ms) && ms >= 0 ? ms : null;
}

const pad = (n, width = 2) => String(n).padStart(width, "0");
/** 2026-11-25 04:49:18 */
export function stamp(ms, utc) {
  const at = new Date(ms);
  if (Number.isNaN(at.getTime())) return NONE;
  const of = (name) => (utc ? at[`getUTC${name}`]() : at[`get${name}`]());
  return `${of("FullYear")}-${pad(of("Month") + 1)}-${pad(of("Date"))} ${pad(of("Hours"))}:${pad(of("Minutes"))}:${pad(of("Seconds"))}`;
}

/** The time in the chosen zone, and in the other one for a tooltip. */
export function both(ms) {
  const utc = zone.get() === "utc";
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const local = `${stamp(ms, false)} ${name}`;
  const other = `${stamp(ms, true)} UTC`;
  return utc ? [other, local] : [stamp(ms, false), other];
}

/** What an `<input type="datetime-local">` holds for a time. */
export function toField(ms) {
  return stamp(ms, zone.get() === "utc").replace(" ", "T");
}

/** The time of such a field, read in the chosen zone. */
export function fromField(text) {
  if (!text) return null;
  const ms = Date.parse(zone.get() === "utc" ? `${text}Z` : text);
  return Number.isFinite(ms) ? ms : null;
}
