import { describe, expect, it } from 'vitest';
import { demarcate } from '../../src/demarcate/index.ts';
import type { CallLeaf, CallSums, Comparison } from '../../src/model/comparison.ts';
import { ACTIVE } from '../../src/model/records.ts';
import type { Walk } from '../../src/model/walk.ts';
import type { Drawn } from './draw.ts';
import { draw, pair, shareOf } from './draw.ts';

const NOTHING: CallSums = { count: 0, errors: 0, durationSumUs: 0, durationSquareUs2: 0 };

function sums(count: number, meanUs: number, errors = 0): CallSums {
  return { count, errors, durationSumUs: count * meanUs, durationSquareUs2: count * meanUs * meanUs };
}

interface GivenUp {
  readonly caller: string;
  readonly callee: string;
  readonly side: 'client' | 'server';
  readonly share: number;
  readonly afterUs: number;
}

/** Now a share of the calls on an edge ends, as one side sees it, after so long and without an answer. */
function ended(comparison: Comparison, { caller, callee, side, share, afterUs }: GivenUp): Comparison {
  const calls = comparison.calls.flatMap((leaf): CallLeaf[] => {
    if (leaf.caller !== caller || leaf.callee !== callee || leaf.side !== side) return [leaf];
    const { count, durationSumUs } = leaf.current;
    const answered = sums(count * (1 - share), Math.min(durationSumUs / count, afterUs));
    const errorType = side === 'client' ? 'timeout' : 'connection_closed';
    return [
      { ...leaf, current: answered },
      { ...leaf, status: 'none', errorType, baseline: NOTHING, current: sums(count * share, afterUs, count * share) },
    ];
  });
  return { ...comparison, calls };
}

/** Now so many calls of an edge have no answer yet and wait for so long; besides, a share of the others has one. */
function hanging(
  comparison: Comparison,
  edge: string,
  { client, server }: Hanging,
  forUs: number,
  left = 0,
): Comparison {
  const calls = comparison.calls.flatMap((leaf): CallLeaf[] => {
    if (`${leaf.caller} -> ${leaf.callee}` !== edge) return [leaf];
    const { count, durationSumUs } = leaf.current;
    const ended = sums(count * left, count === 0 ? 0 : Math.min(durationSumUs / count, 1_000));
    const waiting = leaf.side === 'client';
    const active = sums(waiting ? client : server, forUs, waiting ? client : 0);
    return [
      { ...leaf, current: ended },
      { ...leaf, status: ACTIVE, ...(waiting ? { errorType: 'timeout' } : {}), baseline: NOTHING, current: active },
    ];
  });
  return { ...comparison, calls };
}

interface Hanging {
  readonly client: number;
  readonly server: number;
}

/** `web` answers with an error where its call was given up, and no longer waits. */
function failing(comparison: Comparison, share: number): Comparison {
  const calls = comparison.calls.map((leaf) =>
    leaf.callee === 'web' ? { ...leaf, current: { ...leaf.current, errors: leaf.current.count * share } } : leaf,
  );
  return { ...comparison, calls };
}

const SLOW_DB: Drawn = {
  graph: 'web -> api -> db; api -> cache',
  self: { db: [1_000, 101_000] },
  symptom: 'error_rise',
};

function impatient(drawn: Drawn, share: number, afterUs: number): Comparison {
  return failing(ended(draw(drawn), { caller: 'web', callee: 'api', side: 'client', share, afterUs }), share);
}

function expectAddsUp(walk: Walk): void {
  for (const { entries, change } of walk.ledgers) {
    const sum = entries.reduce((total, { contribution }) => total + contribution, 0);
    expect(Math.abs(sum - change)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(change)));
  }
}

