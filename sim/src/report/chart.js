// The lanes: draws what the view shows, and only that. Faults are elements of their own, so
// that they can be pointed at, reached by key and counted. Not here: who asks (`page.js`).
"use strict";

const TOP = 22;
const HEAD = 19;
const ROWS = { instance: 9, activity: 6 };
const MOST_ROWS = 16;
/** More lines than this say nothing: those that matter most are drawn. */
const MOST_CALLS = 1500;
const WAITING = new Set(["WaitForWork", "Watch"]);
const KINDS = {
  process: ["kill", "host_loss", "freeze", "slow", "upgrade", "shutdown", "clock_jump"],
  network: ["partition", "one_way", "hold", "reset"],
  store: ["power_cut", "disk_full", "io_error", "bit_rot", "lying_sync", "sql_error", "delay", "lose_notification"],
  answer: ["lose_answer", "duplicate", "refuse"],
};
/** What a fault is about: names its colour. */
function kindOf(fault) {
  return Object.keys(KINDS).find(kind => KINDS[kind].includes(fault)) ?? "attempt";
}

/** Clients, the store between them and the nodes, the outside world below. */
function lanesOf(story) {
  const order = ["client", "store", "node", "outside"];
  const byName = (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true });
  const lanes = story.hosts.map((host, place) => ({ ...host, place, rows: [] }));
  lanes.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || byName(a, b));
  for (const kind of ["instance", "activity"]) {
    for (const lane of lanes) {
      const base = lane.rows.length;
      for (const bar of story.bars) {
        if (bar.host !== lane.place || !bar.activity !== (kind === "instance")) continue;
        let row = base;
        while (lane.rows[row] && lane.rows[row].until > bar.from && row - base < MOST_ROWS) row += 1;
        lane.rows[row] ??= { height: ROWS[kind], until: 0 };
        lane.rows[row].until = Math.max(lane.rows[row].until, bar.to);
        bar.row = row;
      }
    }
  }
  let y = TOP;
  for (const lane of lanes) {
    let inner = HEAD;
    for (const row of lane.rows) {
      row.y = inner;
      inner += row.height + 1;
    }
    lane.y = y;
    lane.height = Math.max(inner + 4, lane.kind === "node" ? 46 : 38);
    y += lane.height;
  }
  return lanes;
}

class Chart {
  constructor(story, view) {
    this.story = story;
    this.view = view;
    this.lanes = lanesOf(story);
    this.at = [];
    for (const lane of this.lanes) this.at[lane.place] = lane;
    this.store = this.lanes.find(lane => lane.kind === "store");
    this.height = TOP + this.lanes.reduce((sum, lane) => sum + lane.height, 0);
    this.canvas = document.getElementById("canvas");
    this.selected = null;
    this.moment = null;
    this.addNames();
    this.addFaults();
  }

  addNames() {
    const names = document.getElementById("names");
    for (const lane of this.lanes) {
      const name = make("div", { className: "lane" }, make("b", {}, lane.name));
      const deaths = lane.lives.filter(life => life[1] !== null).length;
      if (deaths) name.append(make("small", {}, deaths === 1 ? "died once" : `died ${deaths} times`));
      name.dataset.host = lane.name;
      name.style.height = `${lane.height}px`;
      names.append(name);
    }
  }

  addFaults() {
    const box = document.getElementById("faults");
    this.faults = this.story.marks.filter(mark => mark.kind !== "point").map(mark => {
      const idle = mark.kind === "idle";
      const name = make("button", { className: `fault ${kindOf(mark.name)} ${idle ? "idle" : "met"}` }, mark.name);
      name.dataset.name = mark.name;
      const effect = idle ? "\nmet nothing, or was counted as something else" : "";
      name.dataset.tip = `${mark.name} at ${this.at[mark.host].name}, ${clock(mark.at)}\n${mark.why ?? ""}${effect}`;
      name.setAttribute("aria-label", name.dataset.tip);
      name.addEventListener("click", () => this.onMoment?.(mark.at));
      box.append(name);
      return { ...mark, name, width: 0 };
    });
  }

