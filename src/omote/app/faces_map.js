// A map of faces: a click, or an arrow key, chooses a dot; the page is told its row.
const choose = dot => {
  if (!dot) return;
  element.querySelector('.chosen')?.classList.remove('chosen');
  dot.classList.add('chosen');
  dot.parentNode.append(dot);  // above the others
  trigger('select', {row: Number(dot.dataset.row)});
};
const nearest = (x, y, accept) => {
  let best = null, least = Infinity;
  for (const dot of element.querySelectorAll('circle')) {
    const right = dot.cx.baseVal.value - x, down = dot.cy.baseVal.value - y, far = Math.hypot(right, down);
    if (far < least && accept(right, down, far)) { best = dot; least = far; }
  }
  return best;
};
element.addEventListener('click', event => {
  const map = event.target.closest('svg');
  if (!map) return;
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
  choose(nearest(at.x, at.y, () => true));
});
element.addEventListener('keydown', event => {
  const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
  const map = event.target.closest('svg');
  if (!way || !map) return;
  event.preventDefault();
  const from = element.querySelector('.chosen');
  const box = map.viewBox.baseVal;
  choose(from
    ? nearest(from.cx.baseVal.value, from.cy.baseVal.value, (right, down, far) =>
        far > 0 && right * way[0] + down * way[1] >= far * Math.SQRT1_2)  // within 45 degrees of the arrow
    : nearest(box.width / 2, box.height / 2, () => true));
});
