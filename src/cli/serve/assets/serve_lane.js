// One task's answer with its shares and its route. The page has one lane, or two that are compared.
import {ask, stream} from '/page/api.js';
import {RoutePicture} from '/page/picture.js';
import {changedRoute, flat, layersOf, make} from '/page/route.js';
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
    this.pins = new Map();  // a layer's place in flat() to the expert that it has to take
    this.disabled = new Map();  // and to the one that it may not take
    this.task = null;
    this.own = null;  // the answer along the task's own route: {text, shares}
    this.running = new AbortController();
    this.element = document.getElementById('lane').content.cloneNode(true).firstElementChild;
    this.element.classList.add(`lane-${letter.toLowerCase()}`);
    this.find('.badge').textContent = letter;
    this.find('.badge').title = `answer ${letter}`;
    this.find('.restore').addEventListener('click', () => this.restore());
    this.picture = new RoutePicture(this.find('.picture'), (layer, expert) => this.press(layer, expert));
  }
  find(selector) { return this.element.querySelector(selector); }
  get isBusy() { return this.find('.answer').getAttribute('aria-busy') === 'true'; }
  get text() { return this.find('.answer').textContent; }
  get isChanged() { return this.pins.size + this.disabled.size > 0; }

  stop() { this.running.abort(); }

  // Asks for the task of the input ("": to be found), its answer and the shares of its options.
  async ask(input, task) {
    this.input = input;
    this.asked = task;
    this.own = null;
    await this.guarded(async (signal) => {
      this.reset();
      const found = await ask('/v1/route', this.question(), signal);
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
    if (task !== this.task) this.forgetChanges();
    this.task = task;
    this.options = found.options;
    this.route = found.route ? flat(found.route) : [];
    this.taken = this.route;
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
                       pins: this.pins, disabled: this.disabled});
  }

  // What requests have besides the input.
  change() {
    return this.isChanged ? {route: changedRoute(this.layers, this.pins, this.disabled)} : {};
  }
  question() {
    return this.asked ? {input: this.input, task: this.asked} : {input: this.input};
  }
  completion() {
    return {model: `${this.page.model}:${this.asked || 'auto'}`, prompt: this.input, num_beams: 1};
  }

  async answer(signal) {
    this.reset();
    this.taken = this.isChanged
        ? flat((await ask('/v1/route', {...this.question(), ...this.change()}, signal)).route) : this.route;
    this.draw();
    this.picture.clear();
    this.showChanges();
    const work = [this.isRanked ? this.choose(signal) : this.listen(signal)];
    if (this.isChanged && !this.own) work.push(this.look(signal));
    const [answer] = await Promise.all(work);
    if (!this.isChanged) this.own = answer;
    if (answer.shares) showShares(this.find('.shares'), answer.shares, this.isChanged ? this.own.shares : null);
    if (this.isChanged) this.judge(answer.text);
    this.onChange();
  }

  // Where the task has answers of its own, the likeliest of them is the answer, as in the REPL.
  get isRanked() { return this.options.length > 1; }
  async choose(signal) {
    const begun = performance.now();
    this.picture.begin('encoder');
    const shares = await this.rank(this.change(), signal);
    this.picture.begin('decoder');
    const text = shares[0].option;
    this.find('.answer').textContent = text;
    const seconds = ((performance.now() - begun) / 1000).toFixed(2);
    this.find('.facts').textContent = `the likeliest of ${shares.length} · ${seconds} s`;
    return {text, shares};
  }

  // The answer as it comes, and its route with it.
  async listen(signal) {
    const begun = performance.now(), answer = this.find('.answer');
    const body = {...this.completion(), ...this.change(), stream_options: {include_usage: true}};
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
    return {text: answer.textContent, shares: null};
  }

  // The shares of the task's options.
  async rank(route, signal) {
    const body = {...this.question(), options: this.options, ...route};
    return sharesOf(await ask('/v1/score', body, signal));
  }

  // The answer along the task's own route, where it is not known yet.
  async look(signal) {
    if (this.isRanked) {
      const shares = await this.rank({}, signal);
      this.own = {text: shares[0].option, shares};
    } else {
      const reply = await ask('/v1/completions', this.completion(), signal);
      this.own = {text: reply.choices[0].text, shares: null};
    }
    this.showChanges();
  }

  // The task's own expert, where it is taken, is disabled; another is pinned; and where a layer is changed
  // already, pressing what was changed or the task's own expert undoes it.
  press(layer, expert) {
    const {pins, disabled} = this, isOwn = this.route[layer] === expert;
    const isUndone = pins.get(layer) === expert || (isOwn && this.taken[layer] !== expert);
    pins.delete(layer);
    disabled.delete(layer);
    if (!isUndone) (isOwn ? disabled : pins).set(layer, expert);
    this.guarded((signal) => this.answer(signal));
  }
  restore() {
    this.forgetChanges();
    const {nodes} = this.picture;
    const first = nodes.find((node) => this.route[node.layer] === node.expert);
    this.picture.focus(first.layer, first.expert);  // the button that had the focus goes
    this.guarded((signal) => this.answer(signal));
  }
  forgetChanges() {
    this.pins.clear();
    this.disabled.clear();
  }

  showChanges() {
    const {isChanged} = this;
    const inWords = (experts, word) => [...experts].map(([layer, expert]) =>
        [layer, `${this.layers[layer].name} ${word} expert ${expert}`]);
    const items = [...inWords(this.pins, '→'), ...inWords(this.disabled, 'without')]
        .sort(([a], [b]) => a - b).map(([, words]) => make('li', '', words));
    this.find('.changes ul').replaceChildren(...items);
    this.find('.changes').hidden = !isChanged;
    this.find('.before').hidden = !isChanged;
    this.find('.before .text').textContent = this.own?.text ?? '…';
    this.find('.now h3').textContent = isChanged ? 'Now ' : 'Answer';
    if (isChanged) this.find('.now h3').append(make('small', '', 'along the changed route'));
  }
  judge(text) {
    const count = this.pins.size + this.disabled.size;
    const what = count > 1 ? 'These changes' : this.pins.size > 0 ? 'The pinned expert' : 'Going without this expert';
    const [changes, leaves] = count > 1 ? ['change', 'leave'] : ['changes', 'leaves'];
    this.find('.answer').replaceChildren(...marked(text, this.own.text));
    this.find('.verdict').textContent = text === this.own.text
        ? `${what} ${leaves} the answer as it was.` : `${what} ${changes} the answer.`;
  }
}
