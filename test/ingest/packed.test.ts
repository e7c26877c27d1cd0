import { describe, expect, it } from 'vitest';
import { packed, Unpacker } from '../../src/ingest/packed.ts';

const { NaN: none } = Number;

describe('packed columns', () => {
  it.each([
    ['one byte', [0, 1, 255], 3],
    ['one byte and a gap', [0, none, 254], 3],
    ['255 and a gap need two bytes', [255, none], 4],
    ['two bytes', [0, 65_535], 4],
    ['four bytes', [4_294_967_294, 7], 8],
    ['too large for four bytes', [4_294_967_295, 7], 16],
    ['fractions', [0.5, 3, none], 24],
    ['negative', [-1, 2], 16],
    ['infinite', [Number.POSITIVE_INFINITY, 2], 16],
    ['nobody reported it', [none, none, none], 0],
    ['empty', [], 0],
  ])('%s: the same numbers, in as few bytes as they need', (_, values, bytes) => {
    const column = packed(Float64Array.from(values), values.length);
    expect(column.bytes).toBe(bytes);
    expect(values.map((_value, row) => column.at(row))).toEqual(values);
    const out = new Float64Array(values.length + 1).fill(9);
    column.copyTo(out, values.length);
    expect([...out]).toEqual([...values, 9]);
  });

  it('unpacks longer columns after shorter ones', () => {
    const unpacker = new Unpacker();
    unpacker.take([packed(Float64Array.of(1), 1)], 1);
    const [a, b] = unpacker.take(
      [packed(Float64Array.of(1, 2, 3), 3), packed(Float64Array.of(none, none, none), 3)],
      3,
    );
    expect([...a!.subarray(0, 3), ...b!.subarray(0, 3)]).toEqual([1, 2, 3, none, none, none]);
  });
});
