// Pictures as SVG elements made one by one: what is in the document is text, never markup.

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// A scale from values to pixels, straight or logarithmic.
export function scale(low, high, from, to, log = false) {
  const of = log ? Math.log : (value) => value;
  const width = of(high) - of(low) || 1;
  const at = (value) => from + ((of(value) - of(low)) / width) * (to - from);
  at.back = (pixel) => {
    const place = of(low) + ((pixel - from) / (to - from)) * width;
    return log ? Math.exp(place) : place;
  };
  at.ticks = (count) => (log ? logTicks(low, high, count) : ticks(low, high, count));
  return at;
}

function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((each) => each >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const found = [];
  for (let n = first; n * step <= high * (1 + 1e-9); n += 1) found.push(Number((n * step).toPrecision(12)));
  return found;
}

function logTicks(low, high, count) {
  const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
  const every = Math.max(1, Math.ceil((last - first + 1) / count));
  const found = [];
  for (let power = first; power <= last; power += every) found.push(10 ** power);
  if (found.length >= 3) return found;
  const finer = [];
  for (let power = first - 1; power <= last; power += 1) {
    for (const m of [1, 2, 5]) if (m * 10 ** power >= low && m * 10 ** power <= high) finer.push(m * 10 ** power);
  }
  return finer;
}

// Axes of a picture: grid lines, numbers and what they are.
export function axes(box, x, y, words) {
  const group = svg("g", { class: "axes" });
  for (const value of x.ticks(box.width < 420 ? 4 : 6)) {
    const at = x(value);
    group.append(svg("line", { class: "grid", x1: at, x2: at, y1: box.top, y2: box.bottom }));
    const anchor = at > box.right - 24 ? "end" : "middle";
    group.append(svg("text", { x: at, y: box.bottom + 16, "text-anchor": anchor }, words.x(value)));
  }
  for (const value of y.ticks(5)) {
    const at = y(value);
    group.append(svg("line", { class: "grid", x1: box.left, x2: box.right, y1: at, y2: at }));
    group.append(svg("text", { x: box.left - 6, y: at + 4, "text-anchor": "end" }, words.y(value)));
  }
  group.append(svg("text", { class: "label", x: (box.left + box.right) / 2, y: box.bottom + 34, "text-anchor": "middle" }, words.xLabel));
  group.append(svg("text", { class: "label", x: box.left - 4, y: box.top - 8, "text-anchor": "start" }, words.yLabel));
  return group;
}

const widths = new Map();

// The room of a picture; its width is asked of the page once, until `forgetWidths`.
export function frame(host, height, left = 62) {
  if (!widths.has(host) && host.clientWidth) widths.set(host, host.clientWidth);
  const width = Math.max(260, widths.get(host) ?? 600);
  return { width, height, left, right: width - 12, top: 24, bottom: height - 40 };
}

export function forgetWidths() {
  widths.clear();
}

// A value less and more what a profile is off by.
export function band(value, error) {
  return [value * (1 - Math.min(error, 1)), value * (1 + error)];
}

// Lines over x, in a band where they have an `error`, with a mark at what is chosen; `pick` is called with the x of a click.
export function lineChart(host, { lines, x, words, label, mark, pick, hover, log }) {
  const box = frame(host, 300);
  const all = lines.flatMap((line) => line.points.flatMap((point) => (line.error ? band(point[1], line.error) : [point[1]]))).filter(Number.isFinite);
  const low = log ? Math.min(...all) / 1.15 : 0, high = Math.max(...all) * 1.06 || 1;
  const across = scale(x[0], x[1], box.left, box.right), up = scale(low, high, box.bottom, box.top, log);
  const picture = svg("svg", { viewBox: `0 0 ${box.width} ${box.height}`, role: "img", "aria-label": label });
  picture.append(axes(box, across, up, words));
  for (const line of lines.filter((each) => each.error)) {
    const ends = line.points.map(([at, value]) => [at, ...band(value, line.error)]);
    const d = [...ends.map(([at, under]) => [at, under]), ...ends.toReversed().map(([at, , over]) => [at, over])]
      .map(([at, value], n) => `${n ? "L" : "M"}${across(at).toFixed(1)} ${up(Math.max(low, value)).toFixed(1)}`).join("");
    picture.append(svg("path", { class: `band ${line.style}`, d: `${d}Z` }));
  }
  for (const line of lines) {
    const d = line.points.map(([at, value], n) => `${n ? "L" : "M"}${across(at).toFixed(1)} ${up(value).toFixed(1)}`).join("");
    picture.append(svg("path", { class: `line ${line.style}`, d }));
    if (line.dots) for (const [at, value] of line.points) picture.append(svg("circle", { class: `dot ${line.style}`, cx: across(at), cy: up(value), r: 2.5 }));
  }
  if (mark && Number.isFinite(mark[1])) {
    picture.append(svg("line", { class: "cursor", x1: across(mark[0]), x2: across(mark[0]), y1: box.top, y2: box.bottom }));
    picture.append(svg("circle", { class: "mark", cx: across(mark[0]), cy: up(mark[1]), r: 5 }));
  }
  const inside = (then) => (px) => then(Math.min(x[1], Math.max(x[0], across.back(px))));
  pointing(picture, inside(pick), inside(hover));
  host.replaceChildren(picture);
}

