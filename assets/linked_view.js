/**
 * The linked view: one column (map and heatmap) per instruction, the table of all texts and the
 * detail of what is pinned. Everything is index based: point i of a map is text i.
 *
 * Two rules. What a person typed reaches the page through `textContent` only (see `h`), never as
 * markup and never inside a Plotly string. And pointing redraws no plot: rings and bands are our
 * own elements, laid over the plots.
 *
 * The data is made by inbedder_core/payload.py. ui/linked_view.py joins this file, linked_data.js,
 * linked_table.js and a call of `mountLinkedView` into the component's script.
 */

const SVG = "http://www.w3.org/2000/svg";
const PAGE = 200; // table rows drawn at a time in a large collection
const PAGED_ABOVE = 500;
const MAX_CHIPS = 12;
const MAX_RINGS = 60;
const MAX_CELL = 90; // pixels

/** Outlines of Plotly's marker symbols in a box of 16 × 16, for chips and table. */
const SYMBOLS = {
  "circle": "M8 2.2a5.8 5.8 0 1 1 0 11.6a5.8 5.8 0 1 1 0-11.6Z",
  "diamond": "M8 1 15 8 8 15 1 8Z",
  "square": "M2.8 2.8h10.4v10.4H2.8Z",
  "triangle-up": "M8 1.6 15 14H1Z",
  "cross": "M5.8 1.8h4.4v4h4v4.4h-4v4H5.8v-4h-4V5.8h4Z",
  "star": "M8 .8l2.1 4.9 5.3.5-4 3.5 1.2 5.2L8 12.2l-4.6 2.7 1.2-5.2-4-3.5 5.3-.5Z",
  "triangle-down": "M8 14.4 1 2h14Z",
  "x": "M4.3 1.5 8 5.2l3.7-3.7 2.8 2.8-3.7 3.7 3.7 3.7-2.8 2.8L8 10.8l-3.7 3.7-2.8-2.8L5.2 8 1.5 4.3Z",
  "pentagon": "M8 1.2 15 6.3 12.3 14.4H3.7L1 6.3Z",
  "hourglass": "M2 1.8h12L8.8 8 14 14.2H2L7.2 8Z",
};

/**
 * @typedef {object} Linked  Everything that one linked view knows.
 * @property {HTMLElement} root
 * @property {Function} trigger  Sends an event to Python.
 * @property {object} Plotly
 * @property {object|null} data  The payload, with what `prepare` adds.
 * @property {object} els  Named elements.
 * @property {object[]} columns  Per view: its elements and plots.
 * @property {Map<number, HTMLElement>} rows  Table rows that are drawn now, by text.
 * @property {number[]} hover  Texts that are pointed at.
 * @property {number[]} pins  Nothing, one text, or a pair.
 * @property {{key: string, indices: number[], set: Set<number>}|null} selection
 */

// ------------------------------------------------------------------------------- small helpers

/** Makes an element. Attributes starting with "on" are listeners; children that are no nodes
 *  become text. The only way in which this file puts content on the page. */
function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name);
  if (classes.length) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key.startsWith("--")) node.style.setProperty(key, value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

function button(classes, onclick, attributes, ...children) {
  return h(`button.${classes}`, { type: "button", onclick, ...attributes }, ...children);
}

/** An element for what a person or the model wrote, in whatever direction it is written. */
const typed = (tag, text) => h(tag, { dir: "auto" }, text);

/** Draws a marker symbol as the maps draw it. */
function symbol([color, shape]) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  const open = shape.endsWith("-open");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", open ? "lv-symbol is-open" : "lv-symbol");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", SYMBOLS[shape.replace("-open", "")]);
  svg.style.color = color;
  svg.append(path);
  return svg;
}

const percent = (value) => (value < 1 ? "<1%" : `${Math.round(value)}%`);
const cosine = (value) => (value === null ? "…" : value.toFixed(2).replace("-", "−"));
const count = (n, thing) => `${n.toLocaleString("en")} ${thing}${n === 1 ? "" : "s"}`;
const quoted = (word) => `“${word}”`;
const shorten = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);
const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const coarsePointer = () => matchMedia("(pointer: coarse)").matches;
const badge = (view) => h("span.lv-badge", { "aria-hidden": "true" }, view.letter);
const bar = (share) => h("span.lv-bar", { "--share": Math.max(0, Math.min(1, share)) });

