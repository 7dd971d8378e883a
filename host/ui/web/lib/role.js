// Who is signed in, and what they may do. A host without users says that everybody may do everything.

import { cell, useCell } from "./h.js";
import { t } from "./i18n.js";

const RANKS = ["viewer", "operator", "admin"];
/** `{user, role, auth}`, as the host tells it. */
export const who = cell({ user: null, role: "admin", auth: false });

export const useWho = () => useCell(who);
/** Whether the person may do what needs this role. */
export const may = (role) => RANKS.indexOf(who.get().role) >= RANKS.indexOf(role);
/** Why not; null when they may. */
export const denial = (role) => may(role) ? null : t("role.denied", { user: who.get().user, role: t(`role.${who.get().role}`), need: t(`role.${role}`) });
