// Starts the demos, names the engine, and says aloud when the server is gone.

import { startChat } from "./chat.js";
import { startDownload } from "./download.js";
import { NO_SERVER, tell } from "./format.js";
import { offerSuppliers, startSuppliers } from "./suppliers.js";
import { startTicker } from "./ticker.js";
import { startUpload } from "./upload.js";
import { startWaits } from "./waits.js";

const banner = document.getElementById("banner");
const engine = document.getElementById("engine");

let live = null;

function onLifeline(isLive) {
  if (isLive === live) return;
  live = isLive;
  engine.parentElement.dataset.state = isLive ? "live" : "lost";
  banner.hidden = isLive;
  banner.textContent = isLive ? "" : `${NO_SERVER} This page keeps trying.`;
  if (isLive) nameEngine();
}

async function nameEngine() {
  try {
    const about = await (await fetch("/about")).json();
    engine.textContent = `${about.engine} on ${about.python}`;
    engine.parentElement.title = `Event loop: ${about.loop}`;
    offerSuppliers(about.client !== undefined);
  } catch {
    engine.textContent = "no connection";
  }
}

async function showSource({ currentTarget: details }) {
  const shown = details.querySelector("pre");
  if (!details.open || (shown && !shown.classList.contains("failed"))) return;
  shown?.remove();
  const code = document.createElement("pre");
  code.tabIndex = 0;
  code.setAttribute("role", "group");
  code.setAttribute("aria-label", `Source of ${details.dataset.demo}.py`);
  details.append(code);
  try {
    const response = await fetch(`/source/${details.dataset.demo}`);
    if (!response.ok) throw new Error(`The server answered ${response.status}.`);
    code.textContent = await response.text();
  } catch (error) {
    // A failed fetch is a TypeError, whose words differ from browser to browser.
    const reason = error instanceof TypeError ? NO_SERVER : error.message;
    tell(code, `${reason} Close this and open it again to retry.`, true);
  }
}

startWaits();
startChat();
startTicker(onLifeline);
startDownload();
startUpload();
startSuppliers();
for (const details of document.querySelectorAll("details[data-demo]")) {
  details.addEventListener("toggle", showSource);
}
