"use strict";
// What is seen: a panel for each source that is shown, all with the same scales and one cursor, which is the sound's.
window.grader = window.grader || {};
grader.Stage = class extends EventTarget {
  constructor(element, player) {
    super();
    this.element = element;
    this.player = player;
    this.panels = new Map(); // of this clip and these settings, by key: pictures stay decoded
    this.clip = null;
    new ResizeObserver(() => this.ink()).observe(element);
    document.addEventListener("grader:theme", () => this.ink());
    player.addEventListener("time", () => this.place());
    player.addEventListener("loop", () => this.place());
    this.listen();
  }

  // clip: the payload. sources: those shown, in order, with their names. look: { view, picture, f0, wave, blind }.
  show(clip, sources, all, look) {
    const settings = JSON.stringify([clip.clip, look, all.map(({ key, name }) => [key, name])]);
    if (this.settings !== settings) this.panels.clear();
    Object.assign(this, { clip, look, settings, range: this.rangeOf(clip, all), loudest: this.loudestOf(clip, all) });
    for (const each of sources) if (!this.panels.has(each.key)) this.panels.set(each.key, this.panelOf(each));
    this.element.className = `stage ${look.view}`;
    this.element.replaceChildren(...sources.map(({ key }) => this.panels.get(key)));
    this.ink();
    this.place();
  }

  get reference() { return this.clip.sources.find(({ kind }) => kind === "reference") || null; }

  rangeOf(clip, all) {
    const ideal = clip.sources.filter(({ kind }) => kind === "reference");
    return grader.draw.range([...ideal, ...all].map(({ pitch }) => pitch).filter(Boolean));
  }

  // How large a source's waveform is drawn, as it is heard.
  loud(each) { return (each.peak ?? 1) * (this.player.matched ? 10 ** (each.gain_db / 20) : 1); }

  loudestOf(clip, all) { return Math.max(...clip.sources.filter(({ kind }) => kind === "reference").concat(all).map((each) => this.loud(each)), 1e-6); }

  ticks(found, kind) {
    const axis = grader.make("div", { class: `axis ${kind}`, "aria-hidden": "true" });
    for (const { at, text } of found) {
      const tick = grader.make("i", {}, text);
      tick.style.setProperty("--at", `${(at * 100).toFixed(2)}%`);
      axis.append(tick);
    }
    return axis;
  }

  panelOf(each) {
    const { make, text, draw } = grader;
    const { clip, look } = this;
    const panel = make("article", { class: `panel ${each.kind}`, "aria-label": each.name });
    panel.source = each;
    const head = make("button", { type: "button", class: "panel-head", tabindex: "-1" }, make("bdi", {}, each.name), make("small", {}, each.said));
    head.addEventListener("click", () => this.dispatchEvent(new CustomEvent("choose", { detail: each.key })));
    const face = make("div", { class: "face" });
    const kind = look.picture === "difference" && !each.difference ? "mel" : look.picture;
    if (each[kind]) {
      const alt = text("picture_of", { picture: text(`picture_${kind}`), name: each.name });
      const row = make("div", { class: `row picture ${kind}` }, make("img", { src: each[kind], alt, draggable: "false" }));
      const scale = (clip.scales || {})[kind === "difference" ? "mel" : kind];
      if (scale) row.append(this.ticks(draw.hzTicks(scale, kind !== "linear"), "up"));
      face.append(row);
    }
    if (look.f0) face.append(make("div", { class: "row f0" }, make("canvas", { "aria-hidden": "true" }), this.ticks(draw.noteTicks(this.range), "up")));
    if (look.wave) face.append(make("div", { class: "row wave" }, make("canvas", { "aria-hidden": "true" })));
    face.append(make("div", { class: "region", hidden: "" }), make("div", { class: "cursor" }));
    panel.append(head, face, this.ticks(draw.timeTicks(clip.seconds), "across"));
    return panel;
  }

  ink() {
    if (!this.clip) return;
    const { draw, colour } = grader;
    const colours = { own: colour("accent"), reference: colour("ink"), line: colour("line"), gap: colour("behind") };
    const ideal = this.reference;
    for (const panel of this.element.children) {
      const each = panel.source, behind = ideal && each.kind !== "reference" ? ideal : null;
      const own = each.kind === "reference" ? { ...colours, own: colours.reference } : colours;
      const pitch = panel.querySelector(".f0 canvas"), wave = panel.querySelector(".wave canvas");
      const { clip, range, loudest } = this;
      if (pitch) draw.f0(pitch, { own: each.pitch, reference: behind && behind.pitch, step_s: clip.f0.step_s, seconds: clip.seconds, ...range, colours: own });
      if (wave) draw.wave(wave, { own: each.shape, reference: behind && behind.shape, factor: this.loud(each) / loudest, referenceFactor: behind ? this.loud(behind) / loudest : 0, colours: own });
    }
  }

  mark(key) { for (const panel of this.element.children) panel.classList.toggle("heard", panel.source.key === key); }

  place() {
    if (!this.clip) return;
    const { seconds } = this.clip, { loop } = this.player;
    const share = (at) => `${(Math.min(at, seconds) / seconds) * 100}%`;
    for (const panel of this.element.children) {
      panel.querySelector(".cursor").style.left = share(this.player.time);
      const region = panel.querySelector(".region");
      region.hidden = !loop;
      if (loop) Object.assign(region.style, { left: share(loop.from), width: share(loop.to - loop.from) });
    }
  }

  // A click seeks, a drag loops. With a finger a drag scrolls.
  listen() {
    let drag = null;
    const timeAt = (face, x) => {
      const { left, width } = face.getBoundingClientRect();
      return Math.max(0, Math.min(1, (x - left) / width)) * this.clip.seconds;
    };
    this.element.addEventListener("pointerdown", (event) => {
      const face = event.target.closest(".face");
      if (!face || event.button !== 0) return;
      drag = { face, x: event.clientX, moved: false };
      if (event.pointerType !== "touch") face.setPointerCapture(event.pointerId);
    });
    this.element.addEventListener("pointermove", (event) => {
      if (!drag || event.pointerType === "touch") return;
      drag.moved ||= Math.abs(event.clientX - drag.x) > 5;
      if (!drag.moved) return;
      const [from, to] = [timeAt(drag.face, drag.x), timeAt(drag.face, event.clientX)].sort((a, b) => a - b);
      this.player.setLoop({ from, to });
    });
    this.element.addEventListener("pointerup", (event) => {
      if (!drag) return;
      const { loop } = this.player;
      if (drag.moved) {
        if (loop) this.player.seek(loop.from);
      } else {
        const at = timeAt(drag.face, event.clientX);
        if (loop && (at < loop.from || at > loop.to)) this.player.setLoop(null);
        this.player.seek(at);
      }
      drag = null;
    });
    this.element.addEventListener("pointercancel", () => { drag = null; });
  }
};
