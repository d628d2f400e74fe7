// The page: controls, and what is shown of an answer.

import { unpackedDocument } from "./packed.js";
import { formatQuantity, formatRatio, readQuantity } from "./units.js";
import { QUANTITIES, readState, writeState } from "./state.js";
import { nearest } from "./engine.js";
import { answer, breakEven, costs, engineOf, rowsOf } from "./answer.js";
import { band, forgetWidths, frame, heatMap, html, layerBars, lineChart, scale, svg } from "./draw.js";

const byId = (id) => document.getElementById(id);
const data = await unpackedDocument(byId("document").textContent).catch((error) => {
  byId("lead").textContent = "This page cannot be read here: it needs a browser that inflates (DecompressionStream), as those from 2023 on do.";
  throw error;
});
data.single = data.strategies.find((each) => each.name === "single");
const LEVELS = [1, 1.5, 2, 3, 5, 8, 16, 64];
const NAMES = { bandwidth: "Bandwidth of a link", link_latency: "Latency of a message", compute: "Compute rate of a node", memory: "Memory of a node" };
const USUAL = { bandwidth: 1e7, link_latency: 1e-4, compute: 1e10, memory: 2 ** 30 };
const DECADES = 3;
const COUNTS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
const seconds = (value) => formatQuantity(value, "s");
const bytes = (value) => formatQuantity(value, "B");
const share = (value) => String(Number(value.toFixed(4)));
const many = (nodes) => `${COUNTS[nodes] ?? nodes} ${nodes === 1 ? "node" : "nodes"}`;
const percent = (value) => `${formatRatio(100 * value)} %`;
const capital = (text) => text[0].toUpperCase() + text.slice(1);

let state = readState(data, location.hash);
let found = null;
let waiting = 0;
let legendDrawn = false;
let palette = null;
let assumedShown = "";

// Controls

const fields = {};

function field(name, label, ...inputs) {
  const fault = html("p", { class: "hint", id: `fault-${name}` });
  inputs[0].id = `in-${name}`;
  const box = html("div", { class: "field" }, html("label", { for: `in-${name}` }, label), ...inputs, fault);
  inputs[0].setAttribute("aria-describedby", `fault-${name}`);
  fields[name] = { input: inputs[0], slider: inputs[1] ?? null, fault };
  return box;
}

function select(name, label, items, change) {
  const input = html("select", {}, ...items.map((item, n) => html("option", { value: String(n) }, item)));
  input.addEventListener("change", () => { change(Number(input.value)); render(); });
  return field(name, label, input);
}

function typed(name, label, put, slide) {
  const input = html("input", { type: "text", autocomplete: "off", spellcheck: "false" });
  const slider = html("input", { type: "range", min: "0", max: "1000", step: "1", "aria-label": `${label}, slider` });
  input.addEventListener("input", () => { put(input.value); render("typed"); });
  slider.addEventListener("input", () => { put(slide(Number(slider.value))); render(); });
  return field(name, label, input, slider);
}

const middle = (name) => data.profiles[state.profile].numbers[name]?.value || USUAL[name];
const toSlider = (name, value) => Math.round(500 + (500 * Math.log10(value / middle(name))) / DECADES);
const fromSlider = (name, place) => middle(name) * 10 ** (((place - 500) * DECADES) / 500);
const short = (name, value) => formatQuantity(value, data.quantities[name].unit).replace(" ", "");

