// The latency model over the coefficients of the document (docs/explore.md says what they mean).

const WORK = ["macs", "touched", "calls", "waiting_macs", "waiting_calls", "waiting_touched"];
const WIRE = ["sent", "messages"];

// A network of the document, with its layers of one kind counted and its rows of coefficients kept.
export class Engine {
  constructor(document, network) {
    this.document = document;
    this.network = network;
    this.columns = network.columns.map(unpacked);
    this.kinds = this.columns.length ? this.columns[0].length : 1;
    this.counts = new Float64Array(this.kinds);
    for (const kind of network.kind_of_row) this.counts[kind] += 1;
    this.kept = new Map();
  }

  // The places of a configuration: none of a strategy that cannot have so many nodes, several of one
  // whose plans were searched at several bandwidths, the profile's own first.
  places(profile, strategy, nodes, overlap) {
    const kind = strategy.weighs && nodes > 1 ? `profile${profile}` : this.network.kind_of_profile[profile];
    const staged = strategy.staged && nodes > 1;
    const hidden = staged && overlap !== "none" ? "/overlapped" : "";
    const rates = this.network.rates[this.network.kind_of_profile[profile]];
    const found = [];
    for (let plan = 0; ; plan += 1) {
      const name = `${nodes === 1 ? "single" : strategy.name}/${nodes}${plan ? `/${plan}` : ""}`;
      const key = `${kind}/${name}${hidden}`;
      const at = this.network.places[key];
      if (!at) return found;
      found.push({ key, rates, at, staged, curve: `${profile}/${name}` });
      if (!strategy.searched || nodes === 1) return found;
    }
  }

  // S_comm that can be answered here: itself, or the nearest of those that are known.
  answerable(place, sComm) {
    const steps = this.blocks(place, 0).find((block) => block.stepped);
    return steps ? nearest(steps.s, sComm) : sComm;
  }

  blocks(place, topology) {
    const { compute, totals, wires } = this.network;
    return [compute[place.at[0]], totals[place.at[1]], wires[place.at[2 + topology]]];
  }

  // Amounts of every kind of layer, and totals of a node, at one S_comm.
  rows(place, topology, sComm) {
    const key = `${place.key}|${topology}|${sComm}`;
    let found = this.kept.get(key);
    if (!found) {
      if (this.kept.size > 4096) this.kept.clear();
      found = this.computeRows(place, topology, sComm);
      this.kept.set(key, found);
    }
    return found;
  }

  computeRows(place, topology, sComm) {
    const [compute, totals, wire] = this.blocks(place, topology);
    const rows = {};
    for (const name of WORK) rows[name] = this.column(compute, name, sComm);
    for (const name of WIRE) rows[name] = this.column(wire, name, sComm);
    rows.two = Boolean(compute.two);
    if (rows.two) for (const name of WORK) rows[`${name}_2`] = this.column(compute, `${name}_2`, sComm);
    if (!compute.waiting_touched) {
      rows.waiting_touched = rows.touched.map((v, k) => (rows.macs[k] > 0 ? (v * rows.waiting_macs[k]) / rows.macs[k] : 0));
    }
    const [slowness, reach] = place.rates.map((reference) => this.referred(reference));
    for (const ending of rows.two ? ["", "_2"] : [""]) {
      for (const word of ["", "waiting_"]) {
        rows[`${word}macs${ending}`] = rows[`${word}macs${ending}`].map((value, k) => value * slowness[k]);
        rows[`${word}touched${ending}`] = rows[`${word}touched${ending}`].map((value, k) => value * reach[k]);
      }
    }
    for (const name of ["weight_bytes", "feature_bytes", "avg_s_comm"]) rows[name] = number(totals, name, sComm);
    rows.bytes_per_node = number(wire, "bytes_per_node", sComm);
    return rows;
  }

  column(block, name, sComm) {
    const values = new Float64Array(this.kinds);
    const references = block[name];
    if (!references) return values;
    for (const [knot, weight] of weights(block, sComm)) {
      const reference = references[knot];
      if (!reference || weight === 0) continue;
      const column = this.columns[reference[0]];
      const factor = reference[1] * weight;
      for (let k = 0; k < values.length; k += 1) values[k] += factor * column[k];
    }
    return values;
  }

  // Seconds of MACs, bytes touched and calls, of the node that takes longer where two may.
  slower(rows, numbers, names) {
    const { compute, memoryRate, beside } = numbers;
    const found = new Float64Array(this.kinds);
    for (const ending of rows.two ? ["", "_2"] : [""]) {
      const [macs, touched, calls] = names.map((name) => rows[name + ending]);
      for (let k = 0; k < found.length; k += 1) {
        const arithmetic = macs[k] / compute, memory = touched[k] / memoryRate;
        const each = (beside ? Math.max(arithmetic, memory) : arithmetic + memory) + calls[k];
        if (each > found[k]) found[k] = each;
      }
    }
    return found;
  }

  // Work, and what comes before received features can be used, of each kind of layer: a layer takes
  // head + sent / B without overlap, else the larger of that and work.
  parts(rows, numbers, overlap, staged) {
    const serial = overlap === "none" || staged;
    const work = this.slower(rows, numbers, ["macs", "touched", "calls"]);
    const before = serial ? work : overlap === "ideal" ? null : this.slower(rows, numbers, ["waiting_macs", "waiting_touched", "waiting_calls"]);
    const head = new Float64Array(this.kinds);
    for (let k = 0; k < this.kinds; k += 1) head[k] = rows.messages[k] * numbers.link_latency + (before ? before[k] : 0);
    return { work, head, serial };
  }

