"use strict";
// Several recordings of one clip that play as one: all run in step, one is heard, and switching keeps the position.
//
// From disk a page may not read sound into memory, only play it, so each source is an audio element. The silent ones are
// held in step by their rate (nobody hears them bend) and are set anew only where they are far off.
window.grader = window.grader || {};
grader.Player = class extends EventTarget {
  constructor() {
    super();
    this.tracks = new Map(); // key -> { audio, gain, url, failed }
    this.current = null; // wanted to be heard
    this.heard = null; // heard now: stays the one before until the wanted one can play
    this.playing = false;
    this.loop = null; // { from, to } in seconds
    this.matched = true;
    this.seconds = 0;
    setInterval(() => this.keepStep(), 100);
    const tick = () => { this.tick(); requestAnimationFrame(tick); };
    requestAnimationFrame(tick);
  }

  // What can be heard from now on: [{ key, url, gain_db }]. Elements of the same file live on; others are let go.
  use(sources, seconds) {
    const at = Math.min(this.time, seconds);
    const before = this.tracks;
    this.tracks = new Map();
    this.seconds = seconds;
    for (const { key, url, gain_db } of sources) {
      const kept = [...before.values()].find((track) => track.url === url && !track.kept);
      const track = kept || this.open(url);
      track.kept = true;
      track.gain = gain_db;
      this.tracks.set(key, track);
    }
    for (const track of before.values()) if (!track.kept) this.close(track);
    for (const track of this.tracks.values()) track.kept = false;
    if (!this.tracks.has(this.heard)) this.heard = null;
    if (!this.tracks.has(this.current)) this.current = this.tracks.keys().next().value ?? null;
    for (const track of this.tracks.values()) {
      if (Math.abs(track.audio.currentTime - at) > 0.02) track.audio.currentTime = at;
      if (this.playing) track.audio.play().catch(() => {});
    }
    this.level();
    if (this.current !== null) this.pick(this.current);
  }

  open(url) {
    const audio = new Audio();
    const track = { audio, url, gain: 0, failed: false };
    audio.preload = "auto";
    audio.muted = true;
    audio.src = url;
    audio.addEventListener("error", () => { track.failed = true; this.tell("failed"); });
    audio.addEventListener("ended", () => { if (this.tracks.get(this.heard) === track) this.ended(); });
    return track;
  }

  close(track) {
    track.audio.pause();
    track.audio.removeAttribute("src");
    track.audio.load();
  }

  tell(what) { this.dispatchEvent(new Event(what)); }

  get time() {
    const track = this.tracks.get(this.heard) || this.tracks.get(this.current);
    return track ? track.audio.currentTime : 0;
  }

  // Hear this source from where the others are; where it has not loaded yet, the one before goes on till then.
  pick(key) {
    const track = this.tracks.get(key);
    if (!track) return;
    this.current = key;
    const handOver = () => {
      if (this.current !== key || this.tracks.get(key) !== track) return;
      const at = this.time;
      track.audio.playbackRate = 1;
      if (Math.abs(track.audio.currentTime - at) > 0.02) track.audio.currentTime = at;
      if (this.playing && track.audio.paused) track.audio.play().catch(() => {});
      for (const other of this.tracks.values()) other.audio.muted = other !== track;
      this.heard = key;
      this.tell("heard");
    };
    if (track.audio.readyState >= 3 || this.heard === null) handOver();
    else track.audio.addEventListener("canplay", handOver, { once: true });
    this.tell("picked");
  }

  play() {
    if (!this.tracks.size) return;
    if (this.loop && (this.time < this.loop.from - 0.01 || this.time >= this.loop.to)) this.seek(this.loop.from);
    else if (this.time >= this.seconds - 0.05) this.seek(0);
    this.playing = true;
    for (const track of this.tracks.values()) track.audio.play().catch(() => {});
    this.tell("state");
  }

  pause() {
    const at = this.time;
    this.playing = false;
    for (const track of this.tracks.values()) {
      track.audio.pause();
      track.audio.playbackRate = 1;
      if (Math.abs(track.audio.currentTime - at) > 0.005) track.audio.currentTime = at;
    }
    this.tell("state");
  }

  toggle() { if (this.playing) this.pause(); else this.play(); }

  seek(seconds) {
    const at = Math.max(0, Math.min(seconds, this.seconds));
    for (const track of this.tracks.values()) {
      track.audio.playbackRate = 1;
      track.audio.currentTime = at;
    }
    if (this.playing) for (const track of this.tracks.values()) if (track.audio.paused) track.audio.play().catch(() => {});
    this.tell("time");
  }

  setLoop(loop) {
    this.loop = loop && loop.to - loop.from >= 0.05 ? { from: Math.max(0, loop.from), to: Math.min(loop.to, this.seconds) } : null;
    if (this.loop && this.playing && (this.time < this.loop.from || this.time > this.loop.to)) this.seek(this.loop.from);
    this.tell("loop");
  }

  level() {
    for (const track of this.tracks.values()) track.audio.volume = this.matched ? Math.min(1, 10 ** (track.gain / 20)) : 1;
    this.tell("level");
  }

  ended() {
    if (!this.playing) return;
    if (this.loop) { this.seek(this.loop.from); return; }
    this.playing = false;
    for (const track of this.tracks.values()) track.audio.pause();
    this.tell("state");
  }

  tick() {
    if (!this.playing) return;
    if (this.loop && this.time >= this.loop.to) this.seek(this.loop.from);
    this.tell("time");
  }

  keepStep() {
    const heard = this.tracks.get(this.heard);
    if (!this.playing || !heard || heard.audio.paused) return;
    if (this.loop && this.time >= this.loop.to) this.seek(this.loop.from); // also where nothing is painted
    for (const track of this.tracks.values()) {
      const audio = track.audio;
      if (track === heard || audio.paused || audio.seeking || audio.readyState < 3) continue;
      const behind = heard.audio.currentTime - audio.currentTime;
      if (Math.abs(behind) > 0.3) audio.currentTime = heard.audio.currentTime;
      audio.playbackRate = Math.abs(behind) < 0.004 ? 1 : 1 + Math.max(-0.3, Math.min(0.3, behind * 4));
    }
  }
};