/** Loads plotly.js once for the whole page, and keeps ours although another may come later. */
function loadPlotly(path) {
  window.inbedderPlotly ??= new Promise((resolve, reject) => {
    const other = window.Plotly;
    const root = (window.gradio_config?.root ?? ".").replace(/\/$/, "");
    const script = h("script", { src: root + path });
    script.onload = () => {
      resolve(window.Plotly);
      if (other) window.Plotly = other;
    };
    script.onerror = () => {
      window.inbedderPlotly = undefined;
      reject(new Error("plotly.js did not load"));
    };
    document.head.append(script);
  });
  return window.inbedderPlotly;
}

// ------------------------------------------------------------------------------------- columns

function buildColumn(lv, v) {
  const letter = "ABCD"[v];
  const plot = (kind) => {
    const overlay = h("div.lv-overlay", { "aria-hidden": "true" });
    const gd = h("div.lv-plot", { role: "img", "data-testid": `${kind}-${letter}` });
    const frame = h(`div.lv-frame.lv-${kind}`, {}, gd, overlay);
    return { gd, overlay, frame, isMap: kind === "map", drawn: null };
  };
  const column = { map: plot("map"), heatmap: plot("heatmap"), head: h("header.lv-head") };
  column.chips = h("div.lv-chips", { role: "group", "aria-label": `Groups under ${letter}` });
  const plots = h("div.lv-plots", {}, column.map.frame, column.heatmap.frame);
  const attributes = { "data-testid": `view-${letter}`, "data-view": letter };
  column.node = h("section.lv-view", attributes, column.head, column.chips, plots);
  for (const { frame } of [column.map, column.heatmap]) keepPageScroll(frame);
  new ResizeObserver(() => drawColumn(lv, v)).observe(plots);
  return column;
}

/** The wheel zooms a plot only together with Ctrl or ⌘. */
function keepPageScroll(frame) {
  const guard = (event) => event.ctrlKey || event.metaKey || event.stopPropagation();
  frame.addEventListener("wheel", guard, { capture: true });
}

function fillColumns(lv) {
  const { data, columns, els } = lv;
  while (columns.length > data.views.length) {
    const { node, map, heatmap } = columns.pop();
    for (const { gd } of [map, heatmap]) lv.Plotly.purge(gd);
    node.remove();
  }
  while (columns.length < data.views.length) {
    columns.push(buildColumn(lv, columns.length));
    els.views.append(columns.at(-1).node);
  }
  els.views.dataset.count = data.views.length;
  data.views.forEach((view, v) => {
    const column = columns[v];
    const title = typed("h3", view.instruction);
    column.head.replaceChildren(badge(view), title, typed("p.lv-finding", view.finding));
    column.chips.replaceChildren(...chips(lv, view));
    column.map.gd.setAttribute("aria-label", view.aria.map);
    column.heatmap.gd.setAttribute("aria-label", view.aria.heatmap);
    column.map.drawn = column.heatmap.drawn = null;
    drawColumn(lv, v);
  });
}

/** One button per group: pressing it selects the group's texts in every panel. */
function chips(lv, view) {
  const members = new Map(view.legend.of.map((category) => [category, []]));
  view.legend.of.forEach((category, i) => members.get(category).push(i));
  const shown = [...members.keys()].sort((a, b) => (a < 0) - (b < 0) || a - b);
  const buttons = shown.map((category) => {
    const key = `${view.letter}-${category}`;
    const indices = members.get(category);
    const attributes = { "data-testid": `chip-${key}`, "data-key": key, "aria-pressed": "false" };
    const toggle = () => select(lv, lv.selection?.key === key ? null : indices, key);
    const name = typed("span.lv-chip-name", legendName(view.legend, category));
    const size = h("span.lv-count", {}, indices.length.toLocaleString("en"));
    return button("lv-chip", toggle, attributes, symbol(styleOf(lv.data, category)), name, size);
  });
  if (buttons.length <= MAX_CHIPS) return buttons;
  const rest = buttons.splice(MAX_CHIPS - 1);
  const more = button("lv-link", () => more.replaceWith(...rest), {}, `${rest.length} more`);
  return [...buttons, more];
}

