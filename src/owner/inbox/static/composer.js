// While somebody writes: drafts, files, canned replies by "/", how long the text is, and how long free text is possible.
const field = () => document.getElementById("content");
const form = () => document.querySelector("[data-composer]");
const list = () => document.getElementById("canned");

// ---- Drafts survive a reload.
const draftOf = (text) => `draft-${text.dataset.draft}`;
function restoreDraft() {
  const text = field();
  if (text && !text.value) text.value = localStorage.getItem(draftOf(text)) ?? "";
}
function keepDraft(text) {
  if (text.value) localStorage.setItem(draftOf(text), text.value);
  else localStorage.removeItem(draftOf(text));
}

// ---- How long it is. The server says which characters the short alphabet has.
function partsOf(text) {
  const { gsmBasic, gsmExtended } = form().dataset;
  let units = 0;
  for (const character of text) {
    if (gsmBasic.includes(character)) units += 1;
    else if (gsmExtended.includes(character)) units += 2;
    else return split(text.length, 70, 67);
  }
  return split(units, 160, 153);
}
const split = (units, alone, chained) => (units <= alone ? 1 : Math.ceil(units / chained));
const isNote = () => form()?.querySelector('[name="kind"][value="note"]')?.checked;
function count() {
  const said = document.querySelector("[data-count]");
  const text = field()?.value.replaceAll("\r\n", "\n") ?? "";
  if (!said) return;
  const { most, characters, parts } = said.dataset;
  const length = [...text].length;
  const isLong = !isNote() && length > Number(most);
  const words = [];
  if (text && !isNote()) {
    words.push(characters.replace("{n}", length).replace("{most}", most));
    if (form().dataset.channel === "SMS") words.push(parts.replace("{n}", partsOf(text)));
  }
  said.textContent = words.join(" · ");
  said.classList.toggle("problem", isLong);
}
function invite() {
  const text = field();
  if (text) text.placeholder = isNote() ? text.dataset.note : text.dataset.message;
}
function grow() {
  const text = field();
  if (!text || CSS.supports("field-sizing", "content")) return;
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
}

// ---- The reply window, to the minute.
function countDown() {
  const said = document.querySelector("[data-countdown]");
  if (!said) return;
  const minutes = Math.floor((new Date(said.dataset.countdown) - Date.now()) / 60000);
  if (minutes < 0) return document.body.dispatchEvent(new CustomEvent("conversation-changed"));
  const left = minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  said.querySelector("[data-left]").textContent = said.dataset.words.replace("{left}", left);
  said.classList.toggle("problem", minutes < 60);
}
setInterval(countDown, 20000);

