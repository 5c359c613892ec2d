// Turns quantities into the words that the page shows; a number never parts from its unit.

export function inBytes(count) {
  if (count < 1000) return `${count}\u00a0B`;
  for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
    if (count >= size) return `${(count / size).toFixed(count / size < 100 ? 1 : 0)}\u00a0${unit}`;
  }
}

export function inSeconds(seconds) {
  return `${seconds.toFixed(2)}\u00a0s`;
}

// 12345678 becomes 12 345 678, with spaces that do not break.
export function inDigits(count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

export function speedOf(bytes, milliseconds) {
  return milliseconds > 0 ? `${inBytes(Math.round((bytes / milliseconds) * 1000))}/s` : "";
}

// Shows what came of something in a live region; `failed` also colours it.
export function tell(element, words, failed = false) {
  element.textContent = words;
  element.classList.toggle("failed", failed);
}

export const NO_SERVER = "The server is not answering.";
