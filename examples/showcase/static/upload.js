// Uploads a file with its progress, and checks the server's SHA-256 against the browser's own.

import { NO_SERVER, inBytes, inDigits, speedOf, tell } from "./format.js";

const SAMPLE = 25_000_000;
const PIECE = 50_000; // getRandomValues gives at most 65,536 bytes at a time.
const MOST_TO_CHECK = 64_000_000; // The browser hashes only what it holds in memory.

const element = (name) => document.getElementById(`upload-${name}`);
const [fileField, drop, sampleButton, cancelButton] = ["file", "drop", "sample", "cancel"].map(element);
const [progress, meter, result, receipt] = ["progress", "meter", "result", "receipt"].map(element);

let request = null;

export function startUpload() {
  fileField.addEventListener("change", () => {
    if (fileField.files.length) send(fileField.files[0]);
    fileField.value = ""; // So that the same file can be chosen again.
  });
  sampleButton.addEventListener("click", () => send(noise()));
  cancelButton.addEventListener("click", () => request?.abort());
  for (const kind of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover");
    });
  }
  drop.addEventListener("drop", ({ dataTransfer }) => {
    if (dataTransfer.files.length) send(dataTransfer.files[0]);
  });
}

function noise() {
  const pieces = Array.from({ length: SAMPLE / PIECE }, () =>
    crypto.getRandomValues(new Uint8Array(PIECE)),
  );
  return new File(pieces, "noise.bin");
}

function send(file) {
  request?.abort();
  const sending = new XMLHttpRequest();
  request = sending;
  const began = performance.now();
  busy(true);
  tell(result, "");
  receipt.hidden = true;
  draw(0, file.size, began);
  sending.upload.onprogress = ({ loaded }) => draw(loaded, file.size, began);
  sending.onload = () => answered(sending, file);
  sending.onerror = () => tell(result, `The upload broke off. ${NO_SERVER}`, true);
  sending.onabort = () => tell(result, "Cancelled.");
  sending.onloadend = () => request === sending && busy(false);
  sending.open("POST", "/upload");
  sending.send(file);
}

async function answered(sending, file) {
  let answer;
  try {
    answer = JSON.parse(sending.responseText);
  } catch {
    answer = {};
  }
  if (sending.status !== 200 || !answer.sha256) {
    tell(result, `The upload failed: the server answered ${sending.status}.`, true);
    return;
  }
  element("bytes").textContent = inDigits(answer.bytes);
  element("sum").textContent = answer.sha256;
  receipt.hidden = false;
  const own = await ownSum(file);
  if (answer.bytes !== file.size || (own && own !== answer.sha256)) {
    tell(result, "The server did not receive what was sent.", true);
  } else if (own) {
    tell(result, "Arrived whole: your browser comes to the same sum.");
  } else {
    tell(result, "Arrived whole, by its size.");
  }
}

// The browser's own SHA-256 of the file, or null where it cannot be had.
async function ownSum(file) {
  if (!crypto.subtle || file.size > MOST_TO_CHECK) return null;
  try {
    const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  } catch {
    return null; // The file has gone from the disk meanwhile.
  }
}

function busy(isBusy) {
  cancelButton.hidden = !isBusy;
  sampleButton.disabled = isBusy;
}

function draw(sent, size, began) {
  progress.value = size ? sent / size : 1;
  const speed = sent ? ` · ${speedOf(sent, performance.now() - began)}` : "";
  meter.textContent = `${inBytes(sent)} of ${inBytes(size)}${speed}`;
}
