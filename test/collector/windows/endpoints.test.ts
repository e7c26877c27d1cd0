import { describe, expect, it } from 'vitest';
import { EndpointSample } from '../../../collector/windows/cells.ts';
import { createRandom, shuffled } from '../../../src/stats/random.ts';

const ALL = Array.from({ length: 200 }, (_, i) => `10.0.0.5:${40_000 + i}`);

function sampleOf(texts: readonly string[]): string[] {
  const sample = new EndpointSample();
  for (const text of texts) sample.add(text);
  return sample.texts;
}

describe('client ends that are told', () => {
  it('are a few, the same in whatever order and however often they are seen', () => {
    const once = sampleOf(ALL);
    expect(once).toHaveLength(6);
    expect(sampleOf(shuffled([...ALL, ...ALL], createRandom(1)))).toEqual(once);
  });

  it('are picked so that who sees a part of the connections tells those of the whole that are in its part', () => {
    const whole = sampleOf(ALL);
    for (let part = 0; part < 3; part++) {
      const seen = ALL.filter((_, i) => i % 3 === part);
      expect(sampleOf(seen)).toEqual(expect.arrayContaining(whole.filter((text) => seen.includes(text))));
    }
  });
});
