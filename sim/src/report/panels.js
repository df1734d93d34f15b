// The panels below the lanes: the instances, what happened to the chosen one, its history;
// and the head of the page. Not here: what choosing does to the lanes.
"use strict";

/** An element with these properties and children. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const byId = id => document.getElementById(id);

/** The head: what failed, what ran, how to run it again. */
function head({ plan, outcome, again, story }) {
  const { failure } = outcome;
  byId("badge").textContent = failure ? "failed" : "passed";
  byId("badge").className = failure ? "failed" : "passed";
  const where = failure?.instance ? `${failure.instance} · ` : "";
  byId("subject").textContent = failure ? `${where}oracle “${failure.oracle}”` : "Everything held";
  const [sentence, ...evidence] = (failure?.sentence ?? "").split("\n");
  byId("sentence").textContent = sentence;
  document.querySelector("#evidence pre").textContent = evidence.join("\n");
  byId("evidence").hidden = !evidence.join("").trim();
  const met = story.marks.filter(mark => mark.kind === "fault").length;
  const facts = {
    Workload: plan.workload,
    Seed: plan.seed,
    Store: plan.store.kind === "sqlite" ? `SQLite, sync ${plan.store.sync}` : "modelled PostgreSQL",
    Nodes: plan.nodes.length,
    Instances: story.instances.length,
    "Virtual time": clock(outcome.virtual_ms * MS, MS),
    Faults: `${met} met work, of ${plan.faults.length} planned`,
    Turns: story.turns.filter(turn => turn.fate === "applied").length,
    "Trace hash": outcome.hash.slice(0, 16),
  };
  for (const [name, value] of Object.entries(facts)) {
    byId("facts").append(make("div", {}, make("dt", {}, name), make("dd", {}, String(value))));
  }
  byId("again").textContent = again;
  byId("again").addEventListener("click", async () => {
    await navigator.clipboard?.writeText(again);
    byId("again").className = "copied";
  });
  byId("plan").textContent = JSON.stringify(plan, null, 2);
  for (const [what, count] of Object.entries(outcome.counts)) {
    byId("counts").append(make("tr", {}, make("td", {}, String(count)), make("td", {}, what)));
  }
}

/** What the marks on the lanes mean. */
function legend() {
  const entries = [
    ["bar", "instance lease"], ["work", "activity"], ["turn", "turn"], ["bad", "refused turn"],
    ["call", "call and answer"], ["lost", "lost"], ["effect", "effect"], ["dead", "down"], ["idle", "nothing happens"],
  ];
  for (const [colour, what] of entries) {
    const sample = make("i");
    sample.style.background = `var(--${colour})`;
    byId("legend").append(make("span", {}, sample, what));
  }
  for (const [shape, what] of [["diamond", "fault"], ["ring", "take-over, restart of the store, …"]]) {
    byId("legend").append(make("span", {}, make("i", { className: shape }), what));
  }
}

/** So many of something. */
function counted(count, what) {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

class Panels {
  constructor(story, blamed, choose, go) {
    Object.assign(this, { story, choose, go });
    this.list = document.querySelector("#instances ol");
    const order = story.instances.map((_, place) => place).sort((a, b) =>
      (story.instances[b].id === blamed) - (story.instances[a].id === blamed)
      || story.instances[a].id.localeCompare(story.instances[b].id, undefined, { numeric: true }));
    this.buttons = [];
    for (const place of order) {
      const instance = story.instances[place];
      const turns = story.turns.filter(turn => turn.instance === place && turn.fate === "applied").length;
      const faults = instance.lines.filter(line => line.kind === "fault").length;
      const count = counted(turns, "turn") + (faults ? `, ${counted(faults, "fault")}` : "");
      const button = make("button", { type: "button" },
        make("i", { className: instance.end ?? "open", title: instance.end ?? "not ended" }),
        make("span", { className: instance.id === blamed ? "blamed" : "" }, instance.id, make("small", {}, ` ${instance.orchestration}`)),
        make("small", {}, count));
      button.dataset.instance = instance.id;
      button.title = `${instance.id}, ${instance.orchestration}`;
      button.addEventListener("click", () => choose(place));
      this.buttons[place] = button;
      this.list.append(make("li", {}, button));
    }
    byId("filter").addEventListener("input", event => {
      const wanted = event.target.value.toLowerCase();
      for (const [place, button] of this.buttons.entries()) {
        const { id, orchestration } = story.instances[place];
        button.parentElement.hidden = !`${id} ${orchestration}`.toLowerCase().includes(wanted);
      }
    });
  }

  show(place) {
    this.buttons.forEach((button, other) => {
      if (other === place) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    });
    const rows = document.querySelector("#timeline tbody");
    const body = document.querySelector("#history .body");
    rows.replaceChildren();
    body.replaceChildren();
    if (place === null) {
      body.append(make("p", { className: "hint" }, "Choose an instance, in the list or on a lane."));
      return;
    }
    const { story } = this;
    const instance = story.instances[place];
    document.querySelector("#timeline h2").textContent = `What happened to ${instance.id}`;
    document.querySelector("#history h2").textContent = `History of ${instance.id}`;
    for (const line of instance.lines) {
      const kind = line.kind === "fault" ? "fault-line" : line.kind;
      const row = make("tr", { className: kind },
        make("td", {}, clock(line.at)), make("td", {}, story.hosts[line.host].name), make("td", {}, line.text));
      row.addEventListener("click", () => this.mark(row, line.at));
      rows.append(row);
    }
    const incarnations = new Set(instance.executions.map(execution => execution.incarnation)).size;
    for (const execution of instance.executions) {
      const which = incarnations > 1 ? `, incarnation ${execution.incarnation}` : "";
      body.append(make("h3", {}, `Execution ${execution.number}${which}: ${execution.events.length} events`));
      for (const event of execution.events) {
        const row = make("div", { className: "event", title: `${clock(event.at)}, by ${story.hosts[event.host].name}` }, event.text.trim());
        row.addEventListener("click", () => this.mark(row, event.at));
        body.append(row);
      }
    }
    if (!instance.executions.length) body.append(make("p", { className: "hint" }, "No turn of it was committed."));
  }

  mark(row, time) {
    document.querySelectorAll(".now").forEach(other => other.classList.remove("now"));
    row.classList.add("now");
    this.go(time);
  }
}
