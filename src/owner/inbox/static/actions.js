// Every action by its key, or chosen in the palette; what each does is an element of the page that carries its name.
const palette = document.getElementById("palette");
const help = document.getElementById("help");
const command = document.getElementById("command");
const options = [...palette.querySelectorAll("[role=option]")];
const byKey = new Map(options.map((option) => [option.dataset.press, option.dataset.run]));
const find = (name) => document.querySelector(`[data-action~="${name}"]`);
const field = () => document.getElementById("content");

// ---- What is more than pressing something.
function walk(step) {
  const lines = [...document.querySelectorAll(".line")];
  const at = lines.findIndex((line) => line.hasAttribute("aria-current"));
  const next = lines[at < 0 ? 0 : at + step];
  next?.click();
  next?.scrollIntoView({ block: "nearest" });
}
function write(kind) {
  document.querySelector(`[name="kind"][value="${kind}"]`).click();
  field().focus();
}
const own = {
  next: () => walk(1),
  previous: () => walk(-1),
  reply: () => write("message"),
  note: () => write("note"),
  canned: () => {
    write("message");
    field().setRangeText(field().value && !/\s$/.test(field().value) ? " /" : "/", field().value.length, field().value.length, "end");
    field().dispatchEvent(new Event("input", { bubbles: true }));
  },
  select: () => document.querySelector(".line[aria-current]")?.parentElement.querySelector(".pick input")?.click(),
  palette: openPalette,
  help: () => help.showModal(),
};
const needsField = new Set(["reply", "note", "canned"]);
const canDo = (name) => (needsField.has(name) ? field() : name in own || find(name));

function run(name) {
  if (!canDo(name)) return false;
  if (name in own) own[name]();
  else press(find(name));
  return true;
}
function press(element) {
  if (element.matches("input:not([type=radio], [type=checkbox]), select")) return element.focus();
  if (element.closest("#side") && !element.checkVisibility()) location.hash = "side"; // where there is no room beside the thread
  element.scrollIntoView({ block: "nearest" });
  if (element.matches("[data-focus]")) return element.focus();
  element.click();
  if (element.matches("summary")) element.parentElement.querySelector("form :is(select, input:not([type=hidden]), button)")?.focus();
}

// ---- The palette: type, choose by arrows, Enter.
let chosen = null;
const fold = (text) => text.normalize("NFD").replace(/\p{Mn}/gu, "").toLowerCase();
function openPalette() {
  command.value = "";
  filter();
  palette.showModal();
}
function filter() {
  const words = fold(command.value).split(/\s+/).filter(Boolean);
  for (const option of options) option.hidden = !canDo(option.dataset.run) || !words.every((word) => fold(option.textContent).includes(word));
  choose(options.find((option) => !option.hidden));
  document.getElementById("no-command").hidden = Boolean(chosen);
}
function choose(option) {
  chosen?.removeAttribute("aria-selected");
  chosen = option;
  chosen?.setAttribute("aria-selected", "true");
  chosen?.scrollIntoView({ block: "nearest" });
  if (chosen) command.setAttribute("aria-activedescendant", chosen.id);
  else command.removeAttribute("aria-activedescendant");
}
function runChosen() {
  const name = chosen?.dataset.run;
  palette.close();
  if (name) run(name);
}
command.addEventListener("input", filter);
command.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Enter") { event.preventDefault(); runChosen(); }
  if (!step) return;
  event.preventDefault();
  const shown = options.filter((option) => !option.hidden);
  choose(shown[(shown.indexOf(chosen) + step + shown.length) % shown.length]);
});
palette.addEventListener("click", (event) => {
  const option = event.target.closest("[role=option]");
  if (option) { choose(option); runChosen(); }
});

// ---- Windows close when somebody clicks beside them, menus by Escape.
for (const dialog of [palette, help]) dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) run(opener.dataset.open);
  for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

// A menu stays open while news come in, and closes when what it is for is done.
document.addEventListener("htmx:after:request", (event) => {
  const { sourceElement, response } = event.detail.ctx;
  if (response?.status === 200 && sourceElement?.matches?.(".add-label")) sourceElement.reset();
  const menu = sourceElement?.closest?.("details[open]");
  if (!menu || response?.status !== 200) return;
  if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
  menu.open = false;
});

// Who presses what is then no longer there goes on beside it, not at the top of the page.
let held = null;
let region = null;
document.addEventListener("focusin", (event) => {
  held = event.target;
  region = held.closest(".list-pane") ? "list" : held.closest("#conversation") ? "thread" : null;
});
document.addEventListener("htmx:after:swap", () => requestAnimationFrame(() => {
  if (!region || held.isConnected && held.checkVisibility()) return;
  if (document.activeElement === document.body || document.activeElement === held) document.getElementById(region)?.focus({ preventScroll: true });
}));

// ---- Keys.
const isTyping = (element) => element.matches("textarea, select, input:not([type=radio], [type=checkbox])");
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    if (!palette.open) openPalette();
    return;
  }
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") return leave(event);
  if (isTyping(event.target) || localStorage.getItem("switch-keys") === "off") return;
  const name = byKey.get(event.key);
  if (name && run(name)) event.preventDefault();
});
function leave(event) {
  const menu = event.target.closest(".menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (location.hash === "#side") location.hash = "thread";
  else if (isTyping(event.target)) event.target.blur();
  else run("back");
}