  colours() {
    const style = getComputedStyle(document.documentElement);
    this.colour = name => style.getPropertyValue(`--${name}`).trim();
    const cache = new Map();
    const read = this.colour;
    this.colour = name => cache.get(name) ?? (cache.set(name, read(name)), cache.get(name));
  }

  draw() {
    const { canvas, view } = this;
    const width = canvas.parentElement.clientWidth;
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(this.height * ratio)) {
      [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(this.height * ratio)];
      canvas.style.cssText = `width:${width}px;height:${this.height}px`;
    }
    view.width = width;
    const pen = this.pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, this.height);
    pen.font = '11px system-ui, "DejaVu Sans", sans-serif';
    pen.textBaseline = "middle";
    this.colours();
    this.hits = [];
    this.drawGround();
    this.drawCalls();
    this.drawBars();
    this.drawTurns();
    this.drawPoints();
    this.placeFaults();
    if (this.moment !== null) {
      this.box(view.x(this.moment) - 0.5, 0, 1, this.height, this.colour("accent"));
    }
  }

  box(x, y, width, height, colour) {
    this.pen.fillStyle = colour;
    this.pen.fillRect(x, y, width, height);
  }

  text(text, x, y, colour) {
    this.pen.fillStyle = colour;
    this.pen.fillText(text, x, y);
  }

  /** From one moment to another on the page, if any of it is to be seen. */
  span(from, to) {
    const [left, right] = [Math.max(this.view.x(from), -2), Math.min(this.view.x(to), this.view.width + 2)];
    return right >= 0 && left <= this.view.width ? [left, Math.max(right - left, 0)] : null;
  }

  /** A stretch of a lane, striped, with a word if there is room. */
  stripes(lane, from, to, colour, word) {
    const span = this.span(from, to);
    if (!span || span[1] < 0.5) return;
    const { pen } = this;
    const [x, width] = span;
    pen.save();
    pen.beginPath();
    pen.rect(x, lane.y + 1, width, lane.height - 2);
    pen.clip();
    pen.globalAlpha = 0.09;
    this.box(x, lane.y, width, lane.height, colour);
    pen.globalAlpha = 0.35;
    pen.strokeStyle = colour;
    pen.beginPath();
    for (let at = x - lane.height - (x % 8); at < x + width; at += 8) {
      pen.moveTo(at, lane.y + lane.height);
      pen.lineTo(at + lane.height, lane.y);
    }
    pen.stroke();
    pen.globalAlpha = 1;
    if (pen.measureText(word).width + 10 < width) this.text(word, Math.max(x, 0) + 5, lane.y + lane.height - 8, this.colour("ink"));
    pen.restore();
    this.hits.push({ x, y: lane.y + HEAD, width, height: lane.height - HEAD, back: true, tip: `${lane.name}: ${word}\n${clock(from)} to ${clock(to)}` });
  }

  drawGround() {
    const { view } = this;
    for (const [from, to] of view.axis.gaps) {
      const span = this.span(from, to);
      if (!span || span[1] < 3) continue;
      this.box(span[0], TOP, span[1], this.height, this.colour("idle"));
      const word = lasting(to - from);
      if (this.pen.measureText(word).width + 8 < span[1]) this.text(word, span[0] + 4, this.height - 8, this.colour("soft"));
    }
    this.box(0, TOP - 1, view.width, 1, this.colour("line"));
    for (const tick of view.ticks()) {
      this.box(tick.x, TOP - 6, 1, this.height, this.colour("line"));
      this.text(tick.label, tick.x + 4, 11, this.colour("soft"));
    }
    for (const lane of this.lanes) {
      this.box(0, lane.y + lane.height - 1, view.width, 1, this.colour("line"));
      lane.lives.forEach(([, death], life) => {
        if (death === null) return;
        const again = lane.lives[life + 1]?.[0] ?? this.story.end;
        this.stripes(lane, death, again, this.colour("dead"), `down ${lasting(again - death)}`);
      });
      for (const [from, to, name] of lane.troubled) {
        this.stripes(lane, from, to, this.colour(kindOf(name)), `${name} ${lasting(to - from)}`);
      }
    }
  }

  /** What is drawn dim because something else is selected. */
  dim(instance) {
    return this.selected !== null && this.selected !== instance;
  }

  shownCalls() {
    const { view, story } = this;
    const [first, last] = [view.time(0), view.time(view.width)];
    const all = story.calls.filter(call =>
      call.from <= last && (call.answered ?? call.done.at(-1) ?? call.from) >= first);
    const mine = call => this.selected !== null && call.instance === this.selected;
    const odd = call => call.error !== undefined || call.answered === undefined;
    const orders = [call => !WAITING.has(call.op), call => call.instance !== undefined || odd(call), call => mine(call) || odd(call), mine];
    let shown = all;
    for (const order of orders) {
      if (shown.length <= MOST_CALLS) break;
      shown = shown.filter(order);
    }
    return [shown, all.length - shown.length];
  }

  drawCalls() {
    if (!this.store) return;
    const { pen, view } = this;
    const [shown, hidden] = this.shownCalls();
    document.getElementById("hidden").textContent =
      hidden ? `${hidden} calls are not drawn here: zoom in` : "";
    const far = this.store.y + this.store.height / 2 + 4;
    // Many lines are drawn thin, so that what they lead to can be seen.
    const crowd = Math.min(1, Math.max(0.35, 250 / Math.max(shown.length, 1)));
    for (const call of shown) {
      const lane = this.at[call.host];
      const near = lane.y < this.store.y ? lane.y + lane.height - 3 : lane.y + HEAD - 6;
      const mine = this.selected !== null && call.instance === this.selected;
      const failed = call.error !== undefined || call.answered === undefined;
      pen.lineWidth = mine ? 1.4 : 0.8;
      pen.globalAlpha = mine ? 0.95 : this.dim(call.instance) ? 0.14 : crowd * (failed ? 0.85 : 0.6);
      const colour = mine ? this.colour("accent") : this.colour("call");
      const x = view.x(call.from);
      const line = (x1, y1, x2, y2, colour) => {
        pen.strokeStyle = colour;
        pen.beginPath();
        pen.moveTo(x1, y1);
        pen.lineTo(x2, y2);
        pen.stroke();
      };
      const lost = (x, y) => {
        line(x - 2.5, y - 2.5, x + 2.5, y + 2.5, this.colour("lost"));
        line(x - 2.5, y + 2.5, x + 2.5, y - 2.5, this.colour("lost"));
      };
      if (!call.done.length) {
        const stop = near + (far - near) * 0.6;
        line(x, near, x + 3, stop, this.colour("lost"));
        lost(x + 3, stop);
        continue;
      }
      for (const done of call.done) line(x, near, view.x(done), far, colour);
      const back = view.x(call.done[0]);
      if (call.answered === undefined || call.error !== undefined) {
        const stop = far + (near - far) * 0.4;
        line(back, far, back + 3, stop, this.colour("lost"));
        lost(back + 3, stop);
      } else {
        line(back, far, view.x(call.answered), near, colour);
      }
    }
    pen.globalAlpha = 1;
    pen.lineWidth = 1;
  }

  drawBars() {
    const seen = new Set();
    for (const bar of this.story.bars) {
      const span = this.span(bar.from, bar.to);
      if (!span) continue;
      const lane = this.at[bar.host];
      const row = lane.rows[bar.row];
      const mine = this.selected === bar.instance;
      const [x, width] = [span[0], Math.max(span[1], 1)];
      if (width <= 1 && !mine) {
        const spot = `${Math.round(x)} ${bar.host} ${bar.row}`;
        if (seen.has(spot)) continue;
        seen.add(spot);
      }
      const y = lane.y + row.y;
      const usual = this.colour(bar.activity ? "work" : "bar");
      this.pen.globalAlpha = this.dim(bar.instance) ? 0.35 : 1;
      this.box(x, y, width, row.height, mine ? this.colour(bar.activity ? "accent-soft" : "accent") : usual);
      this.pen.globalAlpha = 1;
      const { id } = this.story.instances[bar.instance];
      const what = bar.activity ? `activity ${bar.activity} of ${id}` : `lease of ${id}`;
      const tip = `${what}\n${clock(bar.from)} to ${clock(bar.to)} (${lasting(bar.to - bar.from)})\n${bar.ended}`;
      this.hits.push({ x: x - 1, y, width: width + 2, height: row.height, instance: bar.instance, tip });
    }
  }

  drawTurns() {
    const colours = { applied: "turn", again: "soft", refused: "bad", failed: "bad", lost: "lost" };
    const seen = new Set();
    const tick = (item, y, height, colour, tip) => {
      const x = this.view.x(item.at);
      if (x < 0 || x > this.view.width) return;
      const mine = this.selected === item.instance;
      const spot = `${Math.round(x)} ${y} ${mine} ${colour}`;
      if (!seen.has(spot)) {
        seen.add(spot);
        this.pen.globalAlpha = this.dim(item.instance) ? 0.25 : 1;
        this.box(Math.round(x) - 1, y, mine ? 3 : 2, height, mine && colour === "turn" ? this.colour("accent") : this.colour(colour));
        this.pen.globalAlpha = 1;
      }
      this.hits.push({ x: x - 3, y, width: 6, height, instance: item.instance, tip });
    };
    for (const turn of this.story.turns) {
      const lane = this.at[turn.host];
      const { id } = this.story.instances[turn.instance];
      const fate = turn.fate === "applied" ? `${turn.events} events` : turn.fate;
      const tip = `turn ${turn.number} of ${id} (execution ${turn.execution}): ${fate}\n${clock(turn.at)}`;
      tick(turn, lane.y + 4, 13, colours[turn.fate], tip);
    }
    for (const effect of this.story.effects) {
      const lane = this.at[effect.host];
      const tip = `an activity of ${this.story.instances[effect.instance].id} has its effect\n${clock(effect.at)}`;
      tick(effect, lane.y + 8, 16, "effect", tip);
    }
  }

  drawPoints() {
    const { pen } = this;
    for (const mark of this.story.marks) {
      if (mark.kind !== "point" || mark.name === "cold turn" || mark.name === "restart") continue;
      const [x, lane] = [this.view.x(mark.at), this.at[mark.host]];
      if (x < 0 || x > this.view.width) continue;
      const y = lane.y + lane.height - 6;
      pen.strokeStyle = this.colour("ink");
      pen.fillStyle = this.colour("paper");
      pen.beginPath();
      pen.arc(x, y, 3, 0, 7);
      pen.fill();
      pen.stroke();
      this.hits.push({ x: x - 4, y: y - 4, width: 8, height: 8, tip: `${mark.name} (${lane.name})\n${clock(mark.at)}` });
    }
  }

  placeFaults() {
    const free = [];
    const { pen, view } = this;
    for (const fault of this.faults) {
      const [x, lane] = [view.x(fault.at), this.at[fault.host]];
      const shown = x >= -1 && x <= view.width + 1;
      fault.name.hidden = !shown;
      if (!shown) continue;
      fault.width ||= pen.measureText(fault.name.textContent).width + 11;
      const next = this.faults.find(other =>
        other !== fault && other.host === fault.host && other.at >= fault.at && view.x(other.at) - x < fault.width && view.x(other.at) >= x);
      const room = x >= (free[fault.host] ?? -9) && !next && x + fault.width < view.width;
      fault.name.classList.toggle("dot", !room);
      fault.name.style.left = `${x}px`;
      fault.name.style.top = `${lane.y + 2}px`;
      if (room) {
        free[fault.host] = x + fault.width;
      }
      pen.globalAlpha = fault.kind === "idle" ? 0.35 : 0.8;
      this.box(Math.round(x) - 0.5, lane.y + 2, 1, lane.height - 4, this.colour(kindOf(fault.name.dataset.name)));
      pen.globalAlpha = 1;
    }
  }

  /** What is under the pointer: the smallest thing that says something. */
  hit(x, y) {
    const within = this.hits.filter(hit =>
      x >= hit.x && x <= hit.x + hit.width && y >= hit.y && y <= hit.y + hit.height);
    return within.reverse().find(hit => !hit.back) ?? within[0] ?? null;
  }
}
