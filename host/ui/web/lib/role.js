// Who is signed in, and what they may do. A host without users serves no such answer: everybody may do everything.

import { cell, useCell } from "./h.js";
import { get } from "./api.js";

const RANKS = ["viewer", "operator", "admin"];
const who = cell({ user: null, role: "admin", auth: false });

/** Asks the host once. */
export async function learn() {
  try {
    who.set(await get("/api/v1/whoami"));
  } catch { /* The host says no more than that it lets us in; its refusals still hold. */ }
}

export const useWho = () => useCell(who);
/** Whether the person may do what needs this role. */
export const may = (role) => RANKS.indexOf(who.get().role) >= RANKS.indexOf(role);
