// Runs the three waits both ways at once and draws them as they happen.

import { NO_SERVER, inSeconds, tell } from "./format.js";

const SHORTEST_AXIS = 3.3; // Seconds; the axis grows where the server needs longer.

const stage = document.getElementById("stage");
const button = document.getElementById("waits-run");
const result = document.getElementById("waits-result");
const roller = stage.querySelector(".roller");
const stillness = matchMedia("(prefers-reduced-motion: reduce)");
const lanes = [...stage.querySelectorAll(".lane")].map((element) => ({
  element,
  order: element.dataset.order,
  took: element.querySelector("output"),
  rows: new Map([...element.querySelectorAll("li")].map((row) => [row.dataset.service, row])),
}));

export function startWaits() {
  button.addEventListener("click", runBoth);
}

async function runBoth() {
  button.disabled = true;
  button.textContent = "Waiting…";
  tell(result, "");
  lanes.forEach(clear);
  stage.scrollIntoView({ block: "nearest", behavior: stillness.matches ? "auto" : "smooth" });
  const began = performance.now();
  const frames = stillness.matches ? null : animate(began);
  const ends = await Promise.allSettled(lanes.map(follow));
  frames?.stop();
  lanes.forEach((lane) => draw(lane));
  button.disabled = false;
  button.textContent = "Run them again";
  const failure = ends.find((end) => end.status === "rejected");
  if (failure) {
    tell(result, `That broke off. ${failure.reason.message}`, true);
  } else {
    const [apart, together] = lanes.map((lane) => lane.total);
    tell(
      result,
      `One after another: ${inSeconds(apart)}. Together: ${inSeconds(together)}, ` +
        `which is ${(apart / together).toFixed(1)} times as fast.`,
    );
  }
}

function clear(lane) {
  lane.spans = new Map();
  lane.origin = null; // When the lane's clock stood at zero, by this page's clock.
  lane.total = null;
  lane.took.textContent = "…";
  lane.took.parentElement.dataset.state = "running";
  for (const row of lane.rows.values()) {
    row.className = "";
    row.querySelector(".unseen").textContent = "";
  }
}

// Reads the lane's events, a JSON object a line, until the server says it is done.
async function follow(lane) {
  let response;
  try {
    response = await fetch(`/waits/${lane.order}`);
  } catch {
    throw new Error(NO_SERVER);
  }
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) note(lane, JSON.parse(line));
    }
  } catch {
    throw new Error("The connection was lost.");
  }
  if (lane.total === null) throw new Error("The answer ended too early.");
}

function note(lane, { what, service, at }) {
  lane.origin ??= performance.now() - at * 1000;
  if (what === "done") {
    lane.total = at;
    lane.took.parentElement.dataset.state = "done";
    lane.took.textContent = inSeconds(at);
    return;
  }
  const span = lane.spans.get(service) ?? { from: at, to: null };
  if (what === "answered") {
    span.to = at;
    lane.rows.get(service).querySelector(".unseen").textContent =
      `asked at ${inSeconds(span.from)}, answered at ${inSeconds(at)}`;
  }
  lane.spans.set(service, span);
  draw(lane);
}

// Draws a lane as it stands `now` seconds into it; what is still out is drawn only while running.
function draw(lane, now = 0) {
  for (const [service, { from, to }] of lane.spans) {
    const row = lane.rows.get(service);
    row.className = to === null ? "asked" : "answered";
    row.style.setProperty("--from", from);
    row.style.setProperty("--to", to ?? Math.max(from, now));
  }
}

function animate(began) {
  let frame = requestAnimationFrame(step);
  function step() {
    const elapsed = (performance.now() - began) / 1000;
    stage.style.setProperty("--axis", Math.max(SHORTEST_AXIS, elapsed * 1.04));
    for (const lane of lanes) {
      if (lane.origin === null || lane.total !== null) continue;
      const now = (performance.now() - lane.origin) / 1000;
      draw(lane, now);
      lane.took.textContent = inSeconds(now);
    }
    roll(elapsed);
    frame = requestAnimationFrame(step);
  }
  return { stop: () => cancelAnimationFrame(frame) };
}

// The hoop rolls along the axis without slipping: as far as it goes, so far it turns.
function roll(elapsed) {
  const axis = Math.max(SHORTEST_AXIS, elapsed * 1.04);
  const distance = (elapsed / axis) * roller.parentElement.clientWidth;
  const turn = distance / (roller.clientWidth / 2);
  roller.style.transform = `translateX(${distance}px) rotate(${turn}rad)`;
}
