// Loading for a page: what came last stays on the screen while the host is away, and comes anew when it is back.

import { useEffect, useRef, useState, useCallback, cell, useCell } from "./h.js";
import { reach } from "./api.js";

/** Loads with `from(signal)`; again when `deps` change, every `every` ms, and when the host is back. */
export function useLoad(from, deps, { every } = {}) {
  const [state, set] = useState({ data: undefined, error: null, loading: true });
  const [turn, again] = useState(0);
  const latest = useRef(from);
  latest.current = from;
  const first = useRef(true);
  const key = JSON.stringify(deps);
  const seen = useRef(key);
  useEffect(() => {
    const stop = new AbortController();
    if (seen.current !== key) {
      seen.current = key;
      set({ data: undefined, error: null, loading: true });
    } else if (!first.current) set((old) => ({ ...old, loading: true }));
    first.current = false;
    let timer;
    const run = async () => {
      try {
        const data = await latest.current(stop.signal);
        if (!stop.signal.aborted) set({ data, error: null, loading: false });
      } catch (error) {
        if (!stop.signal.aborted) set((old) => ({ ...old, error, loading: false }));
      }
      if (every && !stop.signal.aborted) timer = setTimeout(run, document.hidden ? every * 5 : every);
    };
    run();
    const unwatch = reach.watch((now) => now === "ok" && !every && again((n) => n + 1));
    return () => {
      stop.abort();
      clearTimeout(timer);
      unwatch();
    };
  }, [key, turn, every]);
  return { ...state, reload: useCallback(() => again((n) => n + 1), []) };
}

const clock = cell(Date.now());
setInterval(() => document.hidden || clock.set(Date.now()), 1000);
/** Now, anew every second. */
export const useNow = () => useCell(clock);

/** A value that follows with a delay, for what is typed. */
export function useLate(value, ms = 300) {
  const [late, set] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => set(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return late;
}
