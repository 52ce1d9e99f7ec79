"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const table = find("board");
  const say = (text) => { find("status").textContent = text; };

  find("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* it lasts as long as the page */ }
  });
  if (!table) return;

  const bodies = [...table.tBodies];
  const students = bodies.filter((body) => body.classList.contains("student"));

  const open = (body, wanted) => {
    body.classList.toggle("open", wanted);
    body.querySelector("details.panel").open = wanted;
    body.querySelector(".toggle").setAttribute("aria-expanded", String(wanted));
  };
  for (const body of students) {
    body.querySelector(".toggle").addEventListener("click", () => open(body, !body.classList.contains("open")));
  }
  const all = find("all");
  all.addEventListener("click", () => {
    const wanted = all.getAttribute("aria-pressed") !== "true";
    all.setAttribute("aria-pressed", String(wanted));
    all.textContent = wanted ? "Close all" : "Open all";
    students.forEach((body) => open(body, wanted));
  });

  const heads = [...table.tHead.rows[0].cells];
  const keyOf = (body, column, text) => {
    const cell = body.rows[0].cells[column];
    if (text) return cell.textContent.trim();
    return cell.dataset.v === undefined ? null : Number(cell.dataset.v);
  };
  const sortBy = (column, down) => {
    const text = "text" in heads[column].querySelector("button").dataset;
    const sign = down ? -1 : 1;
    const keyed = bodies.map((body, index) => ({ body, index, key: keyOf(body, column, text) }));
    keyed.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.index - b.index;
      const order = text ? a.key.localeCompare(b.key) : a.key - b.key;
      return sign * order || a.index - b.index;
    });
    // By rank the page's own order stands, with the baselines where they belong.
    const order = column === 0 && !down ? bodies : keyed.map((entry) => entry.body);
    table.append(...order);
  };
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      sortBy(column, down);
      say(`Sorted by ${head.querySelector("button").textContent.trim()}, ${down ? "descending" : "ascending"}`);
    });
  });

  const filtered = [...document.querySelectorAll("[data-filter]")].map((element) => ({
    element,
    text: (element.rows ? element.rows[0] : element).textContent.replace(/\s+/g, " ").toLowerCase(),
  }));
  find("filter").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    let shown = 0;
    for (const { element, text } of filtered) {
      element.hidden = !text.includes(wanted);
      shown += !element.hidden;
    }
    find("nothing").hidden = shown > 0;
    say(`${shown} of ${filtered.length} students shown`);
  });
})();
