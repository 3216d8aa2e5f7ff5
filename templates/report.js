"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const LAYERS = { app: "--app", dependencies: "--dependencies", interpreter: "--interpreter", runtime: "--runtime", kernel: "--kernel" };
  const BAND_COLOURS = ["--app", "--dependencies", "--interpreter", "--runtime", "--kernel", "--other"];
  const MOST = 240; // members of a group that are shown at once
  const nodes = data.nodes.map(([id, group, size, alone, count, before, facts], i) => ({
    i, id, group, size, alone, count, before, facts, kind: id.split(":")[0], name: id.slice(id.indexOf(":") + 1), heads: [], tails: [],
  }));
  const groups = data.groups.map(([band, name], i) => ({ i, band, name, members: [], size: 0, open: false, all: false, only: null }));
  for (const node of nodes) { groups[node.group].members.push(node); groups[node.group].size += node.size; }
  for (const group of groups) group.members.sort((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1));
  const edges = data.edges.map(([tail, head, how, ...evidence]) => ({ tail, head, how: data.hows[how], evidence }));
  for (const edge of edges) { nodes[edge.tail].heads.push(edge); nodes[edge.head].tails.push(edge); }

  const make = (name, values = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(values)) {
      if (key === "text") element.textContent = value;
      else if (key === "click") element.addEventListener("click", value);
      else if (key === "style") element.style.cssText = value;
      else element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  };
  const bytes = (n) => {
    if (n >= 1 << 20) return (n / (1 << 20)).toFixed(n >= 10 << 20 ? 1 : 2) + " MiB";
    if (n >= 1024) return Math.round(n / 1024).toLocaleString("en") + " KiB";
    return n + " B";
  };
  const percent = (n, whole) => (whole ? ((100 * n) / whole).toFixed(n * 10 >= whole ? 0 : 1) + " %" : "");
  const many = (n, one, more) => n.toLocaleString("en") + " " + (n === 1 ? one : more);

  // -- the head

  $("name").textContent = data.name;
  $("about").textContent = `${data.entry} on ${data.interpreter}, built by unikit ${data.unikit}`;
  const root = { name: data.tree[0], size: data.tree[1], node: -1, parts: [], above: null, layer: "" };
  const grow = (part, list, layer) => {
    for (const [name, size, node, parts] of list) {
      const child = { name, size, node, parts: [], above: part, layer: layer || name };
      grow(child, parts, child.layer);
      part.parts.push(child);
    }
  };
  grow(root, data.tree[3], "");
  const colour = (layer) => `var(${LAYERS[layer] || "--other"})`;
  for (const [value, label] of [
    [bytes(data.size), data.compression ? `image, ${data.compression}` : "image"],
    ...(data.compression ? [[bytes(root.size), "unpacked"]] : []),
     [data.counts.module || 0, "modules"], [data.counts.distribution || 0, "distributions"],
    [data.counts.library || 0, "native files"], [data.counts.component || 0, "kernel components"], [edges.length.toLocaleString("en"), "edges"],
  ]) $("tiles").append(make("div", { class: "tile" }, make("b", { text: value }), make("span", { text: label })));
  for (const part of root.parts) {
    $("bar").append(make("i", { style: `flex:${part.size};background:${colour(part.layer)}`, title: `${part.name} ${bytes(part.size)}` }));
    $("legend").append(make("li", {}, make("i", { style: `background:${colour(part.layer)}` }), `${part.name} `,
      make("b", { text: bytes(part.size) }), make("span", { text: ` ${percent(part.size, root.size)}` })));
  }
  $("bar").setAttribute("aria-label", root.parts.map((p) => `${p.name} ${bytes(p.size)}`).join(", "));

  // -- the treemap (squarified: Bruls, Huizing, van Wijk, 2000)

  const squarify = (parts, x, y, w, h) => {
    const total = parts.reduce((sum, part) => sum + part.size, 0);
    const placed = [];
    if (!total || w <= 0 || h <= 0) return placed;
    const scale = (w * h) / total;
    let rest = parts.filter((part) => part.size > 0);
    while (rest.length) {
      const side = Math.min(w, h);
      let taken = 0, area = 0, best = Infinity;
      while (taken < rest.length) {
        const next = area + rest[taken].size * scale;
        const thick = next / side;
        const largest = (rest[0].size * scale) / thick, smallest = (rest[taken].size * scale) / thick;
        const worst = Math.max(largest / thick, thick / largest, smallest / thick, thick / smallest);
        if (worst > best) break;
        best = worst; area = next; taken += 1;
      }
      const thick = area / side;
      let along = 0;
      for (const part of rest.slice(0, taken)) {
        const length = (part.size * scale) / thick;
        placed.push(w >= h ? { part, x, y: y + along, w: thick, h: length } : { part, x: x + along, y, w: length, h: thick });
        along += length;
      }
      if (w >= h) { x += thick; w -= thick; } else { y += thick; h -= thick; }
      rest = rest.slice(taken);
    }
    return placed;
  };

  let here = root;
  const HEAD = 22, GAP = 2, DEEPEST = 3;
  const box = (place, extra) => {
    const { part, x, y, w, h } = place;
    const element = make("button", {
      class: "box" + extra, "aria-label": `${part.name}, ${bytes(part.size)}, ${percent(part.size, root.size)} of the image`,
      title: `${part.name}\n${bytes(part.size)} (${percent(part.size, root.size)})`,
      style: `left:${x}px;top:${y}px;width:${Math.max(0, w - GAP)}px;height:${Math.max(0, h - GAP)}px;--fill:${shade(part)}`,
    });
    element.addEventListener("click", (event) => { event.stopPropagation(); enter(part); });
    return element;
  };
  const shade = (part) => {
    const base = colour(part.layer);
    const at = part.above ? part.above.parts.indexOf(part) : 0;
    return `color-mix(in oklab, ${base} ${88 - (at % 5) * 7}%, #1a2030)`;
  };
  const drawMap = () => {
    const map = $("map");
    map.replaceChildren();
    fillBox(here.parts.length ? here.parts : [here], GAP, GAP, map.clientWidth - GAP, map.clientHeight - GAP, 1);
  };
  // Boxes in boxes, as deep as there is room for names.
  const fillBox = (parts, x, y, wide, high, depth) => {
    const ordered = [...parts].sort((a, b) => b.size - a.size);
    for (const place of squarify(ordered, x, y, wide, high)) {
      const { part, w, h } = place;
      if (w < 3 || h < 3) continue;
      const inner = part.parts.length && depth < DEEPEST && w > 60 * depth && h > 46 * depth;
      const element = box(place, inner ? " outer" : "");
      if (w > 36 && h > 18) {
        const title = make("span", { class: "t" }, make("span", { text: part.name }));
        if (inner && w > 130) title.append(make("em", { text: bytes(part.size) }));
        element.append(title);
        if (!inner && h > 36) element.append(make("span", { class: "s", text: bytes(part.size) }));
      }
      if (w < 26 || h < 16) element.tabIndex = -1;
      $("map").append(element);
      if (inner) fillBox(part.parts, place.x + 3, place.y + HEAD, w - GAP - 4, h - GAP - HEAD - 1, depth + 1);
    }
  };
  const drawCrumbs = () => {
    const way = [];
    for (let part = here; part; part = part.above) way.unshift(part);
    $("crumbs").replaceChildren(...way.flatMap((part, i) => [
      ...(i ? [make("span", { text: "›", "aria-hidden": "true" })] : []),
      part === here ? make("b", { text: part.name, "aria-current": "true" }) : make("button", { text: part.name, click: () => enter(part) }),
    ]));
  };
  const drawList = () => {
    const rows = [...here.parts].sort((a, b) => b.size - a.size).map((part) => make("tr", {},
      make("td", {}, make("button", { text: part.name, click: () => enter(part) })),
      make("td", { text: bytes(part.size) }), make("td", { text: percent(part.size, here.size) }),
      make("td", {}, make("span", { class: "m" }, make("i", { style: `width:${(100 * part.size) / here.size}%;background:${colour(part.layer)}` })))));
    const head = make("tr", {}, ...["part", "bytes", "share", ""].map((text) => make("th", { text, scope: "col" })));
    $("list").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
    $("list").hidden = !rows.length;
  };
  const enter = (part) => {
    if (part.parts.length) { here = part; drawCrumbs(); drawMap(); drawList(); } else if (part.node >= 0) choose(nodes[part.node]);
  };
  const leave = () => { if (here.above) enter(here.above); };
  $("map").addEventListener("keydown", (event) => {
    const boxes = [...$("map").children].filter((b) => b.tabIndex >= 0), at = boxes.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step && at >= 0) { event.preventDefault(); boxes[(at + step + boxes.length) % boxes.length].focus(); }
    if (event.key === "Backspace") leave();
  });

  // -- the graph

  let chosen = null;
  const way = (node) => { const found = []; for (let n = node; n; n = n.before >= 0 ? nodes[n.before] : null) found.unshift(n); return found; };
  const edgeOf = (tail, head) => tail.heads.find((edge) => edge.head === head.i);
  const label = (node) => (node.kind === "module" && node.name === "__main__" ? "your program" : node.kind === "library" || node.kind === "file" ? node.name.split("/").pop() : node.name);
  const drawBands = () => {
    const kept = $("bands").querySelector(".dots:focus-within");
    const bands = data.bands.map((title, band) => {
      const mine = groups.filter((group) => group.band === band).sort((a, b) => b.size - a.size || b.members.length - a.members.length);
      const chips = make("div", { class: "chips" }, ...mine.map(drawGroup));
      const count = mine.reduce((sum, group) => sum + group.members.length, 0), size = mine.reduce((sum, group) => sum + group.size, 0);
      const head = make("h2", {}, title, make("small", { text: size ? `${count} · ${bytes(size)}` : `${count}` }));
      return make("section", { class: "band", style: `--fill:var(${BAND_COLOURS[band]})`, "aria-label": title }, head, chips);
    });
    $("bands").replaceChildren($("wires"), ...bands);
    $("bands").classList.toggle("chosen", Boolean(chosen));
    mark();
    drawWires();
    return kept;
  };
  const drawGroup = (group) => {
    const chip = make("button", { class: "chip", "data-group": group.i, "aria-expanded": String(group.open) }, group.name,
      make("small", { text: `${group.members.length}${group.size ? " · " + bytes(group.size) : ""}` }));
    chip.addEventListener("click", () => { group.open = !group.open; group.only = null; drawBands(); document.querySelector(`[data-group="${group.i}"]`).focus(); });
    if (!group.open) return chip;
    const wanted = group.only ? [...group.only] : group.members;
    const shown = group.all ? wanted : wanted.slice(0, MOST);
    const dots = make("div", { class: "dots" }, ...shown.map((node) =>
      make("button", { class: "dot", "data-node": node.i, title: `${node.id}${node.size ? "\n" + bytes(node.size) : ""}`, text: label(node), click: () => choose(node) })));
    if (shown.length < group.members.length)
      dots.append(make("button", { class: "more", text: `${group.members.length - shown.length} more`, click: () => { group.all = !group.only; group.only = null; drawBands(); } }));
    dots.addEventListener("scroll", later, { passive: true });
    return make("div", { class: "open" }, chip, dots);
  };
  const spot = (node) => document.querySelector(`[data-node="${node.i}"]`) || document.querySelector(`[data-group="${node.group}"]`);
  const mark = () => {
    if (!chosen) return;
    for (const node of way(chosen)) { const at = spot(node); if (at) at.classList.add("on"); }
    const at = spot(chosen);
    if (at) at.classList.add("here");
  };
  const drawWires = () => {
    const wires = $("wires");
    wires.replaceChildren();
    if ($("view-graph").hidden) return;
    const base = $("bands").getBoundingClientRect(), spots = new Map();
    const place = (node) => {
      const element = groups[node.group].open ? spot(node) : document.querySelector(`[data-group="${node.group}"]`);
      if (!element) return null;
      if (!spots.has(element)) {
        let r = element.getBoundingClientRect();
        const frame = element.closest(".dots");
        let top = r.top, bottom = r.bottom;
        if (frame) { const f = frame.getBoundingClientRect(); top = Math.min(Math.max(top, f.top), f.bottom); bottom = Math.max(Math.min(bottom, f.bottom), f.top); }
        spots.set(element, { element, x: r.left + r.width / 2 - base.left, top: top - base.top, bottom: bottom - base.top });
      }
      return spots.get(element);
    };
    const drawn = new Map();
    const add = (tail, head, kind) => {
      const a = place(tail), b = place(head);
      if (!a || !b || a.element === b.element) return;
      const key = [...spots.keys()].indexOf(a.element) + "-" + [...spots.keys()].indexOf(b.element);
      const rank = { way: 3, in: 2, out: 2, "": 1 };
      const old = drawn.get(key);
      if (!old || rank[kind] > rank[old.kind]) drawn.set(key, { a, b, kind });
    };
    const open = groups.some((group) => group.open);
    const seen = new Set();
    for (const edge of edges) {
      const tail = nodes[edge.tail], head = nodes[edge.head];
      const key = tail.group * groups.length + head.group;
      if (groups[tail.group].open || groups[head.group].open || seen.has(key)) continue;
      seen.add(key);
      if (tail.group !== head.group) add(tail, head, "");
    }
    if (open && !chosen) for (const edge of edges.slice(0, 6000)) {
      const tail = nodes[edge.tail], head = nodes[edge.head];
      if (tail.group !== head.group && (groups[tail.group].open || groups[head.group].open)) add(tail, head, "");
    }
    if (chosen) {
      for (const edge of chosen.tails) add(nodes[edge.tail], chosen, "in");
      for (const edge of chosen.heads) add(chosen, nodes[edge.head], "out");
      const steps = way(chosen);
      for (let i = 1; i < steps.length; i += 1) add(steps[i - 1], steps[i], "way");
    }
    const order = { "": 0, out: 1, in: 2, way: 3 };
    for (const { a, b, kind } of [...drawn.values()].sort((p, q) => order[p.kind] - order[q.kind])) {
      const down = b.top >= a.bottom, up = a.top >= b.bottom;
      const y1 = down ? a.bottom : up ? a.top : a.bottom, y2 = down ? b.top : up ? b.bottom : b.bottom;
      const bend = Math.max(18, Math.abs(y2 - y1) * 0.45);
      const c1 = down ? y1 + bend : up ? y1 - bend : y1 + bend, c2 = down ? y2 - bend : up ? y2 + bend : y2 + bend;
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute("d", `M${a.x.toFixed(1)} ${y1.toFixed(1)}C${a.x.toFixed(1)} ${c1.toFixed(1)} ${b.x.toFixed(1)} ${c2.toFixed(1)} ${b.x.toFixed(1)} ${y2.toFixed(1)}`);
      if (kind) path.setAttribute("class", kind);
      wires.append(path);
    }
  };
  let waiting = 0;
  const later = () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(drawWires); };
  $("fold").addEventListener("click", () => { for (const group of groups) { group.open = false; group.only = null; } forget(); });

  // -- the chosen node

  const link = (node) => make("button", { class: "link", text: node.id, click: () => choose(node) });
  const evidence = (edge) => edge.evidence.flatMap((text, i) => [i ? ", " : " ", make("code", { text })]);
  const near = (title, list, other) => {
    if (!list.length) return [];
    const shown = list.slice(0, 40).map((edge) => make("li", {}, link(nodes[edge[other]]), ...evidence(edge)));
    const more = list.length > 40 ? [make("li", { class: "kind", text: `and ${list.length - 40} more` })] : [];
    return [make("h3", {}, title + " ", make("small", { text: String(list.length) })), make("ul", { class: "near" }, ...shown, ...more)];
  };
  const drawPanel = () => {
    const panel = $("panel");
    panel.hidden = !chosen;
    document.body.classList.toggle("asking", Boolean(chosen));
    if (!chosen) return;
    const facts = [["Size", chosen.size ? bytes(chosen.size) : ""],
      ["Alone brings", chosen.count > 1 ? `${bytes(chosen.alone)} in ${many(chosen.count, "node", "nodes")}, which would go with it` : ""],
      ...Object.entries(chosen.facts)].filter(([, value]) => value);
    const steps = way(chosen).map((node, i, all) => {
      const edge = i ? edgeOf(all[i - 1], node) : null;
      return make("li", {}, ...(edge ? [make("div", { class: "how" }, edge.how, ...evidence(edge))] : []), link(node));
    });
    panel.replaceChildren(
      make("header", {}, make("h2", { text: chosen.id }), make("button", { "aria-label": "Close", text: "×", click: forget })),
      make("p", { class: "kind", text: `${data.bands[groups[chosen.group].band]}: ${groups[chosen.group].name}` }),
      make("dl", {}, ...facts.flatMap(([key, value]) => [make("dt", { text: key.replace("_", " ") }), make("dd", { text: value })])),
      make("h3", {}, "The way to it ", make("small", { text: many(steps.length - 1, "step", "steps") })), make("ol", { class: "steps" }, ...steps),
      ...near("Needed by", chosen.tails, "tail"), ...near("Needs", chosen.heads, "head"));
    panel.scrollTop = 0;
  };
  const choose = (node) => {
    chosen = node;
    history.replaceState(null, "", "#" + encodeURIComponent(node.id));
    drawPanel();
    // Groups that open for the way show the way alone; those that the reader opened stay as they are.
    for (const group of groups) if (group.only) { group.open = false; group.only = null; }
    for (const step of way(node)) {
      const group = groups[step.group];
      if (!group.open) { group.open = true; group.only = new Set(); }
      if (group.only) group.only.add(step);
    }
    if ($("view-graph").hidden) { drawMap(); return; }
    drawBands();
    const at = spot(node);
    if (at) at.scrollIntoView({ block: "center", behavior: "smooth" });
  };
  const forget = () => {
    chosen = null;
    history.replaceState(null, "", "#" + (shownTab || "sizes"));
    drawPanel();
    if ($("view-graph").hidden) drawMap(); else drawBands();
  };

  // -- search

  let hits = [], at = -1;
  const find = (text) => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const rank = (node) => {
      const id = node.id.toLowerCase(), short = label(node).toLowerCase(), flat = node.name.toLowerCase().replace(/\//g, "_");
      if (!words.every((word) => id.includes(word) || flat.includes(word))) return 0;
      const word = words[0];
      return short === word || node.name.toLowerCase() === word || flat === word ? 4 : short.startsWith(word) ? 3 : short.includes(word) ? 2 : 1;
    };
    return nodes.map((node) => [rank(node), node]).filter(([r]) => r).sort((a, b) => b[0] - a[0] || a[1].name.length - b[1].name.length).slice(0, 40).map(([, node]) => node);
  };
  const drawHits = () => {
    const list = $("hits");
    list.hidden = !hits.length;
    $("search").setAttribute("aria-expanded", String(Boolean(hits.length)));
    list.replaceChildren(...hits.map((node, i) => {
      const item = make("li", { role: "option", id: "hit" + i, "aria-selected": String(i === at) }, make("span", { class: "n", text: node.name }),
        make("span", { class: "k", text: node.kind + (node.size ? " · " + bytes(node.size) : "") }));
      item.addEventListener("mousedown", (event) => { event.preventDefault(); pick(node); });
      return item;
    }));
    if (at >= 0) { $("search").setAttribute("aria-activedescendant", "hit" + at); $("hit" + at).scrollIntoView({ block: "nearest" }); }
  };
  const pick = (node) => { hits = []; at = -1; drawHits(); $("search").value = ""; $("search").blur(); show("graph"); choose(node); };
  $("search").addEventListener("input", () => { hits = find($("search").value); at = hits.length ? 0 : -1; drawHits(); });
  $("search").addEventListener("blur", () => { hits = []; drawHits(); });
  $("search").addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); at = Math.max(0, Math.min(hits.length - 1, at + (event.key === "ArrowDown" ? 1 : -1))); drawHits(); }
    if (event.key === "Enter" && hits[at]) pick(hits[at]);
    if (event.key === "Escape") { event.stopPropagation(); $("search").value = ""; $("search").blur(); }
  });

  // -- tabs, theme, keys, address

  let shownTab = "sizes";
  const show = (tab) => {
    shownTab = tab;
    for (const name of ["sizes", "graph"]) {
      $("view-" + name).hidden = name !== tab;
      $("tab-" + name).setAttribute("aria-selected", String(name === tab));
      $("tab-" + name).tabIndex = name === tab ? 0 : -1;
    }
    if (tab === "graph") drawBands(); else drawMap();
  };
  for (const name of ["sizes", "graph"]) $("tab-" + name).addEventListener("click", () => { show(name); if (!chosen) history.replaceState(null, "", "#" + name); });
  document.querySelector(".tabs").addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const other = shownTab === "sizes" ? "graph" : "sizes";
    show(other);
    $("tab-" + other).focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== $("search")) { event.preventDefault(); $("search").focus(); }
    if (event.key === "Escape") { if (chosen) forget(); else if (shownTab === "sizes") leave(); }
  });
  const remembered = (value) => { try { if (value) localStorage.setItem("theme", value); return localStorage.getItem("theme"); } catch { return null; } };
  if (remembered()) document.documentElement.dataset.theme = remembered();
  $("theme").addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    remembered(document.documentElement.dataset.theme);
  });
  new ResizeObserver(() => { if (shownTab === "sizes") drawMap(); else later(); }).observe($("main"));
  drawCrumbs();
  drawList();
  const named = decodeURIComponent(location.hash.slice(1)), start = nodes.find((node) => node.id === named);
  if (start) { show("graph"); choose(start); } else show(named === "graph" ? "graph" : "sizes");
  document.documentElement.dataset.ready = "yes";
})();