function buildControls() {
  const quantity = (name) => typed(name, NAMES[name], (text) => { state.texts[name] = text; }, (place) => short(name, fromSlider(name, place)));
  const nodes = html("input", { type: "range", min: "0", max: String(data.nodes.length - 1), step: "1" });
  const count = html("output", { for: "in-nodes", id: "nodes-out" });
  nodes.addEventListener("input", () => { state.nodes = data.nodes[Number(nodes.value)]; render(); });
  const nodesField = field("nodes", "Nodes ", nodes);
  nodesField.querySelector("label").append(count);
  const sComm = typed("share", "S_comm, fraction not sent", (text) => { state.share = text; }, (place) => share(place / 1000));
  fields.share.slider.step = "5";
  byId("controls").append(
    select("network", "Network", data.networks.map((each) => `${each.name} (${each.input})`), (n) => { state.network = n; state.layer = 0; }),
    select("profile", "Hardware profile", data.profiles.map((each) => each.name), (n) => {
      state.profile = n;
      state.topology = data.profiles[n].topology;
      for (const name of QUANTITIES) state.texts[name] = data.profiles[n].numbers[name]?.text ?? "";
    }),
    nodesField,
    select("strategy", "Split", data.strategies.map((each) => each.name), (n) => { state.strategy = data.strategies[n].name; }),
    sComm,
    ...QUANTITIES.map(quantity),
    html("div", { class: "pair" },
      select("topology", "Topology", data.topologies, (n) => { state.topology = data.topologies[n]; }),
      select("overlap", "Overlap", data.overlaps, (n) => { state.overlap = data.overlaps[n]; })),
  );
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  for (const [value, label] of [["s", "S_comm"], ["nodes", "nodes"]]) {
    const radio = html("input", { type: "radio", name: "axis", value, id: `axis-${value}` });
    radio.addEventListener("change", () => { state.axis = value; render(); });
    byId("axis").append(html("label", { for: `axis-${value}` }, radio, ` ${label}`));
  }
  byId("layer-details").addEventListener("toggle", showLayerTable);
  legend("layers-legend", [["box comm", "communication"], ["box comp", "computation"]]);
  byId("layer").addEventListener("input", () => { state.layer = Number(byId("layer").value); showLayers(); });
  byId("copy").addEventListener("click", copy);
}

function showControls(how) {
  const { faults } = found.numbers;
  fields.network.input.value = String(state.network);
  fields.profile.input.value = String(state.profile);
  fields.strategy.input.value = String(data.strategies.findIndex((each) => each.name === state.strategy));
  fields.topology.input.value = String(data.topologies.indexOf(state.topology));
  fields.overlap.input.value = String(data.overlaps.indexOf(state.overlap));
  fields.nodes.input.value = String(data.nodes.indexOf(state.nodes));
  fields.nodes.input.setAttribute("aria-valuetext", many(state.nodes));
  byId("nodes-out").textContent = String(state.nodes);
  byId(`axis-${state.axis}`).checked = true;
  for (const name of [...QUANTITIES, "share"]) {
    const { input, slider, fault } = fields[name];
    const text = name === "share" ? state.share : state.texts[name];
    if (how !== "typed" && input.value !== text) input.value = text;
    const value = name === "share" ? found.numbers.sComm : found.numbers[name];
    slider.value = String(name === "share" ? Math.round(value * 1000) : value ? toSlider(name, value) : name === "memory" ? 500 : 0);
    slider.setAttribute("aria-valuetext", text || "not stated");
    input.setAttribute("aria-invalid", String(Boolean(faults[name])));
    fault.textContent = faults[name] ?? "";
    fault.className = faults[name] ? "hint fault" : "hint";
  }
  const strategy = data.strategies.find((each) => each.name === state.strategy);
  fields.strategy.fault.textContent = capital(strategy.summary);
  const snapped = strategy.knob && found.chosen.s_comm !== null && found.chosen.s_comm !== found.numbers.sComm;
  if (!strategy.knob) fields.share.fault.textContent = `${strategy.name} has none`;
  fields.share.input.disabled = fields.share.slider.disabled = !strategy.knob;
  if (snapped) fields.share.fault.textContent = `answered at ${found.chosen.s_comm}: here known in steps only`;
}

// Words

function nameOf(each) {
  return each.strategy.knob ? `${each.strategy.name} at S_comm ${each.s_comm}` : each.strategy.name;
}

function ratio(slow, fast) {
  return `${formatRatio(slow / fast)}x`;
}

// What the best split without pruning gives, beside one node.
function without(best, one) {
  const gain = one.latency_s / best.latency_s;
  if (gain > 1) return `By ${best.strategy.name} ${many(best.nodes)} are ${formatRatio(gain)}x faster than one and exact`;
  return `Without pruning no split of ${many(best.nodes)} is faster than one: ${best.strategy.name}, the best, is ${formatRatio(1 / gain)}x slower`;
}

