"use strict";
// Runs before anything is painted: what the reader chose, and what the address asks for.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  if (new URLSearchParams(location.search).has("projector")) root.classList.add("projector");
  let theme = null;
  try { theme = localStorage.getItem("theme"); } catch { /* storage is refused: the system's choice stands */ }
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
})();
