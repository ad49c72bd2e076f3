// Searches the sections of all pages, which words.js brings once the reader goes to the field; all in the reader's browser.
"use strict";
(function () {
  const field = document.getElementById("search");
  const shown = document.getElementById("results");
  const main = document.getElementById("main");
  const top = document.body.dataset.top;
  field.disabled = false;
  let asked = false;

  function bring() {
    if (asked) return;
    asked = true;
    const script = document.createElement("script");
    script.src = top + "words.js";  // a script and no fetch, so that it works from a folder, too
    script.onload = look;
    document.head.append(script);
  }

  function count(text, words) {
    const low = text.toLowerCase();
    return words.filter((word) => low.includes(word)).length;
  }

  function excerpt(text, words) {
    const at = Math.min(...words.map((word) => text.toLowerCase().indexOf(word)).filter((place) => place >= 0), text.length);
    const start = at === text.length ? 0 : Math.max(0, at - 60);
    return (start ? "…" : "") + text.slice(start, start + 180) + (start + 180 < text.length ? "…" : "");
  }

  function look() {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    shown.hidden = main.hidden = false;
    if (!words.length || !window.helixWords) { shown.hidden = true; return; }
    main.hidden = true;
    const found = [];
    for (const part of window.helixWords) {
      const title = count(part.title, words);
      if (count(part.page + " " + part.title + " " + part.text, words) === words.length)
        found.push({ part, weight: 3 * title + count(part.page, words) });
    }
    found.sort((one, other) => other.weight - one.weight);
    shown.replaceChildren();
    const heading = document.createElement("h1");
    heading.textContent = found.length ? "Found in " + found.length + (found.length === 1 ? " section" : " sections") : "Nothing found";
    const list = document.createElement("ol");
    for (const { part } of found.slice(0, 40)) {
      const item = document.createElement("li"), link = document.createElement("a"), text = document.createElement("p");
      link.href = top + part.place + (part.id ? "#" + part.id : "");
      link.textContent = part.page + (part.title && part.title !== part.page ? ": " + part.title : "");
      text.textContent = excerpt(part.text, words);
      link.addEventListener("click", () => { field.value = ""; look(); });
      item.append(link, text);
      list.append(item);
    }
    shown.append(heading, list);
  }

  field.addEventListener("focus", bring);
  field.addEventListener("input", () => { bring(); look(); });
  field.addEventListener("keydown", (event) => { if (event.key === "Escape") { field.value = ""; look(); } });
})();
