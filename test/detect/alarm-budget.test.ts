import { describe, expect, it } from 'vitest';
import { AlarmBudget } from '../../src/detect/alarm-budget.ts';

const DAY = 1440;

/** Alarms of each day when every `every`-th point has this score and all others none. */
function perDay(days: number, every: number, score: number): number[] {
  const budget = new AlarmBudget(DAY);
  const out = new Array<number>(days).fill(0);
  for (let i = 0; i < days * DAY; i++) {
    if (budget.weigh(i % every === 0 ? score : 0) >= 1) out[Math.floor(i / DAY)]!++;
  }
  return out;
}

describe('alarm budget', () => {
  it('leaves a curve alone that alarms every other day', () => {
    expect(perDay(40, 2 * DAY, 1.02).reduce((sum, n) => sum + n)).toBe(20);
  });

  it('makes a curve that alarms every hour show more, and comes back to what is affordable', () => {
    const alarms = perDay(60, 60, 1.5);
    expect(alarms[0]).toBeGreaterThan(15);
    const late = alarms.slice(30).reduce((sum, n) => sum + n) / 30;
    expect(late).toBeGreaterThan(0.3);
    expect(late).toBeLessThan(0.9);
  });

  it('never asks for more than three times the threshold', () => {
    expect(perDay(60, 60, 3.1).every((n) => n === 24)).toBe(true);
  });

  it('counts an alarm with short gaps once, and keeps its threshold while it lasts', () => {
    const budget = new AlarmBudget(DAY);
    const scores = [1.001, 0, 0, 1.001, 1.001, 0, 0, 0, 0, 0, 1.001];
    expect(scores.map((score) => budget.weigh(score) >= 1)).toEqual(scores.map((score) => score > 1));
    for (let i = 0; i < 10; i++) budget.weigh(0);
    expect(budget.weigh(1.001)).toBeLessThan(1);
  });
});