function verdict() {
  const { chosen, one, best, numbers } = found;
  const [bandwidth, single] = [formatQuantity(numbers.bandwidth, "B/s"), seconds(one.latency_s)];
  if (chosen.nodes === 1) return `One node takes ${single}. With more nodes the question begins.`;
  const who = `${capital(many(chosen.nodes))} (${nameOf(chosen)})`;
  const at = breakEven(data, found);
  const here = chosen.latency_s < one.latency_s
    ? `they are ${ratio(one.latency_s, chosen.latency_s)} faster: ${seconds(chosen.latency_s)} instead of ${single}`
    : `one node is ${ratio(chosen.latency_s, one.latency_s)} faster: ${single} instead of ${seconds(chosen.latency_s)}`;
  let line = at === null ? `${who} at ${bandwidth}: ${here}`
    : at === 0 ? `${who} are faster than one over any link; at your ${bandwidth} ${here}`
      : at === Infinity ? `${who} are never faster than one, however fast the links; at your ${bandwidth} ${here}`
        : `${who} are faster than one from ${formatQuantity(at, "B/s")} up; at your ${bandwidth} ${here}`;
  if (best && !chosen.exact) line += `. ${without(best, one)}`;
  else if (best && best.latency_s < chosen.latency_s * 0.995) line += `. By ${best.strategy.name}, as exact, they are ${ratio(chosen.latency_s, best.latency_s)} faster still`;
  return `${line}.`;
}

