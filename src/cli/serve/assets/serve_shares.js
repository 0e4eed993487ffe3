// The scores of a task's options as bars. Shares are of the options alone: they sum to 1.
import {make} from '/page/route.js';

const few = 6;

// [{option, share}], the largest first, of what POST /v1/score replies.
export function sharesOf(scores) {
  const most = Math.max(...scores.log_likelihoods);
  const weights = scores.log_likelihoods.map((one) => Math.exp(one - most));
  const sum = weights.reduce((a, b) => a + b, 0);
  return scores.options.map((option, i) => ({option, share: weights[i] / sum}))
      .sort((a, b) => b.share - a.share);
}

function percent(share) {
  if (share > 0 && share < 0.005) return '< 1 %';
  return `${Math.round(100 * share)} %`;
}

function bar({option, share}, before) {
  const row = make('li', 'bar');
  const track = make('span', 'track', undefined, {'aria-hidden': true});
  const fill = make('i', 'fill');
  fill.style.width = `${100 * share}%`;
  track.append(fill);
  const value = make('span', 'value', percent(share));
  if (before !== undefined) {
    const tick = make('i', 'tick');
    tick.style.left = `${100 * before}%`;
    track.append(tick);
    if (percent(before) !== percent(share)) {
      value.prepend(make('span', 'was', `${percent(before)} → `));
    }
  }
  row.append(make('span', 'option', option), value, track);
  return row;
}

// Fills `box`. `before` are the shares along the task's own route, or null.
export function showShares(box, shares, before) {
  const list = box.querySelector('ol'), more = box.querySelector('.more');
  const was = new Map((before ?? []).map(({option, share}) => [option, share]));
  const fill = (count) => list.replaceChildren(
      ...shares.slice(0, count).map((one) => bar(one, was.get(one.option))));
  const isLong = shares.length > few + 1;
  fill(isLong ? few : shares.length);
  more.hidden = !isLong;
  more.textContent = `Show all ${shares.length}`;
  more.onclick = () => {
    fill(shares.length);
    more.hidden = true;
  };
  box.querySelector('.shares-note').textContent =
      before ? 'share of each; a mark where it was before' : 'share of each';
  box.hidden = false;
}
