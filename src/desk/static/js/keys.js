// Single keys, and sequences such as `g q`. They press the links and buttons of the page that have `data-command`.
// Keys are compared by what they type, so that every layout works; with Alt or AltGr, a key types something else.

const OFF = "desk.single-keys-off";
const SEQUENCE_MS = 1500;
let pending = "";
let pendingTimer = 0;

export function startKeys() {
  document.addEventListener("keydown", onKey);
  const box = document.getElementById("single-keys");
  if (box) {
    box.checked = !areOff();
    box.disabled = false;
    box.addEventListener("change", () => {
      if (box.checked) localStorage.removeItem(OFF);
      else localStorage.setItem(OFF, "yes");
    });
  }
}

export function areOff() {
  return localStorage.getItem(OFF) === "yes";
}

function isTyping(element) {
  return element.matches?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
}

function onKey(event) {
  if (event.isComposing || event.defaultPrevented) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form) {
    event.preventDefault();
    event.target.form.requestSubmit(event.target.form.querySelector("button.main"));
    return;
  }
  if (event.key === "Escape" && isTyping(event.target) && !event.target.closest("dialog")) {
    event.target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.getModifierState("AltGraph")) return;
  if (areOff() || isTyping(event.target) || event.target.closest?.("dialog")) return;
  if (event.key.length !== 1 || event.key === " ") return;
  const command = pending ? `${pending} ${event.key}` : event.key;
  clearTimeout(pendingTimer);
  pending = "";
  if (run(command)) {
    event.preventDefault();
  } else if (isPrefix(command)) {
    event.preventDefault();
    pending = command;
    pendingTimer = setTimeout(() => (pending = ""), SEQUENCE_MS);
  }
}

function isPrefix(command) {
  return [...document.querySelectorAll("[data-command]")].some((each) => each.dataset.command.startsWith(`${command} `));
}

function run(command) {
  const own = OWN[command];
  if (own) return own();
  const element = document.querySelector(`[data-command="${CSS.escape(command)}"]`);
  if (!element || element.closest("[hidden]")) return false;
  element.click();
  return true;
}

const OWN = {
  j: () => step(1),
  k: () => step(-1),
  o: openCurrent,
  x: tick,
  u: back,
  r: () => compose("public"),
  n: () => compose("internal"),
  "/": () => focus(document.getElementById("search")),
};

function rows() {
  return [...document.querySelectorAll("tr[data-ticket]")];
}

function step(by) {
  const all = rows();
  if (!all.length) return false;
  const at = all.findIndex((row) => row.classList.contains("current"));
  const next = all[Math.min(Math.max(at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by, 0), all.length - 1)];
  all[at]?.classList.remove("current");
  next.classList.add("current");
  focus(next.querySelector("a"));
  return true;
}

function openCurrent() {
  const link = document.querySelector("tr.current .subject a");
  link?.click();
  return Boolean(link);
}

function tick() {
  const box = document.querySelector("tr.current .tick input");
  if (box) box.checked = !box.checked;
  return Boolean(box);
}

function back() {
  const list = sessionStorage.getItem("desk.list");
  if (document.querySelector("[data-live=list]")) return false;
  location.href = list ?? `${document.documentElement.dataset.root}desk`;
  return true;
}

function compose(kind) {
  const text = document.getElementById("composer-text");
  if (!text) return false;
  const radio = document.querySelector(`#composer input[name=visibility][value=${kind}]`);
  if (radio) radio.checked = true;
  radio?.dispatchEvent(new Event("change", { bubbles: true }));
  return focus(text);
}

function focus(element) {
  element?.focus();
  element?.scrollIntoView({ block: "nearest" });
  return Boolean(element);
}
