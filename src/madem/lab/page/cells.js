// Words as Braille: a table to look at, and large dots to draw with.

const SVG = "http://www.w3.org/2000/svg";
const DOTS = 6, HIGH = 3;
const KINDS = ["distorted", "recalled", "true"];

export class Gallery {
  // `turn(word, dot)` is called when a dot of a distorted word is to be turned.
  constructor(rows, chosen, dots, turn) {
    Object.assign(this, { rows, chosen, dots, turn });
    this.key = "";
    this.words = [];
    chosen.addEventListener("change", () => this.drawLarge());
    dots.addEventListener("keydown", (event) => this.move(event));
  }

  show(words) {
    this.words = words;
    const key = words.map((one) => one.word).join(" ");
    if (key !== this.key) {
      this.key = key;
      this.lines = words.map((one, number) => makeLine(one, (dot) => this.turn(number, dot)));
      this.rows.replaceChildren(...this.lines.map((line) => line.row));
      this.chosen.replaceChildren(...words.map((one, number) => new Option(one.word, number)));
      this.makeLarge();
    }
    words.forEach((one, number) => showLine(this.lines[number], one));
    this.drawLarge();
  }

  makeLarge() {
    const width = this.words[0]?.true.length ?? 0;
    this.large = Array.from({ length: width }, (_, dot) => {
      const button = document.createElement("button");
      button.type = "button";
      button.tabIndex = dot ? -1 : 0;
      button.addEventListener("click", () => this.turn(Number(this.chosen.value), dot));
      button.addEventListener("focus", () => this.large.forEach((one) => { one.tabIndex = one === button ? 0 : -1; }));
      return button;
    });
    const cells = Array.from({ length: width / DOTS }, (_, number) => {
      const cell = document.createElement("div");
      cell.className = "cell";
      cell.append(...this.large.slice(DOTS * number, DOTS * (number + 1)));
      return cell;
    });
    this.dots.replaceChildren(...cells);
  }

  drawLarge() {
    const one = this.words[Number(this.chosen.value)];
    if (!one) return;
    this.large.forEach((button, dot) => {
      const raised = one.distorted[dot] === "1";
      const wrong = one.distorted[dot] !== one.true[dot];
      const name = `cell ${Math.floor(dot / DOTS) + 1}, dot ${(dot % DOTS) + 1}${wrong ? ", turned" : ""}`;
      if (button.getAttribute("aria-pressed") !== String(raised)) button.setAttribute("aria-pressed", raised);
      if (button.getAttribute("aria-label") !== name) button.setAttribute("aria-label", name);
      button.classList.toggle("wrong", wrong);
    });
  }

  move(event) {
    const by = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -HIGH, ArrowRight: HIGH }[event.key];
    const at = this.large.indexOf(document.activeElement);
    if (by === undefined || at < 0) return;
    event.preventDefault();
    this.large[at + by]?.focus();
  }
}

function makeLine(one, turn) {
  const row = document.createElement("tr");
  const head = document.createElement("th");
  const mark = document.createElement("span");
  mark.className = "mark";
  const name = document.createElement("span");
  name.textContent = one.word;
  head.scope = "row";
  head.append(mark, name);
  row.append(head);
  const shown = {};
  for (const kind of KINDS) {
    const cell = document.createElement("td");
    cell.className = kind;
    shown[kind] = makeDots(one.true.length);
    cell.append(shown[kind].svg);
    row.append(cell);
  }
  shown.distorted.svg.addEventListener("click", (event) => {
    const dot = nearest(shown.distorted.svg, event, one.true.length);
    if (dot !== undefined) turn(dot);
  });
  return { row, mark, shown };
}

function place(dot) {
  const cell = Math.floor(dot / DOTS), within = dot % DOTS;
  return [2.75 * cell + Math.floor(within / HIGH), within % HIGH];
}

function makeDots(count) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `-0.5 -0.5 ${(2.75 * count) / DOTS - 0.5} ${HIGH}`);
  svg.setAttribute("preserveAspectRatio", "xMinYMid meet");
  svg.setAttribute("role", "img");
  const circles = Array.from({ length: count }, (_, dot) => {
    const circle = document.createElementNS(SVG, "circle");
    const [x, y] = place(dot);
    circle.setAttribute("cx", x);
    circle.setAttribute("cy", y);
    circle.setAttribute("r", 0.34);
    svg.append(circle);
    return circle;
  });
  return { svg, circles, text: null };
}

function nearest(svg, event, count) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  let best, least = 0.8;
  for (let dot = 0; dot < count; dot += 1) {
    const [x, y] = place(dot);
    const far = Math.hypot(at.x - x, at.y - y);
    if (far < least) [best, least] = [dot, far];
  }
  return best;
}

function showLine(line, one) {
  for (const kind of KINDS) showDots(line.shown[kind], one[kind], one.true, kind, one.word);
  const state = one.recalled ? (one.recalled === one.true ? "right" : "wrong") : "";
  if (line.mark.dataset.state === state) return;
  line.mark.dataset.state = state;
  line.mark.className = `mark ${state}`;
  line.mark.textContent = { right: "✓", wrong: "✗" }[state] ?? "";
}

function showDots(shown, text, truth, kind, word) {
  if (shown.text === text) return;
  shown.text = text;
  let wrong = 0;
  shown.circles.forEach((circle, dot) => {
    const off = text !== "" && text[dot] !== truth[dot];
    wrong += off;
    circle.classList.toggle("raised", text[dot] === "1");
    circle.classList.toggle("wrong", off);
  });
  const said = text === "" ? "nothing yet" : kind === "true" ? "" : `${wrong} of ${truth.length} dots wrong`;
  shown.svg.setAttribute("aria-label", `${word}, ${kind}${said && `: ${said}`}`);
}
