// Inserts a canned reply at the cursor: by its button, or by a slash at the beginning of a word. It replaces nothing.
import { insert } from "./drafts.js";
import { Chooser } from "./palette.js";

export function startCanned() {
  const dialog = document.getElementById("canned");
  if (!dialog) return;
  const chooser = new Chooser(dialog, find);
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("[data-canned]")) return;
    event.preventDefault();
    chooser.open();
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.id !== "composer-text" || event.key !== "/" || event.ctrlKey || event.metaKey) return;
    const before = event.target.value.slice(0, event.target.selectionStart);
    if (before && !/\s$/.test(before)) return;
    event.preventDefault();
    chooser.open();
  });
  // Without a choice, the slash is a slash.
  dialog.addEventListener("cancel", () => insert("/"));
}

function root() {
  return document.documentElement.dataset.root;
}

async function find(typed) {
  const response = await fetch(`${root()}desk/canned/found?${new URLSearchParams({ q: typed })}`);
  if (!response.ok) return [];
  const found = await response.json();
  return found.map((each) => ({ text: each.title, key: `/${each.shortcut}`, run: () => use(each.id) }));
}

async function use(id) {
  const ticket = document.getElementById("composer").dataset.draft;
  const response = await fetch(`${root()}desk/canned/${id}/rendered?ticket=${ticket}`);
  if (!response.ok) return;
  const { text, missing } = await response.json();
  insert(text);
  if (missing.length) {
    const state = document.getElementById("draft-state");
    state.textContent = document.getElementById("canned").dataset.missing.replace("{names}", missing.join(", "));
  }
}