// --------------------------------------------------------------------------------------- plots

/** Draws a column's plots, or only fits them to a new width. */
function drawColumn(lv, v) {
  const view = lv.data?.views[v];
  const { map, heatmap } = lv.columns[v] ?? {};
  if (!view || !map || !map.frame.clientWidth) return;
  const [x, y] = ["xaxis", "yaxis"].map((axis) => view.map.layout[axis].range);
  drawPlot(lv, v, map, view.map, (width) => Math.round((width * (y[1] - y[0])) / (x[1] - x[0])));
  const margin = view.heatmap.layout.margin;
  const extra = margin.t + margin.b - margin.l - margin.r;
  heatmap.frame.hidden = lv.data.cells < 2; // one text is like itself: nothing to see
  heatmap.frame.style.maxWidth = `${lv.data.cells * MAX_CELL + margin.l + margin.r}px`;
  drawPlot(lv, v, heatmap, view.heatmap, (width) => width + extra);
}

function drawPlot(lv, v, plot, figure, heightFor) {
  const { gd, frame } = plot;
  const width = frame.clientWidth;
  if (plot.drawn === width) return;
  const first = !gd.data;
  const fresh = plot.drawn === null;
  plot.drawn = width;
  gd.style.height = `${heightFor(width)}px`;
  if (!fresh) {
    lv.Plotly.Plots.resize(gd).then(() => placeOverlays(lv));
    return;
  }
  if (plot.isMap) fitMarkers(figure.data[0].marker, width);
  lv.Plotly.react(gd, figure.data, themedLayout(lv, figure), plotConfig(plot)).then(() => {
    if (first) bindPlot(lv, v, plot);
    if (plot.isMap && lv.selection) dimOthers(lv, gd);
    placeOverlays(lv);
  });
}

/** Smaller points on a smaller map. */
function fitMarkers(marker, width) {
  marker.fullSize ??= marker.size;
  marker.size = Math.max(4, Math.round(marker.fullSize * Math.min(1, 0.4 + width / 800)));
}

function themedLayout(lv, figure) {
  const dragmode = coarsePointer() ? false : figure.layout.dragmode; // a finger must scroll
  const font = { ...figure.layout.font, color: inkColor(lv) };
  return { ...figure.layout, font, dragmode, uirevision: lv.data.texts_id };
}

const inkColor = (lv) => getComputedStyle(lv.els.toolbar).color;

function plotConfig({ isMap }) {
  const buttons = isMap ? ["lasso2d", "select2d", "pan2d", "zoom2d"] : ["zoom2d", "pan2d"];
  return {
    displaylogo: false,
    scrollZoom: true,
    modeBarButtons: [[...buttons, "resetScale2d"]],
    doubleClick: "reset",
    showTips: false,
    // Plotly's 2 draws four pixels for every one of a plain screen: half the frames without a GPU.
    plotGlPixelRatio: Math.min(2, Math.ceil(window.devicePixelRatio)),
  };
}

function bindPlot(lv, v, plot) {
  const { gd, isMap } = plot;
  gd.on("plotly_hover", ({ points: [at], event }) => {
    if (isMap) pointAtMap(lv, v, at.pointNumber, event);
    else pointAtCell(lv, v, [at.y, at.x], event);
  });
  gd.on("plotly_unhover", () => highlight(lv, []));
  gd.on("plotly_click", ({ points: [at], event }) => {
    if (isMap) clickText(lv, at.pointNumber, event);
    else clickCell(lv, [at.y, at.x]);
  });
  gd.on("plotly_relayout", () => placeOverlays(lv));
  gd.on("plotly_relayouting", () => placeOverlays(lv));
  if (!isMap) return;
  gd.on("plotly_selected", (event) => {
    if (!event) return;
    if (gd.layout.selections?.length) lv.Plotly.relayout(gd, { selections: [] });
    select(lv, event.points.map((p) => p.pointNumber), "lasso");
  });
  gd.on("plotly_deselect", () => select(lv, null));
}