describe('calls that were given up', () => {
  it('are put down to what the callee took longer for, however far below', () => {
    const walk = demarcate(impatient(SLOW_DB, 0.4, 50_000));
    expectAddsUp(walk);
    expect(walk.ledgers[0]?.change).toBeCloseTo(0.4, 9);
    expect(shareOf(walk.ledgers[0], 'self', 'db')).toBeCloseTo(1, 6);
    expect(shareOf(walk.ledgers[0], 'originated', 'web -> api')).toBeCloseTo(0, 6);
    expect(walk.suspects[0]).toMatchObject({ entity: { kind: 'service', name: 'db' }, term: 'self' });
    expect(walk.suspects[0]?.path.map(({ name }) => name)).toEqual(['db', 'api', 'web']);
    expect(walk.suspects[0]?.observations.map(({ text }) => text)).toContain(
      'web gives up 40 % of its calls to api, after 50 ms',
    );
  });

  it('are no errors of a callee that noticed that it was left', () => {
    const comparison = ended(impatient(SLOW_DB, 0.4, 50_000), {
      caller: 'web',
      callee: 'api',
      side: 'server',
      share: 0.4,
      afterUs: 50_000,
    });
    const walk = demarcate(comparison);
    expectAddsUp(walk);
    expect(shareOf(walk.ledgers[0], 'originated', 'api')).toBeCloseTo(0, 6);
    expect(walk.suspects[0]?.entity).toEqual({ kind: 'service', name: 'db' });
  });

  it('are of one slow instance of three as much as of all', () => {
    // A third of the answers takes 150 ms more, and all of these are given up after 50: the mean grew by a third of it.
    const walk = demarcate(impatient({ ...SLOW_DB, self: { db: [1_000, 51_000] } }, 1 / 3, 50_000));
    expect(shareOf(walk.ledgers[0], 'self', 'db')).toBeCloseTo(1, 6);
  });

  it('stay on the way where the callee is as fast as ever', () => {
    const drawn: Drawn = { graph: 'web -> api -> db', net: { 'web -> api': [100, 90_000] }, symptom: 'error_rise' };
    const walk = demarcate(impatient(drawn, 0.4, 50_000));
    expectAddsUp(walk);
    expect(shareOf(walk.ledgers[0], 'originated', 'web -> api')).toBeCloseTo(1, 6);
    expect(walk.suspects[0]?.entity.name).toBe('web -> api');
  });

  it('are shared as far as the callee took longer, the rest stays on the way', () => {
    // A call took 2.2 ms. 40 % are given up after 50: 19.12 ms more for each call. The callee takes half of that longer.
    const grownUs = (0.4 * (50_000 - 2_200)) / 2;
    const drawn: Drawn = { graph: 'web -> api -> db', self: { db: [1_000, 1_000 + grownUs] }, symptom: 'error_rise' };
    const walk = demarcate(impatient(drawn, 0.4, 50_000));
    expectAddsUp(walk);
    expect(shareOf(walk.ledgers[0], 'self', 'db')).toBeCloseTo(0.5, 6);
    expect(shareOf(walk.ledgers[0], 'originated', 'web -> api')).toBeCloseTo(0.5, 6);
  });

  it('by users of the entry are put down to what it waits for', () => {
    const left = ended(draw(SLOW_DB), {
      caller: 'external',
      callee: 'web',
      side: 'server',
      share: 0.4,
      afterUs: 50_000,
    });
    const walk = demarcate(left);
    expectAddsUp(walk);
    expect(shareOf(walk.ledgers[0], 'originated', 'web')).toBeCloseTo(0, 6);
    expect(walk.suspects[0]?.entity).toEqual({ kind: 'service', name: 'db' });
    expect(walk.suspects[0]?.observations.map(({ text }) => text)).toContain(
      'callers of web leave before 40 % of its answers, after 50 ms',
    );
  });

  it('are not what a crash cuts off: those had not waited long', () => {
    const drawn: Drawn = { graph: 'web -> api', symptom: 'error_rise' };
    const left = ended(draw(drawn), { caller: 'external', callee: 'web', side: 'server', share: 0.4, afterUs: 1_500 });
    expect(shareOf(demarcate(left).ledgers[0], 'originated', 'web')).toBeCloseTo(1, 6);
  });
});

describe('calls that hang', () => {
  const drawn: Drawn = { graph: 'web -> api -> db; api -> cache', symptom: 'error_rise' };

  it('are put down to where they hang, also those that wait to be read, and those that are not made any more', () => {
    // Eight workers of api wait for db, 64 of web's calls for a worker; the rest of its requests fails at once.
    let comparison = hanging(failing(draw(drawn), 0.95), 'web -> api', { client: 64, server: 8 }, 20e6);
    comparison = hanging(comparison, 'api -> db', { client: 8, server: 8 }, 19e6);
    comparison = hanging(comparison, 'api -> cache', { client: 0, server: 0 }, 0);
    const walk = demarcate(comparison);
    expectAddsUp(walk);
    expect(walk.suspects[0]).toMatchObject({ entity: { kind: 'service', name: 'db' }, term: 'self' });
    expect(walk.suspects[0]?.shares.errors).toBeGreaterThan(0.9);
  });

  it('are the callee’s that reads none of them, where they are seen to arrive', () => {
    const comparison = hanging(failing(draw(drawn), 0.95), 'web -> api', { client: 64, server: 0 }, 20e6);
    const seen = (retransmits: number, rttUs: number): Comparison => ({
      ...comparison,
      tcp: [
        {
          caller: 'web',
          callee: 'api',
          side: 'client',
          metrics: [
            pair('segmentsOut', 1_000, 500),
            pair('retransmits', 0, retransmits),
            pair('rttSumUs', 10_000, 100 * rttUs),
            pair('rttCount', 100, 100),
          ],
        },
      ],
    });
    const first = (of: Comparison) => demarcate(of).suspects[0]?.entity;
    expect(first(seen(0, 200))).toEqual({ kind: 'service', name: 'api' });
    const way = { kind: 'edge', from: 'web', to: 'api' };
    expect(first(comparison)).toMatchObject(way);
    expect(first(seen(100, 200))).toMatchObject(way);
    expect(first(seen(0, 15e6))).toMatchObject(way);
  });
});
