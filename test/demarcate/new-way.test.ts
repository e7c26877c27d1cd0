import { expect, it } from 'vitest';
import { newWay } from '../../src/demarcate/new-way.ts';
import { buildSystem } from '../../src/demarcate/system.ts';
import type { Comparison } from '../../src/model/comparison.ts';
import type { ChangeRecord } from '../../src/model/records.ts';
import { draw } from './draw.ts';

const drawn = draw({ graph: 'web -> api', refused: { 'web -> new:8103': 30, 'web -> old:80': 30 } });
const tcp = drawn.tcp.map((row) =>
  row.callee === 'new:8103' ? row : { ...row, metrics: row.metrics.map((one) => ({ ...one, baselineMean: 2 })) },
);
const { fromMs } = drawn.current;
const start = (service: string, atMs: number) =>
  ({ change: 'process_start', entityKind: 'instance', entity: `${service}-1`, service, atMs }) as ChangeRecord;

function said(to: string, changes: readonly ChangeRecord[]): string[] {
  const comparison: Comparison = { ...drawn, tcp, changes };
  return newWay(comparison, buildSystem(comparison).edge('web', to)!).map(({ text }) => text);
}

it('is told of a way that nobody took before, with the start of who takes it just then', () => {
  expect(said('new:8103', [])).toEqual(['web did not connect to new:8103 before']);
  const starts = [start('web', fromMs - 700), start('web', fromMs + 60_000), start('api', fromMs)];
  expect(said('new:8103', starts)).toEqual(['web did not connect to new:8103 before; it was started at 00:01:59']);
  expect(said('new:8103', [start('web', fromMs - 61_000)])).toEqual(['web did not connect to new:8103 before']);
  expect(said('old:80', starts)).toEqual([]);
  expect(said('api', starts)).toEqual([]);
});
