"use strict";
// The listening page: which clip, who is on stage, who is heard, what is shown. The sound is player.js's, the ink draw.js's.
(() => {
  const { text, make, recall, remember, given, draw, Votes } = grader;
  const find = (id) => document.getElementById(id);
  const say = (words) => { find("status").textContent = words; };
  const player = new grader.Player();
  const votes = new Votes();
  const seen = new grader.Stage(find("stage"), player);
  const kept = recall("listen") || {};
  const state = {
    clip: null, // the name of the clip that is shown
    on: kept.on || null, // keys of the students on stage; null: the first three
    off: new Set(kept.off || []), // reference and baselines that are not
    view: kept.view || "beside",
    picture: kept.picture || "mel",
    f0: kept.f0 ?? true,
    wave: kept.wave ?? true,
    before: null, // the source heard before this one
  };
  let payload = null; // the clip's data, once it is there
  let stage = []; // the sources on stage, in order: { key, kind, label, name, … }
  player.matched = kept.matched ?? true;
  grader.player = player;

  const keep = () => remember("listen", { on: state.on, off: [...state.off], view: state.view, picture: state.picture, f0: state.f0, wave: state.wave, matched: player.matched });

  // --- the address: listen.html#clip=003&on=ID1,ID2&source=ID1. While names are hidden, it names nobody.
  const readAddress = () => {
    const told = new URLSearchParams(location.hash.slice(1).replace(/\+/g, "%2B"));
    const list = (name) => (told.get(name) === null ? null : told.get(name).split(",").filter(Boolean));
    if (!votes.blind) {
      if (list("on")) state.on = list("on");
      if (list("off")) state.off = new Set(list("off"));
    }
    return { clip: told.get("clip"), source: votes.blind ? null : told.get("source") || (list("on") || [])[0] || null };
  };
  const writeAddress = () => {
    const code = (keys) => keys.map(encodeURIComponent).join(",");
    const parts = [`clip=${encodeURIComponent(state.clip)}`];
    if (!votes.blind) {
      const students = stage.filter(({ kind }) => kind === "student").map(({ key }) => key);
      if (students.length) parts.push(`on=${code(students)}`);
      if (state.off.size) parts.push(`off=${code([...state.off])}`);
      if (player.current) parts.push(`source=${code([player.current])}`);
    }
    try { history.replaceState(null, "", `#${parts.join("&")}`); } catch { /* the address stays as it is */ }
  };

  // --- clips: each is a script of its own that hands its data to grader.clip
  const clips = new Map();
  grader.clip = (name, data) => clips.set(name, data);
  const trouble = (words) => {
    find("trouble").hidden = !words;
    find("trouble").textContent = words || "";
  };
  const load = (name, source) => {
    state.clip = name;
    find("clip").value = name;
    const script = make("script", { src: `clips/${encodeURIComponent(name)}.js` });
    const done = () => {
      script.remove();
      if (state.clip !== name) return;
      payload = clips.get(name) || null;
      trouble(payload ? "" : text("missing_clip", { clip: name }));
      find("stage").hidden = !payload;
      if (payload) arrive(source);
    };
    if (clips.has(name)) { done(); return; }
    script.addEventListener("load", done);
    script.addEventListener("error", done);
    document.head.append(script);
  };
  const arrive = (source) => {
    const heard = player.current;
    player.setLoop(null);
    player.seek(0);
    if (source) player.current = source;
    else if (heard) player.current = heard;
    for (const each of payload.sources) {
      each.pitch ||= each.f0 ? draw.pitch(each.f0) : null;
      each.shape ||= draw.peaks(each.peaks);
      each.label ||= text(each.kind);
    }
    find("time").max = payload.seconds;
    rebuild();
    const next = given.clips[given.clips.indexOf(state.clip) + 1];
    document.title = `${state.clip} · ${given.title}`;
    find("next").disabled = next === undefined;
    find("previous").disabled = given.clips.indexOf(state.clip) === 0;
  };
  const go = (steps) => {
    const name = given.clips[given.clips.indexOf(state.clip) + steps];
    if (name !== undefined) load(name);
  };

  // --- who is on stage
  const wanted = () => {
    const students = payload.sources.filter(({ kind }) => kind === "student");
    const keys = state.on || students.slice(0, 3).map(({ key }) => key);
    return payload.sources.filter((each) => (each.kind === "student" ? keys.includes(each.key) : !state.off.has(each.key)));
  };
  const scores = (each) => {
    const found = each.scores || {};
    if (each.kind === "reference" || (votes.blind && each.kind === "student")) return "";
    return [[given.m_stft_label, found.m_stft], [given.f0_label, found.log2_f0]]
      .filter(([, value]) => typeof value === "number").map(([name, value]) => `${name} ${value.toFixed(3)}`).join(" · ");
  };
  const choose = () => {
    const found = wanted();
    const students = found.filter(({ kind }) => kind === "student");
    const letters = new Map(votes.shuffled(students.map(({ key }) => key)).map((key, index) => [key, Votes.letter(index)]));
    const named = (each) => ({ ...each, letter: letters.get(each.key), name: votes.blind && each.kind === "student" ? text("student_letter", { letter: letters.get(each.key) }) : each.label, said: scores(each) });
    const shown = found.map(named);
    if (!votes.blind) return shown;
    const byLetter = (a, b) => a.letter.length - b.letter.length || (a.letter < b.letter ? -1 : 1);
    return [...shown.filter(({ kind }) => kind !== "student"), ...shown.filter(({ kind }) => kind === "student").sort(byLetter)];
  };
  const on = (key) => stage.find((each) => each.key === key);

  // After a change of who is on stage or of what they are called.
  const rebuild = () => {
    stage = choose();
    player.use(stage.map(({ key, audio, gain_db }) => ({ key, url: audio, gain_db })), payload.seconds);
    listSources();
    listAll();
    rank();
    hear();
    writeAddress();
  };

  const level = (each) => (player.matched ? `${each.gain_db > -0.05 ? "0.0" : `−${Math.abs(each.gain_db).toFixed(1)}`} dB` : "");

  const listSources = () => {
    const list = find("sources");
    const focused = list.contains(document.activeElement) ? [document.activeElement.className, document.activeElement.closest("li").dataset.key] : null;
    list.replaceChildren(...stage.map((each, index) => {
      const pick = make("button", { type: "button", class: "pick", ...(index < 9 ? { "aria-keyshortcuts": String(index + 1) } : {}) },
        make("kbd", { "aria-hidden": "true" }, index < 9 ? String(index + 1) : "·"),
        make("span", { class: "called" }, make("bdi", {}, each.name), make("small", { class: "level" }, level(each)), make("small", { class: "said" }, each.said)));
      pick.addEventListener("click", () => hearOf(each.key));
      const row = make("li", { class: each.kind }, pick);
      row.source = each.key;
      row.dataset.key = votes.blind && each.kind === "student" ? each.letter : each.key;
      if (each.kind === "student") {
        const step = (hands, sign, words) => {
          const button = make("button", { type: "button", class: `vote ${hands > 0 ? "more" : "less"}`, "aria-label": text(words, { name: each.name }) }, sign);
          button.addEventListener("click", () => vote(each.key, hands));
          return button;
        };
        row.append(make("span", { class: "hands" }, step(-1, "−", "vote_less"), make("output", {}, String(votes.of(state.clip, each.key))), step(1, "+", "vote_more")));
      }
      return row;
    }));
    if (focused) {
      const row = [...list.children].find((each) => each.dataset.key === focused[1]);
      const same = row && [...row.querySelectorAll("button")].find((each) => each.className === focused[0]);
      if (same) same.focus();
    }
    mark();
  };
  const mark = () => {
    for (const row of find("sources").children) row.querySelector(".pick").setAttribute("aria-pressed", String(row.source === player.current));
    seen.mark(player.current);
  };

  const listAll = () => {
    find("choose").hidden = votes.blind;
    if (votes.blind) { find("all-sources").replaceChildren(); return; }
    if (find("all-sources").contains(document.activeElement)) return; // a box in it was just changed
    const sought = find("search").value.trim().toLowerCase();
    find("all-sources").replaceChildren(...payload.sources.filter(({ label }) => label.toLowerCase().includes(sought)).map((each) => {
      const box = make("input", { type: "checkbox" });
      box.checked = Boolean(on(each.key));
      box.addEventListener("change", () => {
        if (each.kind !== "student") { if (box.checked) state.off.delete(each.key); else state.off.add(each.key); } else {
          const keys = new Set(wanted().filter(({ kind }) => kind === "student").map(({ key }) => key));
          if (box.checked) keys.add(each.key); else keys.delete(each.key);
          state.on = [...keys];
        }
        keep();
        rebuild();
      });
      return make("li", {}, make("label", {}, box, make("bdi", {}, each.label)));
    }));
  };
  find("search").addEventListener("input", listAll);

  // --- hearing
  const hearOf = (key) => {
    if (key === player.current || !on(key)) return;
    state.before = player.current;
    player.pick(key);
    hear();
    writeAddress();
    say(text("now", { name: on(key).name }));
  };
  const hear = () => {
    const each = on(player.current);
    find("now").textContent = each ? each.name : "";
    look();
    place();
  };
  player.addEventListener("heard", () => mark());
  player.addEventListener("failed", () => {
    const each = stage.find(({ key }) => player.tracks.get(key) && player.tracks.get(key).failed);
    if (each) trouble(text("missing_sound", { name: each.name, url: each.audio }));
  });
  player.addEventListener("state", () => {
    find("play").setAttribute("aria-label", text(player.playing ? "pause" : "play"));
    document.body.classList.toggle("is-playing", player.playing);
  });
  const levels = () => {
    find("match").setAttribute("aria-pressed", String(player.matched));
    if (payload) find("levels").textContent = text(!player.matched ? "unmatched" : payload.level === "RMS" ? "matched_RMS" : "matched_BS");
  };
  player.addEventListener("level", levels);
  const match = () => {
    player.matched = !player.matched;
    player.level();
    keep();
    listSources();
    look();
  };

  // --- the looks
  const shownSources = () => {
    const current = on(player.current) || stage[0];
    if (!current) return [];
    if (state.view === "all") return stage;
    const first = state.view === "beside" && stage.find(({ kind }) => kind === "reference");
    return first && first.key !== current.key ? [first, current] : [current];
  };
  const look = () => {
    if (!payload) return;
    for (const [id, value] of [["views", state.view], ["pictures", state.picture]]) {
      for (const button of find(id).children) button.setAttribute("aria-pressed", String(button.value === value));
    }
    for (const button of find("layers").children) button.setAttribute("aria-pressed", String(state[button.value]));
    const { view, picture, f0, wave } = state;
    seen.show(payload, shownSources(), stage, { view, picture, f0, wave });
    const behind = payload.sources.some(({ kind }) => kind === "reference") && (f0 || wave);
    const legends = [text(behind ? "legend" : "legend_alone")];
    if (picture === "difference" && payload.scales) legends.push(text("legend_difference", { span: payload.scales.difference.span_db }));
    find("legend").textContent = legends.join(" ");
    mark();
  };
  seen.addEventListener("choose", (event) => hearOf(event.detail));

  // --- where we are
  const place = () => {
    if (!payload) return;
    const at = Math.min(player.time, payload.seconds);
    find("time").value = at;
    find("time").setAttribute("aria-valuetext", text("position_is", { at: at.toFixed(1), all: payload.seconds.toFixed(1) }));
    find("clock").textContent = `${at.toFixed(2)} / ${payload.seconds.toFixed(2)} s`;
  };
  player.addEventListener("time", place);
  player.addEventListener("loop", () => {
    find("loop").setAttribute("aria-pressed", String(Boolean(player.loop)));
    find("loop").textContent = player.loop ? text("loop_is", { from: player.loop.from.toFixed(2), to: player.loop.to.toFixed(2) }) : text("loop");
    place();
  });
  find("time").addEventListener("input", () => player.seek(Number(find("time").value)));
  const loopAll = () => player.setLoop(player.loop || !payload ? null : { from: 0, to: payload.seconds });

  // --- blind, and votes
  const blind = () => {
    votes.setBlind(!votes.blind);
    if (votes.blind) {
      state.on = wanted().filter(({ kind }) => kind === "student").map(({ key }) => key);
      keep();
      player.current = (stage.find(({ kind }) => kind !== "student") || { key: null }).key;
      state.before = null;
    }
    rebuild();
    say(text(votes.blind ? "blind_on" : "blind_off"));
  };
  const vote = (key, hands) => {
    votes.add(state.clip, key, hands);
    listSources();
    rank();
  };
  const rank = () => {
    find("blind").setAttribute("aria-pressed", String(votes.blind));
    find("reveal").hidden = !votes.blind;
    find("shuffle").hidden = !votes.blind;
    const found = votes.ranking();
    const named = (key) => { const each = on(key) || (!votes.blind && payload.sources.find((source) => source.key === key)); return each ? each.name || each.label : votes.blind ? "…" : key; };
    find("ranking").replaceChildren(...found.map(({ student, points, place: position }) =>
      make("li", position <= 3 ? { class: "best" } : {}, make("b", {}, `${position}.`), make("bdi", {}, named(student)), make("output", {}, String(points)))));
    if (!found.length) find("ranking").append(make("li", { class: "none" }, text("no_votes")));
    find("save").disabled = !found.length;
    find("clear").disabled = !found.length;
    find("clear").textContent = text("clear");
    find("clear").classList.remove("sure");
  };
  find("blind").addEventListener("click", blind);
  find("reveal").addEventListener("click", blind);
  find("shuffle").addEventListener("click", () => { votes.shuffle(); rebuild(); });
  find("save").addEventListener("click", () => votes.save());
  find("clear").addEventListener("click", () => {
    if (find("clear").classList.toggle("sure")) { find("clear").textContent = text("clear_sure"); return; }
    votes.clear();
    listSources();
    rank();
  });

  // --- buttons and keys
  const press = { play: () => player.toggle(), loop: loopAll, match, previous: () => go(-1), next: () => go(1), help: () => find("keys").showModal() };
  for (const [id, act] of Object.entries(press)) find(id).addEventListener("click", act);
  find("clip").addEventListener("change", () => load(find("clip").value));
  const show = (what, value) => { state[what] = value; keep(); look(); };
  find("views").addEventListener("click", (event) => { if (event.target.value) show("view", event.target.value); });
  find("pictures").addEventListener("click", (event) => { if (event.target.value) show("picture", event.target.value); });
  find("layers").addEventListener("click", (event) => { if (event.target.value) show(event.target.value, !state[event.target.value]); });
  const turn = (id, what) => {
    const values = [...find(id).children].map(({ value }) => value);
    show(what, values[(values.indexOf(state[what]) + 1) % values.length]);
  };
  const beside = (steps) => {
    const index = stage.findIndex(({ key }) => key === player.current);
    const next = stage[(index + steps + stage.length) % stage.length];
    if (next) hearOf(next.key);
  };
  const keys = {
    " ": () => player.toggle(),
    arrowleft: (event) => player.seek(player.time - (event.shiftKey ? 0.1 : 1)),
    arrowright: (event) => player.seek(player.time + (event.shiftKey ? 0.1 : 1)),
    arrowup: () => beside(-1),
    arrowdown: () => beside(1),
    home: () => player.seek(player.loop ? player.loop.from : 0),
    "[": () => go(-1),
    "]": () => go(1),
    l: loopAll,
    i: () => player.setLoop({ from: player.time, to: player.loop && player.loop.to > player.time + 0.05 ? player.loop.to : payload.seconds }),
    o: () => player.setLoop({ from: player.loop && player.loop.from < player.time - 0.05 ? player.loop.from : 0, to: player.time }),
    x: () => { if (state.before) hearOf(state.before); },
    b: blind,
    m: match,
    g: () => turn("views", "view"),
    p: () => turn("pictures", "picture"),
    v: (event) => { const each = on(player.current); if (each && each.kind === "student") vote(each.key, event.shiftKey ? -1 : 1); },
    "?": () => find("keys").showModal(),
  };
  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (event.ctrlKey || event.altKey || event.metaKey || find("keys").open || !payload) return;
    if (target.matches("input:not([type=checkbox]), select, textarea")) return;
    // A button that has the keyboard's focus takes the space bar itself; one that was clicked leaves it to the player.
    if (event.key === " " && target.matches("button, summary, input, a") && target.matches(":focus-visible")) return;
    const digit = /^[1-9]$/.test(event.key) ? stage[Number(event.key) - 1] : null;
    const act = digit ? () => hearOf(digit.key) : keys[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act(event);
  });

  const begin = () => {
    const { clip, source } = readAddress();
    load(given.clips.includes(clip) ? clip : state.clip || given.clips[0], source);
  };
  addEventListener("hashchange", begin);
  if (given.clips.length) begin();
})();