function pointAtMap(lv, v, i, event) {
  const { data } = lv;
  const view = data.views[v];
  const category = view.legend.of[i];
  const name = typed("span", legendName(view.legend, category));
  const group = h("span.lv-group", {}, symbol(styleOf(data, category)), name);
  const chance = h("span.lv-count", {}, percent(view.answer_percent[i][0] ?? 0));
  const answer = typed("b", topAnswer(data, view, i));
  highlight(lv, [i], v);
  const text = typed("p.lv-tip-text", shorten(data.texts[i], 180));
  showTip(lv, v, event, text, h("p", {}, badge(view), answer, chance, group));
}

function pointAtCell(lv, v, cell, event) {
  const { data } = lv;
  const view = data.views[v];
  const value = cosine(view.z[cell[0]][cell[1]]);
  const [a, b] = cell.map((at) => textsOf(data, at));
  highlight(lv, [...new Set([...a, ...b])], v, cell);
  if (!data.everyCell) {
    const block = cell.map((at) => {
      const [first, next = data.texts.length] = data.cell_starts.slice(at, at + 2);
      return next - first === 1 ? `text ${next}` : `texts ${first + 1}–${next}`;
    });
    const sentence = `${block.join(" × ")}: mean ${value}`;
    return showTip(lv, v, event, h("p", {}, badge(view), sentence));
  }
  const lines = (a[0] === b[0] ? a : [a[0], b[0]]).map((i) =>
    typed("p.lv-tip-text", shorten(data.texts[i], 110)));
  return showTip(lv, v, event, h("p", {}, badge(view), h("b", {}, value)), ...lines);
}

/** A click or Enter pins a text; together with Shift it opens the pair with the pinned one. */
function clickText(lv, i, event) {
  const [pinned] = lv.pins;
  if (event?.shiftKey && pinned !== undefined && pinned !== i) pin(lv, [pinned, i]);
  else togglePin(lv, i);
}

function clickCell(lv, cell) {
  const [a, b] = cell.map((at) => textsOf(lv.data, at));
  if (!lv.data.everyCell) select(lv, [...new Set([...a, ...b])], "block");
  else pin(lv, a[0] === b[0] ? [a[0]] : [a[0], b[0]]);
}

// ------------------------------------------------------------------------------------ overlays

/** Lays rings, bands and selection marks over the plots, where the plots are now. */
function placeOverlays(lv) {
  lv.columns.forEach((column, v) => {
    if (!lv.data || !column.map.gd._fullLayout || !column.heatmap.gd._fullLayout) return;
    placeRings(lv, column.map, v);
    placeBands(lv, column.heatmap);
  });
}

const axesOf = (gd) => [gd._fullLayout.xaxis, gd._fullLayout.yaxis];

function clipTo(overlay, [x, y], pad = 0) {
  Object.assign(overlay.style, {
    left: `${x._offset - pad}px`,
    top: `${y._offset - pad}px`,
    width: `${x._length + 2 * pad}px`,
    height: `${y._length + 2 * pad}px`,
  });
}

function placeRings(lv, { gd, overlay }, v) {
  const { data } = lv;
  const view = data.views[v];
  const [x, y] = axesOf(gd);
  const hovered = lv.hover.slice(0, MAX_RINGS);
  const wanted = [...lv.pins.map((i) => [i, "pin"]), ...hovered.map((i) => [i, "hover"])];
  clipTo(overlay, [x, y]);
  while (overlay.children.length < wanted.length) overlay.append(h("div.lv-ring", {}, h("span")));
  [...overlay.children].forEach((ring, k) => {
    const [i, kind] = wanted[k] ?? [];
    ring.hidden = i === undefined;
    if (ring.hidden) return;
    const [left, top] = [x.d2p(view.x[i]), y.d2p(view.y[i])];
    ring.dataset.index = i;
    ring.dataset.testid = `ring-${view.letter}`;
    ring.className = `lv-ring is-${kind}${left > x._length * 0.7 ? " is-left" : ""}`;
    ring.style.transform = `translate(${left}px, ${top}px)`;
    const named = lv.hover.length === 1 && kind === "hover" && lv.hoverView !== v;
    ring.firstChild.textContent = named ? topAnswer(data, view, i) : "";
  });
}

