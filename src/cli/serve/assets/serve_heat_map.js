// The routes of all tasks: tasks by layers, a colour and a number for the expert that each takes.
import {largest, likeness, make} from '/page/route.js';

const parts = 3;  // tables side by side, where there is room

// The tasks in an order, in groups with a heading each ("" for none).
function groups(tasks, order, near) {
  const byName = [...tasks].sort((a, b) => (a.task < b.task ? -1 : 1));
  if (order === 'name') return [['', byName]];
  if (order === 'near' && near) {
    const alike = new Map(byName.map((one) => [one, likeness(one.used, near.used)]));
    return [['', byName.sort((a, b) => alike.get(b) - alike.get(a))]];
  }
  const families = new Map();
  for (const one of byName) families.set(one.family, [...families.get(one.family) ?? [], one]);
  return [...families].sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([family, its]) => [(family || 'no family').replaceAll('_', ' '), its]);
}

// Rows of about equally long tables. A group with a heading stays in one.
function tablesOf(sorted) {
  const tables = Array.from({length: parts}, () => []);
  const blocks = sorted.flatMap(([family, tasks]) => (family
      ? [{family, tasks}] : tasks.map((task) => ({family, tasks: [task]}))));
  const height = ({family, tasks}) => tasks.length + (family ? 1.4 : 0);
  const whole = blocks.reduce((sum, block) => sum + height(block), 0);
  let above = 0;
  for (const block of blocks) {
    tables[Math.floor((above + height(block) / 2) * parts / whole)].push(block);
    above += height(block);
  }
  return tables.filter((table) => table.length > 0);
}

// A name that a line may break after its underscores.
function breakable(name) {
  return name.split(/(?<=_)/).flatMap((part) => [part, make('wbr')]);
}

function headOf(places) {
  const head = make('thead'), stacks = make('tr'), numbers = make('tr');
  stacks.append(make('td'));
  numbers.append(make('th', 'corner', 'task', {scope: 'col'}));
  for (const stack of ['encoder', 'decoder']) {
    const its = places.filter((place) => place.startsWith(stack));
    if (its.length === 0) continue;
    stacks.append(make('th', '', stack, {scope: 'colgroup', colspan: its.length}));
    for (const place of its) {
      numbers.append(make('th', '', place.split(' ')[1], {scope: 'col', 'aria-label': place}));
    }
  }
  head.append(stacks, numbers);
  return head;
}

function cell(place, weights) {
  const expert = largest(weights);
  return make('td', `e${expert % 8}`, String(expert + 1), {
    title: `${place}: expert ${expert + 1}, weight ${weights[expert].toFixed(2)}`});
}

export class HeatMap {
  // `onPick(task)` is called when a task's name is pressed.
  constructor(routes, onPick) {
    this.routes = routes;
    this.onPick = onPick;
    this.lettered = new Map();  // a task to the letter of the lane that shows it
    this.order = document.getElementById('order');
    this.order.addEventListener('change', () => this.build());
    const legend = Array.from({length: routes.experts}, (_, e) => {
      const item = make('li', '', `expert ${e + 1}`);
      item.prepend(make('span', `swatch e${e % 8}`, String(e + 1), {'aria-hidden': true}));
      return item;
    });
    document.getElementById('legend').replaceChildren(...legend);
    document.getElementById('map-note').textContent =
        'A row is a task, a column a layer with a pool, a cell the expert that the task takes there. ' +
        'Press a task’s name to choose it.';
    document.getElementById('map').hidden = routes.places.length === 0;
    this.build();
  }

  // Marks the tasks of the lanes: {A: "sst2", B: "rte"}.
  mark(tasks) {
    this.lettered = new Map(Object.entries(tasks).map(([letter, task]) => [task, letter]));
    this.near = this.routes.tasks.find((one) => one.task === tasks.A);
    this.order.querySelector('[value=near]').disabled = !this.near;
    this.build();
  }

  build() {
    const focused = document.activeElement?.dataset?.task;
    const tables = tablesOf(groups(this.routes.tasks, this.order.value, this.near));
    document.getElementById('tables').replaceChildren(...tables.map((its, i) => this.table(its, i)));
    if (focused) document.querySelector(`[data-task="${CSS.escape(focused)}"]`)?.focus();
  }

  table(blocks, part) {
    const table = make('table'), body = make('tbody');
    table.append(make('caption', 'unseen', `Routes of tasks, part ${part + 1}`),
                 headOf(this.routes.places), body);
    for (const {family, tasks} of blocks) {
      if (family) {
        const head = make('tr', 'family'), name = make('th', '', family, {scope: 'rowgroup'});
        name.colSpan = this.routes.places.length + 1;
        head.append(name);
        body.append(head);
      }
      body.append(...tasks.map((task) => this.row(task)));
    }
    return table;
  }

  row({task, used}) {
    const letter = this.lettered.get(task);
    const row = make('tr', letter ? `on lane-${letter.toLowerCase()}` : '');
    const name = make('th', '', undefined, {scope: 'row'});
    const button = make('button', 'name', undefined, {type: 'button', title: `choose ${task}`});
    button.append(...breakable(task));
    button.dataset.task = task;
    button.addEventListener('click', () => this.onPick(task));
    if (letter) button.prepend(make('span', 'badge', letter), ' ');
    name.append(button);
    row.append(name, ...used.map((weights, i) => cell(this.routes.places[i], weights)));
    return row;
  }
}
