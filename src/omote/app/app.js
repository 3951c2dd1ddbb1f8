"use strict";
// Draws the timelines that a result brings into the page, and keeps a video and its timelines together.
new MutationObserver(() => {
  for (const timelines of document.querySelectorAll(".timelines:not([data-drawn])")) {
    timelines.dataset.drawn = "";
    omote.startTimelines(timelines);
  }
}).observe(document, { childList: true, subtree: true });