function showVerdict() {
  const { chosen, one, numbers } = found;
  byId("lead").textContent = verdict();
  const profile = data.profiles[state.profile];
  const network = data.networks[state.network];
  byId("subject").textContent = `${network.name} at ${network.input} on ${profile.name}: ${profile.description}`;
  const lines = [];
  if (chosen.nodes > 1) {
    lines.push(chosen.exact ? "Exact: nothing is pruned, the network computes what it was trained to."
      : `${chosen.strategy.knob ? `Each layer does without ${percent(chosen.s_comm)} of the other nodes' features` : "Some layers do without the other nodes' features"}: the network has to be trained for that.`);
  }
  if (chosen.laid_for_profile && chosen.strategy.searched) lines.push(`Of the plans of ${chosen.strategy.name} that were searched on ${profile.name}, without overlap, at ${data.searched_at.join(", ")} times its bandwidth, the fastest at these numbers: the command searches anew, and may find a faster one.`);
  else if (chosen.laid_for_profile) lines.push(`${capital(chosen.strategy.name)} is laid out here for ${profile.name} as it is: the command lays it out for these numbers, and may be faster.`);
  if (chosen.precomputed) lines.push(`Overlap ${state.overlap}: curves computed when this page was made, on ${profile.name} as it is. Bandwidth, latency, compute rate and topology do not move them.`);
  const words = { yes: "fits", spills: "fits, its weights not in fast memory alone", tight: "fits tightly", no: "does not fit" };
  const need = (each) => `${bytes(each.node_bytes)}${each.fits ? `, which ${words[each.fits]}` : ""}`;
  lines.push(`Memory: one node needs at least ${need(one)}${chosen.nodes > 1 ? `; each of ${many(chosen.nodes)} ${need(chosen)}` : ""}${numbers.memory === null ? "; how much a node has is not stated" : ` (of ${bytes(numbers.memory)})`}.`);
  if (profile.held_out_error !== null) {
    const error = profile.held_out_error;
    const between = (each) => band(each.latency_s, error).map(seconds).join(" to ");
    const gain = Math.max(one.latency_s / chosen.latency_s, chosen.latency_s / one.latency_s);
    const open = chosen.nodes > 1 && gain < 1 + error ? " The difference is within that: take it as open." : "";
    lines.push(`The profile is off by ${percent(error)} in the median: one node takes ${between(one)}${chosen.nodes > 1 ? `, ${many(chosen.nodes)} ${between(chosen)}` : ""}.${open}`);
  }
  const accuracy = accuracyWords();
  if (chosen.nodes > 1 && !chosen.exact && accuracy.known) lines.push(`Accuracy: ${accuracy.words}`);
  if (chosen.nodes > 1 && chosen.bytes_per_node === 0) lines.push(chosen.exact ? "Nothing is sent: each node computes itself what it needs." : "Nothing is sent: the nodes are independent branches, which costs accuracy.");
  byId("more").replaceChildren(...lines.map((line) => html("li", {}, line)));
}

// Pictures

function legend(id, entries) {
  byId(id).replaceChildren(...entries.map(([style, text]) => html("li", {},
    style.startsWith("box ") ? html("span", { class: style }) : svg("svg", { "aria-hidden": "true" }, svg("path", { class: `line ${style}`, d: "M0 5H28" })), text)));
}

const SHARES = [...Array.from({ length: 100 }, (_, n) => n / 100), 0.995, 0.999, 1];

function curveOver(strategy, nodes) {
  const engine = engineOf(data, state.network);
  const [place] = engine.places(state.profile, strategy, nodes, state.overlap); // of a strategy with S_comm
  if (!place) return [];
  const curve = engine.curve(place, state.overlap);
  if (curve) return data.steps.map((s, n) => [s, curve[n]]);
  return engine.curveOver(place, data.topologies.indexOf(state.topology), found.numbers, state.overlap, SHARES);
}

function showLatency() {
  const { chosen, one, best, numbers } = found;
  const lines = [], keys = [];
  const error = data.profiles[state.profile].held_out_error;
  const add = (style, text, points) => {
    const off = style.endsWith(" now") || style === "one" ? error : null;
    lines.push({ style, points, error: off, dots: points.length > 2 && points.length < 20 });
    keys.push([style, text]);
  };
  const over = state.axis === "s";
  const ends = over ? [0, 1] : [data.nodes[0], data.nodes.at(-1)];
  const level = (value) => [[ends[0], value], [ends[1], value]];
  add("one", `one node: ${seconds(one.latency_s)}`, level(one.latency_s));
  if (over && chosen.strategy.knob) {
    const shown = [...new Set([2, 4, 8].filter((n) => data.nodes.includes(n)).concat(state.nodes))].filter((n) => n > 1).sort((a, b) => a - b);
    shown.forEach((nodes, k) => {
      const points = curveOver(chosen.strategy, nodes);
      if (points.length) add(`${["n3", "n1", "n4", "n0"][k]}${nodes === state.nodes ? " now" : ""}`, `${chosen.strategy.name}, ${nodes} nodes`, points);
    });
  } else if (over) {
    add("n1 now", nameOf(chosen), level(chosen.latency_s));
  } else {
    const along = (strategy) => data.nodes.map((n) => [n, costs(data, state, numbers, n === 1 ? data.single : strategy, n, numbers.sComm)]).filter((each) => each[1]);
    add("n1 now", nameOf(chosen), along(chosen.strategy).map(([n, each]) => [n, each.latency_s]));
    if (best && best.strategy !== chosen.strategy) add("exact", `${best.strategy.name}, exact`, along(best.strategy).map(([n, each]) => [n, each.latency_s]));
  }
  if (over && best && best.strategy !== chosen.strategy) add("exact", `${best.strategy.name}, exact, ${best.nodes} nodes: ${seconds(best.latency_s)}`, level(best.latency_s));
  const values = lines.flatMap((line) => line.points.map((point) => point[1]));
  if (error) keys.push(["box band", `shaded: off by ${percent(error)}, as the profile is in the median`]);
  const log = Math.min(...values) > 0 && Math.max(...values) > 30 * Math.min(...values);
  lineChart(byId("latency"), {
    lines, x: ends, log,
    words: { x: (v) => (over ? share(v) : String(v)), y: seconds, xLabel: over ? "S_comm, fraction of remote features not sent" : "nodes", yLabel: `latency${log ? ", logarithmic" : ""}` },
    label: `Latency over ${over ? "S_comm" : "nodes"}: ${keys.map((key) => key[1]).join("; ")}. Chosen: ${seconds(chosen.latency_s)}.`,
    mark: [over ? (chosen.s_comm ?? numbers.sComm) : chosen.nodes, chosen.latency_s],
    hover: (x) => {
      const here = over ? `S_comm ${share(x)}` : many(Math.round(x));
      const told = lines.map((line, n) => [keys[n][1].split(":")[0], at(line.points, over ? x : Math.round(x))]).filter((each) => each[1] !== null);
      byId("latency-note").textContent = `Under the pointer, ${here}: ${told.map(([name, value]) => `${name} ${seconds(value)}`).join("; ")}. A click goes there.`;
    },
    pick: (x) => {
      if (over) state.share = share(Math.round(x * 200) / 200);
      else state.nodes = nearest(data.nodes, x);
      render();
    },
  });
  legend("latency-legend", keys);
  byId("latency-note").textContent = chosen.precomputed ? `Overlap ${state.overlap}: computed when this page was made, on the profile's own numbers.` : "";
}

// The value of a line at x, between its two points there; null outside.
function at(points, x) {
  const n = points.findIndex((point) => point[0] >= x);
  if (n < 0 || (n === 0 && points[0][0] > x)) return null;
  if (points[n][0] === x) return points[n][1];
  const [[a, from], [b, to]] = [points[n - 1], points[n]];
  return from + ((x - a) / (b - a)) * (to - from);
}

function colours() {
  if (palette) return palette;
  const style = getComputedStyle(document.documentElement);
  palette = Array.from({ length: LEVELS.length + 1 }, (_, n) => {
    const hex = style.getPropertyValue(`--map-${n}`).trim();
    const rgba = Uint8Array.from([1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).concat(255));
    return new Uint32Array(rgba.buffer)[0]; // as the picture's bytes lie, whatever the machine's order
  });
  return palette;
}

function showMap() {
  const { chosen, one, numbers } = found;
  const host = byId("map");
  const knob = chosen.strategy.knob;
  const none = chosen.nodes === 1 || chosen.precomputed || one.precomputed;
  host.hidden = none;
  byId("map-here").textContent = "";
  if (none) {
    byId("map-words").textContent = chosen.nodes === 1 ? "With one node there is nothing to compare." : `Overlap ${state.overlap} has no exact coefficients: no map.`;
    legend("map-legend", []);
    legendDrawn = false;
    return;
  }
  const engine = engineOf(data, state.network);
  const home = numbers.bandwidth, base = middle("bandwidth");
  const around = Math.abs(Math.log10(home / base)) > 2.3 ? home : base;
  const fine = state.overlap === "none" ? 180 : 120; // without overlap a point is one line's value
  const xs = Array.from({ length: fine + 1 }, (_, n) => around * 10 ** (-2.5 + (5 * n) / fine));
  const ys = Array.from({ length: fine / 2 + 11 }, (_, n) => n / (fine / 2 + 10));
  const slowness = xs.map((x) => 1 / x);
  const row = (s) => engine.least(rowsOf(data, found, s), numbers, state.overlap, chosen.place.staged, slowness).map((value) => one.latency_s / value);
  const same = knob ? null : row(0);
  const values = ys.map((s) => same ?? row(s));
  const speedup = one.latency_s / chosen.latency_s;
  byId("map-words").textContent = `${capital(many(chosen.nodes))} (${chosen.strategy.name}) against one, over bandwidth${knob ? " and S_comm" : "; there is no S_comm here"}. At the cursor, ${formatQuantity(home, "B/s")}${knob ? ` and S_comm ${chosen.s_comm}` : ""}: ${speedup >= 1 ? `${formatRatio(speedup)}x faster` : `one node is ${formatRatio(1 / speedup)}x faster`}.`;
  heatMap(host, {
    xs, ys, values, levels: LEVELS, colours: colours(), cursor: [home, knob ? chosen.s_comm : numbers.sComm],
    words: { x: (v) => formatQuantity(v, "B/s"), y: share, xLabel: "bandwidth of a link, logarithmic", yLabel: "S_comm" },
    label: byId("map-words").textContent,
    hover: (x, y) => {
      const s = knob ? `, S_comm ${share(y)}` : "";
      const value = values[Math.round(y * (ys.length - 1))][Math.round(((Math.log10(x / around) + 2.5) / 5) * (xs.length - 1))];
      if (value) byId("map-here").textContent = `Under the pointer, ${formatQuantity(x, "B/s")}${s}: ${value >= 1 ? `${formatRatio(value)}x faster than one node` : `one node is ${formatRatio(1 / value)}x faster`}. A click goes there.`;
    },
    pick: (x, y) => {
      state.texts.bandwidth = short("bandwidth", x);
      if (knob) state.share = share(Math.round(y * 200) / 200);
      render();
    },
  });
  if (legendDrawn) return;
  const key = ["one node is faster", ...LEVELS.slice(0, -1).map((level, n) => `${level}x to ${LEVELS[n + 1]}x`), `over ${LEVELS.at(-1)}x`];
  legend("map-legend", [["even", "break-even"], ...key.map((text, n) => [`box map-${n}`, text])]);
  byId("map-legend").querySelectorAll(".box").forEach((box, n) => { box.style.background = `var(--map-${n})`; });
  legendDrawn = true;
}

function layersOf() {
  const { chosen, numbers } = found;
  const network = data.networks[state.network];
  const engine = engineOf(data, state.network);
  const overlap = chosen.precomputed ? "none" : state.overlap;
  const each = engine.layers(chosen.rows, numbers, overlap, chosen.place.staged);
  const layers = network.layers.map(([name, op]) => ({ name, op, comm: 0, comp: 0, both: 0, sent: 0 }));
  network.kind_of_row.forEach((kind, row) => {
    const layer = layers[network.layer_of_row[row]];
    layer.comm += each.comm[kind];
    layer.comp += each.comp[kind];
    layer.both += each.both[kind];
    layer.sent += chosen.rows.sent[kind];
  });
  return { layers, overlap };
}

let layersNow = null;

function showLayers() {
  const { layers, overlap } = layersNow;
  const total = layers.reduce((sum, layer) => sum + layer.both, 0);
  const input = byId("layer");
  input.max = String(layers.length - 1);
  input.value = String(Math.min(state.layer, layers.length - 1));
  const at = layers[Number(input.value)];
  const words = `${at.name} (${at.op}): ${seconds(at.both)}, ${formatRatio((100 * at.both) / (total || 1))} % of ${seconds(total)}; communication ${seconds(at.comm)}, computation ${seconds(at.comp)}, ${bytes(at.sent)} over the busiest link.`;
  byId("layer-words").textContent = words;
  input.setAttribute("aria-valuetext", words);
  layerBars(byId("layers"), {
    parts: layers.map((layer) => [layer.comp, layer.comm]), styles: ["comp", "comm"], chosen: Number(input.value),
    words: { x: String, y: seconds, xLabel: `${layers.length} layers, from the input to the output`, yLabel: overlap === "none" ? "time of a layer" : `communication and computation of a layer; with overlap ${overlap} it takes less than both` },
    label: `Time of each layer; communication ${seconds(layers.reduce((s, l) => s + l.comm, 0))}, computation ${seconds(layers.reduce((s, l) => s + l.comp, 0))} in all.`,
    choose: (n) => { if (n !== state.layer) { state.layer = n; showLayers(); } },
  });
}

function showLayerTable() {
  if (!byId("layer-details").open) return;
  const rows = layersNow.layers.map((layer) => [layer.name, layer.op, seconds(layer.comm), seconds(layer.comp), seconds(layer.both), bytes(layer.sent)]);
  table("layer-table", [["layer", 1], ["operator", 1], ["communication"], ["computation"], ["layer takes"], ["busiest link"]], rows);
}

function showMemory() {
  const { chosen, one, numbers } = found;
  const runtime = data.profiles[state.profile].runtime_bytes;
  const bars = [["one node", one], [`each of ${many(chosen.nodes)}`, chosen]].slice(0, chosen.nodes > 1 ? 2 : 1);
  const host = byId("memory");
  const box = frame(host, 40 + 44 * bars.length, 12 + 6.5 * Math.max(...bars.map(([name]) => name.length)));
  const most = Math.max(...bars.map((bar) => bar[1].node_bytes)) * 1.05;
  const beyond = numbers.memory !== null && numbers.memory > most * 1.6;
  const across = scale(0, numbers.memory !== null && !beyond ? Math.max(most, numbers.memory * 1.05) : most, box.left, box.right);
  const picture = svg("svg", { viewBox: `0 0 ${box.width} ${box.height}`, role: "img", "aria-label": bars.map(([name, each]) => `${name}: weights ${bytes(each.weight_bytes)}, features ${bytes(each.feature_bytes)}`).join("; ") });
  bars.forEach(([name, each], n) => {
    const y = 10 + 44 * n;
    picture.append(svg("text", { x: 0, y: y + 19 }, name));
    let from = 0;
    for (const [style, value] of [["runtime", runtime], ["weights", each.weight_bytes], ["features", each.feature_bytes]]) {
      picture.append(svg("rect", { class: style, x: across(from), y, width: Math.max(0, across(from + value) - across(from)), height: 28 }));
      from += value;
    }
  });
  if (numbers.memory !== null && !beyond) picture.append(svg("line", { class: "limit", x1: across(numbers.memory), x2: across(numbers.memory), y1: 2, y2: box.height - 30 }));
  for (const value of across.ticks(4)) picture.append(svg("text", { x: across(value), y: box.height - 12, "text-anchor": "middle" }, bytes(value)));
  host.replaceChildren(picture);
  legend("memory-legend", [["box weights", "weights"], ["box features", "features held at once"], ...(runtime ? [["box runtime", "the runtime itself"]] : []), ...(numbers.memory !== null && !beyond ? [["limit", "memory of a node"]] : [])]);
  const { fast_bytes: fast, spill_Bps: spill } = data.profiles[state.profile];
  const tier = ([name, { weight_bytes: weights }]) => (weights > fast
    ? `Of the weights of ${name} ${bytes(weights - fast)} are beyond ${bytes(fast)} of fast memory: they come anew for each input, at ${formatQuantity(spill, "B/s")} in ${seconds((weights - fast) / spill)}.`
    : `All weights of ${name} are in ${bytes(fast)} of fast memory.`);
  const tiers = spill === null ? "" : ` ${bars.map(tier).join(" ")}`;
  const words = { yes: "fits", spills: "fits, its weights not in the fast memory alone", tight: "fits tightly: a runtime that holds more than the features needed at once may not", no: "does not fit" };
  byId("memory-words").textContent = bars.map(([name, each]) => `${capital(name)} needs at least ${bytes(each.node_bytes)}${each.fits ? `: ${words[each.fits]}` : ""}.`).join(" ") + (numbers.memory === null ? " The profile states no memory: set one." : ` A node has ${bytes(numbers.memory)}.`) + tiers;
}

function table(id, head, rows, mark = () => false) {
  const cell = (tag, text, k) => html(tag, { class: [null, "text", "text long", "text wraps"][head[k][1] ?? 0], scope: tag === "th" ? "col" : null }, text);
  byId(id).replaceChildren(
    html("thead", {}, html("tr", {}, ...head.map(([name], k) => cell("th", name, k)))),
    html("tbody", {}, ...rows.map((row, n) => html("tr", { class: mark(n) ? "now" : null }, ...row.map((each, k) => cell("td", each, k))))));
}

function showFits() {
  const { all, one, chosen } = found;
  const focused = byId("fits").contains(document.activeElement) ? document.activeElement.textContent : null;
  const sorted = [...all].sort((a, b) => a.latency_s - b.latency_s);
  const rows = sorted.map((each) => {
    const button = html("button", { type: "button" }, each.strategy.name);
    button.addEventListener("click", () => { state.strategy = each.strategy.name; render(); });
    const speedup = one.latency_s / each.latency_s;
    return [button, String(each.nodes), each.s_comm === null ? "-" : String(each.s_comm), seconds(each.latency_s), `${formatRatio(speedup)}x`, bytes(each.bytes_per_node), bytes(each.node_bytes), each.fits ?? "-", `${each.exact ? "exact" : "needs training"}${each.laid_for_profile ? ", laid out for the profile" : ""}`];
  });
  table("fits", [["split", 1], ["N"], ["S_comm"], ["latency"], ["vs one node"], ["sent per node"], ["memory at least"], ["fits"], ["result", 3]], rows, (n) => sorted[n].strategy === chosen.strategy);
  if (focused) [...byId("fits").querySelectorAll("button")].find((each) => each.textContent === focused)?.focus();
}

function showAccuracy() {
  byId("accuracy-section").hidden = !data.networks[state.network].accuracy;
  byId("accuracy").textContent = accuracyWords().words;
}

// What is published of the accuracy of the chosen split, and whether it is `known`.
function accuracyWords() {
  const published = data.networks[state.network].accuracy;
  if (!published) return { known: false, words: "" };
  const { chosen } = found;
  const name = chosen.exact ? "dense" : chosen.strategy.name;
  const by = published.by[name];
  const knows = chosen.exact || (by && chosen.nodes === published.nodes);
  const at = (s) => {
    const k = by.s.findLastIndex((each) => each <= s);
    if (k === by.s.length - 1) return by.accuracy[k];
    return by.accuracy[k] + ((s - by.s[k]) / (by.s[k + 1] - by.s[k])) * (by.accuracy[k + 1] - by.accuracy[k]);
  };
  const dense = published.by.dense.accuracy[0];
  const words = knows
    ? `${formatRatio(chosen.exact ? dense : at(chosen.s_comm ?? 0))} ${published.measure}, of ${dense} undivided. Published, not computed: ${published.source} of the DISCO paper, of its own training on ${many(published.nodes)}; linear between what it prints.`
    : `None is published for ${chosen.strategy.name} on ${many(chosen.nodes)}: ${published.source} of the DISCO paper is for ${many(published.nodes)}. Undivided: ${dense} ${published.measure}.`;
  return { known: Boolean(knows), words };
}

function showAssumed() {
  const profile = data.profiles[state.profile];
  const paths = { bandwidth: "link.bandwidth", link_latency: "link.latency", compute: `compute.${profile.dtype}`, memory: "memory.capacity" };
  const changed = Object.fromEntries(QUANTITIES.filter((name) => state.texts[name] !== (profile.numbers[name]?.text ?? "")).map((name) => [paths[name], state.texts[name]]));
  if (state.topology !== profile.topology) changed["link.topology"] = state.topology;
  const rows = profile.figures.map(([path, value, kind, reference]) => (path in changed ? [path, changed[path], "set here", `the profile has ${value}: ${reference}`] : [path, value, kind, reference]));
  const known = new Set(profile.figures.map(([path]) => path));
  for (const [path, text] of Object.entries(changed)) if (!known.has(path)) rows.push([path, text, "set here", "the profile states none"]);
  const shown = JSON.stringify([state.network, state.profile, changed]);
  if (shown === assumedShown) return;
  assumedShown = shown;
  table("assumed", [["number", 1], ["value"], ["kind", 1], ["where it comes from", 2]], rows);
  byId("error").textContent = profile.held_out_error === null
    ? "No error of this profile is known: it is made of data sheets and estimates, each with its source below. Of networks really run on a machine that was measured, the model is off by a few per cent on average (docs/accuracy.md)."
    : `Off by ${percent(profile.held_out_error)} in the median, of networks that were measured${profile.measured_as ? ` on ${profile.measured_as}` : ""} and not fitted; each number with its source below.`;
  const network = data.networks[state.network];
  byId("notes").replaceChildren(...[...data.notes, ...network.notes].map((line) => html("li", {}, line)));
}

// The command and the address

function copy() {
  const text = found.command;
  const said = (words) => { byId("copied").textContent = words; };
  const byHand = () => {
    getSelection().selectAllChildren(byId("command"));
    said("selected: copy it with the keyboard");
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => said("copied"), byHand);
  else byHand();
}

function remember() {
  clearTimeout(waiting);
  waiting = setTimeout(() => history.replaceState(null, "", `#${writeState(data, state)}`), 150);
}

function render(how) {
  found = answer(data, state);
  showControls(how);
  showVerdict();
  showLatency();
  showMap();
  layersNow = layersOf();
  showLayers();
  showLayerTable();
  showMemory();
  showFits();
  showAccuracy();
  showAssumed();
  byId("command").textContent = found.command;
  byId("copied").textContent = "";
  if (how !== "address") remember();
}

buildControls();
found = answer(data, state);
showControls();
showVerdict();
setTimeout(() => render("address"), 20); // once the verdict is on the screen
byId("made").textContent = `Made by ${data.made_by}; the document inside is ${data.format} version ${data.version} (docs/explore.md). Nothing is sent or fetched.`;
addEventListener("hashchange", () => { state = readState(data, location.hash); render("address"); });
addEventListener("resize", () => { forgetWidths(); render("address"); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { palette = null; render("address"); });

// The same numbers for other scripts: discosim.answer("#bw=1MB/s").latency_s.
globalThis.discosim = {
  document: data,
  answer(fragment) {
    const { chosen, one, command } = answer(data, readState(data, fragment));
    const { latency_s, comm_s, comp_s, s_comm, nodes, node_bytes, weight_bytes, bytes_per_node, avg_s_comm, precomputed, laid_for_profile } = chosen;
    return { latency_s, comm_s, comp_s, s_comm, nodes, node_bytes, weight_bytes, bytes_per_node, avg_s_comm, precomputed, laid_for_profile, fits: chosen.fits, single_s: one.latency_s, command };
  },
  read: (text, name, opsPerMac) => readQuantity(text, data.quantities[name], opsPerMac),
  address: (fragment) => writeState(data, readState(data, fragment)),
  breakEven: (fragment) => breakEven(data, answer(data, readState(data, fragment))),
};
