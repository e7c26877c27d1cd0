/** The fault classes that webhooks filter by, against the rules in force: what no rule says is never sent. */
import type { WebhookConfig } from '../config.ts';
import { RcaError } from '../model/errors.ts';
import { nearestName } from '../model/nearest.ts';
import { FAULT_CLASSES } from '../model/verdict.ts';

export interface UnusedClass {
  /** In words, with its path in the configuration. */
  readonly text: string;
  /** Rootwalk has a class of this name, only these rules do not. */
  readonly isKnown: boolean;
}

/**
 * Classes in `webhooks[].classes` that no report can have.
 * @param ruleClasses  what the rules in force say; `unknown` is always possible
 */
export function unusedClasses(webhooks: readonly WebhookConfig[], ruleClasses: Iterable<string>): UnusedClass[] {
  const possible = new Set([...ruleClasses, 'unknown']);
  return webhooks.flatMap((webhook, i) =>
    (webhook.classes ?? []).flatMap((name, j) => {
      if (possible.has(name)) return [];
      const near = nearestName(name, possible);
      const mend = near === undefined ? `classes: ${[...possible].sort().join(', ')}` : `did you mean "${near}"?`;
      return [
        {
          text: `webhooks[${i}].classes[${j}] of "${webhook.name}": no rule says "${name}", nothing would be sent for it; ${mend}`,
          isKnown: FAULT_CLASSES.some((known) => known === name),
        },
      ];
    }),
  );
}

/**
 * @returns a line for each class that Rootwalk knows and these rules do not say
 * @throws {RcaError} RCA_BAD_CONFIG naming every class that is neither Rootwalk's nor the rules'
 */
export function checkWebhookClasses(webhooks: readonly WebhookConfig[], ruleClasses: Iterable<string>): string[] {
  const unused = unusedClasses(webhooks, ruleClasses);
  const problems = unused.filter(({ isKnown }) => !isKnown).map(({ text }) => text);
  if (problems.length > 0)
    throw new RcaError('RCA_BAD_CONFIG', `configuration is not valid:\n  ${problems.join('\n  ')}`, { problems });
  return unused.map(({ text }) => text);
}
