// By hand: memory and work of the page over a long time with many connectors. `node tests/ui/long.mjs [MINUTES 60] [CONNECTORS 1000 | URL]`.
// With a number the host is made up, with the URL of a dashboard it is a real one.
//
// Prints a line a minute: heap after a garbage collection, nodes, listeners, and the share of one CPU the page took.

import { Page } from "./browser.mjs";
import { serve } from "./mock.mjs";

const minutes = Number(process.argv[2] ?? 60);
const what = process.argv[3] ?? "1000";
const server = what.startsWith("http") ? null : await serve(Number(what), 0);
const page = await Page.open({});
await page.goto(server ? `http://127.0.0.1:${server.address().port}/ui/` : what);
await page.wait("document.querySelectorAll('.rows-line').length > 0");
const figures = async () => {
  await page.send("HeapProfiler.collectGarbage");
  const { metrics } = await page.send("Performance.getMetrics");
  return Object.fromEntries(metrics.map((one) => [one.name, one.value]));
};
let before = await figures();
let at = Date.now();
for (let minute = 1; minute <= minutes; minute += 1) {
  await new Promise((go) => setTimeout(go, 60_000));
  const now = await figures();
  const share = (now.TaskDuration - before.TaskDuration) / ((Date.now() - at) / 1000);
  console.log(`minute ${minute}: ${(now.JSHeapUsedSize / 1048576).toFixed(1)} MiB heap, ${now.Nodes} nodes, ${now.JSEventListeners} listeners, ${(share * 100).toFixed(1)} % of a CPU`);
  [before, at] = [now, Date.now()];
}
await page.close();
server?.close();
server?.closeAllConnections();
