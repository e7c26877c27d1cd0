/** Names of the topics. The prefix is configurable, the rest is contract. */
import type { RecordType } from '../model/records.ts';

const SUFFIX_OF: Readonly<Record<RecordType, string>> = {
  call: 'calls',
  tcp: 'tcp',
  resource: 'resources',
  topology: 'topology',
  change: 'changes',
  log: 'logs',
  sample: 'samples',
  health: 'health',
};

export interface Topics {
  /** Topic of the records of one type. */
  input(type: RecordType): string;
  /** All input topics. The type of a batch stands in the batch: any input topic takes any type. */
  readonly inputs: readonly string[];
  readonly incidents: string;
  readonly reports: string;
  readonly deadLetter: string;
  readonly all: readonly string[];
}

export function topicsOf(prefix: string): Topics {
  const inputs = Object.values(SUFFIX_OF).map((suffix) => `${prefix}.${suffix}`);
  const incidents = `${prefix}.incidents`;
  const reports = `${prefix}.reports`;
  const deadLetter = `${prefix}.dead-letter`;
  return {
    input: (type) => `${prefix}.${SUFFIX_OF[type]}`,
    inputs,
    incidents,
    reports,
    deadLetter,
    all: [...inputs, incidents, reports, deadLetter],
  };
}

/** Only the newest record of a key is kept. */
export function isCompacted(topic: string): boolean {
  return topic.endsWith('.topology');
}
