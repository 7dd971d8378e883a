// The dashboard in a headless Chromium, on real hosts and on made-up ones: `node tests/ui/run.mjs SECTION --program P --scratch D --shots D`.
//
// Each step prints `ok` or throws; the test target `ui` runs the sections and looks at the exit code.

import { parseArgs } from "node:util";
import { live } from "./live.mjs";
import { newcomer } from "./newcomer.mjs";
import { operator } from "./operator.mjs";
import { roles } from "./roles.mjs";
import { screens } from "./screens.mjs";
import { source } from "./axe.mjs";

const { positionals: [name], values } = parseArgs({ allowPositionals: true, options: { program: { type: "string" }, scratch: { type: "string" }, shots: { type: "string" } } });
/** A little less than the test target waits. */
const LIMIT_MS = 285_000;
const SECTIONS = { newcomer, operator, live, roles, screens };
let steps = 0;
const ok = (what) => {
  steps += 1;
  console.log(`ok ${steps} ${name}: ${what}`);
};
if (!source) console.log("SKIPPED axe-core: LINKSPAN_TEST_AXE names no axe.min.js");
const began = Date.now();
// What was started ends with this process, also when it took too long.
setTimeout(() => {
  console.log(`not ok ${steps + 1} ${name}: took more than ${LIMIT_MS / 1000} s`);
  process.exit(1);
}, LIMIT_MS).unref();
try {
  await SECTIONS[name]({ ...values, ok });
  console.log(`${name}: ${steps} steps in ${((Date.now() - began) / 1000).toFixed(1)} s`);
  process.exit(0);
} catch (error) {
  console.log(`not ok ${steps + 1} ${name}: ${error.stack}`);
  process.exit(1);
}
