/** The operation of a DNS question: its type, and its name with bounded cardinality. */
import { segmentTemplate } from '../http1/operation.ts';

const TYPES: Readonly<Record<number, string>> = {
  1: 'A',
  2: 'NS',
  5: 'CNAME',
  6: 'SOA',
  12: 'PTR',
  15: 'MX',
  16: 'TXT',
  28: 'AAAA',
  33: 'SRV',
  35: 'NAPTR',
  43: 'DS',
  48: 'DNSKEY',
  52: 'TLSA',
  64: 'SVCB',
  65: 'HTTPS',
  251: 'IXFR',
  252: 'AXFR',
  255: 'ANY',
  257: 'CAA',
};
const MAX_LABELS = 8;
const LABEL = /^[a-z0-9_-]+$/;
/** `10-244-0-7`, as pods are called. */
const ADDRESS = /^\d+(-\d+)+$/;
const REVERSE = /(^|\.)(in-addr|ip6)\.arpa$/;

function label(text: string): string {
  if (!LABEL.test(text) || ADDRESS.test(text)) return '*';
  return segmentTemplate(text).replace('{id}', '*');
}

/**
 * A name in lower case with `*` for what looks generated, as route templates have it; one `*` for several in a row; the
 * last eight labels. Of reverse lookups the zone.
 *
 * @example nameTemplate('10-244-0-7.Shop.pod.cluster.local') // => '*.shop.pod.cluster.local'
 */
export function nameTemplate(name: string): string {
  const lower = name.toLowerCase();
  if (lower === '') return '.';
  const reverse = REVERSE.exec(lower);
  if (reverse !== null) return `*.${reverse[2]}.arpa`;
  const labels = lower.split('.');
  const kept = labels.slice(-MAX_LABELS).map(label);
  if (labels.length > MAX_LABELS) kept.unshift('*');
  return kept.filter((text, at) => text !== '*' || kept[at - 1] !== '*').join('.');
}

/** `A postgres.shop` of a question: labels from `start`, then the type, which ends at `end`. The labels must be whole. */
export function questionOperation(bytes: Buffer, start: number, end: number): string {
  const labels: string[] = [];
  for (let at = start; bytes[at] !== 0 && at < end; at += bytes[at]! + 1)
    // A dot inside a label would look like the end of one.
    labels.push(bytes.toString('latin1', at + 1, at + 1 + bytes[at]!).replaceAll('.', '?'));
  const type = bytes.readUInt16BE(end - 2);
  return `${TYPES[type] ?? `TYPE${type}`} ${nameTemplate(labels.join('.'))}`;
}
