import { describe, expect, it } from 'vitest';
import { decodeMessage, encodeBatch } from '../../src/codec/index.ts';
import { WireReader } from '../../src/codec/wire-reader.ts';
import { WireWriter } from '../../src/codec/wire-writer.ts';
import type { CallColumns } from '../../src/model/columns.ts';
import type { Batch } from '../../src/model/records.ts';

const header = {
  schemaVersion: 1,
  environment: 'test',
  collector: 'c',
  windowStartMs: 5_000,
  windowMs: 5_000,
} as const;

function message(first: number, rows: number): { value: Uint8Array; counts: number[] } {
  const counts = Array.from({ length: rows }, (_, r) => first + r);
  const records = counts.map((count) => ({
    caller: 'a',
    callee: 'b',
    side: 'client' as const,
    protocol: 'http',
    operation: `GET /${count}`,
    status: '200',
    count,
    errors: 0,
  }));
  const batch: Batch<'call'> = { ...header, type: 'call', sequence: 0, records };
  return { value: encodeBatch(batch, 'protobuf')[0]!.value, counts };
}

function decode(value: Uint8Array): { columns: CallColumns; release: () => void } {
  const decoded = decodeMessage(value, {});
  if (!decoded.ok) throw new Error(decoded.detail);
  return { columns: decoded.batches[0] as CallColumns, release: () => decoded.lease?.release() };
}

describe('columns of decoded messages', () => {
  it('stay as they are until they are released, through many chunks', () => {
    const kept = Array.from({ length: 200 }, (_, i) => {
      const { value, counts } = message(i * 1_000, 100 + (i % 7));
      const decoded = decode(value);
      if (i % 3 === 0) decoded.release();
      return { ...decoded, counts, released: i % 3 === 0 };
    });
    for (const { columns, counts, released } of kept) {
      if (released) continue;
      expect([...columns.count]).toEqual(counts);
      expect(columns.operation.length).toBe(counts.length);
    }
    for (const { release } of kept) release();
  });

  it('use released memory again, even when released twice', () => {
    for (let round = 0; round < 3; round++) {
      const a = decode(message(1, 10).value);
      a.release();
      a.release();
      const b = decode(message(7, 10).value);
      const c = decode(message(1_000, 10).value);
      expect(b.columns.count[0]).toBe(7);
      expect(c.columns.count[0]).toBe(1_000);
      b.release();
      expect(c.columns.count[9]).toBe(1_009);
      c.release();
    }
  });

  it('a message that is refused half way gives its memory back', () => {
    const { value } = message(1, 10);
    const broken = Buffer.from(value);
    const five = Buffer.alloc(8);
    five.writeDoubleLE(5);
    // The fifth count becomes negative.
    broken.writeDoubleLE(-1, broken.indexOf(five));
    const good = decode(value);
    const { buffer } = good.columns.count;
    good.release();
    for (let i = 0; i < 1_000; i++) expect(decodeMessage(broken, {})).toMatchObject({ reason: 'bad_value' });
    const again = decode(value);
    expect(again.columns.count.buffer).toBe(buffer);
    expect(again.columns.count[0]).toBe(1);
    again.release();
  });

  it('the smallest columns, the worst case of alignment, do not overwrite what is still to be read', () => {
    const writer = new WireWriter();
    for (let i = 0; i < 5_000; i++) writer.bytes(7, Uint8Array.of(i & 255));
    const reader = new WireReader(writer.finish());
    const lease = reader.loadColumns();
    const found: number[] = [];
    while (reader.next()) found.push(reader.bytes()[0]!);
    expect(found).toEqual(Array.from({ length: 5_000 }, (_, i) => i & 255));
    lease.release();
  });
});
