// Keeps what a requester writes in the browser until it was sent.
const PREFIX = "my.text.";
const SENT = "my.sent";

const form = document.querySelector("form[data-keep]");
const text = form?.elements.text;
const key = form && PREFIX + form.dataset.keep;
const isRefused = Boolean(document.querySelector(".notice.problem"));

const sent = JSON.parse(sessionStorage.getItem(SENT) ?? "null");
sessionStorage.removeItem(SENT);
if (sent && !isRefused && localStorage.getItem(sent[0]) === sent[1]) localStorage.removeItem(sent[0]);
if (text && !isRefused) text.value = localStorage.getItem(key) ?? text.value;
text?.addEventListener("input", () => {
  if (text.value) localStorage.setItem(key, text.value);
  else localStorage.removeItem(key);
});
form?.addEventListener("submit", () => sessionStorage.setItem(SENT, JSON.stringify([key, text.value])));
document.getElementById("refusal")?.focus();
document.documentElement.dataset.ready = "";
