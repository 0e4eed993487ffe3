// Routes as numbers: which expert each layer takes, 0 for an ordinary layer.
const stacks = ['encoder', 'decoder'];

// {"encoder": [...], "decoder": [...]} as one list with a place's name to each.
export const flat = (route) => stacks.flatMap((stack) => route[stack] ?? []);

// [{stack, number, name, isPool}], in the order of flat(). `places` are the names of the layers with pools.
export function layersOf(route, places) {
  return stacks.flatMap((stack) => (route[stack] ?? []).map((_, i) => {
    const name = `${stack} ${i + 1}`;
    return {stack, number: i + 1, name, isPool: places.includes(name)};
  }));
}

// The form in which the server takes pinned and disabled experts, Maps from a layer's place in flat() to an expert.
export function changedRoute(layers, pins, disabled) {
  const lists = (experts) => {
    const route = {encoder: [], decoder: []};
    layers.forEach((layer, i) => route[layer.stack].push(experts.get(i) ?? null));
    return route;
  };
  return {...lists(pins), disabled: lists(disabled)};
}

// "encoder 4: expert 2, encoder 5: expert 1, …"
export function inWords(layers, experts) {
  const words = layers.map((layer, i) => (layer.isPool ? `${layer.name}: expert ${experts[i]}` : ''));
  return words.filter((word) => word).join(', ') || 'no layer has a pool';
}

export const largest = (weights) => weights.indexOf(Math.max(...weights));

// The share of the weight that two tasks give to the same experts, 0 to 1.
export function likeness(a, b) {
  const shared = a.flatMap((weights, place) => weights.map((weight, e) => Math.min(weight, b[place][e])));
  return shared.reduce((sum, weight) => sum + weight, 0) / a.length;
}

// An element with a text and attributes; what the server says gets into the page as text only.
export function make(tag, className = '', text = undefined, attributes = {}) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