// ---- Canned replies: typed after "/", chosen by arrows and Enter, filled in by the server.
let markup = null;
let place = null; // where the "/…" is that a reply takes the place of
let chosen = null;
const shown = () => [...list().querySelectorAll("[role=option]:not([hidden])")];
async function suggest() {
  const text = field();
  const before = text.value.slice(0, text.selectionStart);
  const typed = /(?:^|\s)\/([\p{L}\p{N}_-]*)$/u.exec(before);
  if (!typed || isNote() || !list()) return hide();
  if (markup === null) {
    const answer = await fetch(list().dataset.url, { headers: { "HX-Request": "true" } });
    if (!answer.ok) return;
    markup = await answer.text();
    setTimeout(() => { markup = null; }, 60000);
    return field() && suggest();
  }
  place = before.length - typed[1].length - 1;
  list().innerHTML = markup;
  const wanted = typed[1].toLowerCase();
  for (const option of list().children) option.hidden = !option.dataset.shortcut.includes(wanted) && !option.textContent.toLowerCase().includes(wanted);
  list().hidden = !shown().length;
  text.toggleAttribute("aria-controls", false);
  if (list().hidden) return hide();
  text.setAttribute("aria-controls", "canned");
  const exact = shown().find((option) => option.dataset.shortcut.startsWith(wanted));
  choose(exact ?? shown()[0]);
}
function hide() {
  if (list()) list().hidden = true;
  chosen = null;
  field()?.removeAttribute("aria-activedescendant");
}
function choose(option) {
  chosen?.removeAttribute("aria-selected");
  chosen = option;
  chosen.setAttribute("aria-selected", "true");
  chosen.scrollIntoView({ block: "nearest" });
  field().setAttribute("aria-activedescendant", chosen.id);
}
async function fillIn(option) {
  const text = field();
  const [from, to] = [place, text.selectionStart];
  const answer = await fetch(`${list().dataset.url}/${option.dataset.id}`);
  hide();
  if (!answer.ok) return;
  text.setRangeText(await answer.text(), from, to, "end");
  text.focus();
  text.dispatchEvent(new Event("input", { bubbles: true }));
}
function listKey(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) choose(shown()[(shown().indexOf(chosen) + step + shown().length) % shown().length]);
  else if (event.key === "Enter" || event.key === "Tab") fillIn(chosen);
  else if (event.key === "Escape") hide();
  else return;
  event.preventDefault();
}
document.addEventListener("mousedown", (event) => {
  const option = event.target.closest?.("#canned [role=option]");
  if (!option) return;
  event.preventDefault();
  fillIn(option);
});

// ---- Files: chosen, pasted, or dropped onto the thread.
const files = () => document.getElementById("files");
function showFiles() {
  const said = document.getElementById("chosen-files");
  if (!said) return;
  const { most, large } = said.dataset;
  const chosenFiles = [...files().files];
  const tooLarge = chosenFiles.find((file) => file.size > Number(most));
  if (tooLarge) files().value = "";
  said.hidden = !chosenFiles.length;
  said.classList.toggle("problem", Boolean(tooLarge));
  said.querySelector("span").textContent = tooLarge ? `${tooLarge.name}: ${large}` : chosenFiles.map((file) => file.name).join(", ");
}
function take(event, given) {
  if (!given?.files.length || !files()) return;
  event.preventDefault();
  const wanted = new DataTransfer();
  for (const file of files().multiple ? given.files : [given.files[0]]) wanted.items.add(file);
  files().files = wanted.files;
  showFiles();
  field().focus();
}
document.addEventListener("paste", (event) => { if (event.target === field()) take(event, event.clipboardData); });
document.addEventListener("dragover", (event) => { if (event.target.closest?.(".conversation")) event.preventDefault(); });
document.addEventListener("drop", (event) => { if (event.target.closest?.(".conversation")) take(event, event.dataTransfer); });
document.addEventListener("click", (event) => {
  if (!event.target.closest?.("[data-no-files]")) return;
  files().value = "";
  showFiles();
  field().focus();
});

// ---- Enter sends, Shift+Enter breaks the line.
document.addEventListener("keydown", (event) => {
  if (event.target !== field() || event.isComposing) return;
  if (chosen && !list().hidden) return listKey(event);
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    const isOnItsWay = event.target.form.querySelector("button.primary").disabled;
    if (!isOnItsWay && (event.target.value.trim() || files().files.length)) event.target.form.requestSubmit();
  }
});

// ---- Colleagues in the same conversation.
let typedAt = 0;
let toldTypingAt = 0;
async function beThere() {
  const place = document.getElementById("presence");
  if (!place || document.visibilityState !== "visible") return;
  const typing = Date.now() - typedAt < 6000;
  if (typing) toldTypingAt = Date.now();
  const headers = { "X-CSRF-Token": form().elements.csrf_token.value, "HX-Request": "true" };
  const answer = await fetch(place.dataset.url, { method: "POST", headers, body: new URLSearchParams({ typing }) }).catch(() => null);
  const words = answer?.ok ? (await answer.text().catch(() => "")).trim() : "";
  if (place.isConnected && place.innerHTML.trim() !== words) place.innerHTML = words;
}
setInterval(beThere, 5000);
document.addEventListener("visibilitychange", beThere);
function noteTyping() {
  typedAt = Date.now();
  if (typedAt - toldTypingAt > 4000) beThere();
}

