"use strict";
// The class in pictures, drawn from the table's own numbers: each metric's spread, one metric against another, and time.
(() => {
  const { text, make, given } = grader;
  const here = document.getElementById("plots-here");
  if (!here) return;
  const table = document.getElementById("board");
  const cellOf = (body, metric) => body.rows[0].querySelector(`td.${metric}`);
  const valueOf = (body, metric) => {
    const cell = cellOf(body, metric);
    return cell.dataset.v === undefined ? null : Number(cell.dataset.v);
  };
  const toneOf = (body, metric) => {
    const bar = cellOf(body, metric).querySelector(".bar");
    return bar && bar.classList.contains("behind") ? " behind" : bar && bar.classList.contains("between") ? " between" : "";
  };
  const students = [...table.tBodies].filter((body) => body.classList.contains("student"))
    .map((body) => ({ body, name: body.querySelector(".who bdi").textContent, hours: "hours" in body.dataset ? Number(body.dataset.hours) : null }));
  const rungs = [...table.tBodies].filter((body) => body.classList.contains("rung"));
  const metrics = given.metrics;
  const WIDTH = 460;

  const svg = (tag, attributes, inside) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (inside !== undefined) element.textContent = inside;
    return element;
  };
  const shown = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

  // A scale from values to pixels, logarithmic where the values span much; ticks: round numbers on it.
  const scale = (values, from, to) => {
    const low = Math.min(...values), high = Math.max(...values);
    const log = low > 0 && high / low > 25;
    const f = log ? Math.log10 : (value) => value;
    const room = (f(high) - f(low)) * 0.05 || Math.abs(f(high)) * 0.1 || 1;
    const [a, b] = [f(low) - (log || low < 0 || f(low) - room > 0 ? room : f(low)), f(high) + room];
    const at = (value) => from + ((f(value) - a) / (b - a)) * (to - from);
    const ticks = [];
    if (log) {
      for (let power = Math.floor(a); power <= b; power += 1) {
        for (const step of [1, 2, 5]) {
          const place = Math.log10(step) + power;
          if (place >= a && place <= b) ticks.push(step * 10 ** power);
        }
      }
    } else {
      const rough = (b - a) / 5, size = 10 ** Math.floor(Math.log10(rough));
      const step = size * [1, 2, 5, 10].find((each) => each * size >= rough);
      for (let count = Math.ceil(a / step); count * step <= b; count += 1) ticks.push(Number((count * step).toFixed(10)));
    }
    return { at, ticks, log };
  };
  const label = (metric) => metric.label + (metric.unit ? ` (${metric.unit})` : "");

  const figure = (title, height, described) => {
    const drawn = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": described });
    const heading = make("h3", {}, title);
    const whole = make("figure", {}, heading, drawn);
    return { whole, drawn, heading };
  };
  const axis = (drawn, across, bottom, title) => {
    drawn.append(svg("line", { class: "axis", x1: 0, x2: WIDTH, y1: bottom, y2: bottom }));
    let last = -Infinity;
    for (const tick of across.ticks) {
      const x = across.at(tick);
      if (x - last < 30 || x > WIDTH - 8) continue;
      last = x;
      drawn.append(svg("text", { x, y: bottom + 14, "text-anchor": "middle" }, String(tick)));
    }
    drawn.append(svg("text", { x: WIDTH, y: bottom + 29, "text-anchor": "end" }, title + (across.log ? ` · ${text("log")}` : "")));
  };
  const upright = (drawn, up, left, title) => {
    for (const tick of up.ticks) {
      const y = up.at(tick);
      drawn.append(svg("line", { class: "axis", x1: left, x2: WIDTH, y1: y, y2: y }));
      drawn.append(svg("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, String(tick)));
    }
    drawn.append(svg("text", { x: 0, y: 10 }, title + (up.log ? ` · ${text("log")}` : "")));
  };
  const dot = (drawn, student, x, y, radius, tone) => {
    const circle = svg("circle", { class: `dot${tone}`, cx: x.toFixed(1), cy: y.toFixed(1), r: radius });
    circle.student = student;
    drawn.append(circle);
  };
  const rungLines = (drawn, metric, at, vertical, from, to) => {
    rungs.slice(0, 2).forEach((rung, index) => {
      const value = valueOf(rung, metric.key);
      if (value === null) return;
      const place = at(value);
      drawn.append(svg("line", vertical ? { class: `rung${index}`, x1: place, x2: place, y1: from, y2: to } : { class: `rung${index}`, x1: from, x2: to, y1: place, y2: place }));
      if (vertical) {
        const right = place > WIDTH * 0.7;
        drawn.append(svg("text", { class: "name", x: place + (right ? -5 : 5), y: from + 9 + 13 * index, "text-anchor": right ? "end" : "start" }, rung.dataset.name));
      }
    });
  };

  const spread = (metric, first) => {
    const points = students.map((student) => ({ student, value: valueOf(student.body, metric.key) })).filter((point) => point.value !== null);
    if (!points.length) return null;
    points.sort((a, b) => a.value - b.value);
    const values = points.map((point) => point.value);
    const anchors = first ? given.anchors : [];
    const marks = rungs.slice(0, 2).map((rung) => valueOf(rung, metric.key)).filter((value) => value !== null);
    const near = [...values, ...marks, ...anchors.map(([score]) => score).filter((score) => score < values[values.length - 1] * 1.5)];
    const height = 150, bottom = 116, top = 34;
    const across = scale(near, 8, WIDTH - 8);
    const radius = points.length > 120 ? 2.6 : points.length > 40 ? 3.4 : 4.5;
    const said = rungs.map((rung) => valueOf(rung, metric.key)).map((value, index) => (value === null ? "" : text("mark", { name: rungs[index].dataset.name, value: shown(value) }))).join(" ");
    const { whole, drawn } = figure(text("spread", { metric: label(metric) }), height, text("spread_label", {
      metric: metric.label, count: points.length, best: shown(values[0]), median: shown(values[Math.floor(values.length / 2)]), worst: shown(values[values.length - 1]), marks: said,
    }));
    for (const [score, percent] of anchors) {
      const x = across.at(score);
      if (x < 0 || x > WIDTH) continue;
      drawn.append(svg("line", { class: "cut", x1: x, x2: x, y1: top - 4, y2: bottom }));
      drawn.append(svg("text", { x, y: top - 8, "text-anchor": x > WIDTH - 20 ? "end" : "middle" }, `${percent} %`));
    }
    // Dots stack upwards where they would lie on each other; a crowd is pressed together to fit.
    const stacks = new Map();
    const column = (point) => Math.round(across.at(point.value) / (2 * radius));
    for (const point of points) stacks.set(column(point), (stacks.get(column(point)) || 0) + 1);
    const step = Math.min(2 * radius, (bottom - top - 6) / Math.max(...stacks.values()));
    const level = new Map();
    for (const point of points) {
      const place = column(point), height_ = level.get(place) || 0;
      level.set(place, height_ + 1);
      dot(drawn, point.student, across.at(point.value), bottom - radius - 2 - height_ * step, radius, toneOf(point.student.body, metric.key));
    }
    rungLines(drawn, metric, across.at, true, top - (anchors.length ? 0 : 12), bottom);
    axis(drawn, across, bottom, label(metric));
    return whole;
  };

  const scatter = (drawn, points, across, up, left, bottom, tone) => {
    const radius = points.length > 120 ? 3 : 4.5;
    for (const point of points) dot(drawn, point.student, across.at(point.x), up.at(point.y), radius, tone(point.student.body));
  };

  const against = () => {
    if (metrics.length < 2) return null;
    const height = 260, left = 44, bottom = 226;
    const { whole, drawn, heading } = figure(text("against"), height, "");
    const choose = (name, start) => {
      const select = make("select", { class: "quiet" });
      metrics.forEach((metric, index) => select.append(make("option", { value: index, ...(index === start ? { selected: "" } : {}) }, metric.label)));
      select.addEventListener("change", draw);
      heading.append(make("label", {}, `${text(name)} `, select));
      return select;
    };
    function draw() {
      const [mx, my] = [metrics[selects[0].value], metrics[selects[1].value]];
      const points = students.map((student) => ({ student, x: valueOf(student.body, mx.key), y: valueOf(student.body, my.key) })).filter((point) => point.x !== null && point.y !== null);
      drawn.replaceChildren();
      drawn.setAttribute("aria-label", text("against_label", { x: mx.label, y: my.label, count: points.length }));
      if (!points.length) return;
      const stand = (metric) => rungs.slice(0, 2).map((rung) => valueOf(rung, metric.key)).filter((value) => value !== null);
      const across = scale([...points.map((point) => point.x), ...stand(mx)], left, WIDTH - 8);
      const up = scale([...points.map((point) => point.y), ...stand(my)], bottom, 18);
      upright(drawn, up, left, label(my));
      axis(drawn, across, bottom, label(mx));
      rungLines(drawn, mx, across.at, true, 18, bottom);
      rungLines(drawn, my, up.at, false, left, WIDTH);
      scatter(drawn, points, across, up, left, bottom, (body) => toneOf(body, mx.key));
    }
    const selects = [];
    selects.push(choose("across", 0));
    selects.push(choose("up", 1));
    draw();
    return whole;
  };

  const overTime = () => {
    const metric = metrics[0];
    // A file's own time may be years off: what came a week after the last step of lateness stands at the edge.
    const last = Math.max(0, ...given.deadline_h) / 24 + 7;
    const points = students.map((student) => ({ student, x: student.hours === null ? null : Math.max(-60, Math.min(last, student.hours / 24)), y: valueOf(student.body, metric.key) })).filter((point) => point.x !== null && point.y !== null);
    if (points.length < 2) return null;
    const height = 260, left = 44, bottom = 226;
    const { whole, drawn } = figure(text("time", { metric: metric.label }), height, text("time_label", { metric: metric.label, count: points.length }));
    const across = scale([...points.map((point) => point.x), 0], left, WIDTH - 8);
    const up = scale([...points.map((point) => point.y), ...rungs.slice(0, 2).map((rung) => valueOf(rung, metric.key)).filter((value) => value !== null)], bottom, 18);
    upright(drawn, up, left, label(metric));
    const cut = students.some(({ hours }) => hours !== null && (hours / 24 > last || hours / 24 < -60));
    axis(drawn, across, bottom, text(cut ? "days_cut" : "days"));
    for (const hours of [0, ...given.deadline_h]) {
      const x = across.at(hours / 24);
      if (x <= WIDTH) drawn.append(svg("line", { class: hours ? "cut" : "rung0", x1: x, x2: x, y1: 18, y2: bottom }));
    }
    const zero = across.at(0), right = zero > WIDTH * 0.7;
    drawn.append(svg("text", { class: "name", x: zero + (right ? -5 : 5), y: 28, "text-anchor": right ? "end" : "start" }, text("deadline")));
    scatter(drawn, points, across, up, left, bottom, (body) => toneOf(body, metric.key));
    return whole;
  };

  metrics.forEach((metric, index) => { const drawn = spread(metric, index === 0); if (drawn) here.append(drawn); });
  for (const drawn of [against(), overTime()]) if (drawn) here.append(drawn);

  // On the points curve, every student stands at the height of the points.
  const plot = document.querySelector(".plot");
  if (plot) {
    const width = Number(plot.dataset.width);
    for (const { body, name } of students) {
      const percent = body.querySelector("td.quality small");
      const score = valueOf(body, metrics[0].key);
      if (!percent || score === null) continue;
      const mark = make("span", { class: "dot", title: name });
      mark.style.setProperty("--x", `${Math.min(score / width, 1) * 100}%`);
      mark.style.setProperty("--y", percent.textContent.replace(/\s/g, ""));
      plot.append(mark);
    }
  }

  let tip = null;
  here.addEventListener("pointerover", (event) => {
    if (tip) { tip.remove(); tip = null; }
    const circle = event.target.closest(".dot");
    const student = circle && circle.student;
    here.querySelectorAll(".dot").forEach((other) => other.classList.toggle("hit", Boolean(student) && other.student === student));
    if (!student) return;
    const x = Number(circle.getAttribute("cx")), right = x > WIDTH / 2;
    tip = svg("text", { class: "tip", x: x + (right ? -9 : 9), y: Number(circle.getAttribute("cy")) - 6, "text-anchor": right ? "end" : "start" }, student.name.slice(0, 40));
    circle.ownerSVGElement.append(tip);
  });
  here.addEventListener("click", (event) => {
    const circle = event.target.closest(".dot");
    if (circle) grader.point(circle.student.body);
  });
  document.addEventListener("grader:filter", () => {
    here.querySelectorAll(".dot").forEach((circle) => circle.classList.toggle("off", circle.student.body.hidden));
  });
})();
