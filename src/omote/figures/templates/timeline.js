"use strict";
// Draws the timelines of a page, each chart when it is first seen. Names get into the page as text nodes, never as markup,
// and never into plotly.js, which would read some markup in them.
(() => {
  const LEFT = 34, RIGHT = 12, TOP = 8, BOTTOM = 24; // pixels round the chart
  const FACE = 46; // pixels, of a face above the curves
  const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000, 86400];
  const NARROWEST = 0.5; // s; or frames, photos

  const make = (tag, className, parent, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    if (parent) parent.append(element);
    return element;
  };

  // The colour that a CSS variable has in this page, light or dark.
  const colourOf = (element, colour) =>
    colour.startsWith("var(") ? getComputedStyle(element).getPropertyValue(colour.slice(4, -1)).trim() : colour;

  const fade = (colour, opacity) => {
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    return `rgba(${red},${green},${blue},${opacity})`;
  };

  const formatTime = (seconds, tenths) => {
    const rounded = Math.round(Math.abs(seconds) * (tenths ? 10 : 1)) / (tenths ? 10 : 1);
    const hours = Math.floor(rounded / 3600), minutes = Math.floor(rounded / 60) % 60;
    const rest = (rounded % 60).toFixed(tenths ? 1 : 0).padStart(tenths ? 4 : 2, "0");
    const sign = seconds < 0 && rounded > 0 ? "−" : "";
    return sign + (hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`);
  };

  const placeTicks = (low, high, most, unit) => {
    const steps = unit === "seconds" ? STEPS : STEPS.map((_, k) => [1, 2, 5][k % 3] * 10 ** Math.floor(k / 3));
    const step = steps.find((one) => (high - low) / one <= most) || steps[steps.length - 1];
    const values = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9; k++) values.push(k * step);
    return [values, values.map((value) => (unit === "seconds" ? formatTime(value, step < 1) : String(Math.round(value))))];
  };

  // Spans [begin, end, ...] as closed rectangles of one filled line, null between them.
  const fillSpans = (spans, low, high) => {
    const x = [], y = [];
    for (const [begin, end] of spans) {
      x.push(begin, begin, end, end, null);
      y.push(low, high, high, low, null);
    }
    return { x, y };
  };

  // The band between low and high where both are known and trusted, as closed shapes.
  const fillBand = (times, low, high, trusted) => {
    const x = [], y = [];
    let piece = [];
    const close = () => {
      if (piece.length > 1) {
        const back = [...piece].reverse();
        x.push(...piece.map((k) => times[k]), ...back.map((k) => times[k]), null);
        y.push(...piece.map((k) => high[k]), ...back.map((k) => low[k]), null);
      }
      piece = [];
    };
    times.forEach((_, k) => (trusted[k] && low[k] !== null ? piece.push(k) : close()));
    close();
    return { x, y };
  };

  const findNearest = (times, wanted) => {
    let low = 0, high = times.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (times[middle] < wanted) low = middle;
      else high = middle;
    }
    return Math.abs(times[low] - wanted) <= Math.abs(times[high] - wanted) ? low : high;
  };

  const findSpan = (spans, time) => spans.find(([begin, end]) => begin <= time && time <= end);

  function draw(block, settings, hidden) {
    const data = JSON.parse(block.querySelector("script").textContent);
    const { times, unit, faces } = data;
    const first = data.values[0];
    const points = times.map((_, k) => k).filter((k) => first[k] !== null);
    const seen = points.map((k) => times[k]);
    const margin = unit === "photos" ? 0.5 : 0;
    const whole = [seen[0] - margin, Math.max(seen[seen.length - 1] + margin, seen[0] + margin + 0.1)];
    let range = whole.slice();
    let moment = points.reduce((best, k, place) => {
      const better = data.trusted[k] > data.trusted[points[best]] ||
        (data.trusted[k] === data.trusted[points[best]] && first[k] > first[points[best]]);
      return better ? place : best;
    }, 0);

    const about = make("div", "moment", block);
    const face = faces && make("canvas", "", about);
    const list = make("ul", "", about);
    const stage = make("div", "stage", block);
    const strip = faces && make("canvas", "strip", stage);
    const chart = make("div", "chart", stage);
    const cursor = make("div", "cursor", stage);
    const controls = make("div", "controls", block);
    const slider = make("input", "", controls);
    Object.assign(slider, { type: "range", min: 0, max: points.length - 1, step: 1, value: moment });
    slider.setAttribute("aria-label", "moment");

    const ink = colourOf(block, "var(--ink)"), muted = colourOf(block, "var(--muted)"), line = colourOf(block, "var(--line)");
    const colours = settings.columns.map((colour) => colourOf(block, colour));
    const traces = [];
    const add = (column, trace) => traces.push({ type: "scatter", hoverinfo: "skip", showlegend: false, column, ...trace });
    const fill = { mode: "lines", fill: "toself", line: { width: 0 } };
    add(-1, { ...fillSpans(data.doubts, 0, settings.top), ...fill, fillcolor: fade(colourOf(block, "var(--doubted)"), 0.5) });
    settings.clusters.forEach((colour, place) => {
      const spans = data.clusters.filter((span) => span[2] === place);
      if (spans.length) add(-1, { ...fillSpans(spans, 0, 1), ...fill, fillcolor: colour, yaxis: "y2" });
    });
    data.values.forEach((values, column) => {
      if (data.low) {
        const band = fillBand(times, data.low[column], data.high[column], data.trusted);
        add(column, { ...band, ...fill, fillcolor: fade(colours[column], 0.18) });
      }
    });
    const mode = unit === "photos" ? "markers" : points.length <= 60 ? "lines+markers" : "lines";
    for (let column = data.values.length - 1; column >= 0; column--) {
      const marker = { size: unit === "photos" ? 7 : 4 };
      const trusted = data.values[column].map((value, k) => (data.trusted[k] ? value : null));
      const style = { x: times, mode, marker };
      add(column, { ...style, y: data.values[column], line: { color: muted, width: 0.7 }, marker: { ...marker, color: muted } });
      add(column, { ...style, y: trusted, line: { color: colours[column], width: 1.6 }, marker: { ...marker, color: colours[column] } });
    }
    const show = () => traces.map((trace) => !hidden.has(trace.column));
    show().forEach((visible, k) => (traces[k].visible = visible));

    const layOut = () => {
      const [tickvals, ticktext] = placeTicks(range[0], range[1], Math.max(2, chart.clientWidth / 75), unit);
      return { "xaxis.range": range.slice(), "xaxis.tickvals": tickvals, "xaxis.ticktext": ticktext };
    };
    const axis = { fixedrange: true, zeroline: false, showgrid: false, tickfont: { color: muted, size: 12 } };
    const layout = {
      margin: { l: LEFT, r: RIGHT, t: TOP, b: BOTTOM }, paper_bgcolor: "transparent", plot_bgcolor: "transparent",
      font: { family: getComputedStyle(block).fontFamily, color: ink }, hovermode: false,
      dragmode: matchMedia("(pointer: coarse)").matches || unit === "photos" ? false : "zoom",
      xaxis: { ...axis, fixedrange: false, range: whole, tickmode: "array", ticks: "outside", tickcolor: line, anchor: "y2" },
      yaxis: { ...axis, domain: [0.13, 1], range: [0, settings.top], showgrid: true, gridcolor: line, nticks: 5 },
      yaxis2: { ...axis, domain: [0, 0.08], range: [0, 1], showticklabels: false },
    };
    const config = { displayModeBar: false, doubleClick: false, responsive: false, showTips: false, scrollZoom: false };

    const sheet = faces && new Image();
    const paint = (canvas, width, height) => {
      const scale = window.devicePixelRatio || 1;
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
      const context = canvas.getContext("2d");
      context.scale(scale, scale);
      context.imageSmoothingQuality = "high";
      return context;
    };
    const placeFace = (context, k, x, y, size) => context.drawImage(sheet,
      (k % faces.columns) * faces.side, Math.floor(k / faces.columns) * faces.side, faces.side, faces.side, x, y, size, size);
    const loaded = () => sheet && sheet.complete && sheet.naturalWidth > 0;

    const plotWidth = () => Math.max(1, stage.clientWidth - LEFT - RIGHT);
    const toPixels = (time) => LEFT + ((time - range[0]) / (range[1] - range[0])) * plotWidth();

    // Faces side by side above the curves, each from the middle of the time below it.
    const showStrip = () => {
      if (!loaded()) return;
      const context = paint(strip, stage.clientWidth, FACE);
      const slots = Math.max(1, Math.floor(plotWidth() / FACE));
      const slot = plotWidth() / slots, length = (range[1] - range[0]) / slots;
      for (let k = 0; k < slots; k++) {
        const middle = range[0] + (k + 0.5) * length;
        const nearest = findNearest(faces.times, middle);
        if (Math.abs(faces.times[nearest] - middle) > 0.6 * length) continue;
        placeFace(context, nearest, LEFT + k * slot + (slot - FACE) / 2 + 1, 0, FACE - 2);
      }
    };

    const name = (time) => unit === "seconds" ? formatTime(time, true) : `${unit === "photos" ? "no." : "frame"} ${Math.round(time)}`;
    const showMoment = () => {
      const k = points[moment], time = times[k];
      const x = toPixels(time);
      cursor.hidden = x < LEFT - 1 || x > LEFT + plotWidth() + 1;
      cursor.style.left = `${x}px`;
      slider.value = moment;
      slider.setAttribute("aria-valuetext", name(time));
      list.replaceChildren();
      const say = (text, value, colour) => {
        const item = make("li", "", list);
        if (colour) make("i", "", item).style.background = colour;
        make("span", "", item, text);
        if (value !== undefined) make("b", "", item, value);
        return item;
      };
      say(data.names ? data.names[moment] : "time", name(time));
      const cluster = findSpan(data.clusters, time), doubt = findSpan(data.doubts, time);
      say("cluster", cluster ? String(cluster[2] + 1) : "–", cluster && settings.clusters[cluster[2]]);
      settings.names.forEach((column, place) => {
        const value = data.values[place][k];
        if (!hidden.has(place)) say(column, value === null ? "–" : value.toFixed(2), settings.columns[place]);
      });
      let nearest = faces && findNearest(faces.times, time);
      if (unit === "photos" && faces && faces.times[nearest] !== time) nearest = null; // it may be somebody else
      const remarks = doubt ? [`not trusted: ${settings.reasons[doubt[2]]}`] : [];
      if (faces && nearest !== null && Math.abs(faces.times[nearest] - time) > 0.051) remarks.push(`face of ${name(faces.times[nearest])}`);
      // The line is there even when it is empty, so that the chart below does not move.
      say(remarks.join("; "), undefined, doubt && "var(--doubted)").className = "wide";
      if (!loaded()) return;
      const context = paint(face, face.clientWidth, face.clientHeight);
      if (nearest !== null) placeFace(context, nearest, 0, 0, face.clientWidth);
    };

    const setRange = (low, high) => {
      const length = Math.min(Math.max(high - low, NARROWEST), whole[1] - whole[0]);
      low = Math.min(Math.max((low + high - length) / 2, whole[0]), whole[1] - length);
      range = [low, low + length];
      Plotly.relayout(chart, layOut());
      showStrip();
      showMoment();
    };
    const setMoment = (place) => {
      moment = Math.min(Math.max(place, 0), points.length - 1);
      const time = times[points[moment]], length = range[1] - range[0];
      if (time < range[0] || time > range[1]) setRange(time - length / 2, time + length / 2);
      else showMoment();
    };
    const zoom = (factor) => {
      const time = times[points[moment]];
      const centre = time >= range[0] && time <= range[1] ? time : (range[0] + range[1]) / 2;
      setRange(centre - (centre - range[0]) * factor, centre + (range[1] - centre) * factor);
    };
    const follow = (event) => {
      const x = event.clientX - stage.getBoundingClientRect().left - LEFT;
      setMoment(findNearest(seen, range[0] + (x / plotWidth()) * (range[1] - range[0])));
    };
    // For a page with a player of the video: where the chart was touched, and where the player is.
    const tell = () => block.dispatchEvent(new CustomEvent("moment", { bubbles: true, detail: times[points[moment]] }));
    block.addEventListener("seek", (event) => setMoment(findNearest(seen, event.detail)));

    for (const [text, label, act] of [
      ["−", "zoom out", () => zoom(2)],
      ["+", "zoom in", () => zoom(0.5)],
      ["all", "show the whole time", () => setRange(...whole)],
    ]) {
      const button = make("button", "", controls, text);
      button.type = "button";
      button.setAttribute("aria-label", label);
      button.addEventListener("click", act);
    }
    slider.addEventListener("input", () => {
      setMoment(Number(slider.value));
      tell();
    });
    stage.addEventListener("pointerdown", (event) => {
      follow(event);
      tell();
    });
    stage.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "mouse" || event.buttons === 0) follow(event); // a pressed mouse selects a time to zoom to
    });

    range = whole.slice();
    Plotly.newPlot(chart, traces.map(({ column, ...trace }) => trace), layout, config).then(() => {
      Plotly.relayout(chart, layOut());
      chart.on("plotly_relayout", (change) => {
        const low = change["xaxis.range[0]"], high = change["xaxis.range[1]"];
        if (low !== undefined) setRange(low, high); // of a drag; our own changes have no index
      });
      chart.on("plotly_doubleclick", () => setRange(...whole));
      let width = stage.clientWidth;
      new ResizeObserver(() => requestAnimationFrame(() => {
        if (!stage.clientWidth || stage.clientWidth === width) return; // folded away, or only the height changed
        width = stage.clientWidth;
        Plotly.Plots.resize(chart);
        Plotly.relayout(chart, layOut());
        showStrip();
        showMoment();
      })).observe(stage);
      if (faces) {
        sheet.addEventListener("load", () => { showStrip(); showMoment(); });
        sheet.src = faces.sheet;
      }
      showMoment();
    });
    return () => {
      Plotly.restyle(chart, { visible: show() });
      showMoment();
    };
  }

  function start(timelines) {
    const settings = JSON.parse(timelines.querySelector("script.settings").textContent);
    const chips = [...timelines.querySelectorAll("button.chip")];
    const isHidden = (chip) => chip.getAttribute("aria-pressed") === "false";
    const hidden = new Set(chips.filter(isHidden).map((chip) => Number(chip.dataset.column)));
    const drawn = [];
    const observer = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        observer.unobserve(target);
        drawn.push(draw(target, settings, hidden));
      }
    }, { rootMargin: "200px" });
    timelines.querySelectorAll(".block").forEach((block) => observer.observe(block));
    for (const chip of chips) {
      chip.addEventListener("click", () => {
        const column = Number(chip.dataset.column);
        if (!hidden.delete(column)) hidden.add(column);
        chip.setAttribute("aria-pressed", String(!hidden.has(column)));
        drawn.forEach((update) => update());
      });
    }
    const parts = [...timelines.querySelectorAll(".part")];
    if (parts.length > 8) {
      const filter = make("input", "filter");
      Object.assign(filter, { type: "search", placeholder: `Find one of ${parts.length}` });
      filter.setAttribute("aria-label", "find by name");
      parts[0].before(filter);
      filter.addEventListener("input", () => {
        const wanted = filter.value.toLowerCase();
        for (const part of parts) part.hidden = !part.querySelector("summary b").textContent.toLowerCase().includes(wanted);
      });
    }
  }

  document.querySelectorAll(".timelines").forEach(start);
  window.omote = { startTimelines: start }; // for pages that get timelines later
})();
