import { describe, expect, it } from 'vitest';
import { DEFAULT_DETECT_CONFIG } from '../../src/detect/config.ts';
import { RatioFamily } from '../../src/detect/judge-ratio.ts';

const WINDOW_MS = 5_000;
const LIMITS = { floor: 0.001, minRise: 0.01, minNumerator: 3, minFactor: 2, minVolume: 10 };

/** Errors of 50 requests, window by window, after forty windows without. */
function onsetOf(errors: readonly number[]): number | undefined {
  const family = new RatioFamily(
    { entity: 'service', metric: 'error_ratio', symptoms: ['error_rise'] },
    DEFAULT_DETECT_CONFIG,
    LIMITS,
  );
  family.ensure(1);
  [...new Array<number>(40).fill(0), ...errors].forEach((k, turn) => {
    family.step(0, { atMs: turn * WINDOW_MS, windowMs: WINDOW_MS, turn }, k, 50);
  });
  return family.tracks.isActive(0) ? family.tracks.read(0).onsetMs / WINDOW_MS - 40 : undefined;
}

describe('when errors began', () => {
  it('is with the first of them: three of fifty may be chance where later eleven are', () => {
    expect(onsetOf([0, 3, 3, 11, 15])).toBe(1);
  });

  it('one error before is none of them', () => {
    expect(onsetOf([1, 0, 0, 11, 15])).toBe(3);
  });
});
