// The theme is chosen before anything is drawn: what the reader chose here, or else what the system says.
"use strict";
(function () {
  const root = document.documentElement;
  let chosen = null;
  try { chosen = localStorage.getItem("theme"); } catch (error) { /* a reader who allows no storage still reads */ }
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "dark" : "light";
  // What scrolls sideways can be reached by the keyboard, and what does not is no stop on its way.
  const reach = function () {
    for (const part of document.querySelectorAll(".wide, pre")) {
      if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
      else part.removeAttribute("tabindex");
    }
  };
  document.addEventListener("DOMContentLoaded", function () {
    const button = document.getElementById("theme");
    const tell = function () { button.textContent = root.dataset.theme === "dark" ? "Light theme" : "Dark theme"; };
    button.hidden = false;
    tell();
    reach();
    addEventListener("resize", reach);
    button.addEventListener("click", function () {
      root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
      try { localStorage.setItem("theme", root.dataset.theme); } catch (error) { /* it holds for this page */ }
      tell();
    });
  });
})();
