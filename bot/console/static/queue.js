// The queue page: filters without a reload, the rows by keys, one's own view when another filter is chosen.
"use strict";
(() => {
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];

  // ---------------------------------------------------------------- filters
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.target.id !== "filters") return;
    const given = event.detail.parameters;
    for (const name of Object.keys(given)) if (!given[name]) delete given[name];
  });
  function follow() {
    const page = $("#queue");
    if (page) window.desk.follow(page.dataset.follow);
    window.desk.times();
  }
  document.addEventListener("htmx:afterSettle", (event) => { if (event.detail.target.id === "queue" || event.target.id === "queue") follow(); });
  document.addEventListener("htmx:historyRestore", follow);

  // ---------------------------------------------------------------- rows by keys
  const rows = () => $$("#rows > .request");
  const current = () => document.activeElement?.closest?.("#rows > .request") || $("#rows > .request.chosen");
  function step(by) {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(current());
    const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, at + by))];
    for (const row of all) row.classList.toggle("chosen", row === next);
    $(".open", next)?.focus({preventScroll: true});
    next.scrollIntoView({block: "nearest"});
  }
  document.addEventListener("click", (event) => {
    const steps = event.target.closest("[data-row-step]");
    if (steps) step(Number(steps.dataset.rowStep));
    if (event.target.closest("[data-row-take]")) $(".take", current() || document.createElement("i"))?.click();
    const row = event.target.closest("#rows > .request, #found > .request");
    if (row && !event.target.closest("a, button") && !String(getSelection())) $(".open", row).click();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select") || $("dialog[open]")) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); step(event.key === "ArrowDown" ? 1 : -1); }
  });
  // A row that was chosen and has gone: the one that took its place is the next.
  let place = -1;
  document.addEventListener("focusin", () => { place = rows().indexOf(current()); });
  document.addEventListener("desk:changed", (event) => {
    if (event.detail.id === "rows" && place >= 0 && document.activeElement === document.body) {
      const all = rows(), row = all[Math.min(place, all.length - 1)];
      if (row) $(".open", row)?.focus({preventScroll: true});
    }
  });
})();
