/** What decoding a message gives. Bad input is a value, never an exception. */
import type { CallColumns, TcpColumns } from '../model/columns.ts';
import type { AnyBatch } from '../model/records.ts';
import type { Lease } from './column-arena.ts';

export const REJECT_REASONS = [
  'bad_encoding',
  'bad_type',
  'missing_field',
  'unknown_field',
  'bad_value',
  'unknown_version',
  'too_large',
  'future',
  'past',
  'bad_window',
] as const;
export type RejectReason = (typeof REJECT_REASONS)[number];

export interface Rejection {
  readonly ok: false;
  readonly reason: RejectReason;
  /** Path, what was expected, what was found, the mend. */
  readonly detail: string;
}

export type DecodedBatch = AnyBatch | CallColumns | TcpColumns;

export interface Decoded {
  readonly ok: true;
  readonly batches: readonly DecodedBatch[];
  /** Of columns: release it when they have been read, and their memory serves the next message. Optional. */
  readonly lease?: Lease;
}

export type DecodeResult = Decoded | Rejection;

export function reject(reason: RejectReason, detail: string): Rejection {
  return { ok: false, reason, detail };
}

/** Thrown inside the codec only; the public functions turn it into a Rejection. */
export class CodecProblem extends Error {
  readonly reason: RejectReason;

  constructor(reason: RejectReason, detail: string) {
    super(detail);
    this.reason = reason;
  }
}
