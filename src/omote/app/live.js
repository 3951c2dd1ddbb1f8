"use strict";
// The tab Live: shows the camera, sends its pictures to omote one at a time, and draws what comes back. Texts get into the
// page as text nodes, never as markup.
const startLive = (root) => {
  const LONGEST = 480, QUALITY = 0.9; // pixels and JPEG quality of the pictures that are sent
  const MOST = 2; // pictures on their way: one that omote reads, and one that is sent meanwhile
  const FASTEST = 20; // pictures a second: leaves time of the processor to the browser
  const SPAN = 30; // s, of the lines
  const GAP = 3; // s without an answer, after which a line goes on as another one
  const REDRAW = 100; // ms between two drawings of the lines
  const ALIVE = 30_000; // ms between two signs of life
  const ROOM = 1.5; // the distance's bar is full at so many times the typical distance between two expressions

  const find = (selector) => root.querySelector(selector);
  const make = (tag, className, parent, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  };
  const video = find("video"), frame = find(".stage canvas"), curtain = find(".curtain"), rate = find(".rate");
  const cameraButton = find(".camera"), recordButton = find(".record"), usualButton = find(".usual");
  const which = find(".which"), select = find(".which select"), running = find(".running");
  const loadInput = find(".load input"), saveLink = find(".save"), forgetButton = find(".forget");
  const grab = document.createElement("canvas");

  let session = null; // address of this page's session
  let stream = null, turn = 0; // the camera; a number that changes whenever it is started or stopped
  let rows = [], past = [], spread = null, drawn = 0, answered = [];
  let recording = null; // state of the recording, or null
  const unsaved = new Set(); // numbers of recordings that were not downloaded

  const say = (text) => {
    const line = find(".say");
    if (line.textContent !== text) line.textContent = text; // so that a screen reader says it once
  };

  // What a button could not do. Pictures do not overwrite it.
  const note = (text) => {
    find(".note").textContent = text.slice(0, 1).toUpperCase() + text.slice(1);
    find(".note").hidden = text === "";
  };

  // The answer of omote, as JSON. What goes wrong is thrown as a sentence.
  const ask = async (path, options = {}) => {
    if (session === null && path !== "") throw new Error("The session of this page has ended. Start the camera again.");
    let answer;
    try {
      answer = await fetch(session === null ? "live" : `${session}${path}`, { method: "POST", ...options });
    } catch {
      throw new Error("omote does not answer any more. Is it still running? Start it again, and load this page again.");
    }
    if (answer.ok) return answer.json();
    if (answer.status === 410) session = null;
    const text = await answer.text();
    let sentence = text;
    try {
      sentence = JSON.parse(text).detail;
    } catch {} // not JSON: a sentence itself
    throw new Error(typeof sentence === "string" ? sentence : "omote did not understand this page. Load it again.");
  };

  const explain = (error) => {
    const reasons = {
      NotFoundError: "No camera was found. Connect one, then start it here.",
      OverconstrainedError: "This camera is no longer there. Choose another one.",
      NotAllowedError: "The browser does not let this page use the camera. Allow it beside the page's address, then start it here.",
      NotReadableError: "The camera gives no picture. Another program may be using it: close that, then start it here.",
    };
    return reasons[error.name] || error.message;
  };

  const openSession = async () => {
    const opened = await ask("");
    session = `live/${opened.session}`;
    find(".recordings").replaceChildren(); // those of an earlier session are gone
    unsaved.clear();
    setUsualLook(null);
    const list = find(".rows");
    list.replaceChildren();
    const add = (name, className) => {
      const item = make("li", className, list);
      make("span", "name", item, name);
      const value = make("output", "", item, "–");
      const meter = make("div", "meter", item);
      const bar = make("span", "", meter);
      const line = make("canvas", "", item);
      for (const [key, text] of [["role", "meter"], ["aria-label", name], ["aria-valuemin", "0"], ["aria-valuemax", "1"]])
        meter.setAttribute(key, text);
      line.setAttribute("role", "img");
      line.setAttribute("aria-label", `${name} in the last ${SPAN} seconds`);
      return { item, value, meter, bar, line };
    };
    rows = opened.axes.map((name) => add(name, "axis"));
    rows.push(add("distance from usual look", "distance"));
    past = [];
    draw();
  };

  const start = async () => {
    const mine = ++turn;
    cameraButton.disabled = true;
    say("Waiting for the camera …");
    try {
      if (!navigator.mediaDevices)
        throw new Error("Browsers give a camera only to pages of this computer (http://127.0.0.1) and to https pages.");
      const wanted = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };
      if (select.value) wanted.deviceId = { exact: select.value };
      else wanted.facingMode = "user";
      const opened = await navigator.mediaDevices.getUserMedia({ video: wanted });
      stream = opened;
      opened.getVideoTracks()[0].addEventListener("ended", () => {
        if (stream === opened) stop("The camera was taken away. Connect it, then start it here.");
      });
      if (session === null) await openSession();
      video.srcObject = stream;
      await video.play();
      await listCameras();
      curtain.hidden = true;
      say("");
      setButtons();
      run(mine);
    } catch (error) {
      stop(explain(error));
    }
  };

  const stop = async (reason = "") => {
    turn++;
    if (stream) stream.getTracks().forEach((track) => track.stop());
    stream = video.srcObject = null;
    curtain.hidden = false;
    rate.textContent = "";
    answered = [];
    frame.getContext("2d").clearRect(0, 0, frame.width, frame.height);
    show(null);
    say(reason);
    setButtons();
    if (recording) await stopRecording().catch((error) => note(error.message));
  };

  const listCameras = async () => {
    const cameras = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "videoinput");
    const used = stream.getVideoTracks()[0].getSettings().deviceId;
    select.replaceChildren(...cameras.map((one, k) => new Option(one.label || `camera ${k + 1}`, one.deviceId, false, one.deviceId === used)));
    which.hidden = cameras.length < 2;
  };

  const setButtons = () => {
    const live = stream !== null;
    cameraButton.disabled = false;
    cameraButton.textContent = live ? "Stop the camera" : "Start the camera";
    recordButton.disabled = !live;
    recordButton.textContent = recording ? "Stop recording" : "Record";
    recordButton.setAttribute("aria-pressed", String(recording !== null));
    usualButton.disabled = !live || recording !== null;
    loadInput.disabled = session === null || recording !== null;
    forgetButton.disabled = recording !== null;
  };

  // Send the newest picture whenever one is due and fewer than MOST are on their way.
  const run = (mine) => {
    let isNew = true, due = 0, underWay = 0, failed = 0;

    const send = async () => {
      const now = performance.now();
      if (turn !== mine || document.hidden || !isNew || underWay === MOST || now < due) return;
      isNew = false;
      underWay++;
      due = Math.max(due + 1000 / FASTEST, now);
      const scale = Math.min(1, LONGEST / Math.max(video.videoWidth, video.videoHeight));
      const width = Math.round(video.videoWidth * scale), height = Math.round(video.videoHeight * scale);
      if (grab.width !== width || grab.height !== height) Object.assign(grab, { width, height });
      grab.getContext("2d").drawImage(video, 0, 0, width, height);
      const picture = await new Promise((resolve) => grab.toBlob(resolve, "image/jpeg", QUALITY));
      try {
        const seen = await ask("/frame", { body: picture, headers: { "content-type": "image/jpeg", time: String(now / 1000) } });
        failed = 0;
        if (turn === mine) show(seen, now / 1000, width, height);
      } catch (error) {
        if (turn === mine && (session === null || ++failed > MOST)) stop(error.message);
      }
      underWay--;
      send();
    };

    const watch = () => {
      if (turn !== mine) return;
      isNew = true;
      send();
      if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(watch);
      else requestAnimationFrame(watch);
    };
    watch();
  };

  // The values of a picture, or of none.
  const show = (seen, now, width, height) => {
    const face = seen && seen.shown !== null ? seen.faces[seen.shown] : null;
    const values = face ? [...seen.axes, seen.distance] : rows.map(() => null);
    if (seen) {
      past.push({ now, values, trusted: face !== null && face.trusted });
      while (past[0].now < now - SPAN) past.shift();
      answered.push(now);
      while (answered[0] < now - 2) answered.shift();
      const passed = now - answered[0];
      rate.textContent = passed > 1 ? `${count(Math.round((answered.length - 1) / passed), "picture")} a second` : "";
      say(seen.say);
      if (recording && seen.recording) {
        recording = seen.recording;
        running.textContent = `Recording: ${describe(recording)}.`;
      }
      drawFaces(seen, width, height);
    }
    const redraw = seen === null || performance.now() - drawn > REDRAW;
    if (!redraw) return;
    drawn = performance.now();
    rows.forEach((row, k) => {
      const full = fullOf(k), value = values[k];
      row.item.classList.toggle("doubted", face !== null && !face.trusted);
      row.bar.style.transform = `scaleX(${value === null ? 0 : Math.min(1, value / full)})`;
      row.value.textContent = value === null ? "–" : value.toFixed(full === 1 ? 2 : 1);
      row.meter.setAttribute("aria-valuemax", full.toFixed(2));
      row.meter.setAttribute("aria-valuenow", (value ?? 0).toFixed(2));
      row.meter.setAttribute("aria-valuetext", value === null ? "unknown" : row.value.textContent);
    });
    draw();
  };

  // The value at which a bar is full.
  const fullOf = (k) => {
    if (k < rows.length - 1) return 1;
    return Math.max(ROOM * (spread ?? 1), ...past.map((moment) => moment.values[k] ?? 0));
  };

  const fit = (canvas) => {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    return context;
  };

  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  const drawFaces = (seen, width, height) => {
    const context = fit(frame);
    const scale = Math.min(frame.clientWidth / width, frame.clientHeight / height);
    const left = (frame.clientWidth - width * scale) / 2, top = (frame.clientHeight - height * scale) / 2;
    seen.faces.forEach((face, k) => {
      const [x, y, w, h] = face.box.map((value) => value * scale);
      const isShown = k === seen.shown;
      context.lineWidth = isShown ? 3 : 1.5;
      context.strokeStyle = !isShown ? "#d0d7de" : face.trusted ? "#56b4e9" : "#f0a04b";
      context.setLineDash(face.trusted ? [] : [8, 6]);
      context.beginPath();
      context.roundRect(left + width * scale - x - w, top + y, w, h, 10); // the picture is shown as in a mirror
      context.stroke();
    });
  };

  const draw = () => {
    const last = past.length ? past[past.length - 1].now : 0;
    const [accent, muted, line] = ["--accent", "--muted", "--line"].map(colour);
    rows.forEach((row, k) => {
      const context = fit(row.line), width = row.line.clientWidth, height = row.line.clientHeight - 4, full = fullOf(k);
      context.strokeStyle = line;
      context.lineWidth = 1;
      context.strokeRect(0.5, 0.5, width - 1, height + 3);
      context.lineWidth = 1.5;
      context.lineJoin = "round";
      let before = null;
      for (const moment of past) {
        const value = moment.values[k];
        const point = value === null ? null : [width * (1 - (last - moment.now) / SPAN), 2 + height * (1 - Math.min(1, value / full))];
        if (point && before && moment.now - before.now < GAP) {
          if (before.trusted !== moment.trusted || !before.isOpen) {
            if (before.isOpen) context.stroke();
            context.beginPath();
            context.strokeStyle = moment.trusted ? accent : muted;
            context.moveTo(...before.point);
          }
          context.lineTo(...point);
          before = { point, now: moment.now, trusted: moment.trusted, isOpen: true };
        } else {
          if (before?.isOpen) context.stroke();
          before = point && { point, now: moment.now, trusted: moment.trusted, isOpen: false };
        }
      }
      if (before?.isOpen) context.stroke();
    });
  };

  const count = (number, name) => `${number} ${name}${number === 1 ? "" : "s"}`;

  const describe = ({ rows, frames, without_face, seconds }) => {
    const time = `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
    const missing = without_face ? `, ${without_face} of them without a face` : "";
    return `${time}, ${count(rows, "row")} from ${count(frames, "picture")}${missing}`;
  };

  const startRecording = async () => {
    recording = await ask("/recording");
    running.textContent = "Recording …";
    running.hidden = false;
    setButtons();
  };

  const stopRecording = async () => {
    recording = null;
    running.hidden = true;
    setButtons();
    const done = await ask("/recording/stop");
    const item = make("li", "", find(".recordings"), `Recording ${done.number}: ${describe(done)}.`);
    if (!done.rows) return void make("span", "", item, " There is no table, as no face was seen.");
    unsaved.add(done.number);
    for (const kind of ["parquet", "csv"]) {
      const link = make("a", "", item, kind === "csv" ? "CSV" : "Parquet");
      Object.assign(link, { href: `${session}/recording-${done.number}.${kind}`, download: "" });
      link.setAttribute("aria-label", `Download recording ${done.number} as ${link.textContent}`);
      link.addEventListener("click", () => unsaved.delete(done.number));
    }
  };

  const setUsualLook = (look) => {
    spread = look && look.spread;
    find(".usual-look .state").textContent = look ? "set" : "none yet";
    find(".hint").hidden = look !== null;
    saveLink.hidden = forgetButton.hidden = look === null;
    saveLink.href = `${session}/usual-look.json`;
    find(".sentences").replaceChildren();
    for (const sentence of look ? look.sentences : []) make("li", "", find(".sentences"), sentence);
    past.forEach((moment) => (moment.values[moment.values.length - 1] = null)); // distances from another look
  };

  const on = (element, event, act) => element.addEventListener(event, async (happened) => {
    note("");
    try {
      await act(happened);
    } catch (error) {
      note(error.message);
    }
  });
  on(cameraButton, "click", () => (stream ? stop() : start()));
  on(select, "change", async () => {
    await stop();
    await start();
  });
  on(recordButton, "click", () => (recording ? stopRecording() : startRecording()));
  on(usualButton, "click", async () => {
    setUsualLook(await ask("/usual-look"));
    find(".usual-look").open = true;
  });
  on(loadInput, "change", async () => {
    const [file] = loadInput.files;
    loadInput.value = "";
    setUsualLook(await ask("/usual-look", { method: "PUT", body: file }));
  });
  on(forgetButton, "click", async () => {
    await ask("/usual-look", { method: "DELETE" });
    setUsualLook(null);
  });
  let hiddenSince = null;
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && hiddenSince !== null && recording) {
      const seconds = Math.round((performance.now() - hiddenSince) / 1000);
      note(`This page was hidden for ${count(seconds, "second")}, of which the recording has nothing.`);
    }
    hiddenSince = document.hidden ? performance.now() : null;
  });
  setInterval(() => session && ask("/alive").catch(() => {}), ALIVE);
  window.addEventListener("beforeunload", (event) => {
    if (recording || unsaved.size) event.preventDefault(); // the browser asks whether to leave
  });
  window.addEventListener("pagehide", () => {
    if (session) navigator.sendBeacon(`${session}/end`);
    session = null;
  });
  setButtons();
};

// gradio puts the tab into the page when it likes, before or after this file is loaded.
const findLive = () => {
  for (const live of document.querySelectorAll(".omote-live:not([data-started])")) {
    live.dataset.started = "";
    startLive(live);
  }
};
findLive();
new MutationObserver(findLive).observe(document, { childList: true, subtree: true });
