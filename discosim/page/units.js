// Quantities as people write them: the rules of discosim's units.py, with its own table of units.

const NUMBER = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/;
const PREFIXES = { 15: "P", 12: "T", 9: "G", 6: "M", 3: "k", 0: "", "-3": "m", "-6": "u", "-9": "n", "-12": "p", "-15": "f" };

// The SI number of a text, or throws an Error whose message says what is wrong and what is wanted.
export function readQuantity(text, quantity, opsPerMac = null) {
  const wanted = `wanted: ${quantity.noun}, such as ${quantity.example}`;
  const fail = (fault) => { throw new Error(`'${text}' ${fault}; ${wanted}`); };
  const written = text.trim();
  if (!written) fail("is empty");
  const match = NUMBER.exec(written);
  if (!match) fail("does not start with a number");
  const unit = written.slice(match[0].length).trim();
  if (unit.startsWith(",")) fail("has a comma: write a decimal point");
  const factor = Object.hasOwn(quantity.factors, unit) ? quantity.factors[unit] : undefined;
  if (factor === undefined) {
    if (!unit) fail("has no unit");
    if (Object.hasOwn(quantity.factors, `${unit}/s`)) fail(`has no '/s': write ${match[0]}${unit}/s`);
    fail(`has the unknown unit '${unit}'`);
  }
  const number = Number(match[0]);
  let value = factor > 1e-3 ? number * factor : number / Math.round(1 / factor);
  const operations = /OPS?(\/s|s\/s)?$/.test(unit) && !/FLOPS?(\/s|s\/s)?$/.test(unit);
  if (quantity.noun === "a compute rate" && operations) {
    value /= unit.endsWith("OPS") ? 2 : (opsPerMac ?? 1); // TOPS are those of a data sheet
  }
  if (!Number.isFinite(value)) fail("is too large for a number");
  if (value < 0 || (value === 0 && !quantity.may_be_zero)) {
    fail(`must be ${quantity.may_be_zero ? "zero or more" : "more than zero"}`);
  }
  return Math.abs(value);
}

// A fraction written as 0.8 or 80%, between 0 and 1.
export function readShare(text) {
  const written = text.trim();
  const percent = written.endsWith("%");
  const stem = percent ? written.slice(0, -1).trim() : written;
  if (!NUMBER.test(stem) || NUMBER.exec(stem)[0] !== stem) {
    throw new Error(`'${text}' is not a number; wanted S_comm as 0.8 or 80%`);
  }
  const value = Number(stem) / (percent ? 100 : 1);
  if (!(value >= 0 && value <= 1)) throw new Error(`S_comm ${text} is outside 0 (all is sent) to 1 (nothing is)`);
  return value;
}

// `value`, in SI units of `unit`, for people: (3.75e7, "B/s") gives "37.5 MB/s".
export function formatQuantity(value, unit, digits = 3) {
  if (!Number.isFinite(value)) return `${value} ${unit}`.trim();
  if (value === 0) return `0 ${unit}`.trim();
  const [least, most] = unit === "s" ? [-15, 0] : unit === "USD" || unit === "x" ? [0, 0] : [0, 15];
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const power = Math.min(Math.max(Math.floor(Number(exponent) / 3) * 3, least), most);
  const shift = Number(exponent) - power;
  let number = `${mantissa}e${shift}`;
  if (Math.abs(shift) <= 6) {
    number = (Number(mantissa) * 10 ** shift).toFixed(Math.max(0, digits - 1 - shift));
    if (number.includes(".")) number = number.replace(/\.?0+$/, "");
  }
  return `${number} ${PREFIXES[power]}${unit}`.trim();
}

// A ratio in three digits: 1.3, 18.4, 123.
export function formatRatio(value) {
  return String(Number(value.toPrecision(3)));
}
