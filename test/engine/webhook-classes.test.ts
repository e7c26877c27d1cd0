/** Classes in webhooks: those of the rules pass, a misspelt one is refused, one that only these rules lack is said. */
import { describe, expect, it } from 'vitest';
import { checkWebhookClasses } from '../../src/engine/webhook-classes.ts';

const RULES = ['packet_loss', 'cpu_throttling', 'queue_of_our_own'];
const hook = (classes?: string[]) => [
  { name: 'first', url: 'https://a.example/' },
  { name: 'ops', url: 'https://b.example/', ...(classes === undefined ? {} : { classes }) },
];

describe('checkWebhookClasses', () => {
  it('takes no filter, the classes of the rules, also those of your own, and unknown', () => {
    expect(checkWebhookClasses(hook(), RULES)).toEqual([]);
    expect(checkWebhookClasses(hook(['packet_loss', 'queue_of_our_own', 'unknown']), RULES)).toEqual([]);
  });

  it('refuses what nobody knows, all at once, with its path and what was meant', () => {
    expect(() => checkWebhookClasses(hook(['paket_loss', 'packet_loss', 'xyz']), RULES)).toThrow(
      /webhooks\[1\]\.classes\[0\] of "ops": no rule says "paket_loss".*did you mean "packet_loss"\?\n.*classes\[2\].*"xyz".*classes: cpu_throttling, packet_loss/,
    );
  });

  it('says that these rules lack a class of Rootwalk', () => {
    expect(checkWebhookClasses(hook(['slow_code']), RULES)).toEqual([
      expect.stringContaining('no rule says "slow_code"'),
    ]);
  });
});
