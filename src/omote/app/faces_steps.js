// A slider: shows the pictures of its step.
element.addEventListener('input', event => {
  const slider = event.target;
  const share = `${Math.round(100 * slider.value / slider.max)} %`;
  slider.setAttribute('aria-valuetext', share);
  element.querySelector('output').textContent = share;
  for (const picture of element.querySelectorAll('[data-step]')) picture.hidden = picture.dataset.step !== slider.value;
});