  // The column of a reference.
  referred(reference) {
    const values = new Float64Array(this.kinds);
    return reference ? values.map((_, k) => reference[1] * this.columns[reference[0]][k]) : values;
  }

  // Seconds of each kind of layer: communication, computation and both, on hardware with `numbers`.
  layers(rows, numbers, overlap, staged) {
    const { work, head, serial } = this.parts(rows, numbers, overlap, staged);
    const comm = rows.sent.map((bytes, k) => bytes / numbers.bandwidth + rows.messages[k] * numbers.link_latency);
    const both = rows.sent.map((bytes, k) => Math.max(serial ? 0 : work[k], head[k] + bytes / numbers.bandwidth));
    return { comm, comp: work, both };
  }

  // Latency, communication and computation of the whole network.
  times(rows, numbers, overlap, staged) {
    const { comm, comp, both } = this.layers(rows, numbers, overlap, staged);
    let latency_s = 0, comm_s = 0, comp_s = 0;
    for (let k = 0; k < this.kinds; k += 1) {
      latency_s += both[k] * this.counts[k];
      comm_s += comm[k] * this.counts[k];
      comp_s += comp[k] * this.counts[k];
    }
    return { latency_s, comm_s, comp_s };
  }

  // Latency at each S_comm, as pairs; of those that are known in steps only, each once.
  curveOver(place, topology, numbers, overlap, shares) {
    const found = new Map();
    for (const sComm of shares) {
      const s = this.answerable(place, sComm);
      if (!found.has(s)) found.set(s, this.latencies(this.rows(place, topology, s), numbers, overlap, place.staged, [1 / numbers.bandwidth])[0]);
    }
    return [...found].sort((a, b) => a[0] - b[0]);
  }

  // The curve of latencies that was computed when the page was made, or null where none was needed.
  curve(place, overlap) {
    return place.staged ? null : (this.network.curves[`${place.curve}/${overlap}`] ?? null);
  }

  // Latency at each of `slowness` = 1/B, all else as in `numbers`.
  latencies(rows, numbers, overlap, staged, slowness) {
    const { work, head, serial } = this.parts(rows, numbers, overlap, staged);
    const { counts, kinds } = this, { sent } = rows;
    if (serial) {
      let still = 0, moved = 0;
      for (let k = 0; k < kinds; k += 1) {
        still += counts[k] * head[k];
        moved += counts[k] * sent[k];
      }
      return slowness.map((u) => still + moved * u);
    }
    return slowness.map((u) => {
      let total = 0;
      for (let k = 0; k < kinds; k += 1) total += counts[k] * Math.max(work[k], head[k] + sent[k] * u);
      return total;
    });
  }

  // The latencies of the fastest of several rows.
  least(every, numbers, overlap, staged, slowness) {
    const found = every.map((rows) => this.latencies(rows, numbers, overlap, staged, slowness));
    return found.length === 1 ? found[0] : found[0].map((_, k) => Math.min(...found.map((each) => each[k])));
  }

  // Bandwidth from which on the fastest of these rows takes at most `seconds`: 0 always, Infinity never.
  breakEven(every, numbers, overlap, staged, seconds) {
    const at = (u) => this.least(every, numbers, overlap, staged, [u])[0];
    if (at(0) >= seconds) return Infinity;
    let low = 0, high = 1e-12;
    while (at(high) < seconds) {
      low = high;
      high *= 4;
      if (high > 1e9) return 0;
    }
    for (let step = 0; step < 200 && high - low > 1e-15 * high; step += 1) {
      const middle = (low + high) / 2;
      if (at(middle) < seconds) low = middle;
      else high = middle;
    }
    return 1 / high;
  }
}

// The one of `values` that is nearest to `value`, the first of two.
export function nearest(values, value) {
  return values.reduce((best, each) => (Math.abs(each - value) < Math.abs(best - value) ? each : best));
}

// A column as it is: after -3, a number stands three times.
function unpacked(column) {
  const found = [];
  for (let n = 0; n < column.length; n += 1) {
    if (column[n] >= 0) found.push(column[n]);
    else {
      for (let times = -column[n]; times > 0; times -= 1) found.push(column[n + 1]);
      n += 1;
    }
  }
  return found;
}

// A number of a block at one S_comm.
function number(block, name, sComm) {
  return weights(block, sComm).reduce((sum, [knot, weight]) => sum + weight * block[name][knot], 0);
}

// The knots around an S_comm and their weights; straight in between, the last knot at 1 itself.
function weights(block, sComm) {
  const { s, stepped } = block;
  const last = s.length - 1;
  if (last === 0) return [[0, 1]];
  if (sComm >= 1) return [[last, 1]];
  let low = 0;
  while (low < last - 1 && s[low + 1] <= sComm) low += 1;
  const share = (sComm - s[low]) / (s[low + 1] - s[low]);
  if (stepped) return [[share < 0.5 ? low : low + 1, 1]];
  return share === 0 ? [[low, 1]] : [[low, 1 - share], [low + 1, share]];
}

// Whether a node that needs so many bytes has them: yes, spills, tight, no, or null where none is stated.
export function fits(nodeBytes, featureBytes, weightBytes, memory, workspace, fast) {
  if (memory === null) return null;
  if (nodeBytes > memory) return "no";
  if (nodeBytes + (workspace - 1) * featureBytes > memory) return "tight";
  return fast !== null && weightBytes > fast ? "spills" : "yes";
}
