'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const byId = (id) => document.getElementById(id);
const svg = document.querySelector('.route-map');
const rows = [...svg.querySelectorAll('.row')].map((element) => ({
  element, family: element.querySelector('.family'),
  cells: [...element.querySelectorAll('.cell')], used: [...element.querySelectorAll('.used')]}));
const experts = data.experts;
let frame = data.frames.length - 1, kind = 'likely', order = rows.map((_, i) => i);
let chosen = 0, other = -1, shown = 0, column = -1, timer = 0;

const weightsOf = (task) => data.frames[frame][kind][task];
const exact = (weight) => (weight / 1e4).toFixed(4);
const layerOf = (task, place) => weightsOf(task).slice(place * experts, (place + 1) * experts);
const largest = (weights) => weights.indexOf(Math.max(...weights));
// Total variation: the share of the weight that would have to move to another expert, 0 to 1.
const apart = (a, b) => a.reduce((sum, w, i) => sum + Math.abs(w - b[i]), 0) / 2e4;
const distance = (a, b) => data.places.reduce((sum, _, p) =>
    sum + apart(layerOf(a, p), layerOf(b, p)), 0) / data.places.length;
const make = (tag, text, name) => {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (name) element.className = name;
  return element;
};

function paint() {
  rows.forEach((row, task) => {
    const weights = weightsOf(task), used = data.frames[frame].used[task];
    row.cells.forEach((cell, c) => {
      cell.setAttribute('fill-opacity', weights[c] / 1e4);
      const place = Math.floor(c / experts);
      cell.firstChild.textContent = data.tasks[task].name + ': ' + data.places[place] +
          ', expert ' + (c % experts + 1) + ': ' + exact(weights[c]);
    });
    row.used.forEach((dot, place) => {
      const cell = row.cells[place * experts +
                             largest(used.slice(place * experts, (place + 1) * experts))];
      dot.setAttribute('cx', +cell.getAttribute('x') + cell.getAttribute('width') / 2);
    });
  });
  fill();
}

function sort() {
  const how = byId('sort').value;
  const name = (i) => data.tasks[i].name;
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  order = rows.map((_, i) => i);
  if (how === 'name') order.sort((a, b) => compare(name(a), name(b)));
  if (how === 'near') {
    const far = order.map((i) => distance(chosen, i));
    order.sort((a, b) => (a === chosen ? -1 : b === chosen ? 1 : far[a] - far[b]));
  }
  const top = +svg.dataset.top, step = +svg.dataset.row, gap = +svg.dataset.gap;
  let y = top, before = null;
  const gaps = new Set(data.tasks.map((t) => t.family)).size - 1;
  const spread = how === 'family' ? 0 : gaps * gap / Math.max(1, rows.length - 1);
  for (const i of order) {
    const family = data.tasks[i].family;
    if (how === 'family' && before !== null && family !== before) y += gap;
    rows[i].element.setAttribute('transform', 'translate(0 ' + y + ')');
    rows[i].element.style.transform = 'translate(0, ' + y + 'px)';
    rows[i].family.setAttribute('visibility', family === before ? 'hidden' : 'visible');
    before = family;
    y += step + spread;
  }
}

function bar(weight, isMain, name) {
  const cell = make('td', undefined, name), value = make('span', undefined, 'value');
  const fillBar = make('i');
  fillBar.style.width = weight / 100 + '%';
  value.append(fillBar, make('span', exact(weight), isMain ? 'main' : ''));
  cell.append(value);
  return cell;
}