// Speed-ups (rows of y, columns of x) as colours, the line where they are 1, and a cursor.
export function heatMap(host, { xs, ys, values, levels, colours, words, label, cursor, pick, hover }) {
  const box = frame(host, 340);
  const across = scale(xs[0], xs.at(-1), box.left, box.right, true), up = scale(0, 1, box.bottom, box.top);
  let canvas = host.querySelector("canvas");
  if (!canvas) {
    canvas = html("canvas", { "aria-hidden": "true" });
    host.replaceChildren(canvas, svg("svg"));
  }
  paint(canvas, box, values, levels, colours);
  const picture = svg("svg", { viewBox: `0 0 ${box.width} ${box.height}`, role: "img", "aria-label": label });
  picture.append(axes(box, across, up, words));
  let d = "";
  values.forEach((row, n) => {
    const at = crossing(row, xs);
    if (at !== null) d += `${d && crossing(values[n - 1] ?? [], xs) !== null ? "L" : "M"}${across(at).toFixed(1)} ${up(ys[n]).toFixed(1)}`;
  });
  picture.append(svg("path", { class: "even", d }));
  if (cursor) {
    const x = across(cursor[0]), y = up(cursor[1]);
    picture.append(svg("line", { class: "cursor", x1: x, x2: x, y1: box.top, y2: box.bottom }));
    picture.append(svg("line", { class: "cursor", x1: box.left, x2: box.right, y1: y, y2: y }));
    picture.append(svg("circle", { class: "mark", cx: x, cy: y, r: 6 }));
  }
  const inside = (then) => (px, py) => then(Math.min(xs.at(-1), Math.max(xs[0], across.back(px))), Math.min(1, Math.max(0, up.back(py))));
  pointing(picture, inside(pick), inside(hover));
  host.lastElementChild.replaceWith(picture);
}

function crossing(row, xs) {
  for (let k = 1; k < row.length; k += 1) {
    if ((row[k - 1] < 1) !== (row[k] < 1)) {
      const share = (1 - row[k - 1]) / (row[k] - row[k - 1]);
      return Math.exp(Math.log(xs[k - 1]) + share * (Math.log(xs[k]) - Math.log(xs[k - 1])));
    }
  }
  return null;
}

function paint(canvas, box, values, levels, colours) {
  const rows = values.length, columns = values[0].length;
  canvas.width = columns;
  canvas.height = rows;
  Object.assign(canvas.style, {
    left: `${(100 * box.left) / box.width}%`, top: `${(100 * box.top) / box.height}%`,
    width: `${(100 * (box.right - box.left)) / box.width}%`, height: `${(100 * (box.bottom - box.top)) / box.height}%`,
  });
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  const words = new Uint32Array(image.data.buffer);
  for (let n = 0; n < rows; n += 1) {
    const row = values[n], start = (rows - 1 - n) * columns;
    for (let k = 0; k < columns; k += 1) {
      let level = 0;
      while (level < levels.length && row[k] >= levels[level]) level += 1;
      words[start + k] = colours[level];
    }
  }
  context.putImageData(image, 0, 0);
}

// A stacked bar for each layer; `chosen` is marked.
export function layerBars(host, { parts, styles, words, label, chosen, choose }) {
  const box = frame(host, 260);
  const most = Math.max(...parts.map((each) => each.reduce((sum, value) => sum + value, 0))) || 1;
  const across = scale(0, parts.length, box.left, box.right), up = scale(0, most * 1.05, box.bottom, box.top);
  const picture = svg("svg", { viewBox: `0 0 ${box.width} ${box.height}`, role: "img", "aria-label": label });
  picture.append(axes(box, Object.assign((value) => across(value), { ticks: () => [] }), up, words));
  const width = Math.max(1, (box.right - box.left) / parts.length - (parts.length > 120 ? 0 : 1));
  const paths = styles.map(() => "");
  parts.forEach((each, n) => {
    let from = 0;
    each.forEach((value, k) => {
      const x = across(n).toFixed(1);
      paths[k] += `M${x} ${up(from).toFixed(2)}V${up(from + value).toFixed(2)}h${width.toFixed(1)}V${up(from).toFixed(2)}z`;
      from += value;
    });
  });
  paths.forEach((d, k) => picture.append(svg("path", { class: styles[k], d })));
  picture.append(svg("rect", { class: "chosen", x: across(chosen) - 1, width: width + 2, y: box.top, height: box.bottom - box.top }));
  const at = (px) => choose(Math.min(parts.length - 1, Math.max(0, Math.floor(across.back(px)))));
  pointing(picture, at, at);
  host.replaceChildren(picture);
}

// Calls `pick` with the place of a click and `hover` with that of the pointer, in the picture's pixels.
function pointing(picture, pick, hover) {
  const { width, height } = picture.viewBox.baseVal;
  const at = (then) => (event) => {
    const bounds = picture.getBoundingClientRect();
    then(((event.clientX - bounds.left) / bounds.width) * width, ((event.clientY - bounds.top) / bounds.height) * height);
  };
  picture.addEventListener("click", at(pick));
  picture.addEventListener("pointermove", at(hover));
}
