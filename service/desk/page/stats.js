// The dashboard: figures as tables, and the histogram of confidence as a drawing.

import { ask } from "/desk/static/api.js";

const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const [WIDE, HIGH, FOOT] = [560, 220, 42];

const percent = (share, digits = 1) =>
  share === null ? "-" : `${(100 * share).toFixed(digits)} %`;
const words = (code) => code.replaceAll("_", " ");

async function load() {
  const query = new URLSearchParams({ days: $("days").value });
  if ($("source").value) query.set("source", $("source").value);
  try {
    show(await ask("GET", `/stats?${query}`));
    $("message").textContent = "";
  } catch (error) {
    $("message").textContent =
      error.status === 401 ? "Sign in at the review desk first." : error.message;
  }
}

function show(found) {
  const { total, drift } = found;
  $("total").replaceChildren(
    figure("Read rate", percent(total.read.share), `${total.read.part} of ${total.read.whole}`),
    figure("Error of what is accepted", errorShare(total.error), bounds(total.error)),
    figure(
      "First guess right, of what was keyed",
      percent(found.agreed.share),
      `${found.agreed.part} of ${found.agreed.whole}`,
    ),
    figure("Drift", drift.index === null ? "-" : drift.index.toFixed(2), "stability index, 7 days"),
  );
  $("drift").hidden = !drift.drifted;
  $("drift").textContent = drift.drifted
    ? `The confidences of the last 7 days (${drift.readings} readings) are not those of the ` +
      "calibration sample. What is promised of the error may no longer hold: audit more, and " +
      "calibrate anew."
    : "";
  table("reasons", ["Reason", "Readings"], counted(total.reasons));
  table("kinds", ["Answer", "Items"], counted(found.kinds));
  const head = ["", "Readings", "Read rate", "Error", "95 % interval", "Audited"];
  table("by-day", ["Day", ...head.slice(1)], found.days.map(row));
  table("by-source", ["Source", ...head.slice(1)], found.sources.map(row));
  if (!$("source").value) {
    const options = found.sources.map((one) => new Option(one.name, one.name));
    $("source").replaceChildren(new Option("all", ""), ...options);
  }
  histogram(found.histogram);
}

function counted(counts) {
  return Object.entries(counts).map(([name, count]) => [words(name), count]);
}

function row(one) {
  const { error } = one;
  return [
    one.name,
    one.read.whole,
    percent(one.read.share),
    errorShare(error),
    error.audited ? `${percent(error.low, 2)} to ${percent(error.high, 2)}` : "-",
    error.audited,
  ];
}

function errorShare(error) {
  return error.audited ? percent(error.wrong / error.audited, 2) : "-";
}

function bounds(error) {
  if (!error.audited) return "nothing audited yet";
  const range = `${percent(error.low, 2)} to ${percent(error.high, 2)}`;
  return `${range} with 95 % confidence; ${error.wrong} of ${error.audited} audited`;
}

function figure(name, value, note) {
  const box = made("div", "", "figure");
  box.append(made("span", name), made("b", value), made("span", note));
  return box;
}

function made(tag, text, style) {
  const element = document.createElement(tag);
  element.textContent = text;
  if (style) element.className = style;
  return element;
}

function table(id, head, rows) {
  const top = made("tr", "");
  for (const title of head) {
    const cell = made("th", title);
    cell.scope = "col";
    top.append(cell);
  }
  const lines = rows.map((cells) => {
    const line = made("tr", "");
    line.append(...cells.map((cell) => made("td", String(cell))));
    return line;
  });
  if (!lines.length) {
    const line = made("tr", "");
    const cell = made("td", "none");
    cell.colSpan = head.length;
    line.append(cell);
    lines.push(line);
  }
  const [thead, tbody] = [made("thead", ""), made("tbody", "")];
  thead.append(top);
  tbody.append(...lines);
  $(id).replaceChildren(thead, tbody);
}

function histogram(bars) {
  const total = bars.reduce((sum, bar) => sum + bar.count, 0);
  const shares = bars.map((bar) => (total ? bar.count / total : 0));
  const most = Math.max(0.01, ...shares, ...bars.map((bar) => bar.expected ?? 0));
  const step = WIDE / bars.length;
  const svg = drawn("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "chart", role: "img" });
  const said = bars.map((bar, n) => `${label(bar)}: ${bar.count} (${percent(shares[n])})`);
  svg.setAttribute("aria-label", `Readings by confidence. ${said.join("; ")}`);
  const room = HIGH - FOOT - 16;
  bars.forEach((bar, n) => {
    const high = (room * shares[n]) / most;
    const x = n * step;
    svg.append(
      drawn("rect", { x: x + 6, y: HIGH - FOOT - high, width: step - 12, height: high, fill: "#0b57c2" }),
    );
    if (bar.expected !== null) {
      const y = HIGH - FOOT - (room * bar.expected) / most;
      svg.append(
        drawn("line", { x1: x + 2, x2: x + step - 2, y1: y, y2: y, stroke: "#a31515", "stroke-width": 3 }),
      );
    }
    svg.append(text(x + step / 2, HIGH - FOOT + 16, label(bar)));
    svg.append(text(x + step / 2, HIGH - FOOT + 32, String(bar.count)));
  });
  $("histogram").replaceChildren(svg);
  $("histogram-note").textContent = bars.some((bar) => bar.expected !== null)
    ? "Whole cheques that hang on their confidence, from these percentages up; red: the share " +
      "that the calibration sample lets expect."
    : "Whole cheques that hang on their confidence; the model has no calibration sample.";
}

function label(bar) {
  const digits = bar.low > 0.99 ? 2 : bar.low > 0.9 ? 1 : 0;
  return (100 * bar.low).toFixed(digits);
}

function text(x, y, said) {
  const element = drawn("text", { x, y, "text-anchor": "middle", "font-size": 12, fill: "#14181d" });
  element.textContent = said;
  return element;
}

function drawn(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

$("filters").addEventListener("submit", (event) => event.preventDefault());
$("days").addEventListener("change", load);
$("source").addEventListener("change", load);
load();
