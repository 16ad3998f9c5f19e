"use strict";
// Plots take their colours from the style sheet, again whenever it changes (dark mode, paper).

function palette() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  const colours = { ink: of("--ink"), faint: of("--faint") };
  of("--series").split(/\s+/).forEach((colour, number) => { colours[number] = colour; });
  return colours;
}

// "@0" → "#1d4ed8", "@0/0.2" → the same, transparent.
function colour(name, colours) {
  const [series, opacity] = name.slice(1).split("/");
  const solid = colours[series];
  if (opacity === undefined) return solid;
  return solid + Math.round(255 * Number(opacity)).toString(16).padStart(2, "0");
}

function painted(value, colours) {
  if (Array.isArray(value)) return value.map((one) => painted(one, colours));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) =>
    /color$/.test(name) && typeof one === "string" && one.startsWith("@")
      ? [name, colour(one, colours)] : [name, painted(one, colours)]));
}

function layout(own, colours) {
  const axis = {
    gridcolor: colours.faint, linecolor: colours.faint, zerolinecolor: colours.faint,
    automargin: true,
  };
  const touch = matchMedia("(pointer: coarse)").matches; // a finger scrolls the page
  return {
    ...own,
    xaxis: { ...axis, ...own.xaxis },
    yaxis: { ...axis, ...own.yaxis },
    font: { color: colours.ink, size: 12, family: "system-ui, sans-serif" },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 50, r: 10, t: 10, b: 40 },
    legend: { orientation: "h", yanchor: "bottom", y: 1.02, x: 0 },
    dragmode: touch ? false : "zoom",
  };
}

function draw() {
  const colours = palette();
  for (const place of document.querySelectorAll(".plot")) {
    const figure = JSON.parse(document.getElementById(place.dataset.figure).textContent);
    Plotly.react(place, painted(figure.data, colours), layout(figure.layout, colours), {
      responsive: true, displayModeBar: false,
    });
  }
}

draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
matchMedia("print").addEventListener("change", draw);
