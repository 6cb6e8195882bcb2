// Marks the presence of the reader on a ticket, and shows the other agents there. It locks nothing.
import { isWriting } from "./drafts.js";

const EVERY_MS = 10_000;

export function startPresence() {
  const page = document.querySelector("[data-live]");
  if (!page) return;
  const refresh = page.dataset.live === "ticket" ? () => mark(page.dataset.ticket) : look;
  refresh();
  setInterval(refresh, EVERY_MS);
  if (page.dataset.live !== "ticket") return;
  addEventListener("pagehide", () => navigator.sendBeacon(url(`tickets/${page.dataset.ticket}/leave`), new URLSearchParams()));
}

function url(path) {
  return `${document.documentElement.dataset.root}desk/${path}`;
}

async function mark(ticket) {
  if (document.hidden) return;
  const body = new URLSearchParams({ writes: isWriting() });
  const others = await json(url(`tickets/${ticket}/presence`), { method: "POST", body });
  const shown = document.getElementById("others");
  if (!shown || !others) return;
  const texts = others.map((each) => (each.writes ? shown.dataset.writes : shown.dataset.looks).replace("{name}", each.name));
  const text = texts.join(" · ");
  if (shown.textContent !== text) shown.textContent = text;
}

async function look() {
  const rows = [...document.querySelectorAll("tr[data-ticket]")];
  if (document.hidden || !rows.length) return;
  const query = new URLSearchParams(rows.slice(0, 50).map((row) => ["ticket", row.dataset.ticket]));
  const found = await json(url(`presences?${query}`));
  if (!found) return;
  for (const row of rows) {
    const names = (found[row.dataset.ticket] ?? []).map((each) => (each.writes ? `${each.name} …` : each.name));
    const cell = row.querySelector(".state");
    let shown = cell.querySelector(".others");
    if (!names.length) {
      shown?.remove();
      continue;
    }
    if (!shown) {
      shown = document.createElement("bdi");
      shown.className = "others risk";
      cell.append(" ", shown);
    }
    shown.textContent = names.join(", ");
  }
}

async function json(address, options) {
  try {
    const response = await fetch(address, options);
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}