function placeBands(lv, { gd, overlay }) {
  const { data } = lv;
  const axes = axesOf(gd);
  clipTo(overlay, axes, 8);
  const pins = lv.pins.map((i) => cellOf(data, i));
  const cells = lv.hover.map((i) => cellOf(data, i));
  const pair = lv.hoverCell ?? (cells.length > 2 ? [] : cells);
  const nodes = [
    ...bands(axes, pins, "pin"),
    ...bands(axes, pair, "hover"),
    ...selectionMarks(data, lv.selection, axes),
  ];
  overlay.replaceChildren(...nodes);
}

/** The row of the first cell and the column of the last: a cross-hair for one text or a pair. */
function bands([x, y], cells, kind) {
  if (!cells.length) return [];
  const [top, bottom] = [cells[0] - 0.5, cells[0] + 0.5].map((c) => y.d2p(c) + 8);
  const [left, right] = [cells.at(-1) - 0.5, cells.at(-1) + 0.5].map((c) => x.d2p(c) + 8);
  const box = (name, style) => Object.assign(h(`div.lv-band.is-${kind}.is-${name}`), { style });
  const span = (from, to) => `${Math.max(3, to - from)}px`;
  return [
    box("row", `top: ${top}px; height: ${span(top, bottom)}`),
    box("column", `left: ${left}px; width: ${span(left, right)}`),
  ];
}

/** Ticks along two edges of a heatmap for the selected texts, neighbours merged into one. */
function selectionMarks(data, selection, [x, y]) {
  if (!selection) return [];
  const cells = [...new Set(selection.indices.map((i) => cellOf(data, i)))].sort((a, b) => a - b);
  const runs = [];
  for (const cell of cells) {
    if (runs.length && runs.at(-1)[1] === cell - 1) runs.at(-1)[1] = cell;
    else runs.push([cell, cell]);
  }
  return runs.flatMap(([from, to]) => {
    const [left, right] = [x.d2p(from - 0.5), x.d2p(to + 0.5)];
    const [top, bottom] = [y.d2p(from - 0.5), y.d2p(to + 0.5)];
    const mark = (name, style) => Object.assign(h(`div.lv-mark.is-${name}`), { style });
    return [
      mark("top", `left: ${left + 8}px; width: ${right - left}px`),
      mark("side", `top: ${top + 8}px; height: ${bottom - top}px`),
    ];
  });
}

function showTip(lv, v, event, ...lines) {
  const { tip } = lv.els;
  tip.replaceChildren(...lines);
  tip.dataset.view = lv.data.views[v].letter;
  tip.hidden = false;
  const box = lv.root.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const left = x + 18 + tip.offsetWidth > box.width ? x - 18 - tip.offsetWidth : x + 18;
  const below = event.clientY + 14 + tip.offsetHeight < window.innerHeight;
  const top = below ? y + 14 : y - 14 - tip.offsetHeight;
  tip.style.transform = `translate(${Math.max(0, left)}px, ${top}px)`;
}

// ------------------------------------------------------- pointing, pinning and selecting (state)

/** Marks texts everywhere. `v` is the view that was pointed at, `cell` its heatmap cell. */
function highlight(lv, indices, v = null, cell = null) {
  for (const i of lv.hover) lv.rows.get(i)?.classList.remove("is-highlighted");
  Object.assign(lv, { hover: indices, hoverView: v, hoverCell: cell });
  for (const i of indices) lv.rows.get(i)?.classList.add("is-highlighted");
  if (v === null) lv.els.tip.hidden = true;
  placeOverlays(lv);
  announce(lv);
}

const togglePin = (lv, i) => pin(lv, lv.pins.length === 1 && lv.pins[0] === i ? [] : [i]);

