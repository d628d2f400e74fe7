// What is chosen: read from the address, written to it, and the command that prints the same.

import { readQuantity, readShare } from "./units.js";

const FLAGS = { bandwidth: "--bw", link_latency: "--link-latency", compute: "--compute", memory: "--memory" };
const KEYS = { bandwidth: "bw", link_latency: "latency", compute: "compute", memory: "memory" };
export const QUANTITIES = Object.keys(KEYS);
const RANGE = [1e-9, 1e21]; // of what is not zero, in SI: beyond it sums are no numbers any more

// The state that an address says; what it does not say is the page's beginning.
export function readState(document, fragment) {
  const said = new URLSearchParams(fragment.replace(/^#/, ""));
  const index = (items, word, of = (each) => each) => Math.max(0, items.findIndex((each) => of(each) === word));
  const { start } = document;
  const profile = index(document.profiles, said.get("hw"), (each) => each.word);
  const numbers = document.profiles[profile].numbers;
  const nodes = Number(said.get("nodes") ?? start.nodes);
  const has = (items, word) => (items.includes(word) ? word : null);
  return {
    network: index(document.networks, said.get("model"), (each) => each.word),
    profile,
    texts: Object.fromEntries(QUANTITIES.map((name) => [name, said.get(KEYS[name]) ?? numbers[name]?.text ?? ""])),
    topology: has(document.topologies, said.get("topology")) ?? document.profiles[profile].topology,
    nodes: document.nodes.includes(nodes) ? nodes : start.nodes,
    share: said.get("s") ?? String(start.s_comm),
    strategy: has(document.strategies.map((each) => each.name), said.get("split")) ?? start.strategy,
    overlap: has(document.overlaps, said.get("overlap")) ?? start.overlap,
    axis: said.get("x") === "nodes" ? "nodes" : "s",
    layer: 0,
  };
}

// The address of a state: only what differs from the page's beginning.
export function writeState(document, state) {
  const usual = readState(document, `hw=${encodeURIComponent(document.profiles[state.profile].word)}`);
  const said = new URLSearchParams();
  if (state.network) said.set("model", document.networks[state.network].word);
  if (state.profile) said.set("hw", document.profiles[state.profile].word);
  for (const name of QUANTITIES) if (state.texts[name] !== usual.texts[name]) said.set(KEYS[name], state.texts[name]);
  const keys = { topology: "topology", nodes: "nodes", share: "s", strategy: "split", overlap: "overlap", axis: "x" };
  for (const [name, key] of Object.entries(keys)) if (state[name] !== usual[name]) said.set(key, String(state[name]));
  return said.toString();
}

// The numbers of a state in SI, and what is wrong with its texts by their names.
export function readNumbers(document, state) {
  const profile = document.profiles[state.profile];
  const faults = {}, found = {};
  for (const name of QUANTITIES) {
    const own = profile.numbers[name];
    const text = state.texts[name];
    found[name] = own ? own.value : null;
    if (text === (own?.text ?? "")) continue;
    try {
      const value = readQuantity(text, document.quantities[name], profile.ops_per_mac);
      if (value > RANGE[1] || (value < RANGE[0] && !document.quantities[name].may_be_zero)) {
        const [least, most] = RANGE.map((end) => `${end.toExponential()}${document.quantities[name].unit}`);
        throw new Error(`'${text}' is beyond what this page computes with; wanted: ${least} to ${most}`);
      }
      found[name] = value;
    } catch (error) {
      faults[name] = error.message;
    }
  }
  let sComm = document.start.s_comm;
  try {
    sComm = readShare(state.share);
  } catch (error) {
    faults.share = error.message;
  }
  return { ...found, memoryRate: profile.memory_Bps ?? Infinity, beside: profile.memory_overlap === "full", sComm, faults };
}

// The words of the command that prints the numbers of a state; sComm is the one that is answered.
export function commandOf(document, state, numbers, sComm) {
  const profile = document.profiles[state.profile];
  const strategy = document.strategies.find((each) => each.name === state.strategy);
  const words = ["discosim", "sweep", "--model", document.networks[state.network].word, "--hw", profile.word];
  for (const name of QUANTITIES) {
    const own = profile.numbers[name];
    const text = numbers.faults[name] ? (own?.text ?? "") : state.texts[name].trim();
    if (text && (own?.given || text !== own?.text)) words.push(FLAGS[name], text);
  }
  if (profile.topology_given || state.topology !== profile.topology) words.push("--topology", state.topology);
  words.push("--strategy", state.strategy, "--nodes", String(state.nodes));
  if (strategy.knob) words.push("--s-comm", String(sComm));
  if (state.overlap !== "none" || document.words.includes("--as-built")) words.push("--overlap", state.overlap);
  return [...words, ...document.words].map(quoted).join(" ");
}

// A word as a shell takes it.
function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
