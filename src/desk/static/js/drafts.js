// Keeps what is being written: in `localStorage` at every key, and on the server shortly after the last one.
// Replies and notes have drafts of their own, so that neither overwrites the other.
const PREFIX = "desk.draft.";
const SENT = "desk.sent";
const SAVE_AFTER_MS = 800;

let kind = "public";
let timer = 0;
let writing = false;

export function startDrafts() {
  forgetSent();
  restore();
  document.addEventListener("input", (event) => {
    if (event.target.id === "composer-text") keep(event.target);
    if (event.target.id === "composer-email") localStorage.setItem("desk.email", event.target.value);
  });
  document.addEventListener("change", (event) => {
    if (event.target.name === "visibility") change(event.target);
  });
  document.addEventListener("submit", (event) => {
    const text = composer();
    clearTimeout(timer);
    if (event.target.id === "composer" && text) sessionStorage.setItem(SENT, JSON.stringify([keyOf(text), text.value]));
  });
}

export function isWriting() {
  return writing;
}

// Insert a text at the cursor, as if it was typed.
export function insert(added) {
  const text = composer();
  text.focus();
  text.setRangeText(added, text.selectionStart, text.selectionEnd, "end");
  text.dispatchEvent(new Event("input", { bubbles: true }));
}

function composer() {
  return document.getElementById("composer-text");
}

function keyOf(text) {
  return `${PREFIX}${text.form.dataset.draft}.${kind}`;
}

function checkedKind() {
  return document.querySelector("#composer input[name=visibility]:checked")?.value ?? "public";
}

function keep(text) {
  writing = true;
  if (text.value) localStorage.setItem(keyOf(text), text.value);
  else localStorage.removeItem(keyOf(text));
  clearTimeout(timer);
  timer = setTimeout(() => save(text), SAVE_AFTER_MS);
}

async function save(text) {
  const form = text.form;
  if (!form?.isConnected || form.action.endsWith("/follow-up")) return;
  const idName = `${kind}Id`;
  const fields = new URLSearchParams({
    visibility: kind,
    counter: Date.now(),
    version: form.elements.version.value,
    email: form.elements.email?.value ?? "",
    text: text.value,
    draft_id: text.dataset[idName] ?? "",
  });
  const state = document.getElementById("draft-state");
  // The service takes no draft without the address of its author.
  if (form.elements.email && (!form.elements.email.value || !form.elements.email.checkValidity())) {
    state.textContent = text.value ? state.dataset.local : "";
    return;
  }
  try {
    const url = `${document.documentElement.dataset.root}desk/tickets/${form.dataset.draft}/draft`;
    const response = await fetch(url, { method: "POST", body: fields });
    if (!response.ok) throw new Error(response.status);
    const { draft_id } = await response.json();
    if (draft_id) text.dataset[idName] = draft_id;
    else delete text.dataset[idName];
    state.textContent = text.value ? state.dataset.saved : "";
  } catch {
    delete text.dataset[idName];
    state.textContent = text.value ? state.dataset.local : "";
  }
}

function stored(text) {
  const server = kind === "internal" ? document.getElementById("note-draft")?.value : text.defaultValue;
  return localStorage.getItem(keyOf(text)) ?? server ?? "";
}

function restore() {
  const text = composer();
  if (!text) return;
  kind = checkedKind();
  // A page about a refusal has what was typed.
  if (!document.querySelector(".notice.problem")) text.value = stored(text);
  const email = document.getElementById("composer-email");
  if (email && !email.value) email.value = localStorage.getItem("desk.email") ?? "";
}

function change(radio) {
  const text = composer();
  if (!text || radio.value === kind) return;
  if (text.value) localStorage.setItem(keyOf(text), text.value);
  kind = radio.value;
  text.value = stored(text);
}

// A form that was accepted leads back to the page of the ticket. Only then is the draft in the browser old.
function forgetSent() {
  const sent = JSON.parse(sessionStorage.getItem(SENT) ?? "null");
  sessionStorage.removeItem(SENT);
  if (!sent) return;
  const [key, value] = sent;
  const wasAccepted = !document.querySelector(".notice.problem") && document.querySelector("[data-live=ticket]");
  if (wasAccepted && localStorage.getItem(key) === value) localStorage.removeItem(key);
}
