// The accessibility rules of axe-core on the page as it stands; its copy is not in this repository (`tests/run --install` fetches it).

import fs from "node:fs";

const file = process.env.LINKSPAN_TEST_AXE;
export const source = file && fs.existsSync(file) ? fs.readFileSync(file, "utf8") : null;
const RULES = JSON.stringify({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"] });

/** What the page breaks, as texts; the number of rules that hold. */
export async function judge(page) {
  if (!source) return { broken: [], held: 0 };
  if (!await page.eval("typeof axe === 'object'")) await page.eval(`${source};0`);
  const told = await page.eval(`axe.run(document, ${RULES}).then((all) => ({ held: all.passes.length, broken: all.violations.map((one) => one.id + ": " + one.help + "\\n    " + one.nodes.slice(0, 4).map((node) => node.html.slice(0, 160) + " — " + (node.any[0]?.message ?? node.failureSummary ?? "")).join("\\n    ")) }))`);
  return told;
}
