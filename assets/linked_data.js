/**
 * The linked view's data: what inbedder_core/payload.py made, unpacked, and what is looked up
 * in it. Continues linked_view.js and shares its scope.
 */

const TYPES = {
  u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, i4: Int32Array,
  f4: Float32Array, f8: Float64Array,
};
const PACKED = ["answers", "answer_percent", "groups", "neighbors", "neighbor_permille",
  "moved_percent", "trust_percent"];

const bytesOf = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

/** Reads Plotly's {dtype, bdata} arrays. */
function decode(spec) {
  if (!spec?.bdata) return spec ?? [];
  return new TYPES[spec.dtype](bytesOf(spec.bdata).buffer);
}

/** Reads what `deflated` in inbedder_core/wire.py made: JSON, or base64 of its zlib stream. */
async function inflated(text) {
  if (text.startsWith("{")) return text;
  const stream = new Blob([bytesOf(text)]).stream();
  return new Response(stream.pipeThrough(new DecompressionStream("deflate"))).text();
}

/** Reads what `packed` in inbedder_core/wire.py made: numbers, or rows of numbers. */
function unpack(spec) {
  const flat = Array.from(decode(spec));
  const [length, width] = spec.shape;
  if (width === undefined) return flat;
  const rows = Array.from({ length }, (_, r) => flat.slice(r * width, (r + 1) * width));
  return spec.ragged ? rows.map((row) => row.filter((value) => value >= 0)) : rows;
}

/** Rows of a symmetric matrix whose upper half came in ten-thousandths. */
function mirrored(half) {
  const size = Math.round((Math.sqrt(8 * half.length + 1) - 1) / 2);
  const rows = Array.from({ length: size }, () => new Float32Array(size));
  let at = 0;
  for (let r = 0; r < size; r++) {
    for (let c = r; c < size; c++) rows[r][c] = rows[c][r] = half[at++] / 10000;
  }
  return rows;
}

/** Adds to the payload what the page looks up often. */
function prepare(data) {
  const n = data.texts.length;
  data.position = new Int32Array(n);
  data.order = unpack(data.order);
  if (data.facet) data.facet.of = unpack(data.facet.of);
  data.order.forEach((text, position) => (data.position[text] = position));
  for (const view of data.views) {
    view.x = decode(view.map.data[0].x);
    view.y = decode(view.map.data[0].y);
    for (const name of PACKED) view[name] = view[name] && unpack(view[name]);
    view.z = view.heatmap.data[0].z = mirrored(decode(view.cells));
    view.legend = data.facet ?? { of: view.groups, names: view.group_names };
    const styles = view.legend.of.map((category) => styleOf(data, category));
    const [color, symbol] = [0, 1].map((part) => styles.map((style) => style[part]));
    Object.assign(view.map.data[0].marker, { color, symbol });
    view.wasTruncated = new Set(view.truncated);
  }
  data.cells = data.cell_starts.length;
  data.everyCell = data.cells === n;
  data.cellAt = new Int32Array(n); // of a position in the order
  data.cell_starts.forEach((start, cell) => data.cellAt.fill(cell, start));
  data.facets = Object.keys(data.labels);
  return data;
}

const styleOf = (data, category) => (category < 0 ? data.no_style : data.styles[category]);
const legendName = (legend, category) => (category < 0 ? legend.rest : legend.names[category]);
const topAnswer = (data, view, i) => data.words[view.answers[i][0]] ?? "no answer";
const cellOf = (data, i) => data.cellAt[data.position[i]];
const textsOf = (data, cell) => data.order.slice(...data.cell_starts.slice(cell, cell + 2));

/** Cosine of two texts in one view; null when the page doesn't have it. */
function similarity(lv, v, i, j) {
  const { data } = lv;
  const view = data.views[v];
  if (i === j) return 1;
  if (data.everyCell) return view.z[data.position[i]][data.position[j]];
  for (const [a, b] of [[i, j], [j, i]]) {
    const rank = view.neighbors[a].indexOf(b);
    if (rank >= 0) return view.neighbor_permille[a][rank] / 1000;
  }
  const told = lv.told;
  return told && told.i === i && told.j === j ? told.similarity[v] : null;
}
