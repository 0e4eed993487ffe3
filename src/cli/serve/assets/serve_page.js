// The page of trivium serve: the form, the two lanes, the comparison and the errors.
import {ask, keepKey} from '/page/api.js';
import {HeatMap} from '/page/heat_map.js';
import {Lane} from '/page/lane.js';
import {make} from '/page/route.js';

const byId = (id) => document.getElementById(id);
const page = {model: '', experts: 0, places: [], tasks: new Map(), describe: () => ''};
const written = new Map();  // what was written into fields, by name; "" is the one of a text alone
let lanes = {}, map = null, examples = [], shownExample = -1, again = null;

// --- Errors: one line, and a field for the key where that is what is missing.

function showError(error) {
  byId('error').textContent = error?.message ?? '';
  if (error) byId('error').scrollIntoView({block: 'center'});
  if (error?.status !== 401) return;
  byId('key-form').hidden = false;
  byId('key').focus();
}

byId('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  keepKey(byId('key').value);
  byId('key-form').hidden = true;
  byId('key').value = '';
  showError(null);
  (again ?? begin)();
});

// --- The form: a text, or a task's fields.

const chosen = () => page.tasks.get(byId('task').value);

// The fields that are to be filled in: [{name, label, isList}], of which a text alone is named "".
function fieldsOf(task) {
  if (!task || task.fields.length === 1) return [{name: '', label: 'Prompt', isList: false}];
  return task.fields.map((name) => ({
    name, label: name.replaceAll('_', ' '), isList: Array.isArray(task.example?.[name])}));
}

function showFields() {
  const task = chosen();
  const hint = 'the food was cold and the waiter was rude';
  byId('fields').replaceChildren(...fieldsOf(task).map(({name, label, isList}) => {
    const box = make('div', 'field'), id = `field-${name}`;
    const area = make('textarea', '', undefined, {
      id, rows: isList ? 3 : 2, enterkeyhint: 'send', placeholder: name || task ? '' : hint});
    area.value = written.get(name) ?? '';
    area.addEventListener('input', () => written.set(name, area.value));
    area.addEventListener('keydown', sendOnEnter);
    box.append(make('label', '', isList ? `${label} (one a line)` : label, {for: id}), area);
    return box;
  }));
  byId('task-note').textContent = task ? page.describe(task.name)
      : 'The task is found by the words of the prompt; the answer says which, and why.';
}

function sendOnEnter(event) {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  if (event.target.labels[0].textContent.includes('one a line')) return;
  event.preventDefault();
  byId('ask').requestSubmit();
}

// A text, or an object of fields; null where nothing is written.
function inputOf(task) {
  const fields = fieldsOf(task);
  const value = ({name, isList}) => {
    const text = (written.get(name) ?? '').trim();
    return isList ? text.split('\n').map((line) => line.trim()).filter((line) => line) : text;
  };
  const empty = fields.find((field) => value(field).length === 0);
  if (empty) {
    byId(`field-${empty.name}`).focus();
    throw new Error(empty.name ? `Write something into “${empty.label}”.` : 'Write a prompt first.');
  }
  if (fields[0].name === '') return value(fields[0]);
  return Object.fromEntries(fields.map((field) => [field.name, value(field)]));
}

// For the second task: the same fields where it has them, else all as one text.
function inputFor(task, input) {
  if (typeof input === 'string' || task.fields.every((name) => name in input)) return input;
  return Object.values(input).flat().join(' ');
}

function fillExample() {
  let task = chosen();
  if (!task) {
    shownExample = (shownExample + 1) % examples.length;
    task = examples[shownExample];
  }
  if (task.fields.length === 1) written.set('', String(Object.values(task.example)[0]));
  else for (const [name, value] of Object.entries(task.example)) written.set(name, [value].flat().join('\n'));
  showFields();
  byId('fields').querySelector('textarea').focus();
}

function fillPicker(picker, first) {
  const families = new Map();
  for (const {name, family} of page.tasks.values()) families.set(family, [...families.get(family) ?? [], name]);
  const groups = [...families].sort(([a], [b]) => (a < b ? -1 : 1)).map(([family, names]) => {
    const group = make('optgroup', '', undefined, {label: (family || 'tasks').replaceAll('_', ' ')});
    group.append(...names.sort().map((name) => new Option(name, name)));
    return group;
  });
  picker.replaceChildren(new Option(first, ''), ...groups);
}

