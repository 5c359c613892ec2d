// Follows the server's pulse over server-sent events and draws it as a snake.

import { inBytes, inDigits } from "./format.js";

const MOST_READINGS = 60; // Half a minute, at two a second.
const NARROWEST = 10.5; // Pixels between two readings; a narrow chart shows fewer.
const LOWEST_SCALE = 4; // Milliseconds; below this the chart does not zoom in.
const MARGIN = 12; // Room for the snake's own thickness.
const LONGEST_GAP = 3; // Seconds between two readings that a line may still join.
const RETRY = 2000;

const element = (name) => document.getElementById(`ticker-${name}`);
const [chart, scale, pauseButton, state] = ["chart", "scale", "pause", "state"].map(element);
const svg = chart.querySelector("svg");
const [trail, bands, head, eye] = svg.children;

let source = null;
let paused = false;
let lastId = "";
let ticks = [];
let retryTimer = 0;
let tellPage = () => {};

// `onChange` hears whether the server is there: the pulse is the page's lifeline.
export function startTicker(onChange) {
  tellPage = onChange;
  pauseButton.addEventListener("click", () => {
    paused = !paused;
    pauseButton.textContent = paused ? "Resume" : "Pause";
    if (paused) show("idle", "Paused. The server no longer sends.");
    follow();
  });
  // A browser opens only a few connections to a host: a hidden tab must not sit on one.
  document.addEventListener("visibilitychange", follow);
  new ResizeObserver(draw).observe(chart);
  follow();
}

function follow() {
  clearTimeout(retryTimer);
  source?.close();
  source = null;
  if (paused || document.hidden) return;
  source = new EventSource(`/ticker?after=${encodeURIComponent(lastId)}`);
  source.addEventListener("tick", (event) => {
    lastId = event.lastEventId;
    take(JSON.parse(event.data));
  });
  source.onerror = () => {
    show("lost", "Cut off. Trying again…");
    tellPage(false);
    if (source.readyState === EventSource.CLOSED) {
      // The browser has given up, as it does after an error page; we have not.
      retryTimer = setTimeout(follow, RETRY);
    }
  };
}

function take(tick) {
  const previous = ticks.at(-1);
  if (previous && tick.at - previous.at > LONGEST_GAP) ticks = []; // Nobody knows what was there.
  ticks = [...ticks, tick].slice(-MOST_READINGS);
  element("late").textContent = `${tick.late_ms.toFixed(1)} ms`;
  element("cpu").textContent = `${tick.cpu_percent.toFixed(0)} %`;
  element("tasks").textContent = inDigits(tick.tasks);
  element("listeners").textContent = inDigits(tick.listeners);
  element("number").textContent = inDigits(tick.number);
  element("moving").textContent = tick.bytes_per_second
    ? `${inBytes(tick.bytes_per_second)}/s`
    : "nothing";
  if (state.dataset.state !== "live") show("live", "Live.");
  tellPage(true);
  draw();
}

function draw() {
  const [width, height] = [chart.clientWidth, chart.clientHeight];
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.classList.toggle("blank", ticks.length === 0);
  if (ticks.length === 0) return;
  const room = width - 2 * MARGIN;
  const count = Math.min(MOST_READINGS, Math.floor(room / NARROWEST));
  const shown = ticks.slice(-count);
  const most = Math.max(LOWEST_SCALE, ...shown.map((tick) => tick.late_ms));
  scale.textContent = `${most.toFixed(0)} ms`;
  element("span").textContent = `${Math.round(count / 2)} s ago`;
  const points = shown.map((tick, index) => [
    MARGIN + (room * (count - shown.length + index)) / (count - 1),
    height - MARGIN - (tick.late_ms / most) * (height - 2 * MARGIN),
  ]);
  const path = smooth(points);
  trail.setAttribute("d", path);
  bands.setAttribute("d", path);
  const [x, y] = points.at(-1);
  place(head, x, y);
  place(eye, x + 2, y - 2);
}

function place(circle, x, y) {
  circle.setAttribute("cx", x);
  circle.setAttribute("cy", y);
}

// A curve through all points that never overshoots them: flat where it enters and leaves each.
function smooth(points) {
  let path = `M${points[0].join(" ")}`;
  for (let index = 1; index < points.length; index += 1) {
    const [[fromX, fromY], [x, y]] = [points[index - 1], points[index]];
    const middle = (fromX + x) / 2;
    path += `C${middle} ${fromY} ${middle} ${y} ${x} ${y}`;
  }
  return path;
}

function show(condition, words) {
  state.dataset.state = condition;
  state.textContent = words;
}
