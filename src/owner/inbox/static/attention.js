// Calls who wants to be called: what they chose stays in their browser.
const isOn = (name) => localStorage.getItem(`switch-${name}`) === "on";
for (const box of document.querySelectorAll("[data-switch]")) {
  const { switch: name, otherwise = "off" } = box.dataset;
  box.checked = (localStorage.getItem(`switch-${name}`) ?? otherwise) === "on";
  box.addEventListener("change", async () => {
    localStorage.setItem(`switch-${name}`, box.checked ? "on" : "off");
    if (!box.checked) return;
    if (name === "sound") ring();
    if (name !== "desktop") return;
    const may = "Notification" in window ? await Notification.requestPermission() : "denied";
    if (may === "granted") return;
    box.checked = false;
    localStorage.setItem("switch-desktop", "off");
    box.closest("fieldset").querySelector("[data-refused]").hidden = false;
  });
}

// Browsers let a page sound only once somebody has touched it.
let audio = null;
function wake() {
  if (!isOn("sound")) return;
  audio ??= new AudioContext();
  audio.resume();
}
for (const touch of ["pointerdown", "keydown"]) document.addEventListener(touch, wake);

async function ring() {
  wake();
  await Promise.race([audio.resume(), new Promise((over) => { setTimeout(over, 500); })]);
  if (audio.state !== "running") return;
  const tone = audio.createOscillator();
  const loudness = audio.createGain();
  tone.frequency.setValueAtTime(660, audio.currentTime);
  tone.frequency.setValueAtTime(880, audio.currentTime + 0.12);
  loudness.gain.setValueAtTime(0.12, audio.currentTime);
  loudness.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.45);
  tone.connect(loudness).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.45);
}

// Of several tabs one calls, and none where another shows the conversation.
const tabs = new BroadcastChannel("attention");
const waiting = new Map();
let rang = 0;
const isRead = (convId) => document.visibilityState === "visible" && document.getElementById("conversation")?.dataset.convId === convId;
tabs.onmessage = ({ data: { asked, heard } }) => {
  if (asked && isRead(asked)) tabs.postMessage({ heard: asked });
  clearTimeout(waiting.get(heard));
};
document.body.addEventListener("customer-wrote", ({ detail: convId }) => {
  if (isRead(convId)) return tabs.postMessage({ heard: convId });
  tabs.postMessage({ asked: convId });
  clearTimeout(waiting.get(convId));
  waiting.set(convId, setTimeout(call, 400 + 200 * Math.random(), convId));
});
function call(convId) {
  tabs.postMessage({ heard: convId });
  if (Date.now() - rang < 3000) return;
  rang = Date.now();
  if (isOn("sound")) ring();
  if (!isOn("desktop") || Notification.permission !== "granted") return;
  if (document.visibilityState === "visible" && document.hasFocus()) return;
  const who = document.querySelector(`#line-${convId} .line-name`)?.textContent;
  const notice = new Notification(document.body.dataset.wrote, { body: who ?? "", tag: `conversation-${convId}`, icon: document.querySelector("link[rel=icon]").href });
  notice.onclick = () => { window.focus(); location.assign(`/inbox/conversations/${convId}`); };
}
