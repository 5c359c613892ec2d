// The chat room: joins, shows what is said as plain text, and comes back by itself when cut off.

const FIRST_RETRY = 500; // Milliseconds; doubled at each failure, up to the longest.
const LONGEST_RETRY = 8000;
const LONGEST_SILENCE = 45_000; // The server pings every 20 seconds.
const MOST_LINES = 300;

const element = (name) => document.getElementById(`chat-${name}`);
const [log, state, present, joinForm, sayForm] = ["log", "state", "present", "join", "say"].map(element);
const [nameField, textField, leaveButton] = ["name", "text", "leave"].map(element);
const sayButton = sayForm.querySelector("[type=submit]");
const tab = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16)).join("");

let socket = null;
let wanted = false; // Whether the person wants to be in the room.
let retryDelay = FIRST_RETRY;
let retryTimer = 0;
let lastHeard = 0;
let myName = "";
let myNumber = 0;
let room = "";
let lastNumber = 0;

export function startChat() {
  nameField.value = suggestName();
  joinForm.addEventListener("submit", (event) => {
    event.preventDefault();
    wanted = true;
    show("waiting", "Joining…");
    connect();
  });
  sayForm.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = textField.value.trim();
    if (!text || socket?.readyState !== WebSocket.OPEN) return;
    socket.send(JSON.stringify({ text }));
    textField.value = "";
  });
  leaveButton.addEventListener("click", leave);
  addEventListener("online", retryNow);
  document.addEventListener("visibilitychange", () => document.hidden || retryNow());
  setInterval(() => {
    if (socket && performance.now() - lastHeard > LONGEST_SILENCE) lost();
  }, 5000);
}

function connect() {
  clearTimeout(retryTimer);
  drop();
  lastHeard = performance.now();
  const address = new URL("/chat", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  address.search = new URLSearchParams({ name: nameField.value.trim(), tab });
  socket = new WebSocket(address);
  socket.onmessage = ({ data }) => hear(JSON.parse(data));
  socket.onclose = lost;
}

// Lets go of the socket, whose last words no longer matter.
function drop() {
  if (!socket) return;
  socket.onmessage = socket.onclose = null;
  socket.close();
  socket = null;
}

function lost() {
  drop();
  sayButton.disabled = true;
  if (!wanted) return;
  show("lost", `Cut off from the room. Trying again${retryDelay > 1000 ? " soon" : ""}…`);
  clearTimeout(retryTimer);
  retryTimer = setTimeout(connect, retryDelay);
  retryDelay = Math.min(retryDelay * 2, LONGEST_RETRY);
}

function retryNow() {
  if (wanted && !socket) connect();
}

function leave() {
  wanted = false;
  clearTimeout(retryTimer);
  drop();
  joinForm.hidden = false;
  sayForm.hidden = true;
  present.hidden = true;
  show("idle", "You have left the room.");
  nameField.focus();
}

function hear(line) {
  lastHeard = performance.now();
  if (line.kind === "ping") socket.send(JSON.stringify({ here: true }));
  else if (line.kind === "refused") show("live", `Not sent: ${line.reason}.`);
  else if (line.kind === "welcome") enter(line);
  else write(line);
}

function enter({ name, member, room: identity, history }) {
  retryDelay = FIRST_RETRY;
  [myName, myNumber] = [name, member];
  if (identity !== room) {
    // Another process than before: its numbers begin anew, and its history is all there is.
    log.replaceChildren();
    [room, lastNumber] = [identity, 0];
  }
  history.forEach(write);
  const first = sayForm.hidden;
  joinForm.hidden = true;
  sayForm.hidden = false;
  sayButton.disabled = false;
  if (first) textField.focus();
  show("live", `You are in the room as ${name}.`);
}

function write({ kind, number, at, name, member, text, present: names }) {
  if (names) showPresent(names);
  if (number <= lastNumber) return; // Heard before we were cut off.
  lastNumber = number;
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  log.querySelector(".empty")?.remove();
  const line = document.createElement("div");
  line.className = kind === "said" && member === myNumber ? "said mine" : kind;
  const time = document.createElement("time");
  const moment = new Date(at * 1000);
  time.dateTime = moment.toISOString();
  time.textContent = moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  if (kind === "said") {
    line.append(part("span", "who", name), part("p", "words", text), time);
  } else {
    const notice = kind === "joined" ? `${name} came in` : `${name} left`;
    line.append(part("p", "notice", notice), time);
  }
  log.append(line);
  while (log.childElementCount > MOST_LINES) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

// Only ever text: what people write is never read as HTML.
function part(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function showPresent(names) {
  present.hidden = false;
  present.replaceChildren(
    ...names.map((name) => part("li", name === myName ? "me" : "", name)),
  );
}

function show(condition, words) {
  state.dataset.state = condition;
  state.textContent = words;
}

function suggestName() {
  const pick = (words) => words[Math.floor(Math.random() * words.length)];
  return `${pick(["Amber", "Coral", "Fern", "Hazel", "Indigo", "Moss", "Olive", "Slate"])} ${pick([
    "Adder", "Boa", "Cobra", "Mamba", "Python", "Racer", "Viper", "Whip",
  ])}`;
}
