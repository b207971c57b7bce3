// Keeps the list and the open conversation alive, and makes the keyboard enough.
const body = document.body;
const say = (name) => body.dispatchEvent(new CustomEvent(name));
const openConversation = () => document.getElementById("conversation")?.dataset.convId;

// ---- Live: the stream says what is new, the page asks for it; many events at once are one question.
const due = new Set();
let timer = null;
function soon(name) {
  due.add(name);
  timer ??= setTimeout(() => {
    timer = null;
    for (const one of due) say(one);
    due.clear();
  }, 150);
}

const TYPES = body.dataset.eventTypes?.split(" ") ?? [];
function hear(event) {
  const { conv_id: convId } = JSON.parse(event.data);
  soon("conversations-changed");
  if (convId && String(convId) === openConversation()) soon("conversation-changed");
}

const away = document.getElementById("live");
function follow() {
  const source = new EventSource("/inbox/live");
  source.onopen = () => {
    away.hidden = true;
    // What happened between the page, or the stream before, and this one was told to nobody.
    soon("conversations-changed");
    soon("conversation-changed");
  };
  source.onerror = () => { away.hidden = false; if (source.readyState === EventSource.CLOSED) setTimeout(follow, 3000); };
  for (const type of TYPES) source.addEventListener(type, hear);
}
follow();

// ---- The thread stays at its end, unless somebody reads further up.
const thread = () => document.getElementById("thread");
let isAtEnd = true;
const toEnd = () => { const one = thread(); if (one) one.scrollTop = one.scrollHeight; };
document.addEventListener("scroll", (event) => {
  if (event.target === thread()) isAtEnd = event.target.scrollHeight - event.target.scrollTop - event.target.clientHeight < 60;
}, true);
document.addEventListener("htmx:after:swap", () => { if (isAtEnd) toEnd(); restoreDraft(); mark(); });
toEnd();

// ---- Drafts survive a reload.
const draftOf = (field) => `draft-${field.dataset.draft}`;
function restoreDraft() {
  const field = document.querySelector("[data-draft]");
  if (field && !field.value) field.value = localStorage.getItem(draftOf(field)) ?? "";
}
document.addEventListener("input", (event) => {
  if (event.target.dataset?.draft) localStorage.setItem(draftOf(event.target), event.target.value);
});
document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = event.detail;
  const form = ctx.sourceElement?.closest?.("[data-composer]");
  if (!form || ctx.response?.status !== 200) return;
  const field = form.querySelector("[data-draft]");
  localStorage.removeItem(draftOf(field));
  field.value = "";
  isAtEnd = true;
});
restoreDraft();

// ---- Enter sends, Shift+Enter breaks the line.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.target.matches?.("[data-composer] textarea")) {
    event.preventDefault();
    event.target.form.requestSubmit();
  }
});

// ---- Which line is open, and how much is unread.
function mark() {
  const open = openConversation();
  for (const line of document.querySelectorAll(".line")) line.toggleAttribute("aria-current", line.dataset.convId === open);
  body.classList.toggle("has-pane", Boolean(open));
  const unread = document.querySelectorAll("[data-unread]").length;
  document.title = document.title.replace(/^\(\d+\) /, "");
  if (unread) document.title = `(${unread}) ${document.title}`;
}
mark();

// ---- Keys: j and k walk the list, the others press what carries them.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
  const lines = [...document.querySelectorAll(".line")];
  const at = lines.findIndex((line) => line.dataset.convId === openConversation());
  if (event.key === "j") lines[at + 1]?.click();
  else if (event.key === "k") lines[Math.max(at - 1, 0)]?.click();
  else {
    const wanted = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!wanted) return;
    event.preventDefault();
    wanted.matches("textarea, input:not([type=radio])") ? wanted.focus() : wanted.click();
  }
});
