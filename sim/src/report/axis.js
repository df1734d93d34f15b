// Virtual time on the page. Stretches in which nothing happens take little room: the axis
// grows with the time between two happenings, and ever slower. Not here: what is drawn.
"use strict";

const MS = 1000;
/** Up to so many µs between two happenings are drawn to scale. */
const TO_SCALE = 5 * MS;
/** A gap of so many µs is shown as one. */
const IDLE = 20_000 * MS;

/** 83.5 s as `1:23.500`, with as many digits as `unit` (in µs) needs. */
function clock(us, unit = MS) {
  const digits = unit >= 1000 * MS ? 0 : unit >= 100 * MS ? 1 : unit >= 10 * MS ? 2 : 3;
  const all = Math.round(us / MS) / 1000;
  const [hours, minutes] = [Math.floor(all / 3600), Math.floor(all / 60) % 60];
  const seconds = (all % 60).toFixed(digits);
  const pad = (text, width) => String(text).padStart(width, "0");
  const wide = digits ? digits + 3 : 2;
  if (hours) return `${hours}:${pad(minutes, 2)}:${pad(seconds, wide)}`;
  return minutes ? `${minutes}:${pad(seconds, wide)}` : `${seconds} s`;
}

/** A length of time in words. */
function lasting(us) {
  if (us < 1000 * MS) return `${Math.round(us / MS)} ms`;
  if (us < 120_000 * MS) return `${(us / (1000 * MS)).toFixed(1)} s`;
  return `${(us / (60_000 * MS)).toFixed(1)} min`;
}

/** Where each moment lies, in a unit of its own. */
class Axis {
  constructor(times, end) {
    const all = [...new Set([0, ...times, Math.max(end, 1)])].sort((a, b) => a - b);
    this.times = all;
    this.places = [0];
    this.gaps = [];
    for (let i = 1; i < all.length; i += 1) {
      const gap = all[i] - all[i - 1];
      const scaled = Math.min(gap, TO_SCALE) / MS;
      const more = gap > TO_SCALE ? 6 * Math.log(gap / TO_SCALE) : 0;
      this.places.push(this.places[i - 1] + scaled + more);
      if (gap >= IDLE) this.gaps.push([all[i - 1], all[i]]);
    }
    this.length = this.places[this.places.length - 1];
  }

  static map(value, from, to) {
    let [low, high] = [0, from.length - 1];
    if (value <= from[0]) return to[0];
    if (value >= from[high]) return to[high];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (from[middle] <= value) low = middle;
      else high = middle;
    }
    const part = (value - from[low]) / (from[high] - from[low]);
    return to[low] + part * (to[high] - to[low]);
  }

  place(time) { return Axis.map(time, this.times, this.places); }
  time(place) { return Axis.map(place, this.places, this.times); }
}

/** The part of the axis that is on the page. */
class View {
  constructor(axis) {
    this.axis = axis;
    this.width = 1;
    this.fit();
  }

  fit() {
    const margin = this.axis.length * 0.01;
    [this.from, this.to] = [-margin, this.axis.length + margin];
  }

  get scale() { return this.width / (this.to - this.from); }
  x(time) { return (this.axis.place(time) - this.from) * this.scale; }
  time(x) { return this.axis.time(this.from + x / this.scale); }

  zoom(factor, x) {
    const at = this.from + x / this.scale;
    const most = this.axis.length * 1.02;
    const length = Math.min(Math.max((this.to - this.from) * factor, 4), most);
    this.from = at - (x / this.width) * length;
    this.to = this.from + length;
    this.keep();
  }

  pan(pixels) {
    const by = pixels / this.scale;
    this.from += by;
    this.to += by;
    this.keep();
  }

  /** Have a moment in the middle, no less enlarged than so many units. */
  show(time, most = Infinity) {
    const half = Math.min((this.to - this.from) / 2, most / 2);
    const at = this.axis.place(time);
    [this.from, this.to] = [at - half, at + half];
    this.keep();
  }

  keep() {
    const margin = this.axis.length * 0.01 + 2;
    const length = this.to - this.from;
    this.from = Math.min(Math.max(this.from, -margin), Math.max(this.axis.length + margin - length, -margin));
    this.to = this.from + length;
  }

  /** Moments worth a label, some way apart. */
  ticks() {
    const found = [];
    for (let x = 0, last = -1; x < this.width; x += 110) {
      const [here, there] = [this.time(x), this.time(x + 110)];
      const room = Math.max((there - here) / 3, MS);
      const unit = [1, 10, 100, 1000, 10_000, 60_000, 600_000].map(ms => ms * MS)
        .filter(unit => unit <= room).pop() ?? MS;
      const time = Math.ceil(here / unit) * unit;
      if (time === last || time > there) continue;
      last = time;
      found.push({ time, x: this.x(time), label: clock(time, unit) });
    }
    return found;
  }
}
