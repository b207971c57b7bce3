// What every page does: tells the server its time zone, and says when the session has ended.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`owner_time_zone=${zone}`)) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `owner_time_zone=${zone}; path=/inbox; max-age=31536000; samesite=lax${secure}`;
}

document.body.addEventListener("signed-out", () => {
  location.assign(`/inbox/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
});

// A notice goes when it is clicked, or by itself when there has been time to read it.
const notices = document.getElementById("notices");
notices.addEventListener("click", (event) => event.target.closest(".notice")?.remove());
new MutationObserver((changes) => {
  for (const change of changes) for (const node of change.addedNodes) if (node.nodeType === 1) setTimeout(() => node.remove(), 12000);
}).observe(notices, { childList: true });

// What is no page is not put into one: a proxy's words, or no answer at all.
function fail() {
  const notice = document.createElement("section");
  notice.className = "notice problem";
  notice.textContent = notices.dataset.failed;
  notices.append(notice);
}
document.addEventListener("htmx:before:response", (event) => {
  const { response } = event.detail.ctx;
  if (response.status < 400 || response.headers.get("content-type")?.startsWith("text/html") || response.headers.get("hx-trigger")) return;
  event.preventDefault();
  fail();
});
document.addEventListener("htmx:error", (event) => { if (event.detail.ctx?.sourceElement?.matches("form")) fail(); });

// Where a row of links is wider than a phone, the page that is open is among those that are seen.
for (const link of document.querySelectorAll("nav [aria-current]")) link.scrollIntoView({ block: "nearest", inline: "center" });