// ---- Templates: chosen in a window, their text with the values as they are typed; SIDs sent by hand are offered again.
const sheet = () => document.getElementById("templates");
const SIDS = "templates";
const sids = () => JSON.parse(localStorage.getItem(SIDS) ?? "[]");
document.addEventListener("submit", (event) => {
  if (!event.target.matches(".by-hand [data-template]")) return;
  const { value } = event.target.elements.content_sid;
  localStorage.setItem(SIDS, JSON.stringify([value, ...sids().filter((sid) => sid !== value)].slice(0, 20)));
});
const offerTemplates = () => document.getElementById("sids")?.replaceChildren(...sids().map((sid) => new Option(sid, sid)));
function fillPlaces({ form: filled, name, value }) {
  for (const place of filled.querySelectorAll("[data-place]")) {
    if (`value-${place.dataset.place}` === name) place.textContent = value || `{{${place.dataset.place}}}`;
  }
}
function filterTemplates(words) {
  const all = [...document.querySelectorAll(".approved > details:not(.by-hand)")];
  for (const one of all) one.hidden = !one.querySelector("summary").textContent.toLowerCase().includes(words.trim().toLowerCase());
  document.querySelector("[data-no-template]").hidden = all.some((one) => !one.hidden);
}
document.addEventListener("input", (event) => {
  if (event.target.matches("[data-template-filter]")) filterTemplates(event.target.value);
  else if (event.target.form?.matches("[data-template]")) fillPlaces(event.target);
});
function putAway() {
  sheet()?.close();
  sheet()?.replaceChildren();
}
document.addEventListener("close", (event) => { if (event.target === sheet()) putAway(); }, true);
document.addEventListener("toggle", (event) => {
  if (event.target.open && event.target.matches?.(".approved > details")) event.target.querySelector("input:not([type=hidden])")?.focus();
}, true);
function refresh() {
  offerTemplates();
  restoreDraft();
  showFiles();
  count();
  invite();
  grow();
  countDown();
}
document.addEventListener("input", (event) => {
  if (event.target !== field()) return;
  keepDraft(event.target);
  count();
  grow();
  suggest();
  noteTyping();
});
document.addEventListener("change", (event) => {
  if (event.target.name === "kind") {
    count();
    invite();
  }
  if (event.target === files()) showFiles();
});
let conversation = null;
document.addEventListener("htmx:after:swap", () => {
  if (sheet()?.childElementCount && !sheet().open) sheet().showModal();
  refresh();
  const open = document.getElementById("conversation")?.dataset.convId;
  if (open !== conversation) beThere();
  conversation = open;
});
// Somebody may write on, or open another conversation, while a message is on its way.
let sent = "";
document.addEventListener("htmx:before:request", (event) => {
  const { sourceElement } = event.detail.ctx;
  if (sourceElement?.matches?.("[data-composer]")) sent = sourceElement.elements.content.value;
});
document.addEventListener("htmx:after:request", (event) => {
  if (event.detail.ctx.sourceElement?.matches?.("[data-template]")) putAway();
});
document.addEventListener("htmx:before:response", (event) => {
  const { ctx } = event.detail;
  if (!ctx.sourceElement?.matches?.("[data-composer]")) return;
  if (ctx.response?.status === 409) document.body.dispatchEvent(new CustomEvent("conversation-changed")); // shows what is new
  if (ctx.response?.status !== 200) return;
  const { content, files: attached } = ctx.sourceElement.elements;
  if (content.value.startsWith(sent)) content.value = content.value.slice(sent.length).trimStart();
  attached.value = "";
  keepDraft(content);
  document.body.dispatchEvent(new CustomEvent("written"));
});
refresh();
beThere();
