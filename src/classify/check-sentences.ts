/** The sentences of a rule: every `{placeholder}` is one that classification fills in; any other would print "unknown". */
import { nearestName } from '../model/nearest.ts';
import type { Reporter } from './check-shape.ts';
import { factDefinition, factNames } from './fact-catalogue.ts';
import type { Rule } from './types.ts';

/** What is filled in besides facts. */
export const PLACEHOLDERS = ['suspect', 'blamed', 'neighbour', 'service', 'caller', 'callee'] as const;

/** Reports every placeholder of a rule's title, summary and checks that nothing fills in. */
export function checkSentences(rule: Rule, path: string, report: Reporter): void {
  checkSentence(rule.title, `${path}.title`, report);
  if (rule.summary !== undefined) checkSentence(rule.summary, `${path}.summary`, report);
  rule.checks.forEach((check, i) => {
    checkSentence(check, `${path}.checks[${i}]`, report);
  });
}

function checkSentence(text: string, path: string, report: Reporter): void {
  for (const [whole, name = ''] of text.matchAll(/\{([^{}]*)\}/g)) {
    if (PLACEHOLDERS.some((known) => known === name)) continue;
    const fact = factDefinition(name);
    if (fact === undefined) {
      const near = nearestName(name, [...PLACEHOLDERS, ...factNames()]);
      const known = `known: ${PLACEHOLDERS.map((each) => `{${each}}`).join(', ')} and facts such as {db.top_table}`;
      report(path, `nothing fills in ${whole}`, near === undefined ? known : `did you mean {${near}}? ${known}`);
    } else if (fact.type === 'list' || fact.type === 'boolean') {
      report(
        path,
        `${whole} is a ${fact.type}, which no sentence can show`,
        'name a fact that is a number or a string',
      );
    }
  }
}
