// Arrays as maps, and what a click on one breaks.

const WIDE = 640;  // pixels of a map, on the canvas itself
const LARGEST = 32;  // of a pair, on the page

export class Maps {
  // `hit(array, row, column, whole)` is called for a click; `point(text)` for what is under the pointer.
  constructor(place, hit, point) {
    Object.assign(this, { place, hit, point });
    this.maps = [];
  }

  show(arrays, colours, extent) {
    const key = arrays.map((one) => `${one.rows}×${one.columns}`).join(" ");
    if (key !== this.key) {
      this.key = key;
      this.maps = arrays.map((one, number) => this.make(one, number));
      this.place.replaceChildren(...this.maps.map((map) => map.figure));
    }
    arrays.forEach((one, number) => draw(this.maps[number], one, colours, extent()));
  }

  make(one, number) {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = `Array ${number}: ${one.rows} rows × ${one.columns} columns in use`;
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    const side = Math.max(8, Math.round(WIDE / one.columns));  // of a pair
    canvas.width = side * one.columns;
    canvas.height = side * one.rows;
    canvas.style.maxWidth = `${LARGEST * one.columns}px`;
    figure.append(caption, canvas);
    const map = { figure, canvas, number, side, small: new OffscreenCanvas(one.columns, one.rows), at: null };
    canvas.addEventListener("click", (event) => {
      const [row, column] = pairAt(map, event);
      this.hit(number, row, column, event.shiftKey);
    });
    canvas.addEventListener("pointermove", (event) => {
      map.at = pairAt(map, event);
      this.point(said(map));
    });
    canvas.addEventListener("pointerleave", () => {
      map.at = null;
      this.point("");
    });
    return map;
  }
}

function pairAt(map, event) {
  const box = map.canvas.getBoundingClientRect();
  const { rows, columns } = map.one;
  const along = (at, from, size, count) => Math.min(count - 1, Math.max(0, Math.floor(((at - from) / size) * count)));
  return [along(event.clientY, box.top, box.height, rows), along(event.clientX, box.left, box.width, columns)];
}

function said(map) {
  const [row, column] = map.at;
  const pair = row * map.one.columns + column;
  const stuck = ["", "; the positive device is stuck", "; the negative device is stuck", "; both devices are stuck"][map.stuck[pair]];
  return `array ${map.number}, row ${row}, column ${column}: ${Math.round((100 * map.weights[pair]) / 127)} % of the range${stuck}`;
}

function draw(map, one, colours, extent) {
  map.one = one;
  map.weights = new Int8Array(bytes(one.weights).buffer);
  map.stuck = bytes(one.stuck);
  const image = new ImageData(one.columns, one.rows);
  map.weights.forEach((weight, pair) => {
    const end = weight > 0 ? colours.plus : colours.minus;
    const share = Math.sqrt(Math.abs(weight) / 127);
    for (let part = 0; part < 3; part += 1) {
      image.data[4 * pair + part] = colours.zero[part] + share * (end[part] - colours.zero[part]);
    }
    image.data[4 * pair + 3] = 255;
  });
  map.small.getContext("2d").putImageData(image, 0, 0);
  const context = map.canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(map.small, 0, 0, map.canvas.width, map.canvas.height);
  cross(context, map, colours.mark);
  if (map.at) frame(context, map, extent, colours.mark);
  label(map);
}

function cross(context, map, colour) {
  const { side } = map, from = 0.25 * side, to = 0.75 * side;
  context.strokeStyle = colour;
  context.lineWidth = Math.max(1.2, side / 12);
  context.beginPath();
  map.stuck.forEach((stuck, pair) => {
    if (!stuck) return;
    const x = side * (pair % map.one.columns), y = side * Math.floor(pair / map.one.columns);
    context.moveTo(x + from, y + from);
    context.lineTo(x + to, y + to);
    context.moveTo(x + to, y + from);
    context.lineTo(x + from, y + to);
  });
  context.stroke();
}

function frame(context, map, extent, colour) {
  const [row, column] = map.at, { side } = map;
  const { rows, columns } = map.one;
  const [top, high] = extent === "column" ? [0, rows] : [row, 1];
  const [left, wide] = extent === "row" ? [0, columns] : [column, 1];
  context.lineWidth = 2;
  context.strokeStyle = colour;
  context.strokeRect(side * left, side * top, side * wide, side * high);
}

function label(map) {
  const stuck = map.stuck.reduce((sum, one) => sum + (one > 0), 0);
  const mean = map.weights.reduce((sum, one) => sum + Math.abs(one), 0) / map.weights.length / 1.27;
  const text = `Signed conductances of array ${map.number}: ${map.weights.length} pairs, ${stuck} with a stuck device, mean magnitude ${mean.toFixed(0)} % of the range`;
  if (map.canvas.getAttribute("aria-label") !== text) map.canvas.setAttribute("aria-label", text);
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
}