/** Pins nothing, one text or a pair, and shows its detail. */
function pin(lv, indices) {
  for (const row of lv.rows.values()) row.classList.remove("is-pinned");
  lv.pins = indices;
  if (indices.length) revealRow(lv, indices.at(-1));
  for (const i of indices) markPinned(lv, i);
  renderDetail(lv);
  placeOverlays(lv);
  announce(lv);
  lv.trigger("pin", { indices });
  askForPair(lv);
}

/** Asks for the similarity of the pinned pair where the page doesn't have it. */
function askForPair(lv) {
  const [i, j] = lv.pins;
  const unknown = j !== undefined && lv.data.views.some((_, v) => similarity(lv, v, i, j) === null);
  if (unknown) lv.trigger("pair", { i, j });
}

function markPinned(lv, i) {
  lv.rows.get(i)?.classList.add("is-pinned");
}

/** Selects texts in every panel; null or nothing clears. `key` says what made the selection. */
function select(lv, indices, key = "") {
  const redraw = lv.only;
  setSelection(lv, indices, key);
  if (redraw) renderTable(lv);
  announce(lv);
  lv.trigger("select", { indices: lv.selection?.indices ?? [] });
}

function setSelection(lv, indices, key = "") {
  lv.selection = indices?.length ? { key, indices, set: new Set(indices) } : null;
  if (!lv.selection) lv.only = false;
  for (const { map } of lv.columns) dimOthers(lv, map.gd);
  for (const button of lv.root.querySelectorAll(".lv-chip")) {
    button.setAttribute("aria-pressed", String(button.dataset.key === lv.selection?.key));
  }
  for (const [i, row] of lv.rows) markSelected(lv, i, row);
  renderToolbar(lv);
  placeOverlays(lv);
}

function dimOthers(lv, gd) {
  if (!gd.data || !(lv.selection || gd.data[0].selectedpoints)) return; // nothing to undo
  const selectedpoints = [lv.selection?.indices ?? null];
  lv.Plotly.restyle(gd, { selectedpoints }, [0]);
}

function markSelected(lv, i, row) {
  const selected = lv.selection?.set.has(i) ?? false;
  row.classList.toggle("is-selected", selected);
  row.setAttribute("aria-selected", String(selected));
}

/** Says in words, for those who don't see them, what is pointed at, pinned and selected. */
function announce(lv) {
  clearTimeout(lv.announcing);
  lv.announcing = setTimeout(() => {
    lv.els.status.textContent = lv.data ? describe(lv) : "";
  }, 120);
}

function describe(lv) {
  const { data, hover, pins, selection } = lv;
  const text = (i) => `text ${i + 1}, ${quoted(shorten(data.texts[i], 80))}`;
  const answer = (view) => `${view.letter}: ${topAnswer(data, view, hover[0])}`;
  const answers = () => data.views.map(answer).join(", ");
  const parts = [];
  if (hover.length === 1) parts.push(`Highlighted ${text(hover[0])}; answers ${answers()}.`);
  if (hover.length > 1) parts.push(`Highlighted ${count(hover.length, "text")}.`);
  if (pins.length) parts.push(`Pinned ${pins.map(text).join(" and ")}.`);
  if (selection) parts.push(`${count(selection.indices.length, "text")} selected.`);
  return parts.join(" ");
}

// --------------------------------------------------------------------------------- the whole view

const HOW_TO_USE_THE_TABLE =
  "All texts. Arrows move, Enter pins, Shift+Enter compares with the pinned text, Escape clears.";