// --- The answers.

function shownLanes() { return byId('other').value ? [lanes.A, lanes.B] : [lanes.A]; }

async function submit() {
  again = submit;
  showError(null);
  let input;
  try {
    input = inputOf(chosen());
  } catch (error) {
    return showError(error);
  }
  const other = page.tasks.get(byId('other').value);
  for (const lane of Object.values(lanes)) lane.stop();
  byId('answers').hidden = false;
  byId('lanes').classList.toggle('two', Boolean(other));
  byId('lanes').replaceChildren(...shownLanes().map((lane) => lane.element));
  byId('comparison').textContent = '';
  if (matchMedia('(max-width: 640px)').matches) showAnswers();
  const work = [lanes.A.ask(input, byId('task').value)];
  if (other) work.push(lanes.B.ask(inputFor(other, input), other.name));
  await Promise.all(work);
}

// On a phone the answers are below the keyboard and the form.
function showAnswers() {
  document.activeElement.blur();
  byId('answers').scrollIntoView({block: 'start'});
}

// Which layers two tasks take different experts in, in words and in both pictures.
function compare() {
  const [a, b] = shownLanes();
  if (!b || !a.task || !b.task || !a.text || !b.text) return;
  const pools = a.layers.map((layer, i) => i).filter((i) => a.layers[i].isPool);
  const differing = pools.filter((i) => a.taken[i] !== b.taken[i]);
  a.picture.mark(new Set(differing));
  b.picture.mark(new Set(differing));
  const where = differing.map((i) => a.layers[i].name).join(', ');
  const answers = a.text === b.text ? 'the answers are the same.' : 'the answers differ.';
  byId('comparison').textContent = pools.length === 0 ? `A and B: ${answers}`
      : differing.length === 0 ? `A and B take the same expert in every layer; ${answers}`
      : `A and B take different experts in ${differing.length} of ${pools.length} layers (≠): ` +
        `${where}; ${answers}`;
}

function changed() {
  const shown = shownLanes();
  byId('stop').disabled = !shown.some((lane) => lane.isBusy);
  if (shown.some((lane) => lane.isBusy)) return;
  compare();
  map?.mark(Object.fromEntries(shown.filter((lane) => lane.task).map((lane) => [lane.letter, lane.task])));
}

function pick(task) {
  byId('task').value = task;
  showFields();
  byId('ask').scrollIntoView({block: 'start'});
  byId('fields').querySelector('textarea').focus({preventScroll: true});
}

// --- The beginning.

async function begin() {
  again = begin;
  try {
    const [models, {tasks}, routes] =
        await Promise.all([ask('/v1/models'), ask('/v1/tasks'), ask('/v1/routes')]);
    page.model = models.data[0].id.split(':')[0];
    page.tasks = new Map(tasks.map((task) => [task.name, task]));
    page.describe = (name) => page.tasks.get(name)?.description ?? '';
    page.experts = routes.experts;
    page.places = routes.places;
    examples = tasks.filter((task) => task.fields.length === 1 && task.example);
    const pools = routes.places.length === 0 ? 'no pools of experts'
        : `${routes.places.length} layers with pools of ${routes.experts} experts, a route for every task`;
    byId('model').textContent = `${page.model}: ${tasks.length === 1 ? 'one task' : `${tasks.length} tasks`}, ${pools}.`;
    document.title = `${page.model} · Trivium`;
    fillPicker(byId('task'), 'auto: find it by the text');
    fillPicker(byId('other'), 'no other task');
    lanes = Object.fromEntries(['A', 'B'].map((letter) =>
        [letter, new Lane(letter, page, {onError: showError, onChange: changed})]));
    map = new HeatMap(routes, pick);
    map.mark({});
    again = submit;
  } catch (error) {
    showError(error);
  }
  showFields();
}

byId('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  if (page.model) submit();
  else begin();
});
byId('stop').addEventListener('click', () => shownLanes().forEach((lane) => lane.stop()));
byId('example').addEventListener('click', fillExample);
byId('task').addEventListener('change', showFields);
begin();
