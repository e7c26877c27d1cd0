import { describe, expect, it } from 'vitest';
import type { Judgement } from '../../src/detect/tracks.ts';
import { Tracks } from '../../src/detect/tracks.ts';

const WINDOW_MS = 5_000;

/** z per window; beyond 5 exceeds. A window's value is ten times that. */
function tracksOf(scores: readonly number[]): Tracks {
  const tracks = new Tracks({ open: 2, of: 3, close: 4 });
  tracks.ensure(1);
  const judged: Judgement = {
    z: 0,
    score: 0,
    exceeds: false,
    calm: true,
    baseline: 1,
    current: 1,
    volume: 1,
    direction: 0,
    windows: 1,
  };
  scores.forEach((z, w) => {
    const window = { ...judged, z, score: z, exceeds: z >= 5, calm: z < 2.5, current: 10 * z };
    tracks.update(0, w * WINDOW_MS, WINDOW_MS, window);
  });
  return tracks;
}

/** In windows once active, or undefined. */
function onsetOf(scores: readonly number[]): number | undefined {
  const tracks = tracksOf(scores);
  return tracks.isActive(0) ? tracks.read(0).onsetMs / WINDOW_MS : undefined;
}

describe('when it began', () => {
  it('is the first window that shows it, not the one that raised the alarm', () => {
    expect(onsetOf([0, 0, 1, 0, 9, 9])).toBe(4);
    expect(onsetOf([0, 0, 3, 4, 6, 9])).toBe(2);
  });

  it('may lie in windows of a process that just started, which raise nothing', () => {
    const tracks = tracksOf([0, 0]);
    for (const z of [1, 9, 9]) tracks.witness(0, z);
    expect(tracks.isActive(0)).toBe(false);
    const judged = { z: 9, score: 9, exceeds: true, calm: false, baseline: 1, current: 9, volume: 1, direction: 0 };
    for (const w of [5, 6]) tracks.update(0, w * WINDOW_MS, WINDOW_MS, { ...judged, windows: 1 });
    expect(tracks.read(0).onsetMs / WINDOW_MS).toBe(3);
  });

  it('a spike before the fault does not move it', () => {
    expect(onsetOf([0, 0, 40, 0, 0, 0, 9, 9, 9])).toBe(6);
    expect(onsetOf([0, 0, 40, 1, 0, 9, 9])).toBe(5);
  });

  it('mild trouble that a fault came on top of does not move it; a fault that grows does', () => {
    expect(onsetOf([0, 3, 3, 4, 3, 3, 60, 90])).toBe(6);
    expect(onsetOf([0, 3, 6, 12, 24, 30])).toBe(1);
  });

  it('one window that looks healthy by chance does not cut it', () => {
    expect(onsetOf([0, 3, 1, 9, 9])).toBe(1);
  });

  it('reaches back two minutes at most', () => {
    expect(onsetOf([...new Array<number>(40).fill(3), 9, 9])).toBe(41 - 23);
  });

  it('one window alone opens nothing', () => {
    expect(onsetOf([0, 0, 90, 0, 0])).toBeUndefined();
  });
});

describe('how bad it is', () => {
  it('is the mean of its abnormal windows since the alarm, not the last one; calm windows are not its', () => {
    const { current, volume, score } = tracksOf([0, 9, 9, 30, 1, 9, 1]).read(0);
    expect(current).toBeCloseTo((90 + 300 + 90) / 3, 9);
    expect(volume).toBe(3);
    expect(score).toBe(30);
  });

  it('and goes on where a snapshot left it', () => {
    const rule = { open: 2, of: 3, close: 4 };
    const saved = tracksOf([0, 9, 9, 30]).save();
    const restored = new Tracks(rule);
    restored.load(JSON.parse(JSON.stringify(saved)));
    expect(restored.read(0)).toEqual(tracksOf([0, 9, 9, 30]).read(0));
    expect(restored.save()).toEqual(saved);
  });
});

describe('when it was last there', () => {
  const lastOf = (scores: readonly number[]): number => tracksOf(scores).read(0).lastMs / WINDOW_MS;

  it('is the last window that is not calm', () => {
    expect(lastOf([0, 9, 9, 3])).toBe(3);
    expect(lastOf([0, 9, 9, 0, 3])).toBe(4);
  });

  it('is not one between the thresholds after two calm ones: by that it has not come back', () => {
    expect(lastOf([0, 9, 9, 0, 0, 3, 4])).toBe(2);
    expect(lastOf([0, 9, 9, 0, 0, 3, 9])).toBe(6);
  });

  it('is over after four calm windows, those between the thresholds not counted', () => {
    expect(tracksOf([0, 9, 9, 0, 0, 3, 0]).isActive(0)).toBe(true);
    expect(tracksOf([0, 9, 9, 0, 0, 3, 0, 0]).isActive(0)).toBe(false);
  });
});
