import { describe, expect, it } from 'vitest';
import { Dictionaries } from '../../src/ingest/dictionaries.ts';
import { NameTable } from '../../src/ingest/names.ts';
import type { CallColumns } from '../../src/model/columns.ts';

function batch(strings: readonly string[], tokens?: CallColumns['tokens']): CallColumns {
  return {
    collector: 'c',
    type: 'call',
    sequence: 0,
    strings,
    ...(tokens === undefined ? {} : { tokens }),
  } as CallColumns;
}

describe('Dictionaries', () => {
  it('gives the ids of the names, with and without numbers of the decoder', () => {
    const names = new NameTable();
    const dictionaries = new Dictionaries(names);
    const read = (strings: readonly string[], tokens?: CallColumns['tokens']): string[] => {
      const ids = dictionaries.ids(batch(strings, tokens));
      return strings.map((_, i) => names.name(ids[i]!));
    };
    const first = ['', 'web', 'cart', 'pay'];
    expect(read(first, { epoch: 0, of: [-1, 4, 5_000, 2] })).toEqual(first);
    expect(read(['', 'pay', 'web', 'new'], { epoch: 0, of: [-1, 2, 4, -1] })).toEqual(['', 'pay', 'web', 'new']);
    expect(read(['', 'cart', 'x'])).toEqual(['', 'cart', 'x']);
    expect(read(['', 'x', 'cart', 'y'])).toEqual(['', 'x', 'cart', 'y']);
    expect(names.size).toBe(7);
  });

  it('forgets the numbers of an epoch that ended', () => {
    const names = new NameTable();
    const dictionaries = new Dictionaries(names);
    dictionaries.ids(batch(['', 'web', 'cart'], { epoch: 0, of: [-1, 1, 2] }));
    const ids = dictionaries.ids(batch(['', 'other', 'web'], { epoch: 1, of: [-1, 1, 2] }));
    expect([names.name(ids[1]!), names.name(ids[2]!)]).toEqual(['other', 'web']);
  });
});
