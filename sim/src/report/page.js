// Puts the page together: reads the story, lays out the axis, and answers pointer and keys.
"use strict";

const data = JSON.parse(byId("data").textContent);
const { story, outcome } = data;

/** Moments that the axis gives room to: all but the calls of nodes that only wait. */
function moments() {
  const times = [];
  const add = (...more) => times.push(...more.filter(time => time !== null && time !== undefined));
  for (const host of story.hosts) {
    host.lives.forEach(life => add(...life));
    host.troubled.forEach(([from, to]) => add(from, to));
  }
  for (const mark of story.marks) if (mark.name !== "cold turn") add(mark.at);
  for (const bar of story.bars) add(bar.from, bar.to);
  for (const item of [...story.turns, ...story.effects]) add(item.at);
  for (const call of story.calls) if (call.instance !== undefined) add(call.from, call.done[0], call.answered);
  return times;
}

const axis = new Axis(moments(), story.end);
const view = new View(axis);
const chart = new Chart(story, view);
const field = byId("field");
const overview = byId("overview");
let waiting = false;

function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw();
  });
}

function draw() {
  chart.draw();
  drawOverview();
  const [from, to] = [Math.max(view.time(0), 0), Math.min(view.time(view.width), story.end)];
  byId("range").textContent = `${clock(from)} to ${clock(to)} (${lasting(to - from)})`;
}

/** All of the run: how much happens where, the faults, and what of it the lanes show. */
function drawOverview() {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [overview.clientWidth, 34];
  [overview.width, overview.height] = [width * ratio, height * ratio];
  const pen = overview.getContext("2d");
  pen.scale(ratio, ratio);
  const x = time => (axis.place(time) / axis.length) * width;
  const density = new Array(Math.ceil(width / 2) + 1).fill(0);
  for (const turn of story.turns) density[Math.floor(x(turn.at) / 2)] += 1;
  const most = Math.max(...density, 1);
  pen.fillStyle = chart.colour("idle");
  for (const [from, to] of axis.gaps) pen.fillRect(x(from), 0, x(to) - x(from), height);
  pen.fillStyle = chart.colour("bar");
  density.forEach((count, place) => {
    const tall = count ? 3 + (count / most) * (height - 12) : 0;
    pen.fillRect(place * 2, height - tall, 1.6, tall);
  });
  for (const mark of story.marks) {
    if (mark.kind !== "fault") continue;
    pen.fillStyle = chart.colour(kindOf(mark.name));
    pen.fillRect(x(mark.at) - 1, 2, 2, 6);
  }
  const [from, to] = [view.from, view.to].map(place => (place / axis.length) * width);
  pen.globalAlpha = 0.13;
  pen.fillStyle = chart.colour("accent");
  pen.fillRect(from, 0, to - from, height);
  pen.globalAlpha = 1;
  pen.strokeStyle = chart.colour("accent");
  pen.strokeRect(Math.max(from, 0) + 0.5, 0.5, Math.min(to, width) - Math.max(from, 0) - 1, height - 1);
}

function choose(place) {
  chart.selected = place;
  panels.show(place);
  const fragment = place === null ? "#" : `#instance=${encodeURIComponent(story.instances[place].id)}`;
  if (location.hash !== fragment && (place !== null || location.hash)) history.replaceState(null, "", fragment);
  redraw();
}

function go(time) {
  chart.moment = time;
  view.show(time, 400);
  redraw();
}

/** The instance that the address asks for (`#instance=order-3&at=1.5`), else the one to blame. */
function asked() {
  const wanted = new URLSearchParams(location.hash.slice(1)).get("instance") ?? outcome.failure?.instance;
  const place = story.instances.findIndex(instance => instance.id === wanted);
  return place < 0 ? null : place;
}

function tip(text, x, y) {
  const box = byId("tip");
  box.hidden = !text;
  if (!text) return;
  box.textContent = text.trim();
  const room = byId("chart").getBoundingClientRect();
  box.style.left = `${Math.min(x - room.left + 14, room.width - box.offsetWidth - 8)}px`;
  box.style.top = `${y - room.top + 16}px`;
}

function listen() {
  let drag = null;
  const local = event => {
    const room = field.getBoundingClientRect();
    return [event.clientX - room.left, event.clientY - room.top];
  };
  field.addEventListener("pointerdown", event => {
    if (event.target.closest(".fault")) return;
    drag = { x: event.clientX, moved: 0 };
    field.setPointerCapture(event.pointerId);
  });
  field.addEventListener("pointermove", event => {
    if (drag) {
      drag.moved += Math.abs(event.clientX - drag.x);
      view.pan(drag.x - event.clientX);
      drag.x = event.clientX;
      redraw();
      return;
    }
    const over = event.target.closest(".fault");
    const hit = over ? null : chart.hit(...local(event));
    field.style.cursor = hit?.instance === undefined ? "" : "pointer";
    tip(over?.dataset.tip ?? hit?.tip, event.clientX, event.clientY);
  });
  field.addEventListener("pointerup", event => {
    const clicked = drag && drag.moved < 4;
    drag = null;
    if (!clicked) return;
    const hit = chart.hit(...local(event));
    choose(hit?.instance ?? null);
  });
  field.addEventListener("pointerleave", () => tip(null));
  field.addEventListener("wheel", event => {
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) view.pan(event.deltaX || event.deltaY);
    else view.zoom(Math.exp(event.deltaY * 0.0016), local(event)[0]);
    redraw();
  }, { passive: false });
  const jump = event => {
    if (event.type === "pointermove" && !event.buttons) return;
    view.show(axis.time((event.offsetX / overview.clientWidth) * axis.length));
    redraw();
  };
  overview.addEventListener("pointerdown", jump);
  overview.addEventListener("pointermove", jump);
  const keys = {
    "+": () => view.zoom(0.6, view.width / 2), "=": () => view.zoom(0.6, view.width / 2),
    "-": () => view.zoom(1.6, view.width / 2), 0: () => view.fit(),
    ArrowLeft: () => view.pan(-view.width / 6), ArrowRight: () => view.pan(view.width / 6),
    Escape: () => choose(null),
  };
  const press = key => {
    keys[key]();
    redraw();
  };
  document.addEventListener("keydown", event => {
    if (event.target.closest("input") || event.ctrlKey || event.metaKey || !keys[event.key]) return;
    event.preventDefault();
    press(event.key);
  });
  byId("in").addEventListener("click", () => press("+"));
  byId("out").addEventListener("click", () => press("-"));
  byId("fit").addEventListener("click", () => press("0"));
  window.addEventListener("resize", redraw);
  window.addEventListener("hashchange", () => choose(asked()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

head(data);
legend();
const panels = new Panels(story, outcome.failure?.instance, choose, go);
chart.onMoment = go;
listen();
draw();
const at = new URLSearchParams(location.hash.slice(1)).get("at");
choose(asked());
if (at !== null) go(Number(at) * 1000 * MS);
document.body.dataset.ready = "yes";
