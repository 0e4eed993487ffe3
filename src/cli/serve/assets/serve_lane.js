// One task's answer with its shares and its route. The page has one lane, or two that are compared.
import {ask, stream} from '/page/api.js';
import {RoutePicture} from '/page/picture.js';
import {flat, layersOf, make, pinnedRoute, withPins} from '/page/route.js';
import {sharesOf, showShares} from '/page/shares.js';

const sentence = (words) => `${words.replace(/^./, (first) => first.toUpperCase())}.`;

// What a finished answer has besides its text.
function factsOf(choice, tokens, begun) {
  const seconds = ((performance.now() - begun) / 1000).toFixed(2);
  const facts = [tokens === 1 ? '1 token' : `${tokens} tokens`, `${seconds} s`];
  if (choice.finish_reason === 'length') facts.push('cut at the most tokens');
  if (choice.trivium.truncated) facts.push('the prompt was too long: its end was not read');
  return facts.join(' · ');
}

// The words of a text, of which those that another text does not have in this order are marked.
function marked(text, other) {
  const words = text.split(/(?<=\s)/), others = other.split(/(?<=\s)/);
  const same = (i, j) => words[i].trim() === others[j].trim();
  // The most words that both have, from the i-th and the j-th on.
  const most = Array.from({length: words.length + 1}, () => new Array(others.length + 1).fill(0));
  for (let i = words.length - 1; i >= 0; --i) {
    for (let j = others.length - 1; j >= 0; --j) {
      most[i][j] = same(i, j) ? most[i + 1][j + 1] + 1 : Math.max(most[i + 1][j], most[i][j + 1]);
    }
  }
  let j = 0;
  return words.flatMap((word, i) => {
    while (j < others.length && !same(i, j) && most[i][j + 1] === most[i][j]) ++j;
    if (j < others.length && same(i, j)) {
      ++j;
      return [word];
    }
    return [make('mark', '', word.trim()), word.slice(word.trimEnd().length)];
  });
}

export class Lane {
  // `page` has {model, experts, places, describe(task)}; `onError` and `onChange` are the page's.
  constructor(letter, page, {onError, onChange}) {
    this.page = page;
    this.letter = letter;
    this.onError = onError;
    this.onChange = onChange;
    this.pins = new Map();  // a layer's place in flat() to an expert
    this.task = null;
    this.own = null;  // the answer along the task's own route: {text, shares}
    this.running = new AbortController();
    this.element = document.getElementById('lane').content.cloneNode(true).firstElementChild;
    this.element.classList.add(`lane-${letter.toLowerCase()}`);
    this.find('.badge').textContent = letter;
    this.find('.badge').title = `answer ${letter}`;
    this.find('.unpin').addEventListener('click', () => this.unpin());
    this.picture = new RoutePicture(this.find('.picture'), (layer, expert) => this.pin(layer, expert));
  }
  find(selector) { return this.element.querySelector(selector); }
  get isBusy() { return this.find('.answer').getAttribute('aria-busy') === 'true'; }
  get text() { return this.find('.answer').textContent; }
  get taken() { return withPins(this.route, this.pins); }

  stop() { this.running.abort(); }

  // Asks for the task of the input ("": to be found), its answer and the shares of its options.
  async ask(input, task) {
    this.input = input;
    this.asked = task;
    this.own = null;
    await this.guarded(async (signal) => {
      this.reset();
      const found = await ask('/v1/route', task ? {input, task} : {input}, signal);
      this.take(found);
      if (!found.fits) {
        throw new Error('No task that the model knows is like this prompt (no_task): ' +
            'choose one, or write more.');
      }
      await this.answer(signal);
    });
  }

  // Only the last request counts; one that it takes the place of ends unheard.
  async guarded(work) {
    this.stop();
    const running = this.running = new AbortController();
    const busy = (is) => {
      this.find('.answer').setAttribute('aria-busy', is);
      this.onChange();
    };
    busy(true);
    try {
      await work(running.signal);
    } catch (error) {
      if (this.running !== running) return;
      const isStopped = error.name === 'AbortError';
      this.find('.facts').textContent = isStopped ? 'stopped' : this.text ? 'broken off' : 'no answer';
      if (!isStopped) this.onError(error);
      this.stop();  // what else was asked for this answer
    }
    if (this.running === running) busy(false);
  }

  reset() {
    this.find('.answer').textContent = '';
    this.find('.facts').textContent = '';
    this.find('.verdict').textContent = '';
    this.find('.shares').hidden = true;
  }

