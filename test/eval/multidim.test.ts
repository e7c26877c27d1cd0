import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evidence } from '../../eval/multidim/identify.ts';
import type { Scored } from '../../eval/multidim/score.ts';
import { bootstrap, f1, readPredictions, reliability, scoreCases } from '../../eval/multidim/score.ts';
import { attribute, parseLeaves } from '../../src/attribute/index.ts';

/** Case one: host h1 lost three quarters; it is only in zone z1, so `host=h1&zone=z1` has the same rows. */
const ONE = `zone,host,path,real,predict
z1,h1,/a,100,400
z1,h1,/b,101,400
z1,h2,/a,400,400
z1,h2,/b,401,400
z2,h3,/a,400,400
z2,h3,/b,399,400
`;
/** Case two: nothing happened. */
const TWO = `zone,host,path,real,predict
z1,h1,/a,400,400
z2,h3,/b,401,400
`;

let dir: string;
let scored: Scored[];

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'rootwalk-multidim-test-'));
  writeFileSync(join(dir, 'one.csv'), ONE);
  writeFileSync(join(dir, 'two.csv'), TWO);
  // The repeated element counts once; term order does not matter.
  writeFileSync(
    join(dir, 'injection_info.csv'),
    'timestamp,set,setting,external\none,host=h1;path=/a&zone=z2;host=h1,s,0\ntwo,,s,1\n',
  );
  const set = basename(dir);
  writeFileSync(
    join(dir, 'predictions.csv'),
    `dataset,case,set,external,seconds\n${set},one,zone=z2&path=/a;zone=z1,0,0.5\n${set},two,host=h3,1,\n`,
  );
  scored = scoreCases(dir, readPredictions(join(dir, 'predictions.csv')));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('multidim scoring', () => {
  it('counts elements as the scorer does', () => {
    expect(scored.map(({ tp, fp, fn, externalRight }) => [tp, fp, fn, externalRight])).toEqual([
      [1, 1, 1, true],
      [0, 1, 0, true],
    ]);
    // 2·1 / (2·1 + 2 + 1)
    expect(f1(scored)).toBeCloseTo(0.4, 12);
    expect(scored[0]?.prediction?.seconds).toBe(0.5);
    expect(scored[1]?.prediction?.seconds).toBeNaN();
    expect(f1([])).toBe(1);
  });

  it('treats a case without a row as one without elements', () => {
    const [one, two] = scoreCases(dir, new Map());
    expect([one?.tp, one?.fp, one?.fn, one?.externalRight]).toEqual([0, 0, 2, true]);
    expect([two?.tp, two?.fp, two?.fn, two?.externalRight]).toEqual([0, 0, 0, false]);
  });

  it('gives the interval that two kinds of cases must have', () => {
    // 100 cases, half right, half missed: F1 = 2p/(1+p) for p ~ Binomial(100, .5)/100, 95 % of it in .40-.60.
    const cases = Array.from({ length: 100 }, (_, k) => ({ tp: k % 2, fp: 0, fn: 1 - (k % 2) }));
    const [low, high] = bootstrap(cases);
    expect(low).toBeGreaterThan(0.54);
    expect(low).toBeLessThan(0.6);
    expect(high).toBeGreaterThan(0.72);
    expect(high).toBeLessThan(0.78);
    expect(bootstrap(cases)).toEqual([low, high]);
    expect(bootstrap(cases.filter(({ tp }) => tp === 1))).toEqual([1, 1]);
  });

  it('bins confidences and weighs their error', () => {
    const { bins, error } = reliability([
      { confidence: 1, right: true },
      { confidence: 0.9, right: false },
      { confidence: 0.1, right: false },
      { confidence: 0.2, right: true },
    ]);
    expect(bins.map(({ claims }) => claims)).toEqual([1, 1, 0, 0, 2]);
    expect(bins[4]?.precision).toBe(0.5);
    expect(bins[4]?.confidence).toBeCloseTo(0.95, 12);
    // (1·|0 − .1| + 1·|1 − .2| + 2·|.5 − .95|) / 4
    expect(error).toBeCloseTo(0.45, 12);
  });
});

describe('evidence of a miss', () => {
  const table = parseLeaves(ONE, 'one.csv');
  const result = attribute(table);

  it('sees that two names are the same leaves', () => {
    const { missed, outdone } = evidence(table, result, new Set(['host=h1']), new Set(['host=h1&zone=z1']));
    expect(missed).toMatchObject([{ truth: 'host=h1', chosen: 'host=h1&zone=z1', reason: 'same-leaves' }]);
    expect(missed[0]?.gain).toBe(missed[0]?.chosenGain);
    expect(outdone).toBe(true);
  });

  it('knows a dimension with one value, which the method leaves out', () => {
    const wider = parseLeaves(ONE.replace('zone,', 'cloud,zone,').replaceAll(/^z/gm, 'c1,z'), 'one.csv');
    const { missed } = evidence(wider, attribute(wider), new Set(['cloud=c1&host=h1']), new Set(['host=h1']));
    expect(wider.dimensions).toEqual(['cloud', 'zone', 'host', 'path']);
    expect(missed).toMatchObject([{ chosen: 'host=h1', reason: 'same-leaves' }]);
  });

  it('sees that the truth has more evidence than a named ancestor', () => {
    const { missed, outdone, truthGain, namedGain } = evidence(
      table,
      result,
      new Set(['host=h1']),
      new Set(['zone=z1']),
    );
    expect(missed[0]).toMatchObject({ chosen: 'zone=z1', reason: 'identifiable' });
    expect(missed[0]?.gain).toBe(truthGain);
    // Equal weights but for counting noise; the two healthy leaves double the weight and add no deviation.
    expect(truthGain / namedGain).toBeGreaterThan(1.5);
    expect(outdone).toBe(false);
  });

  it('sees that a false truth has less evidence than what was named', () => {
    const { missed, outdone } = evidence(table, result, new Set(['zone=z1']), new Set(['host=h1']));
    expect(missed[0]).toMatchObject({ chosen: 'host=h1', reason: 'gain-not-larger' });
    expect(outdone).toBe(true);
    const nothing = evidence(table, result, new Set(['host=h3']), new Set());
    expect(nothing.missed[0]).toMatchObject({ truth: 'host=h3', reason: 'below-chance' });
    expect(nothing.missed[0]?.chosen).toBeUndefined();
  });
});
