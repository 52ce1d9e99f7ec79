"use strict";
// The table: sorting, searching, picking, columns, opening.
(() => {
  const { text, remember, recall, make, given } = grader;
  const find = (id) => document.getElementById(id);
  const table = find("board");
  const say = (words) => { find("status").textContent = words; };
  if (!table) return;

  const bodies = [...table.tBodies];
  const students = bodies.filter((body) => body.classList.contains("student"));
  const heads = [...table.tHead.rows[0].cells];

  students.forEach((body, index) => {
    const called = body.querySelector(".who bdi").textContent;
    if (given.listen) {
      const projector = document.documentElement.classList.contains("projector") ? "?projector" : "";
      body.querySelector(".name").append(make("a", { class: "ear", href: `listen.html${projector}#on=${encodeURIComponent(body.dataset.key)}`, "aria-label": text("hear", { name: called }) }, "♪"));
    }
    const more = body.querySelector(".more");
    if (!more) return;
    more.id = `more-${index}`;
    body.querySelector(".name").prepend(make("button", { type: "button", class: "toggle", "aria-expanded": "false", "aria-controls": more.id, "aria-label": text("more", { name: called }) }));
  });
  const open = (body, wanted) => {
    body.classList.toggle("open", wanted);
    body.querySelector(".toggle").setAttribute("aria-expanded", String(wanted));
  };
  table.addEventListener("click", (event) => {
    const toggle = event.target.closest(".toggle");
    if (toggle) open(toggle.closest("tbody"), toggle.getAttribute("aria-expanded") !== "true");
  });
  table.addEventListener("pointerover", (event) => {
    const name = event.target.closest(".who bdi");
    if (name) name.title = name.textContent;
    const bar = event.target.closest("[data-i]");
    if (!bar || bar.title) return;
    const [low, high] = bar.dataset.i.split(" ");
    bar.title = text("interval_is", { low, high });
  });
  const all = find("all");
  if (all) {
    all.addEventListener("click", () => {
      const wanted = all.getAttribute("aria-pressed") !== "true";
      all.setAttribute("aria-pressed", String(wanted));
      all.textContent = text(wanted ? "close_all" : "open_all");
      students.forEach((body) => open(body, wanted));
    });
  }

  const keyOf = (body, column, byText) => {
    const cell = body.rows[0].cells[column];
    if (byText) return cell.textContent.trim();
    return cell.dataset.v === undefined ? null : Number(cell.dataset.v);
  };
  const sortBy = (column, down) => {
    const byText = "text" in heads[column].querySelector("button").dataset;
    const sign = down ? -1 : 1;
    const keyed = bodies.map((body, index) => ({ body, index, key: keyOf(body, column, byText) }));
    keyed.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.index - b.index;
      const order = byText ? a.key.localeCompare(b.key) : a.key - b.key;
      return sign * order || a.index - b.index;
    });
    // By rank the page's own order stands, with the baselines where they belong.
    table.append(...(column === 0 && !down ? bodies : keyed.map((entry) => entry.body)));
  };
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      sortBy(column, down);
      say(text(down ? "sorted_down" : "sorted_up", { column: button.textContent.trim() }));
    });
  });

  const filtered = [...document.querySelectorAll("[data-filter]")].map((element) => ({
    element,
    words: (element.rows ? element.rows[0] : element).textContent.replace(/\s+/g, " ").toLowerCase(),
    tags: (element.dataset.tags || "").split(" "),
  }));
  const only = find("only");
  const filter = () => {
    const wanted = find("filter").value.trim().toLowerCase();
    const tag = only ? only.value : "";
    let shown = 0;
    for (const { element, words, tags } of filtered) {
      element.hidden = !words.includes(wanted) || Boolean(tag && !tags.includes(tag));
      shown += !element.hidden;
    }
    find("nothing").hidden = shown > 0;
    say(text("shown", { count: shown, all: filtered.length }));
    document.dispatchEvent(new Event("grader:filter"));
  };
  find("filter").addEventListener("input", filter);
  if (only) only.addEventListener("change", filter);

  // Columns: all but who it is can be left out; what is left out is remembered.
  const names = heads.map((head) => head.className.split(" ").pop());
  const left = new Set(recall("columns") || (document.documentElement.classList.contains("projector") ? ["report", "rerun", "findings"] : []));
  const panels = students.map((body) => body.querySelector(".more > td")).filter(Boolean);
  const show = () => {
    names.forEach((name) => table.classList.toggle(`no-${name}`, left.has(name)));
    const shown = names.filter((name) => !left.has(name)).length;
    panels.forEach((cell) => { cell.colSpan = shown; });
  };
  heads.forEach((head, column) => {
    if (column < 2) return;
    const name = names[column];
    const box = make("input", { type: "checkbox" });
    box.checked = !left.has(name);
    box.addEventListener("change", () => {
      if (box.checked) left.delete(name); else left.add(name);
      remember("columns", [...left]);
      show();
    });
    find("columns").append(make("label", {}, box, head.querySelector("button").textContent.trim()));
  });
  show();
  const menu = document.querySelector(".menu");
  document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  // A student's line in the table, shown and marked: for the plots and for index.html#student=ID.
  grader.point = (body) => {
    bodies.forEach((other) => other.classList.toggle("found", other === body));
    if (body.hidden) { find("filter").value = ""; if (only) only.value = ""; filter(); }
    body.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    const link = body.querySelector(".who a, .who button");
    if (link) link.focus({ preventScroll: true });
  };
  const linked = () => {
    const wanted = new URLSearchParams(location.hash.slice(1)).get("student");
    const body = wanted && students.find((each) => each.dataset.key === wanted);
    if (body) grader.point(body);
  };
  addEventListener("hashchange", linked);
  linked();
})();
