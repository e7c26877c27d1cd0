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

  it('a node is as suspicious as what it shows is rare there, not as it is loud', () => {
    // The entry is loud in every incident, today as well; the store shows its CPU, which it did once in twenty.
    const loud = Array.from({ length: 12 }, (_, k) => alert('entry', `log/${k}`));
    const history = new AlertHistory();
    for (let k = 0; k < 20; k++) history.add([...loud, ...(k === 0 ? [alert('store', 'cpu/up')] : [])]);
    const [first, second] = history.rank([...loud, alert('store', 'cpu/up')]);
    expect([first?.node, second?.node]).toEqual(['store', 'entry']);
  });

  it('what siblings share says less, and so does what came late', () => {
    const past = (history: AlertHistory): AlertHistory => {
      for (let k = 0; k < 20; k++) history.add([{ ...alert('x', `log/${k}`), service: 'x' }]);
      // Once each node showed half as much: a shared or late alert is nothing new, an own and early one is.
      for (const node of ['a-1', 'a-2', 'b-1', 'b-2'])
        history.add([{ ...alert(node, 'cpu/up'), service: node[0]!, order: 1 }]);
      return history;
    };
    const ranked = (alerts: readonly Alert[]) =>
      past(new AlertHistory())
        .rank(alerts)
        .map(({ node }) => node);
    const cpu = (node: string, order = 0) => ({ ...alert(node, 'cpu/up'), service: node[0]!, order });
    expect(ranked([cpu('a-1', 1), cpu('b-1')])[0]).toBe('b-1');
    expect(ranked([cpu('b-1', 1), cpu('a-1')])[0]).toBe('a-1');
    // A group is one observation: two alerts of it are more of the same.
    const errors = (node: string, name: string) => ({ ...alert(node, name), service: node[0]!, group: 'log' });
    expect(ranked([errors('a-1', 'new'), errors('b-1', 'new'), errors('b-2', 'new')])[0]).toBe('a-1');
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
