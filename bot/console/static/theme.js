// The chosen look, set before anything is painted.
"use strict";
(() => {
  const root = document.documentElement;
  const names = {auto: "Тема: как в системе", light: "Тема: светлая", dark: "Тема: тёмная"};
  const chosen = () => localStorage.getItem("theme") || "auto";
  const show = () => {
    root.dataset.theme = chosen();
    for (const button of document.querySelectorAll("[data-theme-next]")) button.textContent = names[chosen()];
  };
  show();
  document.addEventListener("DOMContentLoaded", show);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-next]")) return;
    const order = Object.keys(names);
    localStorage.setItem("theme", order[(order.indexOf(chosen()) + 1) % order.length]);
    show();
  });
})();
