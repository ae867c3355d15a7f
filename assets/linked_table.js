/**
 * The lower half of the linked view: the toolbar, the table of all texts, and the detail of what
 * is pinned (one text, or a pair). Continues linked_view.js and shares its scope.
 */

// --------------------------------------------------------------------------- toolbar and table

function renderToolbar(lv) {
  const { data, selection, els } = lv;
  if (!selection) {
    const press = "Press a group to select its texts";
    const draw = "Draw around points on a map to select them";
    const hint = h("span.lv-hint", {}, coarsePointer() ? press : draw);
    els.selection.replaceChildren(...(data.texts.length > 1 ? [hint] : []));
    return;
  }
  const toggleOnly = () => {
    lv.only = !lv.only;
    renderToolbar(lv);
    renderTable(lv);
  };
  const number = `${selection.indices.length.toLocaleString("en")} selected`;
  const pressed = { "aria-pressed": String(lv.only) };
  els.selection.replaceChildren(
    h("span", { "data-testid": "selection-count" }, number),
    button("lv-link", toggleOnly, pressed, "show only these"),
    button("lv-link", () => select(lv, null), {}, "clear"),
  );
}

function renderCount(lv) {
  const { data, visible, els } = lv;
  const all = count(data.texts.length, "text");
  const some = `${visible.length.toLocaleString("en")} of ${all}`;
  els.count.textContent = visible.length === data.texts.length ? all : some;
}

/** Draws the table's window of the texts that search and selection leave. */
function renderTable(lv) {
  const { data, els, query, selection } = lv;
  const found = (i) => !query || data.texts[i].toLowerCase().includes(query);
  const chosen = (i) => !lv.only || selection.set.has(i);
  lv.visible = [...data.texts.keys()].filter((i) => found(i) && chosen(i));
  const total = lv.visible.length;
  const paged = total > PAGED_ABOVE;
  if (!paged || lv.from >= total) lv.from = 0;
  lv.to = paged ? Math.min(Math.max(lv.to, lv.from + PAGE), total) : total;
  lv.rows = new Map();
  const rows = lv.visible.slice(lv.from, lv.to).map((i, k) => tableRow(lv, i, lv.from + k));
  els.body.replaceChildren(...moreRows(lv, "earlier"), ...rows, ...moreRows(lv, "more"));
  els.head.replaceChildren(tableHead(data));
  els.table.setAttribute("aria-rowcount", total + 1);
  for (const i of lv.pins) markPinned(lv, i);
  setCursor(lv, lv.rows.has(lv.cursor) ? lv.cursor : lv.visible[lv.from]);
  renderCount(lv);
}

function tableHead(data) {
  const column = (attributes, ...children) => h("th", { scope: "col", ...attributes }, ...children);
  const views = data.views.map((view) => {
    const label = `Answer and group under ${view.letter}`;
    return column({ "data-view": view.letter, "aria-label": label }, badge(view));
  });
  const facets = data.facets.map((facet) => column({ dir: "auto" }, facet));
  const row = { "role": "row", "aria-rowindex": 1 };
  return h("tr", row, column({}, "#"), column({}, "Text"), ...views, ...facets);
}

function tableRow(lv, i, at) {
  const { data } = lv;
  const attributes = {
    "role": "row",
    "tabindex": -1,
    "data-index": i,
    "data-testid": `row-${i}`,
    "aria-rowindex": at + 2,
  };
  const cell = (tag, ...children) => h(tag, { role: "gridcell" }, ...children);
  const row = h(
    "tr",
    attributes,
    cell("td.lv-number", String(i + 1)),
    cell("td.lv-text", typed("div.lv-clamp", data.texts[i] || "(empty)")),
    ...data.views.map((view) => answerCell(data, view, i)),
    ...data.facets.map((facet) => cell("td.lv-label", ...labelOf(data, facet, i))),
  );
  lv.rows.set(i, row);
  markSelected(lv, i, row);
  return row;
}

