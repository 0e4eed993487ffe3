// The picture of a route: columns are layers, rows are experts, a line runs through those taken.
import {inWords} from '/page/route.js';

const namespace = 'http://www.w3.org/2000/svg';
const row = 46, head = 50, foot = 22, between = 20, end = 16;
const roomy = 380;  // a width that has room for the names of rows; experts have their number anyway
const drawing = 650;  // milliseconds that a stack's part of the line takes
const calm = matchMedia('(prefers-reduced-motion: reduce)');

function draw(tag, attributes = {}, text = undefined) {
  const element = document.createElementNS(namespace, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// A smooth line through points that lie from left to right, in pieces: Bézier curves of four points.
function curves(points) {
  return points.slice(1).map((to, i) => {
    const from = points[i], middle = (from[0] + to[0]) / 2;
    return [from, [middle, from[1]], [middle, to[1]], to];
  });
}
// A piece as two, as de Casteljau parts it.
function halves([a, b, c, d]) {
  const between = (p, q) => [(p[0] + q[0]) / 2, (p[1] + q[1]) / 2];
  const ab = between(a, b), bc = between(b, c), cd = between(c, d);
  const left = between(ab, bc), right = between(bc, cd), middle = between(left, right);
  return [[a, ab, left, middle], [middle, right, cd, d]];
}
const path = (pieces) => pieces.map(([from, ...rest], i) =>
    `${i === 0 ? `M${from.join(' ')}` : ''}C${rest.flat().join(' ')}`).join('');

export class RoutePicture {
  // `onPress(layer, expert)` is called when an expert is pressed.
  constructor(host, onPress) {
    this.host = host;
    this.onPress = onPress;
    this.state = null;
    this.begun = {encoder: false, decoder: false};
    this.width = 0;
    this.mayBegin = 0;  // the time at which the encoder's part of the line is drawn
    new ResizeObserver(() => {
      if (this.state && Math.abs(this.free() - this.width) > 1) this.build();
    }).observe(host);
  }

  // {name, layers, experts, own, taken, pins, disabled}: `own` and `taken` have an expert (from 1) or 0 for each
  // layer; `pins` and `disabled` are Maps from layers to experts.
  show(state) {
    const isSame = this.state && this.state.layers.length === state.layers.length &&
        this.state.experts === state.experts;
    this.state = state;
    this.differing = new Set();
    if (isSame && this.svg) this.update();
    else this.build();
  }

  // Where the lines of two compared tasks part.
  mark(differing) {
    this.differing = differing;
    if (this.state) this.update();
  }

  // No line, until the encoder and the decoder begin.
  clear() {
    this.begun = {encoder: false, decoder: false};
    this.svg?.classList.add('blank');
    this.update();
    this.svg?.getBoundingClientRect();  // so that the line grows from nothing
    this.svg?.classList.remove('blank');
  }
  begin(stack) {
    if (this.begun[stack] || !this.svg) return;
    this.begun[stack] = true;
    if (stack === 'encoder') this.mayBegin = performance.now() + (calm.matches ? 0 : drawing);
    const wait = stack === 'encoder' ? 0 : Math.max(0, this.mayBegin - performance.now());
    this.lines[stack].style.transitionDelay = `${wait}ms`;
    this.update();
  }
  // A token runs through the decoder.
  token() {
    this.begin('decoder');
    if (calm.matches || this.isRunning || performance.now() < this.mayBegin) return;
    this.isRunning = true;
    const line = this.lines.decoder, spark = this.spark, length = line.getTotalLength();
    const start = performance.now();
    const step = (now) => {
      const share = Math.min(1, (now - start) / 260);
      const point = line.getPointAtLength(share * length);
      spark.setAttribute('transform', `translate(${point.x} ${point.y})`);
      spark.classList.toggle('on', share < 1);
      this.isRunning = share < 1;
      if (share < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  build() {
    const focused = this.nodes?.find((node) => node.group === document.activeElement);
    this.width = this.free();
    this.place();
    const {layers, experts} = this.state;
    const height = head + experts * row + foot;
    this.svg = draw('svg', {width: this.across, height, viewBox: `0 0 ${this.across} ${height}`,
                            role: 'group', class: 'route'});
    this.heading();
    this.bands = layers.map((_, i) => this.band(i));
    this.ghost = draw('path', {class: 'ghost'});
    this.lines = {encoder: draw('path', {class: 'taken', pathLength: 1}),
                  decoder: draw('path', {class: 'taken', pathLength: 1})};
    layers.forEach((layer, i) => { if (!layer.isPool) this.ordinary(i); });
    this.svg.append(this.ghost, this.lines.encoder, this.lines.decoder);
    this.nodes = layers.flatMap((layer, i) => (layer.isPool
        ? Array.from({length: experts}, (_, e) => this.node(i, e + 1)) : []));
    this.spark = draw('circle', {class: 'spark', r: 6});
    this.svg.append(this.spark);
    this.host.replaceChildren(this.svg);
    this.update();
    if (focused) this.focus(focused.layer, focused.expert);
  }

  free() {
    const style = getComputedStyle(this.host);
    return this.host.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  }

  // Where the columns are. Layers without a choice need less of the width than pools.
  place() {
    const {layers} = this.state;
    const pools = layers.filter((layer) => layer.isPool).length;
    const hasBoth = new Set(layers.map((layer) => layer.stack)).size > 1;
    this.hasNames = this.width >= roomy;
    this.margin = this.hasNames ? 68 : 14;
    const free = this.width - this.margin - end - (hasBoth ? between : 0);
    const unit = Math.min(76, Math.max(30, free / (pools + 0.62 * (layers.length - pools))));
    this.radius = Math.min(15, unit / 2 - 3);
    let x = this.margin;
    this.columns = layers.map((layer, i) => {
      if (i > 0 && layers[i - 1].stack !== layer.stack) x += between;
      const width = layer.isPool ? unit : 0.62 * unit;
      x += width;
      return {left: x - width, middle: x - width / 2, width};
    });
    this.across = x + end;
  }
  y(expert) { return head + (expert > 0 ? expert - 0.5 : this.state.experts / 2) * row; }

  heading() {
    const {layers, experts} = this.state;
    for (const stack of ['encoder', 'decoder']) {
      const its = this.columns.filter((_, i) => layers[i].stack === stack);
      if (its.length === 0) continue;
      const left = its[0].left + 3, right = its.at(-1).left + its.at(-1).width - 3;
      this.svg.append(draw('text', {x: left, y: 13, class: 'stack', 'aria-hidden': true}, stack),
                      draw('path', {d: `M${left} 20H${right}`, class: 'rule'}));
    }
    layers.forEach((layer, i) => this.svg.append(draw('text',
        {x: this.columns[i].middle, y: 37, class: 'number', 'aria-hidden': true}, layer.number)));
    for (let e = 1; this.hasNames && e <= experts; ++e) {
      this.svg.append(draw('text', {x: 0, y: this.y(e) + 4, class: 'label', 'aria-hidden': true},
                           `expert ${e}`));
    }
  }

  band(i) {
    const {left, width, middle} = this.columns[i];
    const bottom = head + this.state.experts * row;
    const group = draw('g', {class: 'band', 'aria-hidden': true});
    group.append(draw('rect', {x: left + 1, y: 24, width: width - 2, height: bottom - 24 + foot, rx: 6}),
                 draw('text', {x: middle, y: bottom + 15}, '≠'));
    this.svg.append(group);
    return group;
  }

  ordinary(i) {
    const {middle, width} = this.columns[i];
    const across = Math.min(20, width - 6);
    const bar = draw('rect', {x: middle - across / 2, y: head + 6, width: across, rx: 5,
                              height: this.state.experts * row - 12, class: 'ordinary'});
    bar.append(draw('title', {}, `${this.state.layers[i].name}: an ordinary layer, the same for every task`));
    this.svg.append(bar);
  }

  node(layer, expert) {
    const {left, middle, width} = this.columns[layer], y = this.y(expert);
    const group = draw('g', {role: 'button', tabindex: -1, class: `node e${(expert - 1) % 8}`});
    group.append(
        draw('rect', {x: left, y: y - row / 2, width, height: row, class: 'touch'}),
        draw('circle', {cx: middle, cy: y, r: this.radius + 4, class: 'ring'}),
        draw('circle', {cx: middle, cy: y, r: this.radius, class: 'disc'}),
        draw('text', {x: middle, y: y + 5}, expert),
        draw('path', {class: 'cross', d: `M${middle - 12} ${y - 12}l24 24m0-24l-24 24`}),
        draw('path', {class: 'pin', transform: `translate(${middle + 12} ${y - 13})`,
                      d: 'M0 7C-1-1-5 0-5-4a5 5 0 0 1 10 0C5 0 1-1 0 7z'}));
    group.addEventListener('click', () => {
      this.focus(layer, expert);
      this.onPress(layer, expert);
    });
    group.addEventListener('keydown', (event) => this.key(event, layer, expert));
    this.svg.append(group);
    return {group, layer, expert};
  }

  key(event, layer, expert) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const pools = this.state.layers.map((one, i) => (one.isPool ? i : -1)).filter((i) => i >= 0);
    const at = pools.indexOf(layer);
    const targets = {
      ArrowLeft: [pools[at - 1], expert], ArrowRight: [pools[at + 1], expert],
      ArrowUp: [layer, expert - 1], ArrowDown: [layer, expert + 1],
      Home: [pools[0], expert], End: [pools.at(-1), expert]};
    if (event.key === 'Enter' || event.key === ' ') this.onPress(layer, expert);
    else if (targets[event.key]) this.focus(...targets[event.key]);
    else return;
    event.preventDefault();
  }
  focus(layer, expert) {
    const target = this.nodes.find((node) => node.layer === layer && node.expert === expert);
    if (!target) return;
    for (const node of this.nodes) node.group.setAttribute('tabindex', node === target ? 0 : -1);
    target.group.focus();
  }

  update() {
    if (!this.svg) return;
    const {name, layers, own, taken, pins, disabled} = this.state;
    this.svg.setAttribute('aria-label', `Route of ${name}. ${inWords(layers, taken)}. ` +
        'Arrow keys go from expert to expert, Enter pins one, or disables the one that is taken.');
    this.trace();
    this.ghost.classList.toggle('on', taken.some((expert, i) => expert !== own[i]));
    for (const node of this.nodes) {
      const isTaken = taken[node.layer] === node.expert, isOwn = own[node.layer] === node.expert;
      const isPinned = pins.get(node.layer) === node.expert;
      const isDisabled = disabled.get(node.layer) === node.expert;
      const {group} = node;
      group.classList.toggle('lit', isTaken && this.begun[layers[node.layer].stack]);
      group.classList.toggle('pinned', isPinned);
      group.classList.toggle('disabled', isDisabled);
      group.classList.toggle('own', isOwn);
      group.setAttribute('aria-pressed', isPinned || isDisabled);
      const how = isPinned ? ', pinned' : isDisabled ? ', disabled' : isTaken ? ', taken' : '';
      group.setAttribute('aria-label', `${layers[node.layer].name}, expert ${node.expert}${how}` +
          (isOwn && !isTaken ? ', the task’s own' : ''));
    }
    this.bands.forEach((band, i) => band.classList.toggle('on', this.differing.has(i)));
    if (!this.nodes.some((node) => node.group.getAttribute('tabindex') === '0')) {
      this.nodes[0]?.group.setAttribute('tabindex', 0);
    }
  }

  // The lines: the encoder's, the decoder's from where that ends, and the task's own where the taken route leaves it.
  trace() {
    const {layers, own, taken} = this.state;
    const middle = this.y(0), start = [this.margin - 8, middle], exit = [this.across - 3, middle];
    const pieces = (route) => curves(
        [start, ...route.map((expert, i) => [this.columns[i].middle, this.y(expert)]), exit]);
    const whole = pieces(taken), border = layers.findIndex((layer) => layer.stack === 'decoder');
    const [before, after] = border > 0 ? halves(whole[border]) : [];
    const parts = border > 0
        ? {encoder: [...whole.slice(0, border), before], decoder: [after, ...whole.slice(border + 1)]}
        : {encoder: border < 0 ? whole : [], decoder: border < 0 ? [] : whole};
    for (const stack of ['encoder', 'decoder']) {
      this.lines[stack].setAttribute('d', path(parts[stack]));
      this.lines[stack].classList.toggle('drawn', this.begun[stack]);
    }
    this.ghost.setAttribute('d', path(pieces(own)));
  }
}
