// What all pages of the desk have in common: live parts, dialogs, keys, times. Each page's own things stand in files of their own.
"use strict";
(() => {
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];

  // ---------------------------------------------------------------- live parts
  // A message is HTML: each element takes the place of the one with its id. What the person is doing there stays.
  const callbacks = {
    beforeAttributeUpdated: (name, node) =>
      !(name === "open" && (node.matches("details") || node.matches("dialog"))) && !(name === "value" && node === document.activeElement),
    beforeNodeRemoved: (node) => !(node.dataset && "keep" in node.dataset),
  };
  function put(html) {
    const made = new DOMParser().parseFromString(html, "text/html");
    for (const part of [...made.body.children]) {
      const there = part.id && document.getElementById(part.id);
      if (!there) continue;
      if (part.dataset.rows !== undefined) { arrange(there, part.dataset.rows.split(" ").filter(Boolean)); continue; }
      const parent = there.parentElement;
      Idiomorph.morph(there, part, {morphStyle: "outerHTML", ignoreActiveValue: true, callbacks});
      const now = document.getElementById(part.id);
      if (now) { htmx.process(now); document.dispatchEvent(new CustomEvent("desk:changed", {detail: now})); }
      else if (parent) htmx.process(parent);
    }
    times();
  }

  // The rows of a list, by their ids: those that are gone are taken out, new ones get a place; what is in them follows.
  function arrange(list, ids) {
    const wanted = new Set(ids);
    for (const row of [...list.children]) if (!wanted.has(row.id)) row.remove();
    ids.forEach((id, place) => {
      let row = document.getElementById(id);
      if (!row) { row = document.createElement(list.dataset.row || "li"); row.id = id; }
      if (list.children[place] !== row) list.insertBefore(row, list.children[place] || null);
    });
    document.dispatchEvent(new CustomEvent("desk:changed", {detail: list}));
  }

  let socket = null, pause = 500, ended = false, again = 0, lived = false;
  // Go on with other views on the same page (another filter was chosen).
  function follow(path) {
    if (path === document.body.dataset.live) return;
    document.body.dataset.live = path;
    if (socket) { socket.onmessage = socket.onclose = null; socket.close(); socket = null; connect(); }
  }
  function connect() {
    const path = document.body.dataset.live;
    if (!path || ended || socket) return;
    clearTimeout(again);
    const rights = (path.includes("?") ? "&" : "?") + "rights=" + document.body.dataset.rights;
    socket = new WebSocket(location.origin.replace(/^http/, "ws") + path + rights);
    socket.onopen = () => { pause = 500; $("#offline").hidden = true; document.dispatchEvent(new CustomEvent("desk:live")); };
    socket.onmessage = (message) => { lived = true; put(message.data); };
    socket.onclose = (event) => {
      socket = null;
      if (event.code === 4401) { ended = true; location.assign("/desk/sign-in?next=" + encodeURIComponent(location.pathname + location.search)); return; }
      // What is shown is not theirs any more, or they have other rights: the page as it is for them now.
      if (event.code === 4404 || event.code === 4409) { ended = true; if (lived || event.code === 4409) location.reload(); return; }
      $("#offline").hidden = false;
      again = setTimeout(connect, pause * (0.7 + 0.6 * Math.random()));
      pause = Math.min(pause * 2, 10000);
    };
  }
  // Who comes back to the page, or to the net, is not kept waiting for the next attempt.
  addEventListener("online", connect);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) connect(); });
  // What a page tells the server by the way (an agent types).
  function say(what) { if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(what)); }

  // ---------------------------------------------------------------- times
  const plural = (n, one, few, many) => {
    const last = n % 10, two = n % 100;
    return last === 1 && two !== 11 ? one : last >= 2 && last <= 4 && (two < 12 || two > 14) ? few : many;
  };
  function span(seconds) {
    const s = Math.max(0, Math.round(seconds)), m = Math.floor(s / 60), hours = Math.floor(m / 60), days = Math.floor(hours / 24);
    if (s < 60) return s + " с";
    if (m < 60) return m + " мин";
    if (hours < 24) return hours + " ч" + (m % 60 ? " " + (m % 60) + " мин" : "");
    return days + " " + plural(days, "день", "дня", "дней");
  }
  function times() {
    const now = Date.now();
    for (const node of $$("time[data-since]")) {
      const seconds = (now - Date.parse(node.dataset.since)) / 1000;
      const text = span(seconds);
      if (node.textContent !== text) node.textContent = text;
      node.title = new Date(node.dataset.since).toLocaleString("ru-RU");
      if (node.dataset.late) node.classList.toggle("late", seconds > 60 * Number(node.dataset.late));
    }
    for (const node of $$("time[data-until]")) {
      const seconds = (Date.parse(node.dataset.until) - now) / 1000;
      const text = seconds >= 0 ? "ещё " + span(seconds) : "просрочено на " + span(-seconds);
      if (node.textContent !== text) node.textContent = text;
      node.title = new Date(node.dataset.until).toLocaleString("ru-RU");
      node.classList.toggle("late", seconds < 0);
      node.classList.toggle("near", seconds >= 0 && seconds < 120);
    }
    for (const node of $$("time[data-at]")) {
      if (!node.dataset.shown) {
        const at = new Date(node.dataset.at), today = at.toDateString() === new Date().toDateString();
        node.textContent = at.toLocaleString("ru-RU", today ? {hour: "2-digit", minute: "2-digit"} : {day: "numeric", month: "short", hour: "2-digit", minute: "2-digit"});
        node.dataset.shown = "1";
      }
    }
  }
  setInterval(times, 1000);

  // ---------------------------------------------------------------- dialogs
  document.addEventListener("htmx:afterSwap", (event) => {
    const swapped = event.detail.xhr?.getResponseHeader("HX-Reswap") !== "none";  // htmx tells of a swap that was none, too
    if (swapped && event.detail.target.id === "dialog-body" && $("#dialog-body").childElementCount) {
      const dialog = $("#dialog");
      if (!dialog.open) dialog.showModal();
      ($("[autofocus]", dialog) || $("input:not([type=hidden]), select, textarea, button", dialog))?.focus();
    }
    times();
  });
  document.addEventListener("htmx:oobAfterSwap", times);
  document.addEventListener("close-dialog", () => $("#dialog").close());
  // The menu that led to a dialog closes with it; who works by keyboard goes on from its button.
  $("#dialog").addEventListener("close", () => {
    for (const menu of $$("details.menu[open]")) { menu.open = false; $("summary", menu).focus(); }
  });
  document.addEventListener("click", (event) => {
    const opens = event.target.closest("[data-open]");
    if (opens) { if (opens.dataset.open === "keys") listKeys(); $("#" + opens.dataset.open).showModal(); return; }
    if (event.target.closest("[data-close]")) { event.target.closest("dialog").close(); return; }
    if (event.target.matches("dialog")) event.target.close();  // beside it
    const dismiss = event.target.closest("[data-dismiss]");
    if (dismiss) dismiss.closest(".toast").remove();
    if (event.target.closest("dialog")) return;  // the menu that led there is where one goes on
    for (const menu of $$("details.me[open], details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  // What is typed beside a row of choices chooses the last one: "another".
  document.addEventListener("input", (event) => {
    const row = event.target.closest(".choices"), choices = row && $$("input[type=radio]", row);
    if (choices && choices.length && event.target.type !== "radio") choices.at(-1).checked = true;
  });
  document.addEventListener("htmx:sendError", () => { $("#offline").hidden = false; });
  document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful && (!socket || socket.readyState === 1)) $("#offline").hidden = true; });

  // ---------------------------------------------------------------- messages at the edge
  new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes) {
      // With the morph extension htmx appends what carries a message along with it, and then would fill both.
      if (node.id === "toasts") { node.replaceWith(...node.childNodes); continue; }
      if (node.nodeType !== 1 || !node.matches(".toast") || node.hasAttribute("data-stays")) continue;
      const stay = Number(node.dataset.seconds || 5) * 1000;
      let timer = setTimeout(() => node.remove(), stay);
      node.addEventListener("mouseenter", () => clearTimeout(timer));
      node.addEventListener("mouseleave", () => { timer = setTimeout(() => node.remove(), 1500); });
    }
  }).observe($("#toasts"), {childList: true});

  // ---------------------------------------------------------------- keys
  const writes = (node) => node.matches("input, textarea, select, [contenteditable]");
  // Russian and English layouts alike: the place of the key counts for letters.
  const letter = (event) => /^Key[A-Z]$/.test(event.code) ? event.code[3].toLowerCase() : event.key;
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && $("details.me[open], details.menu[open]");
    if (menu && !$("dialog[open]")) { menu.open = false; $("summary", menu).focus(); return; }
    if (event.key === "Escape" && writes(event.target) && !event.target.closest("dialog")) { event.target.blur(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || writes(event.target) || $("dialog[open]")) return;
    const key = event.key === "," && event.shiftKey ? "?" : letter(event);
    const wanted = $$("[data-key]").find((node) => node.dataset.key === key && !node.disabled);
    if (!wanted) return;
    event.preventDefault();
    if (writes(wanted)) wanted.focus(); else wanted.click();
  });
  function listKeys() {
    const list = $("#keys-list");
    list.replaceChildren(...$$("[data-key]").flatMap((node) => {
      const dt = document.createElement("dt"), dd = document.createElement("dd"), kbd = document.createElement("kbd");
      kbd.textContent = node.dataset.key.toUpperCase();
      dt.append(kbd);
      dd.textContent = node.dataset.keyTitle || node.textContent.trim();
      return [dt, dd];
    }));
  }

  window.desk = {say, follow, times, span};
  document.addEventListener("DOMContentLoaded", () => {
    for (const node of $$("#toasts .toast")) { node.remove(); $("#toasts").append(node); }  // the observer sees them
    times();
    connect();
  });
})();
