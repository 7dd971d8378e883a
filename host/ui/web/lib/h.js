// The few words every module needs: templates, hooks, and observable cells.

import { h, render, Fragment } from "../vendor/preact.js";
import { useState, useEffect, useLayoutEffect, useMemo, useRef, useCallback, useId, useErrorBoundary } from "../vendor/hooks.js";
import htm from "../vendor/htm.js";

export const html = htm.bind(h);
export { render, Fragment, useState, useEffect, useLayoutEffect, useMemo, useRef, useCallback, useId, useErrorBoundary };

/** A value that can be watched. */
export function cell(value) {
  const watchers = new Set();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const watcher of [...watchers]) watcher(value);
    },
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
  };
}

/** The value of a cell; the component follows it. */
export function useCell(of) {
  const [, turn] = useState(0);
  const shown = of.get();
  useEffect(() => {
    // What changed between drawing and now would be missed.
    if (!Object.is(of.get(), shown)) turn((n) => n + 1);
    return of.watch(() => turn((n) => n + 1));
  }, [of]);
  return shown;
}

/** Joins class names, leaving out what is falsy. */
export const cx = (...names) => names.filter(Boolean).join(" ");
