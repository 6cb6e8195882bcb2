// A dialog with a field and a list of choices: the palette of all commands (Ctrl+K), and other choices.
export class Chooser {
  // `find(typed)` returns or resolves to choices: {text, key, run}.
  constructor(dialog, find) {
    this.dialog = dialog;
    this.find = find;
    this.input = dialog.querySelector("input");
    this.list = dialog.querySelector("ul");
    this.shown = [];
    this.at = 0;
    this.input.addEventListener("input", () => this.show());
    this.input.addEventListener("keydown", (event) => this.onKey(event));
  }

  open() {
    if (this.dialog.open) return;
    this.input.value = "";
    this.dialog.showModal();
    this.show();
  }

  async show() {
    const typed = this.input.value;
    const found = await this.find(typed);
    if (typed !== this.input.value) return; // an answer to what was typed before
    this.shown = found;
    this.at = 0;
    this.list.replaceChildren(...found.map((each, index) => this.option(each, index)));
    this.mark();
  }

  option(choice, index) {
    const item = document.createElement("li");
    item.id = `${this.list.id}-${index}`;
    item.setAttribute("role", "option");
    const text = document.createElement("bdi");
    text.textContent = choice.text;
    item.append(text);
    if (choice.key) {
      const key = document.createElement("kbd");
      key.textContent = choice.key;
      item.append(key);
    }
    item.addEventListener("click", () => this.choose(index));
    return item;
  }

  mark() {
    for (const [index, item] of [...this.list.children].entries()) {
      item.setAttribute("aria-selected", String(index === this.at));
      if (index === this.at) item.scrollIntoView({ block: "nearest" });
    }
    if (this.shown.length) this.input.setAttribute("aria-activedescendant", `${this.list.id}-${this.at}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  onKey(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps && this.shown.length) {
      event.preventDefault();
      this.at = (this.at + steps[event.key] + this.shown.length) % this.shown.length;
      this.mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.choose(this.at);
    }
  }

  choose(index) {
    const choice = this.shown[index];
    this.dialog.close();
    choice?.run();
  }
}

export function startPalette() {
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const palette = new Chooser(dialog, (typed) => commands(typed, dialog.dataset.search));
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
      event.preventDefault();
      palette.open();
    }
  });
}

function commands(typed, search) {
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
    found.push({ text: `${search}: ${typed.trim()}`, key: "/", run: () => (location.href = `${root}desk/tickets?${query}`) });
  }
  return found;
}
