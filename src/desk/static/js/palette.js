// Ctrl+K: all links and buttons of this page that have a command, a ticket by its number, and the search.
let dialog;
let shown = [];
let at = 0;

export function startPalette() {
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
      event.preventDefault();
      open();
    }
  });
}

function open() {
  dialog = document.getElementById("palette");
  if (!dialog || dialog.open) return;
  const input = dialog.querySelector("input");
  input.value = "";
  input.oninput = () => show(input.value);
  input.onkeydown = onKey;
  dialog.showModal();
  show("");
}

function commands(typed) {
  const all = [...document.querySelectorAll("[data-command]")]
    .filter((element) => !element.closest("[hidden]"))
    .map((element) => ({
      text: element.textContent.trim(),
      key: element.dataset.command,
      run: () => element.click(),
    }));
  const wanted = typed.trim().toLowerCase();
  const found = all.filter((each) => each.text.toLowerCase().includes(wanted));
  const root = document.documentElement.dataset.root;
  const number = wanted.match(/^#?(\d{1,18})$/);
  if (number) found.unshift({ text: `#${number[1]}`, key: "", run: () => (location.href = `${root}desk/tickets/${number[1]}`) });
  if (wanted) {
    const query = new URLSearchParams({ q: typed.trim() });
    found.push({ text: `${dialog.dataset.search}: ${typed.trim()}`, key: "/", run: () => (location.href = `${root}desk/tickets?${query}`) });
  }
  return found;
}

function show(typed) {
  shown = commands(typed);
  at = 0;
  const list = dialog.querySelector("ul");
  list.replaceChildren(...shown.map((each, index) => option(each, index)));
  mark();
}

function option(command, index) {
  const item = document.createElement("li");
  item.id = `palette-${index}`;
  item.setAttribute("role", "option");
  const text = document.createElement("bdi");
  text.textContent = command.text;
  item.append(text);
  if (command.key) {
    const key = document.createElement("kbd");
    key.textContent = command.key;
    item.append(key);
  }
  item.addEventListener("click", () => choose(index));
  return item;
}

function mark() {
  const input = dialog.querySelector("input");
  for (const [index, item] of [...dialog.querySelectorAll("li")].entries()) {
    item.setAttribute("aria-selected", String(index === at));
    if (index === at) item.scrollIntoView({ block: "nearest" });
  }
  if (shown.length) input.setAttribute("aria-activedescendant", `palette-${at}`);
  else input.removeAttribute("aria-activedescendant");
}

function onKey(event) {
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  if (event.key in steps && shown.length) {
    event.preventDefault();
    at = (at + steps[event.key] + shown.length) % shown.length;
    mark();
  } else if (event.key === "Enter") {
    event.preventDefault();
    choose(at);
  }
}

function choose(index) {
  const command = shown[index];
  dialog.close();
  command?.run();
}
