import { describe, expect, it } from 'vitest';
import type { Alert } from '../../src/demarcate/alerts.ts';
import { AlertHistory } from '../../src/demarcate/alerts.ts';

const alert = (node: string, name: string): Alert => ({
  node,
  name,
  family: name.startsWith('cpu') ? 'cpu' : 'errors',
});
const noise = [alert('edge', 'log/1'), alert('edge', 'log/2'), alert('edge', 'log/3'), alert('edge', 'success/down')];

describe('alerts by their surprise', () => {
  it('without a history it counts', () => {
    const ranked = new AlertHistory().rank([...noise, alert('cart', 'cpu/up')]);
    expect(ranked.map(({ node }) => node)).toEqual(['edge', 'cart']);
  });

  it('what fires at any trouble says nothing against what never fired', () => {
    const history = new AlertHistory();
    for (let k = 0; k < 20; k++) history.add([...noise, alert('pay', `log/${k}`)]);
    const [first, second] = history.rank([...noise, alert('cart', 'cpu/up')]);
    expect(first).toMatchObject({ node: 'cart', family: 'cpu', kind: 'instance' });
    expect(second?.node).toBe('edge');
    expect(first!.score).toBeGreaterThan(10 * second!.score);
  });

  it('an incident of the history does not speak for itself', () => {
    const history = new AlertHistory();
    for (let k = 0; k < 20; k++) history.add(noise);
    const own = [...noise, alert('cart', 'cpu/up')];
    history.add(own);
    const fresh = new AlertHistory();
    for (let k = 0; k < 20; k++) fresh.add(noise);
    expect(history.rank(own, true)).toEqual(fresh.rank(own));
  });

  it('the same alert twice is one; ties go by name; nothing gives nothing', () => {
    const history = new AlertHistory();
    expect(history.rank([alert('b', 'x'), alert('b', 'x'), alert('a', 'x')]).map(({ node }) => node)).toEqual([
      'a',
      'b',
    ]);
    expect(history.rank([])).toEqual([]);
  });
});
