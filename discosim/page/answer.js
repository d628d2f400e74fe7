// What a state answers: numbers of the chosen split, of one node, and of every other split.

import { Engine, fits, nearest } from "./engine.js";
import { readNumbers, commandOf } from "./state.js";

const engines = new Map();

export function engineOf(document, network) {
  if (!engines.has(network)) engines.set(network, new Engine(document, document.networks[network]));
  return engines.get(network);
}

// Whether numbers that a plan may go by are others than the profile's.
function moved(document, state, numbers) {
  const profile = document.profiles[state.profile];
  const others = ["bandwidth", "link_latency", "compute"].some((name) => numbers[name] !== profile.numbers[name].value);
  return others || state.topology !== profile.topology;
}

// Whether a plan was made for other numbers than these; `best` is searched without overlap.
function elsewhere(document, state, numbers, strategy) {
  return strategy.weighs && (moved(document, state, numbers) || (strategy.searched && state.overlap !== "none"));
}

// Times and bytes of one split, of the fastest of its plans, or null where it cannot be.
export function costs(document, state, numbers, strategy, asked, sComm) {
  const nodes = strategy.name === "single" ? 1 : asked;
  const every = engineOf(document, state.network).places(state.profile, strategy, nodes, state.overlap);
  const other = nodes > 1 && elsewhere(document, state, numbers, strategy);
  const found = (other ? every : every.slice(0, 1)).map((place) => ({
    ...costsAt(document, state, numbers, strategy, nodes, sComm, place), every, laid_for_profile: other,
  }));
  return found.reduce((least, each) => (least && least.latency_s <= each.latency_s ? least : each), null);
}

// Of one plan. Overlaps without exact coefficients have the curve that was computed when the page
// was made: `precomputed`.
function costsAt(document, state, numbers, strategy, nodes, sComm, place) {
  const engine = engineOf(document, state.network);
  const profile = document.profiles[state.profile];
  const curve = engine.curve(place, state.overlap);
  const steps = curve && curve.length > 1 ? document.steps : null;
  const s = steps ? nearest(steps, sComm) : engine.answerable(place, sComm);
  const rows = engine.rows(place, document.topologies.indexOf(state.topology), s);
  const exact = document.exact_overlaps.includes(state.overlap) && !curve;
  const times = exact || place.staged
    ? engine.times(rows, numbers, state.overlap, place.staged)
    : { latency_s: curve[steps ? steps.indexOf(s) : 0], comm_s: null, comp_s: null };
  const nodeBytes = rows.weight_bytes + rows.feature_bytes + profile.runtime_bytes;
  return {
    strategy, nodes, s_comm: strategy.knob ? s : null, place, rows, ...times,
    precomputed: Boolean(curve),
    node_bytes: nodeBytes,
    weight_bytes: rows.weight_bytes,
    feature_bytes: rows.feature_bytes,
    bytes_per_node: rows.bytes_per_node,
    avg_s_comm: rows.avg_s_comm,
    exact: strategy.exact || nodes === 1 || (strategy.knob && s === 0),
    fits: fits(nodeBytes, rows.feature_bytes, rows.weight_bytes, numbers.memory, profile.workspace ?? document.workspace, profile.fast_bytes),
  };
}

// Everything that a state answers.
export function answer(document, state) {
  const numbers = readNumbers(document, state);
  const named = (name) => document.strategies.find((each) => each.name === name);
  const of = (strategy, nodes = state.nodes) => costs(document, state, numbers, strategy, nodes, numbers.sComm);
  const one = costs(document, state, numbers, document.single, 1, 0);
  const chosen = of(named(state.strategy)) ?? one;
  const all = document.strategies.map((each) => of(each)).filter(Boolean);
  const splits = all.filter((each) => each.exact && each.nodes > 1);
  const best = splits.reduce((least, each) => (least && least.latency_s <= each.latency_s ? least : each), null);
  const command = commandOf(document, state, numbers, chosen.s_comm ?? numbers.sComm);
  return { state, numbers, one, chosen, all, best, command };
}

// The rows of each plan of the chosen split at one S_comm.
export function rowsOf(document, found, sComm) {
  const { state, chosen } = found;
  const engine = engineOf(document, state.network);
  const topology = document.topologies.indexOf(state.topology);
  return chosen.every.map((place) => engine.rows(place, topology, engine.answerable(place, sComm)));
}

// Bandwidth from which the chosen split is as fast as one node: 0 always, Infinity never.
export function breakEven(document, found) {
  const { state, numbers, chosen, one } = found;
  if (chosen.precomputed || one.precomputed) return null;
  const engine = engineOf(document, state.network);
  return engine.breakEven(rowsOf(document, found, chosen.s_comm ?? 0), numbers, state.overlap, chosen.place.staged, one.latency_s);
}