function answerCell(data, view, i) {
  const chance = view.answer_percent[i][0] ?? 0;
  const answer = topAnswer(data, view, i);
  const title = `${answer}, probability ${percent(chance)}`;
  const line = h("span.lv-answer", { title }, typed("span", answer), bar(chance / 100));
  return h("td", { "role": "gridcell", "data-view": view.letter }, line, groupOf(data, view, i));
}

/** The group of a text, with its symbol unless the maps show labels instead of groups. */
function groupOf(data, view, i) {
  const group = view.groups[i];
  const mark = data.facet ? null : symbol(styleOf(data, group));
  return h("span.lv-group", {}, mark, typed("span", view.group_names[group]));
}

function labelOf(data, facet, i) {
  const label = typed("span", data.labels[facet][i]);
  return data.facet?.name === facet ? [symbol(styleOf(data, data.facet.of[i])), label] : [label];
}

/** A row with a button for more rows of a large collection, above or below, if there are any. */
function moreRows(lv, which) {
  const left = which === "more" ? lv.visible.length - lv.to : lv.from;
  if (left <= 0) return [];
  const show = () => {
    if (which === "more") lv.to += PAGE;
    else lv.from = Math.max(0, lv.from - PAGE);
    renderTable(lv);
  };
  const label = `show ${Math.min(PAGE, left)} ${which} of ${left.toLocaleString("en")}`;
  const colspan = 2 + lv.data.views.length + lv.data.facets.length;
  const more = button("lv-link", show, { "data-testid": `show-${which}` }, label);
  return [h("tr.lv-more", {}, h("td", { colspan }, more))];
}

/** Scrolls a text's row into the table's own box, drawing another window of rows if needed. */
function revealRow(lv, i) {
  if (!lv.rows.has(i)) {
    const at = lv.visible.indexOf(i);
    if (at < 0) return;
    lv.from = Math.max(0, at - 20);
    lv.to = lv.from + PAGE;
    renderTable(lv);
  }
  const row = lv.rows.get(i).getBoundingClientRect();
  const box = lv.els.box.getBoundingClientRect();
  const above = row.top - box.top - lv.els.head.offsetHeight;
  const top = above < 0 ? above : Math.max(0, row.bottom - box.bottom);
  if (top) lv.els.box.scrollBy({ top, behavior: reducedMotion() ? "auto" : "smooth" });
  setCursor(lv, i);
}

/** Only the row of the cursor is in the page's tab order. */
function setCursor(lv, i) {
  lv.rows.get(lv.cursor)?.setAttribute("tabindex", -1);
  lv.cursor = i;
  lv.rows.get(i)?.setAttribute("tabindex", 0);
}

function moveCursor(lv, steps) {
  const at = lv.visible.indexOf(lv.cursor) + steps;
  const i = lv.visible[Math.max(lv.from, Math.min(at, lv.to - 1))];
  revealRow(lv, i);
  lv.rows.get(i).focus({ preventScroll: true });
}

function onTableKey(lv, event) {
  if (!event.target.matches("tr[data-index]")) return;
  const far = lv.visible.length;
  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -far, End: far };
  const steps = moves[event.key];
  if (steps) moveCursor(lv, steps);
  else if (event.key === "Enter" || event.key === " ") clickText(lv, lv.cursor, event);
  else return;
  event.preventDefault();
}

function bindTable(lv) {
  const { body } = lv.els;
  const onRow = (type, act) =>
    body.addEventListener(type, (event) => {
      const row = event.target.closest("tr[data-index]");
      if (row) act(Number(row.dataset.index), event, row);
    });
  onRow("pointerover", (i) => highlight(lv, [i]));
  onRow("click", (i, event) => clickText(lv, i, event));
  onRow("keydown", (i, event) => onTableKey(lv, event));
  onRow("focusin", (i, event, row) => {
    setCursor(lv, i);
    if (row.matches(":focus-visible")) highlight(lv, [i]);
  });
  for (const type of ["pointerleave", "focusout"]) {
    body.addEventListener(type, () => highlight(lv, []));
  }
}

// -------------------------------------------------------------------------------------- detail

