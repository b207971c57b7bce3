// Keeps the list and the open conversation alive.
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
let place = body.dataset.since; // what the page shows already
let heardAt = Date.now();
const passedBy = new Set(); // conversations that something happened in while another one is being opened
function hear(event) {
  heardAt = Date.now();
  place = event.lastEventId;
  if (event.type === "alive") return;
  const { conv_id: convId } = JSON.parse(event.data);
  if (!event.type.startsWith("media.")) soon("conversations-changed"); // whose lines say nothing of files
  if (event.type === "message.received") body.dispatchEvent(new CustomEvent("customer-wrote", { detail: String(convId) }));
  if (convId && String(convId) === openConversation()) soon("conversation-changed");
  else passedBy.add(String(convId));
}
// What happens between the reading of a conversation and its being shown is asked for once it is shown.
document.addEventListener("htmx:before:request", (event) => { if (event.detail.ctx.sourceElement.matches?.(".line")) passedBy.clear(); });
document.addEventListener("htmx:after:swap", () => { if (passedBy.delete(openConversation())) soon("conversation-changed"); });

const live = document.getElementById("live");
const clock = (moment) => moment.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
let awaySince = null;
let source = null;
function follow() {
  source = new EventSource(`/inbox/live?last_event_id=${encodeURIComponent(place)}`);
  source.onopen = () => {
    heardAt = Date.now();
    if (!awaySince) return;
    // The stream goes on where it ended; what no event tells, such as a countdown, is asked for too.
    soon("conversations-changed");
    soon("conversation-changed");
    live.textContent = live.dataset.back.replace("{from}", clock(awaySince)).replace("{to}", clock(new Date()));
    live.classList.add("back");
    setTimeout(() => { if (!awaySince) live.hidden = true; }, 15000);
    awaySince = null;
  };
  source.onerror = () => {
    beAway(Date.now());
    if (source.readyState !== EventSource.CLOSED) return;
    soon("conversations-changed"); // leads to the sign-in page where the session has ended
    setTimeout(follow, 5000);
  };
  for (const type of ["alive", ...TYPES]) source.addEventListener(type, hear);
}
function beAway(since) {
  awaySince ??= new Date(since);
  live.textContent = live.dataset.away;
  live.classList.remove("back");
  live.hidden = false;
}
follow();

// A connection can be dead without a word: after a sleep, in another network, with a server that hangs. It is opened anew.
const SILENT = 30000; // milliseconds; the server says every 15 seconds that it is there
function reopen() {
  beAway(heardAt);
  heardAt = Date.now();
  if (source.readyState === EventSource.CLOSED) return; // which comes back by itself
  source.close();
  follow();
}
setInterval(() => { if (Date.now() - heardAt > SILENT) reopen(); }, 5000);
addEventListener("online", reopen);

// ---- The thread stays at its end, unless somebody reads further up.
const thread = () => document.getElementById("thread");
let isAtEnd = true;
const toEnd = () => { const one = thread(); if (one) one.scrollTop = one.scrollHeight; };
document.addEventListener("scroll", (event) => {
  if (event.target === thread()) isAtEnd = event.target.scrollHeight - event.target.scrollTop - event.target.clientHeight < 60;
}, true);
let shown = null; // what was looked for is gone to once, when its conversation is opened
function toPlace() {
  const found = document.getElementById("found");
  const wanted = found && document.getElementById("conversation").getAttribute("hx-get");
  if (wanted && wanted !== shown) {
    found.scrollIntoView({ block: "center" });
    isAtEnd = false;
  } else if (isAtEnd || wanted !== shown) toEnd();
  shown = wanted;
}
document.addEventListener("htmx:after:swap", () => { toPlace(); mark(); });
// A picture or a film has its height only once it is there.
for (const arrived of ["load", "loadedmetadata"]) document.addEventListener(arrived, (event) => { if (isAtEnd && thread()?.contains(event.target)) toEnd(); }, true);
body.addEventListener("written", () => { isAtEnd = true; });
toPlace();

// ---- What is asked for last is what is shown, in whatever order answers come.
let wanted = null;
document.addEventListener("click", (event) => { wanted = event.target.closest?.(".line") ?? wanted; }, true);
document.addEventListener("htmx:before:response", (event) => {
  const { sourceElement, target } = event.detail.ctx;
  if (target?.id !== "conversation") return;
  const isOutdated = sourceElement.matches(".line") ? sourceElement !== wanted : !sourceElement.isConnected;
  if (isOutdated) event.preventDefault();
});

// ---- Which line is open, and how much is unread.
function mark() {
  const pane = document.getElementById("conversation");
  const open = openConversation();
  for (const line of document.querySelectorAll(".line")) {
    if (line.dataset.convId === open) {
      line.setAttribute("aria-current", "true");
      line.querySelector("[data-unread]")?.remove();
    } else line.removeAttribute("aria-current");
  }
  body.classList.toggle("has-pane", Boolean(open));
  const unread = document.querySelectorAll("[data-unread]").length;
  const orMore = document.querySelector("#list .more") ? "+" : ""; // lines that are not here yet
  document.title = `${unread ? `(${unread}${orMore}) ` : ""}${(open && pane.getAttribute("aria-label")) || body.dataset.title} · Owner`;
}
mark();

// ---- Images are looked at in the page.
const lightbox = document.getElementById("lightbox");
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-lightbox]");
  if (event.target === lightbox) lightbox.close();
  if (!link || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  lightbox.querySelector("img").src = link.href;
  lightbox.showModal();
});
