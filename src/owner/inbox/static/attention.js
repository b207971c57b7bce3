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

let audio = null;
function ring() {
  audio ??= new AudioContext();
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

let rang = 0;
document.body.addEventListener("customer-wrote", ({ detail: convId }) => {
  const isRead = document.visibilityState === "visible" && document.getElementById("conversation")?.dataset.convId === convId;
  if (isRead || Date.now() - rang < 3000) return;
  rang = Date.now();
  if (isOn("sound")) ring();
  if (!isOn("desktop") || document.visibilityState === "visible" || Notification.permission !== "granted") return;
  const notice = new Notification(document.body.dataset.wrote, { tag: `conversation-${convId}` });
  notice.onclick = () => { window.focus(); location.assign(`/inbox/conversations/${convId}`); };
});
