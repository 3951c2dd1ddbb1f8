"use strict";
// Draws the timelines that a result brings into the page, and keeps a video and its timelines together.
(() => {
  const sameVideo = (video, address) => video.getAttribute("src") === address;

  // Go to a time (s) of a video, and load it first if another one is in the player.
  const play = (address, time) => {
    const player = document.querySelector(".watch .player");
    if (!player || !address) return;
    const video = player.querySelector("video");
    if (!sameVideo(video, address)) {
      const known = [...player.querySelectorAll("data")].find((one) => one.value === address);
      video.src = address;
      video.setAttribute("aria-label", known.textContent);
      player.querySelector(".name").textContent = known.textContent;
      player.querySelector(".unplayable").hidden = true;
    }
    video.currentTime = time;
  };

  // Move the cursors of the timelines of a video to where it is.
  const follow = (video) => {
    for (const block of document.querySelectorAll(".watch .block[data-video]")) {
      if (sameVideo(video, block.dataset.video)) block.dispatchEvent(new CustomEvent("seek", { detail: video.currentTime }));
    }
  };

  const keepTogether = (video) => {
    const step = () => {
      follow(video);
      if (!video.paused && !video.ended && video.isConnected) requestAnimationFrame(step);
    };
    video.addEventListener("play", step);
    video.addEventListener("seeked", () => follow(video));
    video.addEventListener("error", () => (video.closest(".player").querySelector(".unplayable").hidden = false));
  };

  document.addEventListener("moment", (event) => play(event.target.dataset.video, event.detail));
  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest(".seek");
    if (!button) return;
    play(button.dataset.video, Number(button.dataset.time));
    document.querySelector(".watch").scrollIntoView({ block: "start", behavior: "smooth" });
  });

  // Get the page of a result, which is too large to be sent with everything else.
  const fetchPage = async (place) => {
    const answer = await fetch(place.dataset.page);
    place.innerHTML = await answer.text();
    if (!answer.ok) place.textContent = "This result is no longer there; find the faces again.";
  };

  new MutationObserver(() => {
    for (const place of document.querySelectorAll("[data-page]:not([data-fetched])")) {
      place.dataset.fetched = "";
      fetchPage(place);
    }
    for (const timelines of document.querySelectorAll(".timelines:not([data-drawn])")) {
      timelines.dataset.drawn = "";
      omote.startTimelines(timelines);
    }
    for (const video of document.querySelectorAll(".player video:not([data-kept])")) {
      video.dataset.kept = "";
      keepTogether(video);
    }
  }).observe(document, { childList: true, subtree: true });
})();
