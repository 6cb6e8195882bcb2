// Keeps what is being written: in `localStorage` at every key, until the form was sent and the ticket came back.
// Replies and notes have drafts of their own, so that neither overwrites the other.
const PREFIX = "desk.draft.";
const SENT = "desk.sent";

export function startDrafts() {
  forgetSent();
  restore();
  document.addEventListener("input", (event) => {
    if (event.target.id === "composer-text") save(event.target);
    if (event.target.id === "composer-email") localStorage.setItem("desk.email", event.target.value);
  });
  document.addEventListener("change", (event) => {
    if (event.target.name === "visibility") change(event.target);
  });
  document.addEventListener("submit", (event) => {
    const text = document.getElementById("composer-text");
    if (event.target.id === "composer" && text) sessionStorage.setItem(SENT, JSON.stringify([keyOf(text), text.value]));
  });
}

let kind = "public";

function keyOf(text) {
  return `${PREFIX}${text.form.dataset.draft}.${kind}`;
}

function checkedKind() {
  return document.querySelector("#composer input[name=visibility]:checked")?.value ?? "public";
}

function save(text) {
  if (text.value) localStorage.setItem(keyOf(text), text.value);
  else localStorage.removeItem(keyOf(text));
}

function restore() {
  const text = document.getElementById("composer-text");
  if (!text) return;
  kind = checkedKind();
  if (!text.value) text.value = localStorage.getItem(keyOf(text)) ?? "";
  const email = document.getElementById("composer-email");
  if (email && !email.value) email.value = localStorage.getItem("desk.email") ?? "";
}

function change(radio) {
  const text = document.getElementById("composer-text");
  if (!text || radio.value === kind) return;
  save(text);
  kind = radio.value;
  text.value = localStorage.getItem(keyOf(text)) ?? "";
}

// A form that was accepted leads back to the page of the ticket with an empty composer. Only then is the draft old.
function forgetSent() {
  const sent = JSON.parse(sessionStorage.getItem(SENT) ?? "null");
  sessionStorage.removeItem(SENT);
  if (!sent) return;
  const [key, value] = sent;
  const wasAccepted = !document.querySelector(".notice.problem") && document.querySelector("[data-live=ticket]");
  if (wasAccepted && localStorage.getItem(key) === value) localStorage.removeItem(key);
}
