"use strict";
// Several recordings of one clip that play as one: all run in step, one is heard, and switching keeps the position.
//
// From disk a page may not read sound into memory, only play it, so each source is an audio element. The silent ones are
// held in step by their rate (nobody hears them bend) and are set anew only where they are far off.
window.grader = window.grader || {};
grader.Player = (() => {
// Started together, sources stay together by themselves, and mending costs some 30 ms each time: so it is done late.
const NEAR_S = 0.012, FAR_S = 0.08; // silent sources further off than FAR are mended till they are nearer than NEAR
// −120 dB is silence to people. To Chromium it is not: what is wholly silent runs by a clock of its own, which falls behind.
const SILENT = 1e-6;
const probe = new Audio();
probe.volume = 0.5;
const VOLUME = probe.volume === 0.5; // on some phones only the user sets it: there the silent are muted
const HEARD_S = 0.045; // what is heard next and is further off jumps there, with a gap
return class extends EventTarget {
  constructor() {
    super();
    this.tracks = new Map(); // key -> { audio, gain, url, failed }
    this.current = null; // wanted to be heard
    this.heard = null; // heard now: stays the one before until the wanted one can play
    this.playing = false;
    this.starting = null; // set while all wait for each other
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
      if (this.playing && !this.starting) track.audio.play().catch(() => {});
    }
    this.level();
    if (this.current !== null) this.pick(this.current);
  }

  open(url) {
    const audio = new Audio();
    const track = { audio, url, gain: 0, failed: false };
    audio.preload = "auto";
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
      if (track.audio.playbackRate !== 1) track.audio.playbackRate = 1;
      if (Math.abs(track.audio.currentTime - at) > (this.playing ? HEARD_S : 0.002)) track.audio.currentTime = at;
      if (this.playing && !this.starting && track.audio.paused) track.audio.play().catch(() => {});
      this.heard = key;
      this.sound();
      this.tell("heard");
    };
    if (track.audio.readyState >= 3 || this.heard === null) handOver();
    else track.audio.addEventListener("canplay", handOver, { once: true });
    this.tell("picked");
  }

  play() {
    if (!this.tracks.size) return;
    this.playing = true;
    if (this.loop && (this.time < this.loop.from - 0.01 || this.time >= this.loop.to)) this.seek(this.loop.from);
    else if (this.time >= this.seconds - 0.05) this.seek(0);
    else this.start();
    this.tell("state");
  }

  pause() {
    const at = this.time;
    this.playing = false;
    this.starting = null;
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
      track.audio.pause();
      track.audio.playbackRate = 1;
      track.audio.currentTime = at;
    }
    if (this.playing) this.start();
    this.tell("time");
  }

  // All start at once, when all that can be had soon has got there: each on its own would be some 100 ms apart.
  async start() {
    const mine = this.starting = {};
    const end = performance.now() + 400;
    const tracks = [...this.tracks.values()];
    const ready = ({ audio, failed }) => failed || (!audio.seeking && audio.readyState >= 3);
    while (!tracks.every(ready) && performance.now() < end) await new Promise((done) => setTimeout(done, 5));
    if (this.starting !== mine) return;
    this.starting = null;
    if (this.playing) for (const { audio } of this.tracks.values()) audio.play().catch(() => {});
  }

  setLoop(loop) {
    this.loop = loop && loop.to - loop.from >= 0.05 ? { from: Math.max(0, loop.from), to: Math.min(loop.to, this.seconds) } : null;
    if (this.loop && this.playing && (this.time < this.loop.from || this.time > this.loop.to)) this.seek(this.loop.from);
    this.tell("loop");
  }

  level() {
    this.sound();
    this.tell("level");
  }

  // How loud a source is when it is heard, 0 … 1.
  volume(track) { return this.matched ? Math.min(1, 10 ** (track.gain / 20)) : 1; }

  sound() {
    for (const [key, track] of this.tracks) {
      const heard = key === this.heard;
      if (VOLUME) track.audio.volume = heard ? this.volume(track) : SILENT;
      else track.audio.muted = !heard;
    }
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
    if (!this.starting && this.loop && this.time >= this.loop.to) this.seek(this.loop.from);
    this.tell("time");
  }

  keepStep() {
    const heard = this.tracks.get(this.heard);
    if (!this.playing || this.starting || !heard || heard.audio.paused) return;
    if (this.loop && this.time >= this.loop.to) this.seek(this.loop.from); // also where nothing is painted
    for (const track of this.tracks.values()) {
      const audio = track.audio;
      if (track === heard || audio.paused || audio.seeking || audio.readyState < 3) continue;
      const behind = heard.audio.currentTime - audio.currentTime;
      if (Math.abs(behind) > 0.4) audio.currentTime = heard.audio.currentTime;
      const mend = Math.abs(behind) > (audio.playbackRate === 1 ? FAR_S : NEAR_S) && Math.abs(behind) <= 0.4;
      const rate = mend ? 1 + Math.max(-0.25, Math.min(0.25, Math.round(behind * 40) / 10)) : 1;
      if (audio.playbackRate !== rate) audio.playbackRate = rate;
    }
  }
};
})();
