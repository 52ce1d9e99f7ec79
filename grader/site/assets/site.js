"use strict";
// What every page has: the theme, the projector's links, the texts, and the player's rooms under one name.
window.grader = window.grader || {};
(() => {
  const root = document.documentElement;
  const given = document.getElementById("given");
  grader.given = given ? JSON.parse(given.textContent) : {};

  // A text of the page's language with its fields filled in; count picks a plural.
  grader.text = (name, values = {}) => {
    let text = (grader.given.texts || {})[name];
    if (text === undefined) return name;
    if (typeof text === "object") text = values.count === 1 && text.one !== undefined ? text.one : text.many;
    return text.replace(/\{(\w+)\}/g, (whole, field) => (field in values ? String(values[field]) : whole));
  };
  // What is remembered lies under the folder's own name: from disk, all pages share one storage.
  const folder = location.pathname.replace(/[^/]*$/, "");
  grader.remember = (name, value) => {
    try { localStorage.setItem(`grader:${folder}:${name}`, JSON.stringify(value)); } catch { /* it lasts as long as the page */ }
  };
  grader.recall = (name) => {
    try { return JSON.parse(localStorage.getItem(`grader:${folder}:${name}`)); } catch { return null; }
  };
  grader.make = (tag, attributes = {}, ...inside) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...inside);
    return element;
  };
  // A colour of the theme as a canvas takes it.
  grader.colour = (name) => {
    const probe = document.body.appendChild(grader.make("i"));
    probe.style.color = `var(--${name})`;
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const changed = () => document.dispatchEvent(new Event("grader:theme"));
  dark.addEventListener("change", changed);
  document.getElementById("theme").addEventListener("click", () => {
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
    root.dataset.theme = isDark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* it lasts as long as the page */ }
    changed();
  });

  if (root.classList.contains("projector")) {
    for (const link of document.querySelectorAll("a[href*='.html']")) {
      const [path, hash] = link.getAttribute("href").split("#");
      link.setAttribute("href", `${path}?projector${hash === undefined ? "" : `#${hash}`}`);
    }
  }
  const switcher = document.getElementById("projector");
  if (switcher) {
    const on = root.classList.contains("projector");
    switcher.setAttribute("aria-pressed", String(on));
    switcher.addEventListener("click", () => {
      location.href = `${location.pathname}${on ? "" : "?projector"}${location.hash}`;
    });
  }
})();
