"use strict";
// Names hidden behind letters, and the votes of a class: hands raised, by clip and student. FORMATS.md has the file.
window.grader = window.grader || {};
grader.Votes = class {
  constructor() {
    const kept = grader.recall("votes") || {};
    this.counts = kept.counts || {}; // clip -> student -> hands
    this.seed = Number.isInteger(kept.seed) ? kept.seed : grader.Votes.newSeed();
    this.blind = Boolean(kept.blind);
    this.open = Boolean(kept.open); // whether a vote was cast while names were shown
  }

  static newSeed() { return crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000; }

  keep() { grader.remember("votes", { counts: this.counts, seed: this.seed, blind: this.blind, open: this.open }); }

  setBlind(blind) { this.blind = blind; this.keep(); }

  // Letters anew. Votes belong to students, so they stay.
  shuffle(seed = grader.Votes.newSeed()) { this.seed = seed; this.keep(); }

  // Students in the seed's order, whatever order they come in.
  shuffled(students) {
    const found = [...students].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    let state = this.seed >>> 0;
    const random = () => { // mulberry32
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    for (let index = found.length - 1; index > 0; index -= 1) {
      const other = Math.floor(random() * (index + 1));
      [found[index], found[other]] = [found[other], found[index]];
    }
    return found;
  }

  // A, B, … Z, AA, AB, …
  static letter(index) {
    return (index >= 26 ? grader.Votes.letter(Math.floor(index / 26) - 1) : "") + String.fromCharCode(65 + (index % 26));
  }

  of(clip, student) { return (this.counts[clip] || {})[student] || 0; }

  total(student) { return Object.values(this.counts).reduce((sum, clip) => sum + (clip[student] || 0), 0); }

  add(clip, student, hands) {
    const now = Math.max(0, this.of(clip, student) + hands);
    if (now === this.of(clip, student)) return;
    this.counts[clip] = { ...this.counts[clip], [student]: now };
    if (!this.blind) this.open = true;
    this.keep();
  }

  clear() {
    this.counts = {};
    this.open = false;
    this.keep();
  }

  // Best first; equal sums share a place: 1, 1, 3.
  ranking() {
    const students = new Set(Object.values(this.counts).flatMap((clip) => Object.keys(clip)));
    const found = [...students].map((student) => ({ student, points: this.total(student) })).filter(({ points }) => points > 0);
    found.sort((a, b) => b.points - a.points || (a.student < b.student ? -1 : 1));
    return found.map((entry) => ({ ...entry, place: found.findIndex(({ points }) => points === entry.points) + 1 }));
  }

  file() {
    const votes = Object.entries(this.counts).flatMap(([clip, students]) =>
      Object.entries(students).filter(([, points]) => points > 0).map(([student, points]) => ({ student, clip, points })));
    votes.sort((a, b) => (a.clip + a.student < b.clip + b.student ? -1 : 1));
    return {
      kind: "grader-votes",
      version: 1,
      course: grader.given.course,
      title: grader.given.title,
      view: grader.given.view,
      made_at: new Date().toISOString(),
      seed: this.seed,
      blind: votes.length > 0 && !this.open,
      votes,
      ranking: this.ranking(),
    };
  }

  save() {
    const url = URL.createObjectURL(new Blob([`${JSON.stringify(this.file(), null, 1)}\n`], { type: "application/json" }));
    const link = grader.make("a", { href: url, download: "votes.json" });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
};