const HINT =
  "Click a text to read the model’s answers and its nearest neighbours; " +
  "click a heatmap cell to compare two.";

function renderDetail(lv) {
  const { pins, els } = lv;
  const pair = pins.length === 2;
  els.detail.dataset.testid = pair ? "pair" : "detail";
  renderPeek(lv);
  if (!pins.length) {
    els.detail.replaceChildren(h("p.lv-hint", {}, HINT));
    return;
  }
  const title = h("h3", {}, pair ? "Why similar?" : `Text ${pins[0] + 1}`);
  const close = button("lv-close", () => pin(lv, []), { "aria-label": "Unpin" }, "×");
  const parts = pair ? pairDetail(lv, ...pins) : textDetail(lv, pins[0]);
  els.detail.replaceChildren(h("div.lv-detail-head", {}, title, close), ...parts);
  els.detail.scrollTop = 0;
}

/** While the detail is out of sight, a line at the bottom of the window leads to it. */
function renderPeek(lv) {
  const { data, pins, els } = lv;
  const [i, j] = pins;
  els.peek.hidden = !pins.length || lv.detailInSight;
  if (els.peek.hidden) return;
  const facts = data.views.map((view, v) => {
    const fact = j === undefined ? topAnswer(data, view, i) : cosine(similarity(lv, v, i, j));
    return h("span", { "data-view": view.letter }, badge(view), fact);
  });
  const title = j === undefined ? `Text ${i + 1}` : `Texts ${i + 1} and ${j + 1}`;
  els.peek.replaceChildren(h("b", {}, title), ...facts, h("span.lv-link", {}, "show detail"));
}

function scrollToDetail(lv) {
  lv.els.detail.scrollIntoView({ block: "center", behavior: reducedMotion() ? "auto" : "smooth" });
}

function textDetail(lv, i) {
  const { data } = lv;
  const labels = data.facets
    .filter((facet) => data.labels[facet][i])
    .map((facet) => typed("span.lv-term", `${facet}: ${data.labels[facet][i]}`));
  const cards = data.views.map((view) => textUnderView(lv, view, i));
  return [
    typed("p.lv-full", data.texts[i] || "(empty)"),
    ...(labels.length ? [h("p", {}, ...labels)] : []),
    h("div.lv-cards", {}, ...cards),
  ];
}

function card(view, ...children) {
  const title = h("h4", {}, badge(view), typed("span", view.instruction));
  return h("section.lv-card", { "data-view": view.letter }, title, ...children);
}

function textUnderView(lv, view, i) {
  const { data } = lv;
  const facts = [movedInWords(view, i), trustInWords(view, i)];
  if (view.wasTruncated.has(i)) {
    facts.push("The end of the text did not fit into the model and was not read.");
  }
  const sentence = facts.filter(Boolean).join(" ");
  const neighbors = view.neighbors[i].map((j, k) => neighborItem(lv, view, i, j, k));
  return card(
    view,
    answerList(data, view, i),
    h("p.lv-facts", {}, "Group ", groupOf(data, view, i), `. ${sentence}`),
    neighbors.length ? h("p.lv-caption", {}, "Nearest neighbours") : null,
    h("ol.lv-neighbors", {}, ...neighbors),
  );
}

function answerList(data, view, i) {
  const rows = view.answers[i].map((word, k) => {
    const chance = view.answer_percent[i][k];
    const number = h("span.lv-count", {}, percent(chance));
    const name = h("span.lv-word", { dir: "auto", title: data.words[word] }, data.words[word]);
    return h("li", {}, name, bar(chance / 100), number);
  });
  return h("ul.lv-answers", { "aria-label": "The model’s answers" }, ...rows);
}

function neighborItem(lv, view, i, j, k) {
  const why = `Why similar? Compare with text ${j + 1}`;
  const text = shorten(lv.data.texts[j], 140) || "(empty)";
  const value = cosine(view.neighbor_permille[i][k] / 1000);
  const open = (indices) => {
    highlight(lv, []); // the item goes away from under the pointer without a word
    pin(lv, indices);
  };
  return h(
    "li",
    { onpointerenter: () => highlight(lv, [j]), onpointerleave: () => highlight(lv, []) },
    button("lv-neighbor", () => open([j]), { dir: "auto" }, text),
    button("lv-link", () => open([i, j]), { "title": why, "aria-label": why }, value),
  );
}

