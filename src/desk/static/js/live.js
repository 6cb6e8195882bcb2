// One stream for each browser: a lock elects the tab that holds it, and a channel tells the others.
// The stream says "ticket, version". Each page then fetches the part that shows this ticket, with its own rights.
const LOCK = "desk-live";
const CHANNEL = "desk-live";
const SETTLE_MS = 150;
const RETRY_MS = 5000;

let channel;
let stream = null;
let lastId = ""; // of this tab, so that it continues the stream of a tab that was closed
const waiting = new Map();
let timer = 0;
const unseen = new Set();

export function startLive() {
  const page = document.querySelector("[data-live]");
  if (!page) return;
  if (page.dataset.live === "list") sessionStorage.setItem("desk.list", location.href);
  channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = (message) => changed(message.data);
  document.addEventListener("click", onClick);
  if (navigator.locks) navigator.locks.request(LOCK, hold);
  else holdWhileVisible(); // over http from another machine, browsers offer no locks
}

// A browser opens six connections to a host: tabs in the background must not occupy them.
function holdWhileVisible() {
  const follow = () => {
    if (document.hidden) {
      stream?.close();
      stream = null;
    } else if (!stream) {
      open();
    }
  };
  document.addEventListener("visibilitychange", follow);
  follow();
}

// Hold the stream for as long as this page lives.
function hold() {
  open();
  return new Promise(() => {});
}

function open() {
  const root = document.documentElement.dataset.root;
  const source = (stream = new EventSource(`${root}desk/events${lastId ? `?after=${encodeURIComponent(lastId)}` : ""}`));
  source.onopen = () => {
    document.documentElement.dataset.stream = "open";
    if (!lastId) catchUp();
  };
  source.onmessage = (message) => {
    const change = { ...JSON.parse(message.data), id: message.lastEventId };
    channel.postMessage(change);
    changed(change);
  };
  source.onerror = () => {
    document.documentElement.dataset.stream = "broken";
    if (source.readyState !== EventSource.CLOSED) return; // it comes back by itself, with Last-Event-ID
    lastId = ""; // refused: the log may no longer have what follows
    setTimeout(() => stream === source && open(), RETRY_MS);
  };
}

// What was committed between the answer of the server and the opening of the stream.
function catchUp() {
  const page = document.querySelector("[data-live=ticket]");
  if (page) refreshTicket(page);
}

function changed(change) {
  lastId = change.id || lastId;
  waiting.set(change.ticket, Math.max(change.version, waiting.get(change.ticket) ?? 0));
  clearTimeout(timer);
  timer = setTimeout(settle, SETTLE_MS);
}

async function settle() {
  const changes = [...waiting];
  waiting.clear();
  for (const [ticket, version] of changes) await show(ticket, version);
}

async function show(ticket, version) {
  const page = document.querySelector("[data-live]");
  if (page.dataset.live === "ticket") {
    if (page.dataset.ticket === String(ticket) && Number(page.dataset.version) < version) await refreshTicket(page);
    return;
  }
  const row = document.getElementById(`t-${ticket}`);
  if (row) {
    if (Number(row.dataset.version) < version) await refreshRow(row, ticket);
  } else {
    unseen.add(ticket);
    announce();
  }
}

async function refreshRow(row, ticket) {
  const isCurrent = row.classList.contains("current");
  const url = `${document.documentElement.dataset.root}desk/row?ticket=${ticket}`;
  await htmx.ajax("GET", url, { source: row, target: row, swap: "outerMorph" });
  const now = document.getElementById(`t-${ticket}`);
  now?.classList.toggle("current", isCurrent);
  now?.classList.add("changed");
}

export async function refreshTicket(page) {
  const text = document.getElementById("composer-text");
  const isWriting = Boolean(text?.value.trim());
  const comments = page.querySelectorAll(".discussion > .message:not(.note)").length;
  await htmx.ajax("GET", `${location.pathname}?part=ticket`, { source: page, target: page, swap: "outerMorph" });
  const now = document.querySelector("[data-live=ticket]");
  const hasNew = now.querySelectorAll(".discussion > .message:not(.note)").length > comments;
  const version = document.querySelector("#composer input[name=version]");
  if (!version) return;
  // Its writer has not seen what came. The reply is refused then, unless the notice is confirmed.
  const notice = document.getElementById("unseen");
  if (isWriting && hasNew) notice.hidden = false;
  else if (notice.hidden) version.value = now.dataset.version;
  document.title = hasNew && document.hidden ? `● ${document.title.replace("● ", "")}` : document.title;
}

function announce() {
  const news = document.getElementById("news");
  if (!news) return;
  news.querySelector("a").textContent = news.dataset.text.replace("{n}", unseen.size);
  news.hidden = false;
  document.title = `(${unseen.size}) ${document.title.replace(/^\(\d+\) /, "")}`;
}

function onClick(event) {
  if (event.target.closest?.("#news a")) {
    event.preventDefault();
    location.reload();
  }
  if (event.target.closest?.("[data-seen]")) {
    document.getElementById("unseen").hidden = true;
    document.querySelector("#composer input[name=version]").value = document.querySelector("[data-live=ticket]").dataset.version;
    document.getElementById("composer-text").focus();
  }
}
