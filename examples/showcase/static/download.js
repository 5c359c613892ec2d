// Downloads a file of the chosen size, counting and checking its chunks and keeping none of them.

import { NO_SERVER, inBytes, inDigits, inSeconds, speedOf, tell } from "./format.js";

const element = (name) => document.getElementById(`download-${name}`);
const [form, startButton, cancelButton, saveLink] = ["form", "start", "cancel", "save"].map(element);
const [progress, meter, result] = ["progress", "meter", "result"].map(element);

let abort = null;

export function startDownload() {
  form.addEventListener("change", pointSaveLink);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(chosenSize());
  });
  cancelButton.addEventListener("click", () => abort?.abort());
  pointSaveLink(); // A browser may have kept another choice from before a reload.
}

function chosenSize() {
  return Number(new FormData(form).get("size"));
}

function pointSaveLink() {
  saveLink.href = `/download?size=${chosenSize()}`;
}

async function run(size) {
  abort = new AbortController();
  startButton.disabled = true;
  cancelButton.hidden = false;
  tell(result, "");
  const began = performance.now();
  const shown = { received: 0, drawn: 0 };
  try {
    await receive(size, began, shown);
    const seconds = (performance.now() - began) / 1000;
    const speed = speedOf(size, seconds * 1000);
    tell(result, `All ${inDigits(size)} bytes arrived in ${inSeconds(seconds)}, ${speed}.`);
  } catch (error) {
    const cancelled = error.name === "AbortError";
    const reason = cancelled ? "Cancelled" : error.message;
    tell(result, `${reason} after ${inBytes(shown.received)}.`, !cancelled);
  }
  draw(size, began, shown);
  startButton.disabled = false;
  cancelButton.hidden = true;
}

async function receive(size, began, shown) {
  const response = await fetch(`/download?size=${size}`, { signal: abort.signal }).catch((error) => {
    throw error.name === "AbortError" ? error : new Error(NO_SERVER.replace(".", ""));
  });
  if (!response.ok) throw new Error(`The server answered ${response.status}`);
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      throw error.name === "AbortError" ? error : new Error("The connection was lost");
    });
    if (done) break;
    // The file counts from 0 to 255 over and over, so a lost or doubled piece would show.
    if (value[0] !== shown.received % 256) throw new Error("The bytes came out of order");
    shown.received += value.length;
    if (performance.now() - shown.drawn > 60) draw(size, began, shown);
  }
  if (shown.received !== size) throw new Error("The file ended too early");
}

function draw(size, began, shown) {
  shown.drawn = performance.now();
  progress.value = shown.received / size;
  const speed = speedOf(shown.received, shown.drawn - began);
  meter.textContent = `${inBytes(shown.received)} of ${inBytes(size)} · ${speed}`;
}
