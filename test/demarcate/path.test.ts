import { describe, expect, it } from 'vitest';
import { demarcate } from '../../src/demarcate/index.ts';
import type { Drawn } from './draw.ts';
import { draw } from './draw.ts';

const pathOf = (drawn: Drawn): string[] | undefined => demarcate(draw(drawn)).suspects[0]?.path.map(({ name }) => name);

describe('the way of a change', () => {
  // web calls user by way of list; order is one call nearer, but hardly ever calls the database.
  const graph = 'web -> list; list -> user; user -> db; web -> order; order -> db';
  const self = { db: [1_000, 40_000] } as const;

  it('goes where the calls carry it, not where it is shortest', () => {
    const rarely = { 'order -> db': [0.01, 0.01], 'web -> order': [1, 1] } as const;
    expect(pathOf({ graph, self, calls: rarely })).toEqual(['db', 'user', 'list', 'web']);
  });

  it('is the shorter of two that carry about as much', () => {
    expect(pathOf({ graph, self })).toEqual(['db', 'order', 'web']);
  });

  it('of errors goes where the errors are', () => {
    const errors = { db: [0, 0.4] } as const;
    const rarely = { 'order -> db': [0.01, 0.01] } as const;
    expect(pathOf({ graph, errors, calls: rarely, symptom: 'error_rise' })).toEqual(['db', 'user', 'list', 'web']);
  });
});
