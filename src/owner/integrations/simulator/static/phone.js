// Keeps the phone alive: asks for the page again and puts in what changed, so that nothing else moves.
const PAUSE = 700; // milliseconds
const regions = () => document.querySelectorAll("[data-live]");
const thread = document.getElementById("thread");
const status = document.getElementById("status");
const { silent, unsent } = document.querySelector("main").dataset;
const language = document.documentElement.lang;
const shown = new Map();

const clock = (moment) => moment.toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
function localTimes(root) {
  for (const time of root.querySelectorAll("time")) {
    const moment = new Date(time.dateTime);
    time.textContent = "day" in time.dataset ? moment.toLocaleDateString(language, { weekday: "long", day: "numeric", month: "long" }) : clock(moment);
  }
}
const tellTime = () => { document.querySelector("[data-clock]").textContent = clock(new Date()); };

function put(region, fresh) {
  const wanted = new Set([...fresh.children].map((node) => node.id));
  for (const node of [...region.children]) if (!wanted.has(node.id)) node.remove();
  [...fresh.children].forEach((node, at) => {
    const there = region.children[at];
    const isThere = there?.id === node.id;
    if (isThere && shown.get(node.id) === node.outerHTML) return;
    shown.set(node.id, node.outerHTML);
    const next = document.importNode(node, true);
    localTimes(next);
    if (isThere) there.replaceWith(next);
    else region.insertBefore(next, there ?? null);
  });
}

function take(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const focused = document.activeElement?.id;
  const isAtEnd = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 80;
  for (const region of regions()) {
    const next = fresh.getElementById(region.id);
    if (next) put(region, next);
  }
  say((fresh.getElementById("problem") ?? fresh.getElementById("status"))?.textContent ?? "");
  if (isAtEnd) thread.scrollTop = thread.scrollHeight;
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus();
}

function say(words) {
  if (status.textContent !== words) status.textContent = words;
}

async function look() {
  tellTime();
  if (!document.hidden) {
    try {
      take(await (await fetch(location.href)).text());
    } catch {
      say(silent);
    }
  }
  setTimeout(look, PAUSE);
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!("quick" in form.dataset)) return;
  event.preventDefault();
  const sent = new FormData(form, event.submitter);
  const isComposer = "composer" in form.dataset;
  if (isComposer) form.reset();
  try {
    take(await (await fetch(form.action, { method: "POST", body: sent })).text());
  } catch {
    say(unsent);
    if (isComposer) form.elements.body.value ||= sent.get("body");
  }
  if (isComposer) thread.scrollTop = thread.scrollHeight;
});

// Enter sends, Shift+Enter breaks the line; a chosen file goes at once, with what is written.
const composer = document.querySelector("[data-composer]");
composer.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.target.tagName !== "TEXTAREA") return;
  event.preventDefault();
  composer.requestSubmit();
});
const menu = composer.querySelector("details");
for (const file of composer.querySelectorAll("[type=file]")) file.addEventListener("change", () => composer.requestSubmit());
composer.addEventListener("submit", () => { menu.open = false; });
document.addEventListener("click", (event) => { if (!menu.contains(event.target) || event.target.closest("button")) menu.open = false; });

for (const region of regions()) for (const node of region.children) shown.set(node.id, node.outerHTML);
localTimes(document);
tellTime();
thread.scrollTop = thread.scrollHeight;
setTimeout(look, PAUSE);