function fill() {
  const body = byId('weights');
  body.replaceChildren();
  data.places.forEach((place, p) => {
    const a = layerOf(shown, p), b = other < 0 ? null : layerOf(other, p);
    const head = make('tr'), title = make('th', place, 'layer');
    title.colSpan = b ? 3 : 2;
    title.scope = 'rowgroup';
    if (b) title.append(make('span', 'distance ' + apart(a, b).toFixed(3), 'apart'));
    head.append(title);
    body.append(head);
    for (let e = 0; e < experts; ++e) {
      const line = make('tr', undefined, p * experts + e === column ? 'at' : '');
      const label = make('th', String(e + 1));
      label.scope = 'row';
      line.append(label, bar(a[e], largest(a) === e, 'a'));
      if (b) line.append(bar(b[e], largest(b) === e, 'b'));
      body.append(line);
    }
  });
  byId('head-b').hidden = other < 0;
  byId('a').value = shown;
  describe();
  rows.forEach((row, i) => {
    row.element.classList.toggle('on', i === shown);
    row.element.classList.toggle('chosen', i === chosen);
    row.element.classList.toggle('other', i === other);
    row.element.setAttribute('aria-pressed', String(i === chosen));
  });
}

function describe() {
  const task = data.tasks[shown];
  if (other < 0) {
    byId('distance').textContent = (task.family ? 'Family: ' + task.family + '. ' : '') +
        'Choose B to compare.';
    return;
  }
  const differing = data.places.filter((_, p) =>
      largest(layerOf(shown, p)) !== largest(layerOf(other, p))).length;
  byId('distance').textContent = 'Mean distance ' + distance(shown, other).toFixed(3) +
      ' of 1; another main expert in ' + differing + ' of ' + data.places.length + ' layers.';
}

function show(task, at) {
  shown = task;
  column = at;
  fill();
}
function choose(task) {
  chosen = task;
  rows.forEach((row, i) => row.element.setAttribute('tabindex', i === task ? '0' : '-1'));
  show(task, -1);
  if (byId('sort').value === 'near') sort();
}

rows.forEach((row, task) => {
  const element = row.element;
  element.setAttribute('role', 'button');
  element.setAttribute('tabindex', task === 0 ? '0' : '-1');
  element.setAttribute('aria-label', data.tasks[task].name);
  element.addEventListener('mouseover', (event) =>
      show(task, event.target.dataset.column === undefined ? -1 : +event.target.dataset.column));
  element.addEventListener('focus', () => show(task, -1));
  element.addEventListener('click', () => choose(task));
  element.addEventListener('keydown', (event) => {
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (step) {
      const next = order[order.indexOf(task) + step];
      if (next !== undefined) rows[next].element.focus();
    } else if (event.key === 'Enter' || event.key === ' ') {
      choose(task);
    } else {
      return;
    }
    event.preventDefault();
  });
});
svg.addEventListener('mouseleave', () => show(chosen, -1));

byId('b').append(new Option('(none)', '-1'));
data.tasks.forEach((task, i) => {
  const label = task.name + (task.family ? ' · ' + task.family : '');
  byId('a').append(new Option(label, i));
  byId('b').append(new Option(label, i));
});
byId('a').addEventListener('change', (event) => choose(+event.target.value));
byId('b').addEventListener('change', (event) => { other = +event.target.value; fill(); });
byId('sort').addEventListener('change', sort);
byId('kind').addEventListener('change', (event) => {
  kind = event.target.value;
  paint();
  sort();
});

function move(to) {
  frame = to;
  byId('frame').value = to;
  byId('moment').textContent = data.frames[to].label + ' · temperature ' +
      data.frames[to].temperature.toPrecision(3) + ' · ' + (to + 1) + ' of ' + data.frames.length;
  paint();
}
function stop() {
  clearInterval(timer);
  timer = 0;
  byId('play').textContent = 'Play';
  byId('play').setAttribute('aria-pressed', 'false');
  if (byId('sort').value === 'near') sort();
}
if (data.frames.length > 1) {
  byId('frame').max = data.frames.length - 1;
  byId('frame').addEventListener('input', (event) => { stop(); move(+event.target.value); });
  byId('play').addEventListener('click', () => {
    if (timer) return stop();
    if (frame === data.frames.length - 1) move(0);
    byId('play').textContent = 'Pause';
    byId('play').setAttribute('aria-pressed', 'true');
    // Nothing moves unasked; who wants little motion gets one picture a second.
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    timer = setInterval(() => {
      if (frame + 1 < data.frames.length) move(frame + 1);
      else stop();
    }, still ? 1000 : 200);
  });
  move(frame);
}
paint();
sort();
