// The page of one request: the talk that grows, the reply box with its draft, quick phrases, files and reminders.
"use strict";
(() => {
  const $ = (selector, from = document) => from.querySelector(selector);
  const form = $("#reply-form"), area = $("#reply-text"), number = $("#reply")?.dataset.number;
  if (!form) return;
  const base = "/desk/requests/" + number;
  const token = () => form.elements.form_token.value;
  const internal = () => form.elements.mode.value === "note";
  const onlyNotes = () => form.classList.contains("only-note");
  const post = (path, fields, more = {}) => {
    const body = new FormData();
    body.set("form_token", token());
    for (const [name, value] of Object.entries(fields)) body.set(name, value);
    return fetch(base + path, {method: "POST", body, headers: {"X-Form-Token": token()}, ...more});
  };

  // ---------------------------------------------------------------- the talk
  const lines = $("#lines"), pill = $("#new-lines");
  const own = () => getComputedStyle(lines).overflowY === "auto";
  const box = () => own() ? lines : document.scrollingElement;
  const atEnd = () => { const one = box(); return one.scrollHeight - one.scrollTop - one.clientHeight < 80; };
  const toEnd = () => { const one = box(); one.scrollTop = one.scrollHeight; pill.hidden = true; };
  let follows = true, last = null;
  const newest = () => { const all = lines.querySelectorAll(".line, .event"); return all.length ? all[all.length - 1].id : null; };
  const lastLine = () => { const all = lines.querySelectorAll(".line"); return all.length ? all[all.length - 1].id : null; };
  const onScroll = () => { follows = atEnd(); if (follows) pill.hidden = true; };
  lines.addEventListener("scroll", onScroll, {passive: true});
  addEventListener("scroll", () => { if (!own()) onScroll(); }, {passive: true});
  function grown() {
    const now = newest();
    if (now === last) return;
    const first = last === null;
    last = now;
    if (first) { if (own()) toEnd(); follows = atEnd(); return; }
    if (follows) toEnd(); else if (lastLine()) pill.hidden = false;
  }
  // What is drawn later (pictures) must not push the end out of sight.
  new ResizeObserver(() => { if (follows && own()) toEnd(); }).observe(lines);
  lines.addEventListener("load", () => { if (follows && own()) toEnd(); }, true);
  pill.addEventListener("click", () => { follows = true; toEnd(); lines.focus({preventScroll: true}); });
  let typingTimer = 0;
  function typing() {
    const node = $("#typing");
    clearTimeout(typingTimer);
    if (!node || !node.dataset.seconds) return;
    typingTimer = setTimeout(() => { node.textContent = ""; }, 1000 * Number(node.dataset.seconds));
    if (follows && own()) toEnd();
  }
  // Earlier lines are put above; what is being read stays where it is.
  let height = 0;
  document.addEventListener("htmx:beforeSwap", (event) => { if (event.detail.target.id === "older") height = box().scrollHeight - box().scrollTop; });
  document.addEventListener("htmx:afterSettle", () => { if (height) { box().scrollTop = box().scrollHeight - height; height = 0; } });

  // ---------------------------------------------------------------- may one write
  // Who only looks on writes notes: what they begin so stays a note when the request becomes theirs.
  function may() {
    const {answer, note} = $("#reply-state").dataset, can = answer === "true", only = note === "true";
    const was = onlyNotes();
    form.hidden = !can && !only && !area.value.trim();
    $("#reply-send").disabled = !can && !only;
    for (const one of form.querySelectorAll("[data-hold]")) one.disabled = !can;
    form.classList.toggle("away", !can && !only);
    form.classList.toggle("only-note", only);
    if (only && !internal()) form.elements.mode.value = "note";
    else if (was && can && !area.value.trim()) form.elements.mode.value = "reply";
    mode();
    if (follows && own()) toEnd();  // the box takes room from the talk
  }
  document.addEventListener("desk:changed", (event) => {
    const id = event.detail.id;
    if (id.startsWith("piece-")) grown();
    else if (id === "typing") typing();
    else if (id === "reply-state") may();
  });

  // ---------------------------------------------------------------- reply or note
  function mode() {
    form.classList.toggle("note", internal());
    area.placeholder = internal() ? "Заметка для коллег. Клиент её не увидит" : "Ответ клиенту, «/» — готовые фразы";
    $("#reply-send").textContent = internal() ? "Сохранить заметку" : "Отправить";
  }
  form.addEventListener("change", (event) => { if (event.target.name === "mode") { mode(); keep(); area.focus(); } });
  function fit() {
    area.style.height = "auto";
    area.style.height = Math.min(area.scrollHeight + 2, innerHeight * 0.4) + "px";
  }

  // ---------------------------------------------------------------- the draft
  const saved = $("#reply-saved");
  let timer = 0, saving = Promise.resolve(), stored = area.value + internal();
  const draft = () => ({text: area.value, mode: internal() ? "note" : "reply"});
  function keep(wait = 700) {
    clearTimeout(timer);
    timer = setTimeout(save, wait);
  }
  function save() {
    clearTimeout(timer);
    const now = area.value + internal();
    if (now === stored) return;
    saving = post("/draft", draft(), {keepalive: true}).then((answer) => {
      if (!answer.ok) throw new Error(answer.status);
      stored = now;
      saved.textContent = area.value.trim() ? "Черновик сохранён" : "";
    }).catch(() => { saved.textContent = "Черновик не сохранился"; });
  }
  // The customer sees that a reply is being written; of notes they learn nothing.
  const TYPING_EVERY = 4000;
  let typed = -Infinity;
  function writes() {
    if (internal() || form.hidden || !area.value.trim() || performance.now() - typed < TYPING_EVERY) return;
    typed = performance.now();
    desk.say({typing: true});
  }
  area.addEventListener("input", () => { fit(); keep(); writes(); saved.textContent = ""; });
  addEventListener("pagehide", save);
  document.addEventListener("visibilitychange", () => { if (document.hidden) save(); });

  // ---------------------------------------------------------------- sending
  let busy = false, sending = "";
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit($("#reply-send")); }
  });
  // A draft that is on its way must not be stored after the reply has taken it away.
  form.addEventListener("htmx:confirm", (event) => {
    if (event.detail.elt !== form) return;
    event.preventDefault();
    if (busy || $("#reply-send").disabled || (!area.value.trim() && !picked.items.length)) return;
    busy = true;
    clearTimeout(timer);
    saving.finally(() => { sending = area.value; event.detail.issueRequest(true); });
  });
  form.addEventListener("htmx:afterRequest", (event) => { if (event.detail.elt === form) { busy = false; setTimeout(may); } });
  document.addEventListener("reply-sent", () => {
    // What was written on while the reply was on its way stays: it begins the next one.
    area.value = area.value.startsWith(sending) ? area.value.slice(sending.length).trimStart() : "";
    stored = internal().toString();
    saved.textContent = "";
    if (area.value) keep(); else clearTimeout(timer);
    for (const refusal of document.querySelectorAll("#toasts .bad")) refusal.remove();
    picked.items.clear();
    files();
    fit();
    follows = true;
    if (own()) toEnd();
    area.focus();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-warning-off]")) { $("#reply-warning").replaceChildren(); area.focus(); }
    const hold = event.target.closest("[data-hold]");
    if (hold && !busy) {
      busy = true;
      hold.disabled = true;
      const nonce = form.elements.nonce.value;
      htmx.ajax("POST", base + "/hold", {source: "#reply-state", target: "#reply-state", swap: "none", values: {name: hold.dataset.hold, nonce, form_token: token()}})
        .finally(() => { busy = false; may(); });
    }
  });

  // ---------------------------------------------------------------- files
  const input = $("#reply-file"), list = $("#reply-files");
  let picked = new DataTransfer();
  function files() {
    input.files = picked.files;
    list.hidden = !picked.items.length;
    list.replaceChildren(...[...picked.files].map((file, place) => {
      const item = document.createElement("li"), off = document.createElement("button");
      off.type = "button";
      off.className = "plain small";
      off.textContent = "✕";
      off.setAttribute("aria-label", "Убрать " + file.name);
      off.addEventListener("click", () => { picked.items.remove(place); files(); });
      item.append(file.name + " ", off);
      return item;
    }));
  }
  const add = (some) => { for (const file of some) if (picked.items.length < 10) picked.items.add(file); files(); };
  input.addEventListener("change", () => add([...input.files]));
  area.addEventListener("paste", (event) => {
    const pasted = [...event.clipboardData.files];
    if (pasted.length) { event.preventDefault(); add(pasted); }
  });
  for (const kind of ["dragover", "dragleave", "drop"]) form.addEventListener(kind, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    form.classList.toggle("drop", kind === "dragover");
    if (kind === "drop") add([...event.dataTransfer.files]);
  });

  // ---------------------------------------------------------------- quick phrases
  const quick = $("#quick"), find = $("#quick-find"), choices = $("#quick-list"), none = $("#quick-none");
  const opener = $("#quick-open");
  let phrases = null, shown = [], chosen = 0;
  const plain = (text) => text.toLowerCase().replaceAll("ё", "е");
  const EN = "qwertyuiop[]asdfghjkl;'zxcvbnm,.", RU = "йцукенгшщзхъфывапролджэячсмитьбю";
  const swapped = (text) => [...text].map((one) => EN.includes(one) ? RU[EN.indexOf(one)] : one).join("");
  async function open() {
    quick.hidden = false;
    find.value = "";
    find.focus();
    if (phrases === null) {
      none.textContent = "Подставляем данные заказа…";
      try {
        const answer = await fetch(quick.dataset.from);
        if (!answer.ok) throw new Error(answer.status);
        phrases = await answer.json();
        for (const one of phrases) one.key = plain([one.title, ...one.words].join(" ")) + " \n" + plain(one.text || "");
      } catch { none.textContent = "Фразы не загрузились. Попробуйте ещё раз."; return; }
    }
    filter();
  }
  function shut() { quick.hidden = true; area.focus(); }
  // All words begin a word of the title, of the words beside it or of the text; else the letters stand in the title in order.
  function score(one, wanted) {
    if (!wanted) return one.fits ? 3 : 1;
    const title = plain(one.title), tokens = wanted.split(/\s+/);
    const begins = (text, token) => text.split(/[^\p{L}\p{N}]+/u).some((word) => word.startsWith(token));
    if (title.startsWith(wanted)) return 12 + one.fits;
    if (tokens.every((token) => begins(title, token))) return 10 + one.fits;
    if (tokens.every((token) => begins(one.key.split("\n")[0], token))) return 8 + one.fits;
    if (tokens.every((token) => begins(one.key, token))) return 6 + one.fits;
    if (tokens.every((token) => one.key.includes(token))) return 4 + one.fits;
    return 0;
  }
  // The last resort: the letters stand in the title, in this order.
  function scattered(one, wanted) {
    let at = 0;
    for (const letter of wanted.replaceAll(" ", "")) { at = plain(one.title).indexOf(letter, at) + 1; if (!at) return 0; }
    return 1 + one.fits;
  }
  function filter() {
    if (phrases === null) return;
    const typed = plain(find.value.trim());
    const rank = (wanted, points = score) => phrases.map((one, place) => [points(one, wanted), place, one]).filter(([many]) => many > 0);
    let ranked = rank(typed);
    if (!ranked.length && typed) ranked = rank(swapped(typed));
    if (!ranked.length && typed.length > 2) ranked = rank(typed, scattered);
    shown = ranked.sort((a, b) => b[0] - a[0] || a[1] - b[1]).map(([, , one]) => one);
    choices.replaceChildren(...shown.map((one, place) => {
      const item = document.createElement("li"), title = document.createElement("b"), text = document.createElement("span");
      item.id = "quick-" + place;
      item.role = "option";
      title.textContent = one.title;
      text.textContent = one.text || "не хватает: " + one.missing.join(", ");
      if (!one.text) item.setAttribute("aria-disabled", "true");
      item.append(title, text);
      item.addEventListener("pointerdown", (event) => event.preventDefault());
      item.addEventListener("click", () => insert(one));
      return item;
    }));
    none.textContent = shown.length ? "" : "Ничего не нашлось";
    choose(0);
  }
  function choose(place) {
    chosen = Math.max(0, Math.min(place, shown.length - 1));
    [...choices.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === chosen)));
    const item = choices.children[chosen];
    if (item) { find.setAttribute("aria-activedescendant", item.id); item.scrollIntoView({block: "nearest"}); }
    else find.removeAttribute("aria-activedescendant");
  }
  function put(text) {
    const from = area.selectionStart, before = area.value.slice(0, from);
    area.focus();
    area.setRangeText((before && !/\s$/.test(before) ? " " : "") + text, from, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input", {bubbles: true}));
  }
  function insert(one) {
    if (!one) return;
    if (!one.text) { none.textContent = `Фразу «${one.title}» вставить нельзя, не хватает: ${one.missing.join(", ")}.`; return; }
    quick.hidden = true;
    put(one.text);
  }
  find.addEventListener("input", () => {
    if (find.value === "/") { quick.hidden = true; put("/"); return; }
    filter();
  });
  find.addEventListener("keydown", (event) => {
    const step = {ArrowDown: 1, ArrowUp: -1, PageDown: 6, PageUp: -6}[event.key];
    if (step) { event.preventDefault(); choose(chosen + step); }
    else if (event.key === "Enter" && !event.ctrlKey) { event.preventDefault(); insert(shown[chosen]); }
    else if (event.key === "Escape") { event.preventDefault(); event.stopPropagation(); shut(); }
    else if (event.key === "Tab") quick.hidden = true;
  });
  area.addEventListener("beforeinput", (event) => {
    if (event.data !== "/" || event.isComposing || onlyNotes()) return;
    const before = area.value.slice(0, area.selectionStart);
    if (before && !/\s$/.test(before)) return;
    event.preventDefault();
    open();
  });
  area.addEventListener("keydown", (event) => {
    if (event.code === "Slash" && (event.ctrlKey || event.metaKey) && !onlyNotes()) { event.preventDefault(); open(); }
  });
  opener.addEventListener("click", () => quick.hidden ? open() : shut());
  document.addEventListener("pointerdown", (event) => { if (!quick.hidden && !quick.contains(event.target) && event.target !== opener) quick.hidden = true; });

  // ---------------------------------------------------------------- the customer waits; what is about to happen
  let reminded = null;
  function tick() {
    const clock = $("#reply-clock");
    if (clock?.dataset.held === "true" && clock.dataset.from !== reminded) {
      if (Date.now() - Date.parse(clock.dataset.from) > 1000 * Number(clock.dataset.remind)) {
        reminded = clock.dataset.from;
        const told = document.createElement("div"), text = document.createElement("span");
        told.className = "toast";
        told.dataset.seconds = "12";
        text.textContent = "Клиент ждёт уже две минуты: вы попросили подождать.";
        told.append(text);
        $("#toasts").append(told);
      }
    }
    for (const node of document.querySelectorAll("[data-countdown]")) {
      node.textContent = desk.span(Math.max(0, Math.ceil((Date.parse(node.dataset.countdown) - Date.now()) / 1000)));
    }
  }
  setInterval(tick, 500);

  if (!own()) for (const one of document.querySelectorAll("[data-phone-closed]")) one.open = false;
  mode();
  may();
  fit();
  grown();
  tick();
})();
