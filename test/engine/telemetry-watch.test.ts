import { expect, it } from 'vitest';
import { TelemetryWatch } from '../../src/engine/telemetry-watch.ts';

const START_MS = Date.UTC(2026, 0, 1);

/** One letter a window: `.` all well, `s` collector b silent, `l` its calls lost. */
function lines(windows: string): string[] {
  const watch = new TelemetryWatch();
  return [...windows].flatMap((letter, w) =>
    watch
      .step({
        environment: 'e',
        windowStartMs: START_MS + w * 5_000,
        collectors: letter === 's' ? ['a'] : ['a', 'b/1'],
        incomplete: letter === 'l' ? ['b/1/call'] : [],
      })
      .map((line) => `${w} ${line}`),
  );
}

it('tells silence and loss once each, when they have lasted three windows, and their end', () => {
  expect(lines('....')).toEqual([]);
  expect(lines('..ss..ll..s.l.s')).toEqual([]);
  expect(lines('..sssss...')).toEqual([
    '4 e: nothing arrives since 2026-01-01T00:00:10.000Z of collector b/1; what happens there is unknown',
    '9 e: heard again since 2026-01-01T00:00:35.000Z: collector b/1',
  ]);
  expect(lines('.lll....')).toEqual([
    '3 e: call records get lost on the way since 2026-01-01T00:00:05.000Z (a partition, or the bus refuses them) of collector b/1; what they would say is unknown',
    '6 e: call records arrive whole again since 2026-01-01T00:00:20.000Z: collector b/1',
  ]);
  // A silent collector's records are not known to be lost, nor to be whole again.
  expect(lines('.lllsssll...').filter((line) => line.includes('records'))).toHaveLength(2);
});

it('tells many collectors in one line', () => {
  const watch = new TelemetryWatch();
  const names = Array.from({ length: 40 }, (_, k) => `host-${10 + k}`);
  const all = [0, 1, 2, 3, 4].flatMap((w) =>
    watch.step({
      environment: 'e',
      windowStartMs: START_MS + w * 5_000,
      collectors: names,
      incomplete: w < 1 ? [] : names.map((name) => `${name}/tcp`),
    }),
  );
  expect(all).toHaveLength(1);
  expect(all[0]).toMatch(/^e: tcp records get lost .* of 40 collectors: host-10, host-11, .* and 34 more; what/);
});

it('forgets who has been silent for a day', () => {
  const watch = new TelemetryWatch();
  const step = (atMs: number, collectors: readonly string[], incomplete: readonly string[] = []) =>
    watch.step({ environment: 'e', windowStartMs: START_MS + atMs, collectors, incomplete });
  for (let w = 0; w < 100; w++) step(w * 5_000, ['a', `node-${w}`], [`node-${w}/call`]);
  expect(watch.known('e')).toHaveLength(101);
  step(86_400_000 + 50 * 5_000, ['a']);
  expect(watch.known('e')).toEqual(['a', ...Array.from({ length: 49 }, (_, k) => `node-${51 + k}`)]);
  step(2 * 86_400_000, ['a', 'node-3']);
  expect(watch.known('e')).toEqual(['a', 'node-3']);
  // Whoever is silent, and who comes back after so long, is told as somebody new.
  const told = [1, 2, 3, 4].flatMap((w) => step(2 * 86_400_000 + w * 5_000, ['a']));
  expect(told).toEqual([expect.stringMatching(/nothing arrives .* of collector node-3;/)]);
});