function movedInWords(view, i) {
  if (!view.moved_percent) return "";
  const moved = view.moved_percent[i];
  if (moved < 1) return "Same neighbours as under A.";
  if (moved > 99) return "All its neighbours are others than under A.";
  const start = moved < 35 ? "Stayed" : moved < 65 ? "Moved somewhat" : "Moved";
  return `${start}: ${percent(moved)} of its neighbours are others than under A.`;
}

function trustInWords(view, i) {
  const trust = view.trust_percent[i];
  const share = `${percent(trust)} of its neighbours on the map are real ones`;
  if (trust >= 70) return `Its place on the map can be trusted (${share}).`;
  if (trust >= 40) return `Its place on the map is roughly right (${share}).`;
  return `Don’t trust its place on the map (${share}).`;
}

function pairDetail(lv, i, j) {
  const { data } = lv;
  const words = sharedWords(data.texts[i], data.texts[j]);
  const texts = [i, j].map((k) => {
    const number = h("span.lv-count", {}, String(k + 1));
    const open = () => pin(lv, [k]);
    return button("lv-neighbor.lv-full", open, { dir: "auto" }, number, data.texts[k] || "(empty)");
  });
  const terms = words.map((word) => typed("span.lv-term", word));
  return [
    h("p.lv-why", {}, whySimilar(lv, i, j, words)),
    ...texts,
    h("p", {}, words.length ? "Shared words " : "No shared words.", ...terms),
    h("div.lv-cards", {}, ...data.views.map((view, v) => pairUnderView(lv, view, v, i, j))),
  ];
}

function pairUnderView(lv, view, v, i, j) {
  const { data } = lv;
  const { zmin, zmax } = view.heatmap.data[0];
  const value = similarity(lv, v, i, j);
  const share = value === null ? 0 : (value - zmin) / (zmax - zmin);
  return card(
    view,
    h("p.lv-similarity", {}, h("b", {}, cosine(value)), bar(share)),
    h("div.lv-two", {}, answerList(data, view, i), answerList(data, view, j)),
  );
}

/** Per cent of all pairs that are less alike; null when the page doesn't have every pair. */
function rankOfSimilarity(data, view, value) {
  const pairs = data.cells * (data.cells - 1);
  if (!data.everyCell || pairs < 6 || value === null) return null;
  let lower = 0;
  for (const row of view.z) for (const other of row) if (other < value) lower += 1;
  return Math.min(100, (100 * lower) / pairs);
}

function sharedWords(a, b) {
  const words = (text) => text.toLowerCase().match(/[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*/gu) ?? [];
  const inB = new Set(words(b));
  return [...new Set(words(a))].filter((word) => inB.has(word));
}

/** One short paragraph made of the facts: similarity, its rank, both answers, the wording. */
function whySimilar(lv, i, j, words) {
  const { data } = lv;
  const sentences = data.views.map((view, v) => {
    const [a, b] = [i, j].map((k) => quoted(topAnswer(data, view, k)));
    const answers = `the model answers ${a === b ? `${a} to both` : `${a} and ${b}`}`;
    const rank = rankOfSimilarity(data, view, similarity(lv, v, i, j));
    if (rank === null) return `Under ${view.letter} ${answers}.`;
    const closer = `closer than ${percent(rank)} of all pairs`;
    return `Under ${view.letter} they are ${degree(rank)} (${closer}): ${answers}.`;
  });
  const none = "They share no word, so it isn’t the wording.";
  const wording = words.length ? `They share ${count(words.length, "word")}.` : none;
  return [...sentences, wording].join(" ");
}

function degree(rank) {
  if (rank > 90) return "very alike";
  if (rank > 65) return "rather alike";
  if (rank > 35) return "about as alike as most";
  return rank > 10 ? "rather different" : "far apart";
}
