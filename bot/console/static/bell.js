// A new request: a sound, a notice of the browser, the title and the icon. Once, however many tabs are open.
"use strict";
(() => {
  const $ = (selector) => document.querySelector(selector);
  const quiet = () => document.body.hasAttribute("data-quiet");
  const onShift = () => !$(".shift") || $(".shift").getAttribute("aria-pressed") === "true";

  // ---------------------------------------------------------------- which tab rings
  // One tab holds the lock; the one that was touched last takes it over, for only there a browser lets us make a sound.
  let rings = !navigator.locks, letGo = null;
  function takeOver() {
    if (!navigator.locks || rings) return;
    navigator.locks.request("desk-bell", {steal: true}, () => { rings = true; return new Promise((resolve) => { letGo = resolve; }); })
      .catch(() => { rings = false; });
  }
  if (navigator.locks) {
    navigator.locks.request("desk-bell", () => { rings = true; return new Promise((resolve) => { letGo = resolve; }); }).catch(() => { rings = false; });
    addEventListener("pagehide", () => letGo && letGo());
  }

  // ---------------------------------------------------------------- the sound: two soft notes
  let audio = null;
  document.addEventListener("pointerdown", wake);
  document.addEventListener("keydown", wake);
  function wake() {
    takeOver();
    if (!audio && window.AudioContext) audio = new AudioContext();
    if (audio && audio.state === "suspended") audio.resume();
  }
  function sound() {
    if (!audio || audio.state !== "running") return;
    [[0, 659.25], [0.16, 880]].forEach(([after, pitch]) => {
      const tone = audio.createOscillator(), loud = audio.createGain(), at = audio.currentTime + after;
      tone.type = "sine";
      tone.frequency.value = pitch;
      loud.gain.setValueAtTime(0, at);
      loud.gain.linearRampToValueAtTime(0.22, at + 0.02);
      loud.gain.exponentialRampToValueAtTime(0.001, at + 0.5);
      tone.connect(loud).connect(audio.destination);
      tone.start(at);
      tone.stop(at + 0.55);
    });
  }

  // ---------------------------------------------------------------- the browser's notice
  function notice(bell) {
    if (!("Notification" in window) || Notification.permission !== "granted" || document.hasFocus()) return;
    try {
      const shown = new Notification("Новое обращение " + bell.dataset.number, {body: bell.dataset.about, tag: "desk-new", icon: $("link[rel=icon]").href, silent: true});
      shown.onclick = () => { window.focus(); shown.close(); location.assign("/desk/"); };
    } catch { /* telephones show notices in another way only */ }
  }
  function offer() {
    const button = $("#allow-notices");
    if (button) button.hidden = !("Notification" in window) || Notification.permission !== "default";
  }
  document.addEventListener("click", (event) => {
    if (event.target.closest("#allow-notices")) Notification.requestPermission().then(offer);
  });

  // ---------------------------------------------------------------- the title and the icon
  const own = document.title.replace(/^\(\d+\) /, ""), icon = $("link[rel=icon]"), plain = icon && icon.href;
  let waiting = 0, blinking = null;
  const title = () => (waiting ? "(" + waiting + ") " : "") + own;
  function show(count) {
    if (count === waiting) return;
    waiting = count;
    if (!blinking) document.title = title();
    badge(count);
  }
  function badge(count) {
    if (!icon) return;
    if (!count) { icon.href = plain; return; }
    const image = new Image();
    image.onload = () => {
      if (count !== waiting) return;
      const canvas = document.createElement("canvas"), draw = canvas.getContext("2d");
      canvas.width = canvas.height = 64;
      draw.drawImage(image, 0, 0, 64, 64);
      draw.fillStyle = "#d92d20";
      draw.beginPath();
      draw.arc(44, 20, 20, 0, 7);
      draw.fill();
      draw.fillStyle = "#fff";
      draw.font = "bold 26px system-ui, sans-serif";
      draw.textAlign = "center";
      draw.fillText(count > 99 ? "…" : String(count), 44, 29);
      icon.href = canvas.toDataURL();
    };
    image.src = plain;
  }
  function blink() {
    if (!document.hidden || blinking) return;
    let on = false;
    blinking = setInterval(() => { on = !on; document.title = on ? "● Новое обращение" : title(); }, 1200);
  }
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && blinking) { clearInterval(blinking); blinking = null; document.title = title(); }
  });

  // ---------------------------------------------------------------- hearing of it
  let news = null;
  document.addEventListener("desk:changed", (event) => {
    const bell = event.detail;
    if (bell.id !== "bell") return;
    show(Number(bell.dataset.waiting));
    const now = Number(bell.dataset.news);
    if (news !== null && now > news && onShift()) {
      blink();
      if (rings) { if (!quiet()) sound(); notice(bell); }
      document.dispatchEvent(new CustomEvent("desk:new", {detail: {rings, quiet: quiet(), number: bell.dataset.number}}));
    }
    news = now;
  });
  document.addEventListener("DOMContentLoaded", offer);
  document.addEventListener("htmx:afterSettle", offer);
})();
