// Has the server ask its suppliers, and shows each answer and what it took, as it comes.

import { NO_SERVER, inSeconds, tell } from "./format.js";

const element = (name) => document.getElementById(`suppliers-${name}`);
const [section, button, answers, result] = ["demo", "run", "answers", "result"].map(element);

export function startSuppliers() {
  button.addEventListener("click", run);
}

// The requests go out on hoopsnake's loop; where another one serves the page, there are none.
export function offerSuppliers(isThere) {
  section.hidden = !isThere;
}

async function run() {
  button.disabled = true;
  answers.replaceChildren();
  tell(result, "Asking.");
  try {
    const slowest = await follow();
    tell(result, `All four at once, in ${inSeconds(slowest)}.`);
  } catch (error) {
    tell(result, error instanceof TypeError ? NO_SERVER : error.message, true);
  }
  button.disabled = false;
  button.textContent = "Ask them again";
}

// Reads a JSON object a line, and returns how long the last one took.
async function follow() {
  const response = await fetch("/quotes");
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let slowest = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return slowest;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const answer of lines.map((line) => JSON.parse(line))) {
      slowest = Math.max(slowest, answer.seconds);
      show(answer);
    }
  }
}

function show({ supplier, price, problem, attempts, seconds }) {
  const row = document.createElement("div");
  row.dataset.supplier = supplier;
  const [name, outcome, story] = ["dt", "dd", "dd"].map((kind) => document.createElement(kind));
  name.textContent = supplier;
  outcome.className = "outcome";
  tell(outcome, problem ?? `${price.toFixed(2)} after ${inSeconds(seconds)}`, problem !== null);
  story.className = "story";
  story.textContent = attempts.map(inWords).join(", ");
  row.append(name, outcome, story);
  answers.append(row);
}

function inWords({ status, error, hedge }, place) {
  const outcomes = { CancelledError: "given up", TotalTimeout: "silence" };
  const outcome = status ?? outcomes[error] ?? error;
  if (place === 0) return `${outcome}`;
  return hedge ? `asked once more beside that: ${outcome}` : `then ${outcome}`;
}
