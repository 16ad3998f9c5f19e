// Two small plots on canvases.

const LEFT = 46, RIGHT = 10, TOP = 8, BOTTOM = 30;

export function drawCurve(canvas, view, colours) {
  const { step, exact } = view.curve;
  const frame = begin(canvas, [0, Math.max(view.goal, 1)], [0, 100], colours, "step");
  const limit = 100 * view.limit;
  line(frame, [0, view.goal], [limit, limit], colours.quiet, 1.5, [5, 4]);
  for (const at of view.breaks) line(frame, [at, at], [0, 100], colours.wrong, 1.5);
  line(frame, step, exact.map((share) => share === null ? null : 100 * share), colours.link, 2);
  const last = exact.at(-1);
  describe(canvas, last === undefined ? "Nothing learned yet" :
    `Exact words after ${step.at(-1)} of ${view.goal} steps: ${percent(last)}; at most ${percent(view.limit)} is possible; devices broken ${view.breaks.length} times`);
}

export function drawEnergy(canvas, energy, colours) {
  const { low, middle, high } = energy;
  const all = [...low, ...high].filter((one) => one !== null);
  if (!all.length) return;
  const sweeps = middle.map((_, number) => number);
  const room = 0.05 * (Math.max(...all) - Math.min(...all)) + 0.1;
  const frame = begin(canvas, [0, sweeps.length - 1], [Math.min(...all) - room, Math.max(...all) + room], colours, "sweep");
  band(frame, sweeps, low, high, colours.plusText);
  line(frame, sweeps, middle, colours.plusText, 2);
  describe(canvas, `Energy falls from ${say(middle[0])} to ${say(middle.at(-1))} in ${sweeps.length - 1} sweeps (median of the words)`);
}

function say(value) {
  return value === null ? "no finite number" : value.toFixed(1);
}

function percent(share) {
  return share === null ? "no finite number" : `${(100 * share).toFixed(1)} %`;
}

function describe(canvas, text) {
  if (canvas.getAttribute("aria-label") !== text) canvas.setAttribute("aria-label", text);
}

function begin(canvas, xs, ys, colours, name) {
  const ratio = window.devicePixelRatio || 1;
  const wide = canvas.clientWidth, high = canvas.clientHeight;
  if (canvas.width !== Math.round(wide * ratio)) canvas.width = Math.round(wide * ratio);
  if (canvas.height !== Math.round(high * ratio)) canvas.height = Math.round(high * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, wide, high);
  const x = (value) => LEFT + ((value - xs[0]) / (xs[1] - xs[0] || 1)) * (wide - LEFT - RIGHT);
  const y = (value) => high - BOTTOM - ((value - ys[0]) / (ys[1] - ys[0] || 1)) * (high - TOP - BOTTOM);
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = colours.quiet;
  context.strokeStyle = colours.faint;
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const tick of ticks(...ys, 5)) {
    context.beginPath();
    context.moveTo(LEFT, y(tick));
    context.lineTo(wide - RIGHT, y(tick));
    context.stroke();
    context.fillText(short(tick), LEFT - 6, y(tick));
  }
  context.textBaseline = "top";
  for (const tick of ticks(...xs, 5)) {
    context.textAlign = tick === xs[1] ? "right" : "center";
    context.fillText(short(tick), x(tick), high - BOTTOM + 5);
  }
  context.textAlign = "right";
  context.fillText(name, wide - RIGHT, high - 13);
  return { context, x, y };
}

function short(value) {
  return String(Number(value.toFixed(2)));
}

function ticks(low, high, about) {
  const rough = (high - low) / about || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((one) => one * power >= rough);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + 1e-9; at += step) found.push(at);
  return found;
}

function line({ context, x, y }, xs, ys, colour, width, dashes = []) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.setLineDash(dashes);
  context.beginPath();
  let drawing = false;
  xs.forEach((at, number) => {
    if (ys[number] === null) { drawing = false; return; }
    context[drawing ? "lineTo" : "moveTo"](x(at), y(ys[number]));
    drawing = true;
  });
  context.stroke();
  context.setLineDash([]);
}

function band({ context, x, y }, xs, low, high, colour) {
  if ([...low, ...high].includes(null)) return;
  context.fillStyle = colour;
  context.globalAlpha = 0.18;
  context.beginPath();
  xs.forEach((at, number) => context.lineTo(x(at), y(high[number])));
  [...xs].reverse().forEach((at) => context.lineTo(x(at), y(low[at])));
  context.fill();
  context.globalAlpha = 1;
}
