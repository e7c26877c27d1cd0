/** Since when conditions are met: gates, events, what nobody knows; and that late exclusions exclude nothing. */
import { describe, expect, it } from 'vitest';
import type { ExplainContext } from '../../src/classify/explain.ts';
import type { FactSheet } from '../../src/classify/fact-sheet.ts';
import { metSinceMs } from '../../src/classify/met-since.ts';
import type { Condition } from '../../src/classify/types.ts';

const SLOW = 'service.latency_ratio';
const CPU = 'instance.cpu_drop_ratio';
const EXIT = 'change.count.process_exit';
const REFUSED = 'edge.connect_failures_rise_per_s.refused';

/** Every part that names a fact with an onset, or with null for an onset nobody knows, is present; others are absent. */
function since(condition: Condition, onsets: Readonly<Record<string, number | null>>): number | null {
  const sheet = new Map(
    Object.entries(onsets).map(([name, onsetMs]) => [name, { value: 1, onsetMs }]),
  ) as unknown as FactSheet;
  const absent = new Set<string>();
  const place = (part: Condition, path: string): void => {
    if ('fact' in part && !(part.fact in onsets)) absent.add(path);
    const parts = 'all' in part ? part.all : 'any' in part ? part.any : 'atLeast' in part ? part.atLeast.of : [];
    parts.forEach((child, i) => {
      place(child, `${path}.${i}`);
    });
  };
  place(condition, 'n');
  const results = { evidence: (path: string) => (absent.has(path) ? 'absent' : 'present') };
  return metSinceMs(condition, 'n', { tree: { conditions: {} }, results, sheet } as unknown as ExplainContext);
}

const is = (fact: string): Condition => ({ fact, operator: 'greaterThan', value: 0 });

describe('since when a condition is met', () => {
  it('all: the last event, and not the first of what led to it', () => {
    expect(since({ all: [is(SLOW), is(REFUSED), is(EXIT)] }, { [SLOW]: 0, [REFUSED]: 20, [EXIT]: 25 })).toBe(25);
  });

  it('all without an event: the first onset, as bands are left by chance', () => {
    expect(since({ all: [is(SLOW), is(CPU)] }, { [SLOW]: 5, [CPU]: 30 })).toBe(5);
    expect(since({ all: [is(SLOW), is(CPU)] }, { [SLOW]: null, [CPU]: 30 })).toBe(30);
  });

  it('any: the first that is there; one that nobody knows the onset of may have been there ever since', () => {
    expect(since({ any: [is(SLOW), is(REFUSED), is(EXIT)] }, { [REFUSED]: 20, [EXIT]: 25 })).toBe(20);
    expect(since({ any: [is(SLOW), is(REFUSED)] }, { [SLOW]: null, [REFUSED]: 20 })).toBeNull();
  });

  it('at least two: the second', () => {
    const two: Condition = { atLeast: { k: 2, of: [is(SLOW), is(REFUSED), is(EXIT)] } };
    expect(since(two, { [SLOW]: 1, [REFUSED]: 20, [EXIT]: 25 })).toBe(20);
  });

  it('what is met as something is not there, or as nobody knows when, is met ever since', () => {
    expect(since({ not: is(EXIT) }, {})).toBeNull();
    expect(since(is(SLOW), { [SLOW]: null })).toBeNull();
    expect(since({ all: [{ not: is(EXIT) }, is(REFUSED)] }, { [REFUSED]: 20 })).toBe(20);
  });
});
