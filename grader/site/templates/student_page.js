"use strict";
// The player of a student's page: one clip at a time, all of it inside this file.
(() => {
  const element = document.getElementById("player");
  const [given, ...clips] = grader.given;
  grader.given = given;
  if (!element || !clips.length) return;
  const { text, make, draw } = grader;
  const find = (id) => document.getElementById(id);
  const player = new grader.Player();
  const stage = new grader.Stage(find("stage"), player);
  const look = { view: "beside", picture: "mel", f0: true, wave: true, blind: false };
  let clip = null;
  grader.player = player;

  const said = ({ scores }) => [[given.m_stft_label, scores.m_stft], [given.f0_label, scores.log2_f0]]
    .filter(([, value]) => typeof value === "number").map(([name, value]) => `${name} ${value.toFixed(3)}`).join(" · ");

  const show = () => {
    const all = clip.sources.map((each) => ({ ...each, name: each.kind === "reference" ? text("reference") : each.label, said: said(each) }));
    stage.show(clip, all, all, look);
    stage.mark(player.heard);
    find("sources").replaceChildren(...all.map(({ key, name }) => {
      const button = make("button", { type: "button", class: "quiet", "aria-pressed": String(key === player.current) }, make("bdi", {}, name));
      button.addEventListener("click", () => player.pick(key));
      button.dataset.key = key;
      return button;
    }));
    for (const button of find("pictures").children) button.setAttribute("aria-pressed", String(button.value === look.picture));
    const differs = look.picture === "difference" && clip.scales.difference;
    find("legend").textContent = (differs ? `${text("legend_difference", { span: differs.span_db })} ` : "") + text("legend_alone");
  };
  const open = (name) => {
    clip = clips.find((each) => each.clip === name);
    for (const each of clip.sources) {
      each.pitch ||= each.f0 ? draw.pitch(each.f0) : null;
      each.shape ||= draw.peaks(each.peaks);
    }
    element.hidden = false;
    player.pause();
    player.setLoop(null);
    player.use(clip.sources.map(({ key, audio, gain_db }) => ({ key, url: audio, gain_db })), clip.seconds);
    player.pick("student");
    player.seek(0);
    find("time").max = clip.seconds;
    for (const button of document.querySelectorAll(".hear")) button.closest("tr, p").classList.toggle("playing", button.dataset.clip === name);
    show();
  };

  const clock = () => {
    find("clock").textContent = `${player.time.toFixed(1)} / ${clip.seconds.toFixed(1)} s`;
    find("time").value = player.time;
    find("time").setAttribute("aria-valuetext", text("position_is", { at: player.time.toFixed(1), all: clip.seconds.toFixed(1) }));
  };
  player.addEventListener("time", clock);
  player.addEventListener("heard", () => {
    stage.mark(player.heard);
    const each = clip.sources.find(({ key }) => key === player.heard);
    find("now").textContent = `${clip.clip} · ${each.kind === "reference" ? text("reference") : each.label}`;
    clock();
  });
  player.addEventListener("picked", () => {
    for (const button of find("sources").children) button.setAttribute("aria-pressed", String(button.dataset.key === player.current));
  });
  player.addEventListener("state", () => {
    element.classList.toggle("is-playing", player.playing);
    find("play").setAttribute("aria-label", text(player.playing ? "pause" : "play"));
  });
  player.addEventListener("loop", () => {
    const { loop } = player;
    find("loop").setAttribute("aria-pressed", String(Boolean(loop)));
    find("loop").textContent = loop ? text("loop_is", { from: loop.from.toFixed(1), to: loop.to.toFixed(1) }) : text("loop");
  });
  player.addEventListener("failed", () => { find("status").textContent = text("no_sound"); });

  find("play").addEventListener("click", () => player.toggle());
  find("time").addEventListener("input", (event) => player.seek(Number(event.target.value)));
  find("loop").addEventListener("click", () => player.setLoop(player.loop ? null : { from: player.time, to: Math.min(player.time + 1, clip.seconds) }));
  find("match").addEventListener("click", (event) => {
    player.matched = !player.matched;
    event.currentTarget.setAttribute("aria-pressed", String(player.matched));
    player.level();
    show();
  });
  find("pictures").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    look.picture = button.value;
    show();
  });
  stage.addEventListener("choose", (event) => player.pick(event.detail));
  for (const button of document.querySelectorAll(".hear")) {
    button.addEventListener("click", () => {
      open(button.dataset.clip);
      player.play();
      element.scrollIntoView({ block: "start" });
    });
  }
  document.addEventListener("keydown", (event) => {
    if (element.hidden || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("button, input, summary, a")) return;
    if (event.key === " ") player.toggle();
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") player.seek(player.time + (event.key === "ArrowLeft" ? -0.5 : 0.5));
    else if (/^[1-9]$/.test(event.key) && clip.sources[event.key - 1]) player.pick(clip.sources[event.key - 1].key);
    else return;
    event.preventDefault();
  });
  open(clips[0].clip);
})();
