// The page: what the person asks goes to the lab, and what the lab shows is drawn.
// Text from anyone goes into the page as text (textContent), never as HTML.

import { Maps } from "./arrays.js";
import { Gallery } from "./cells.js";
import { drawCurve, drawEnergy } from "./plots.js";

const FAULTS = ["stuck", "noise", "mismatch", "programming_error"];
const PHASES = {
  idle: "Choose words and a chip, then train.",
  making: "Making the chip",
  testing: "Testing every device, and writing the first weights",
  compiling: "Compiling: the first time takes a while",
  training: "Training",
  paused: "Paused",
  done: "Done. Break something and let it learn on, or train another chip.",
  failed: "It failed",
  lost: "The lab is not there; trying again",
};
const BUSY = ["making", "testing", "compiling"];
const TOO_LONG = 1009;

const at = (id) => document.getElementById(id);
const percent = (share) => `${Number((100 * share).toFixed(1))} %`;
let socket, hello, view, due = false, colours, refusals, since = Date.now(), phase = "";
const exactly = {};  // faults as the preset has them, to the last digit, until a slider moves

const gallery = new Gallery(at("gallery-rows"), at("drawn-word"), at("dots"), (word, dot) => ask({ do: "draw", word, dot }));
const maps = new Maps(at("maps"), hit, (text) => {
  at("pointed").textContent = text || "\u00a0";
  soon();
});

function connect() {
  socket = new WebSocket(`ws://${location.host}/live`);
  socket.addEventListener("message", (event) => hear(JSON.parse(event.data)));
  socket.addEventListener("close", (event) => {
    if (event.code === TOO_LONG) refuse("the message was far too long, and the lab did not read it; give fewer words");
    showPhase("lost");
    setTimeout(connect, 1000);
  });
}

function ask(message) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  else refuse("the lab is not there; is madem lab still running?");
}

function hear(message) {
  if (message.refused) refuse(message.refused);
  if (message.hello) greet(message.hello);
  if (message.view) {
    view = message.view;
    if (refusals !== undefined && view.number !== refusals) refuse(view.refused);
    refusals = view.number;
    soon();
  }
}

function refuse(text) {
  at("refused-text").textContent = text;
  at("refused").hidden = false;
}

function greet(message) {
  const first = hello === undefined;
  hello = message;
  if (!first) return;
  at("version").textContent = hello.version;
  at("words").value = hello.words.join(" ");
  at("chip").replaceChildren(...Object.keys(hello.chips).map((name) => new Option(name, name)));
  at("chip").value = hello.chip;
  for (const [name, [low, high]] of Object.entries(hello.ends)) {
    at(name).min = low;
    at(name).max = high;
    at(name).addEventListener("input", () => { delete exactly[name]; showValue(name); });
  }
  for (const [name, value] of Object.entries(hello.defaults)) setValue(name, value);
  choose();
}

function choose() {
  for (const [name, value] of Object.entries(hello.chips[at("chip").value])) setValue(name, value);
}

function setValue(name, value) {
  at(name).value = value;
  if (FAULTS.includes(name)) exactly[name] = value;
  showValue(name);
}

function showValue(name) {
  const output = document.querySelector(`output[for="${name}"]`);
  if (!output) return;
  const value = valueOf(name);
  output.textContent = name === "hidden" ? value : percent(value);
  at(name).setAttribute("aria-valuetext", output.textContent);
}

function valueOf(name) {
  return exactly[name] ?? at(name).valueAsNumber;
}

function train(event) {
  event.preventDefault();
  const settings = { words: at("words").value.split(/[\s,]+/).filter(Boolean), chip: at("chip").value };
  for (const name of Object.keys(hello.ends)) settings[name] = valueOf(name);
  at("refused").hidden = true;
  ask({ do: "train", settings });
}

function extent() {
  return document.querySelector("input[name=extent]:checked").value;
}

function hit(array, row, column, whole) {
  const what = whole ? "column" : extent();
  ask({
    do: "break", array, devices: at("devices").value, stuck: at("stuck-at").value,
    row: what === "column" ? null : row, column: what === "row" ? null : column,
  });
}

// Drawing: the newest view, once a frame.

function soon() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    draw();
  });
}

function draw() {
  if (!view) return;
  showPhase(view.phase, view.phase === "failed" ? view.note : "");
  const running = view.phase === "training";
  at("pause").disabled = !running;
  at("on").disabled = view.phase !== "paused";
  at("learn-on").disabled = !["done", "paused"].includes(view.phase);
  at("distort").disabled = at("restore").disabled = !view.words;
  if (view.words) gallery.show(view.words);
  if (view.arrays) maps.show(view.arrays, colours, extent);
  at("recovered").textContent = view.recovered == null ? "–" : `${view.recovered} of ${view.words.length}`;
  at("exact").textContent = view.exact == null ? "–" : percent(view.exact);
  at("step").textContent = view.step === undefined ? "–" : `${view.step} / ${view.goal}`;
  at("pulses").textContent = view.pulses === undefined ? "–" : view.pulses.toLocaleString("en");
  at("progress").value = view.goal ? view.step / view.goal : 0;
  if (view.curve) drawCurve(at("curve"), view, colours);
  if (view.energy) drawEnergy(at("energy"), view.energy, colours);
  at("take").hidden = view.curve === undefined;
  at("take-none").hidden = view.curve !== undefined;
  at("touched").textContent = view.touched
    ? "You broke devices or let it learn on: config.toml makes the run that it was before, and the zip holds the chip as it is."
    : "The same configuration, chip and seed make the same run again.";
  document.body.dataset.pictures = Number(document.body.dataset.pictures ?? 0) + 1;
}

function showPhase(now, note = "") {
  if (now !== phase) {
    phase = now;
    since = Date.now();
    at("lamp").dataset.phase = now;
    document.body.dataset.phase = now;
  }
  const text = note ? `${PHASES[now]}: ${note}` : PHASES[now];
  if (at("status").textContent !== text) at("status").textContent = text;
}

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const named = (name) => style.getPropertyValue(`--${name}`).trim();
  const parts = (name) => [1, 3, 5].map((from) => parseInt(named(name).slice(from, from + 2), 16));
  colours = {
    plus: parts("plus"), minus: parts("minus"), zero: parts("zero"), mark: named("mark"),
    plusText: named("plus"), quiet: named("quiet"), faint: named("faint"), link: named("link"), wrong: named("wrong"),
  };
  soon();
}

at("asked").addEventListener("submit", train);
at("chip").addEventListener("change", choose);
at("dismiss").addEventListener("click", () => { at("refused").hidden = true; });
at("by-number").addEventListener("submit", (event) => {
  event.preventDefault();
  hit(at("at-array").valueAsNumber, at("at-row").valueAsNumber, at("at-column").valueAsNumber, false);
});
for (const [id, what] of Object.entries({ pause: "pause", on: "go on", "learn-on": "learn on", distort: "distort", restore: "restore" })) {
  at(id).addEventListener("click", () => ask({ do: what }));
}
setInterval(() => {
  at("elapsed").textContent = BUSY.includes(phase) ? `${Math.round((Date.now() - since) / 1000)} s` : "";
}, 500);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", readColours);
window.addEventListener("resize", soon);
readColours();
connect();
