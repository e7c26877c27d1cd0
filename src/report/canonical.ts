/** JSON that is the same for the same content: sorted keys, no NaN. */
import { createHash } from 'node:crypto';
import { compareNames } from '../model/entity.ts';

export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => compareNames(a, b)));
  });
}

/** First 24 hex digits of the SHA-256 of the canonical JSON. */
export function contentId(prefix: string, value: unknown): string {
  return `${prefix}${createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, 24)}`;
}

/** NaN and infinities become null: JSON has none. */
export function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}
