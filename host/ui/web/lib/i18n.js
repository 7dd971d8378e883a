// Words: the text of a key in the chosen language, English where the other one is not loaded yet.

import { cell } from "./h.js";
import { language } from "./settings.js";
import en from "../i18n/en.js";

const loaded = { en };
/** Counts up when the words change, so that the whole page is drawn anew. */
export const words = cell(0);

async function load() {
  const wanted = language.get();
  if (!loaded[wanted]) loaded[wanted] = (await import("../i18n/ko.js")).default;
  document.documentElement.lang = wanted;
  words.set(words.get() + 1);
}
language.watch(load);
/** Resolves when the words of the chosen language are here. */
export const ready = language.get() === "en" ? Promise.resolve() : load();

/** The text of a key with `{name}` filled in. A key nobody wrote shows itself. */
export function t(key, values) {
  const text = (loaded[language.get()] ?? en)[key] ?? en[key] ?? key;
  return values ? text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole) : text;
}

/** As `t`, for a number: the key with `.one` for 1, else as it is. */
export function tn(key, n, values) {
  const singular = `${key}.one`;
  const chosen = n === 1 && en[singular] !== undefined ? singular : key;
  return t(chosen, { n: n.toLocaleString(language.get()), ...values });
}
