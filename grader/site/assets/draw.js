"use strict";
// Pictures of a source: the axes beside a spectrogram, the F0 curves, the waveform. Time runs 0 … seconds, left to right.
window.grader = window.grader || {};
grader.draw = (() => {
  const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const UNVOICED = -1;

  // Cents above 10 Hz for each frame, -1 where unvoiced.
  const pitch = (base64) => {
    const raw = bytes(base64);
    const view = new DataView(raw.buffer);
    return Int16Array.from({ length: raw.length >> 1 }, (_, index) => view.getInt16(2 * index, true));
  };
  const peaks = (base64) => new Int8Array(bytes(base64).buffer);

  // The lowest and highest voiced cents of several curves, with room, on whole octaves' thirds.
  const range = (curves) => {
    let low = Infinity, high = -Infinity;
    for (const curve of curves) {
      const voiced = curve.filter((cents) => cents !== UNVOICED).sort();
      if (!voiced.length) continue;
      low = Math.min(low, voiced[Math.floor(voiced.length * 0.01)]);
      high = Math.max(high, voiced[Math.floor((voiced.length - 1) * 0.99)]);
    }
    if (low > high) return { low: 3600, high: 6000 };
    return { low: low - 250, high: Math.max(high + 250, low + 950) };
  };

  const NOTES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
  const A4 = 1200 * Math.log2(44); // cents of 440 Hz above 10 Hz
  const note = (cents) => {
    const midi = Math.round((cents - A4) / 100) + 69;
    return `${NOTES[((midi % 12) + 12) % 12]}${Math.floor(midi / 12) - 1}`;
  };
  // Labels of an F0 axis, as { at: 0 … 1 from the top, text }: the C of each octave, and more where few octaves show.
  const noteTicks = ({ low, high }) => {
    const found = [];
    const wanted = high - low > 2600 ? [0] : high - low > 1300 ? [0, 7] : [0, 4, 7];
    for (let midi = 0; midi < 128; midi += 1) {
      const cents = A4 + (midi - 69) * 100;
      if (wanted.includes(midi % 12) && cents > low + 60 && cents < high - 60) found.push({ at: 1 - (cents - low) / (high - low), text: note(cents) });
    }
    return found;
  };

  const mel = (hz) => 2595 * Math.log10(1 + hz / 700);
  const SHOWN_HZ = [500, 1000, 2000, 4000, 8000, 16000];
  const hzTicks = ({ min_hz, max_hz }, isMel) => {
    const f = isMel ? mel : (hz) => hz;
    const wanted = isMel ? SHOWN_HZ : [2000, 4000, 6000, 8000, 10000, 12000, 16000, 20000];
    return wanted.filter((hz) => hz > min_hz && hz < max_hz * 0.97)
      .map((hz) => ({ at: 1 - (f(hz) - f(min_hz)) / (f(max_hz) - f(min_hz)), text: hz >= 1000 ? `${hz / 1000}k` : String(hz) }));
  };
  const timeTicks = (seconds) => {
    const step = [0.1, 0.2, 0.5, 1, 2, 5, 10].find((each) => seconds / each <= 12) || 30;
    return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => ({ at: (index * step) / seconds, text: `${Number((index * step).toFixed(1))}` }));
  };

  // A canvas as large as it is shown, cleared; null where it is not shown.
  const ready = (canvas) => {
    const { width, height } = canvas.getBoundingClientRect();
    if (!width || !height) return null;
    const scale = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    return { context, width, height };
  };

  const curve = (context, cents, x, y) => {
    context.beginPath();
    let open = false;
    cents.forEach((value, index) => {
      if (value === UNVOICED) { open = false; return; }
      if (open) context.lineTo(x(index), y(value)); else context.moveTo(x(index) - 0.5, y(value));
      context.lineTo(x(index) + 0.5, y(value));
      open = true;
    });
    context.stroke();
  };

  // The reference's curve wide and pale, the source's own thin over it; where only one is voiced the ground is shaded.
  const f0 = (canvas, { own, reference, step_s, seconds, low, high, colours }) => {
    const drawn = ready(canvas);
    if (!drawn) return;
    const { context, width, height } = drawn;
    const x = (index) => ((index * step_s) / seconds) * width;
    const y = (cents) => height - ((cents - low) / (high - low)) * height;
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    for (const tick of noteTicks({ low, high })) {
      context.beginPath();
      context.moveTo(0, Math.round(tick.at * height) + 0.5);
      context.lineTo(width, Math.round(tick.at * height) + 0.5);
      context.stroke();
    }
    if (own && reference) {
      context.fillStyle = colours.gap;
      context.globalAlpha = 0.2;
      for (let index = 0; index < Math.min(own.length, reference.length); index += 1) {
        if ((own[index] === UNVOICED) !== (reference[index] === UNVOICED)) context.fillRect(x(index), 0, x(1) + 0.3, height);
      }
      context.globalAlpha = 1;
    }
    context.lineJoin = "round";
    context.lineCap = "round";
    if (reference) {
      context.strokeStyle = colours.reference;
      context.lineWidth = own ? 5 : 2;
      context.globalAlpha = own ? 0.35 : 1;
      curve(context, reference, x, y);
      context.globalAlpha = 1;
    }
    if (own) {
      context.strokeStyle = colours.own;
      context.lineWidth = 1.75;
      curve(context, own, x, y);
    }
  };

  const body = (context, values, factor, width, height) => {
    const middle = height / 2, columns = values.length / 2, step = width / columns;
    context.beginPath();
    for (let index = 0; index < columns; index += 1) {
      const bottom = middle - (values[2 * index] / 127) * factor * middle, top = middle - (values[2 * index + 1] / 127) * factor * middle;
      context.rect(index * step, top, step + 0.6, Math.max(0.75, bottom - top));
    }
    context.fill();
  };

  // The source's waveform over the reference's shadow. factor, referenceFactor: from full scale of the peaks to the canvas.
  const wave = (canvas, { own, reference, factor, referenceFactor, colours }) => {
    const drawn = ready(canvas);
    if (!drawn) return;
    const { context, width, height } = drawn;
    context.fillStyle = colours.line;
    context.fillRect(0, height / 2 - 0.5, width, 1);
    if (reference) {
      context.fillStyle = colours.reference;
      context.globalAlpha = 0.25;
      body(context, reference, referenceFactor, width, height);
      context.globalAlpha = 1;
    }
    context.fillStyle = colours.own;
    body(context, own, factor, width, height);
  };

  return { pitch, peaks, range, noteTicks, hzTicks, timeTicks, f0, wave };
})();
