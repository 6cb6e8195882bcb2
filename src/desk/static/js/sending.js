// Counts the seconds until a comment is sent, and shows it then.
// Its author may have left the ticket when it is refused: the page that is open then says so.
import { refreshTicket } from "./live.js";

const SENDING = "desk.sending";
const CHECK_MS = 1000;
const CHECK_AFTER_MS = 2000; // after the time of the sending

export function startSending() {
  for (const section of document.querySelectorAll("[data-pending]")) {
    const at = Date.now() + Number(section.dataset.pending) * 1000;
    store({ ...stored(), [section.dataset.ticket]: at });
    setTimeout(() => countDown(at), CHECK_MS);
  }
  watch();
}

function stored() {
  return JSON.parse(localStorage.getItem(SENDING) ?? "{}");
}

function store(sending) {
  localStorage.setItem(SENDING, JSON.stringify(sending));
}

async function countDown(at) {
  const section = document.querySelector("[data-pending]");
  if (!section) return;
  const left = Math.max(0, Math.round((at - Date.now()) / 1000));
  const line = section.querySelector("[data-text]");
  line.textContent = line.dataset.text.replace("{n}", left);
  if (!left) await refreshTicket(section.closest("[data-live=ticket]"));
  setTimeout(() => countDown(at), CHECK_MS);
}

function watch() {
  const times = Object.values(stored());
  if (times.length) setTimeout(check, Math.max(Math.min(...times) + CHECK_AFTER_MS - Date.now(), CHECK_MS));
}

async function check() {
  const sending = stored();
  try {
    const response = await fetch(`${document.documentElement.dataset.root}desk/drafts/sending`);
    const { pending, refused } = await response.json();
    const lost = Object.keys(sending).map(Number).filter((ticket) => refused.includes(ticket));
    if (lost.length) announce(lost[0]);
    store(Object.fromEntries(Object.entries(sending).filter(([ticket]) => pending.includes(Number(ticket)))));
  } catch {
    // Without a connection: the next attempt asks again.
  }
  watch();
}

function announce(ticket) {
  const page = document.querySelector("[data-live=ticket]");
  const notice = document.getElementById("not-sent");
  if (!notice || page?.dataset.ticket === String(ticket)) return; // the page of the ticket says it itself
  const link = notice.querySelector("a");
  link.textContent = notice.dataset.text.replace("{n}", ticket);
  link.href = `${document.documentElement.dataset.root}desk/tickets/${ticket}`;
  notice.hidden = false;
}