/** Builds the parts that never change and returns their elements by name. */
function buildSkeleton(lv) {
  const oninput = (event) => {
    lv.query = event.target.value.trim().toLowerCase();
    lv.from = lv.to = 0;
    renderTable(lv);
  };
  const find = { type: "search", placeholder: "Find in texts", oninput };
  const peek = { "hidden": true, "data-testid": "peek" };
  const tip = { "role": "tooltip", "hidden": true, "data-testid": "tooltip" };
  const status = { "role": "status", "aria-live": "polite", "data-testid": "status" };
  const els = {
    empty: h("p.lv-empty", { "data-testid": "empty" }),
    views: h("div.lv-views"),
    selection: h("span.lv-selection"),
    find: h("input.lv-find", { ...find, "aria-label": "Find in texts", "data-testid": "find" }),
    count: h("span.lv-count"),
    head: h("thead", { role: "rowgroup" }),
    body: h("tbody", { role: "rowgroup" }),
    detail: h("aside.lv-detail", { "data-testid": "detail", "aria-label": "Detail" }),
    peek: button("lv-peek", () => scrollToDetail(lv), peek),
    tip: h("div.lv-tip", tip),
    status: h("p.lv-status", status),
  };
  const grid = { "role": "grid", "aria-label": HOW_TO_USE_THE_TABLE };
  els.table = h("table", grid, els.head, els.body);
  els.box = h("div.lv-box", {}, els.table);
  els.toolbar = h("div.lv-toolbar", {}, els.selection, els.find, els.count);
  els.below = h("div.lv-below", {}, h("div.lv-list", {}, els.toolbar, els.box), els.detail);
  lv.root.replaceChildren(els.empty, els.views, els.below, els.peek, els.tip, els.status);
  return els;
}

const NOTHING_YET = { pins: [], selection: null, only: false, query: "" };
const INVITATION =
  "Add some texts and ask a question: maps, similarities and answers will appear here.";

/** Shows a payload, or the empty state; keeps pins, selection and search for the same texts. */
function show(lv, data) {
  const same = data && data.texts_id === lv.data?.texts_id;
  lv.data = data && prepare(data);
  lv.told = null; // it was said of other views
  lv.root.classList.toggle("is-empty", !data);
  if (!same) {
    Object.assign(lv, NOTHING_YET, { from: 0, to: 0, cursor: 0 });
    lv.els.find.value = "";
  }
  if (!data) {
    lv.els.peek.hidden = lv.els.tip.hidden = true;
    return say(lv, INVITATION);
  }
  fillColumns(lv);
  renderTable(lv);
  setSelection(lv, lv.selection?.indices);
  renderDetail(lv);
  askForPair(lv);
  return highlight(lv, []);
}

function say(lv, sentence) {
  lv.els.empty.textContent = sentence;
}

function onEscape(lv, event) {
  if (event.key !== "Escape" || !lv.root.offsetParent || !lv.data) return;
  if (lv.pins.length) pin(lv, []);
  else if (lv.selection) select(lv, null);
}

/** Recolours the plots when Gradio's theme changes; zoom and pins stay. */
function followTheme(lv) {
  const recolor = () => {
    for (const { map, heatmap } of lv.columns) {
      for (const { gd } of [map, heatmap]) {
        if (gd.data) lv.Plotly.relayout(gd, { "font.color": inkColor(lv) });
      }
    }
  };
  const observer = new MutationObserver(recolor);
  for (const node of [document.documentElement, document.body]) {
    observer.observe(node, { attributes: true, attributeFilter: ["class"] });
  }
}

const NO_PLOTLY =
  "The plotting library could not be loaded. Check the connection and reload the page.";

/** Entry: called by Gradio once per component, with its element and props. */
async function mountLinkedView({ element, trigger, props, watch }) {
  const root = element.querySelector(".lv");
  const lv = { root, trigger, data: null, columns: [], rows: new Map(), hover: [], visible: [] };
  Object.assign(lv, NOTHING_YET);
  lv.els = buildSkeleton(lv);
  root.classList.add("is-empty");
  say(lv, "Loading the plots…");
  try {
    lv.Plotly = await loadPlotly(root.dataset.plotly);
  } catch {
    return say(lv, NO_PLOTLY);
  }
  const update = async () => {
    const { value } = props;
    const json = value && (await inflated(value));
    if (value === props.value) show(lv, json ? JSON.parse(json) : null); // none came after it
  };
  watch("value", update);
  watch("pair_similarity", () => {
    lv.told = props.pair_similarity;
    if (lv.pins.length === 2) renderDetail(lv);
  });
  bindTable(lv);
  followTheme(lv);
  document.addEventListener("keydown", (event) => onEscape(lv, event));
  new IntersectionObserver(([entry]) => {
    lv.detailInSight = entry.isIntersecting;
    if (lv.data) renderPeek(lv);
  }).observe(lv.els.detail);
  return update();
}
