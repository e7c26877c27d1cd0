import { expect, it } from 'vitest';
import { Breaker } from '../../collector/breaker.ts';

it('opens after two checks over the limit, closes after six well below it', () => {
  const breaker = new Breaker({ cpuLimitRatio: 0.5, memoryLimitBytes: 1000 });
  const states = [0.6, 0.4, 0.6, 0.6, 0.45, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3].map((cpu) => {
    breaker.check(cpu, 10);
    return breaker.state === 'closed' ? '-' : 'S';
  });
  expect(states.join('')).toBe('---SSSSSSS--');
});

it('opens on memory too', () => {
  const breaker = new Breaker({ cpuLimitRatio: 0.5, memoryLimitBytes: 1000 });
  breaker.check(0, 2000);
  expect([breaker.check(0, 2000), breaker.state]).toEqual([true, 'shedding_l7']);
});

it('waits twice as long each time it opens again soon, and the first time again once it has recovered', () => {
  const breaker = new Breaker({ cpuLimitRatio: 0.5, memoryLimitBytes: 1000 });
  const waits: number[] = [];
  const trip = (): void => {
    while (!breaker.check(0.9, 10));
    let checks = 1;
    while (!breaker.check(0.1, 10)) checks++;
    waits.push(checks);
  };
  for (let i = 0; i < 9; i++) trip();
  for (let i = 0; i < 60; i++) breaker.check(0.1, 10);
  trip();
  expect(waits).toEqual([6, 12, 24, 48, 96, 192, 384, 384, 384, 6]);
});