  take(found) {
    const task = found.fits ? found.task : null;
    if (task !== this.task) this.pins.clear();
    this.task = task;
    this.options = found.options;
    this.route = found.route ? flat(found.route) : [];
    this.layers = layersOf(found.route ?? {}, this.page.places);
    this.find('.task').textContent = task ?? 'no task fits';
    this.find('.reason').textContent = found.task_source === 'named'
        ? this.page.describe(found.task) : `${task ? 'Chosen by auto. ' : ''}${sentence(found.reason)}`;
    this.find('.body').hidden = !task;
    this.find('figure').hidden = !this.layers.some((layer) => layer.isPool);
    this.draw();
  }
  draw() {
    // A task that was added has experts of its own behind those of the pools.
    const experts = Math.max(this.page.experts, ...this.route);
    this.picture.show({name: this.task, layers: this.layers, experts, own: this.route, taken: this.taken,
                       pins: this.pins});
  }

  // What requests have besides the input.
  pinning() {
    return this.pins.size > 0 ? {route: pinnedRoute(this.layers, this.pins)} : {};
  }
  completion() {
    return {model: `${this.page.model}:${this.asked || 'auto'}`, prompt: this.input, num_beams: 1};
  }

  async answer(signal) {
    this.reset();
    this.draw();
    this.picture.clear();
    this.showPins();
    const work = [this.listen(signal), this.rank(this.pinning(), signal)];
    if (this.pins.size > 0 && !this.own) work.push(this.look(signal));
    const [text, shares] = await Promise.all(work);
    if (this.pins.size === 0) this.own = {text, shares};
    if (shares) showShares(this.find('.shares'), text, shares, this.pins.size > 0 ? this.own.shares : null);
    if (this.pins.size > 0) this.judge(text);
    this.onChange();
  }

  // The answer as it comes, and its route with it.
  async listen(signal) {
    const begun = performance.now(), answer = this.find('.answer');
    const body = {...this.completion(), ...this.pinning(), stream_options: {include_usage: true}};
    let last = null, tokens = 0;
    for await (const part of stream(body, signal, () => this.picture.begin('encoder'))) {
      tokens = part.usage?.completion_tokens ?? tokens;
      const [choice] = part.choices;
      if (choice?.text) {
        answer.textContent += choice.text;
        this.picture.token();
      }
      if (choice?.finish_reason) last = choice;
    }
    this.picture.begin('decoder');
    this.find('.facts').textContent = factsOf(last, tokens, begun);
    if (!answer.textContent) answer.append(make('em', '', 'an empty answer'));
    return answer.textContent;
  }

  // The shares of the task's options; null where it has none.
  async rank(route, signal) {
    if (this.options.length < 2) return null;
    const body = {input: this.input, options: this.options, ...route};
    if (this.asked) body.task = this.asked;
    return sharesOf(await ask('/v1/score', body, signal));
  }

  // The answer along the task's own route, where it is not known yet.
  async look(signal) {
    const [reply, shares] = await Promise.all(
        [ask('/v1/completions', this.completion(), signal), this.rank({}, signal)]);
    this.own = {text: reply.choices[0].text, shares};
    this.showPins();
  }

  pin(layer, expert) {
    if (this.pins.get(layer) === expert || this.route[layer] === expert) this.pins.delete(layer);
    else this.pins.set(layer, expert);
    this.guarded((signal) => this.answer(signal));
  }
  unpin() {
    this.pins.clear();
    const {nodes} = this.picture;
    const first = nodes.find((node) => this.route[node.layer] === node.expert);
    this.picture.focus(first.layer, first.expert);  // the button that had the focus goes
    this.guarded((signal) => this.answer(signal));
  }

  showPins() {
    const isPinned = this.pins.size > 0;
    const items = [...this.pins].sort(([a], [b]) => a - b).map(([layer, expert]) =>
        make('li', '', `${this.layers[layer].name} → expert ${expert}`));
    this.find('.pins ul').replaceChildren(...items);
    this.find('.pins').hidden = !isPinned;
    this.find('.before').hidden = !isPinned;
    this.find('.before .text').textContent = this.own?.text ?? '…';
    this.find('.now h3').textContent = isPinned ? 'Now ' : 'Answer';
    if (isPinned) this.find('.now h3').append(make('small', '', 'with the pinned experts'));
  }
  judge(text) {
    const pins = this.pins.size === 1 ? 'The pinned expert' : 'The pinned experts';
    const [changes, leaves] = this.pins.size === 1 ? ['changes', 'leaves'] : ['change', 'leave'];
    this.find('.answer').replaceChildren(...marked(text, this.own.text));
    this.find('.verdict').textContent = text === this.own.text
        ? `${pins} ${leaves} the answer as it was.` : `${pins} ${changes} the answer.`;
  }
}
