// What a person chose for this browser: theme, language, time zone. Kept in localStorage; works without it, too.

import { cell } from "./h.js";

function kept(name, fallback, allowed) {
  let start = fallback;
  try {
    const stored = localStorage.getItem(`linkspan.${name}`);
    if (allowed.includes(stored)) start = stored;
  } catch { /* Storage may be forbidden: the choice then lasts as long as the page. */ }
  const value = cell(start);
  value.watch((next) => {
    try {
      localStorage.setItem(`linkspan.${name}`, next);
    } catch { /* As above. */ }
  });
  return value;
}

export const LANGUAGES = ["en", "ko"];
const spoken = (navigator.languages ?? [navigator.language]).map((l) => l.slice(0, 2)).find((l) => LANGUAGES.includes(l));

export const theme = kept("theme", "auto", ["auto", "light", "dark"]);
export const language = kept("language", spoken ?? "en", LANGUAGES);
export const zone = kept("zone", "local", ["local", "utc"]);

const dark = matchMedia("(prefers-color-scheme: dark)");
function paint() {
  const wanted = theme.get() === "auto" ? (dark.matches ? "dark" : "light") : theme.get();
  document.documentElement.dataset.theme = wanted;
}
theme.watch(paint);
dark.addEventListener("change", paint);
paint();
