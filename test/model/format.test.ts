import { describe, expect, it } from 'vitest';
import { formatBytes, formatMicroseconds, formatNumber, formatSeconds, formatValue } from '../../src/model/format.ts';

describe('formatNumber', () => {
  it.each([
    [0, '0'],
    [-0.00000001, '0'],
    [0.0123456, '0.0123'],
    [1.2345, '1.23'],
    [12.345, '12.3'],
    [10, '10'],
    [100, '100'],
    [99.96, '100'],
    [123.6, '124'],
    [12345, '12345'],
    [-1.5, '-1.5'],
    [Number.NaN, 'unknown'],
  ])('%d -> %s', (value, text) => expect(formatNumber(value)).toBe(text));
});

describe('units', () => {
  it.each([
    [850, '850 us'],
    [999.4, '999 us'],
    [12_345, '12.3 ms'],
    [999_600, '1 s'],
    [4_500_000, '4.5 s'],
    [-60_200, '-60.2 ms'],
  ])('%d us -> %s', (value, text) => expect(formatMicroseconds(value)).toBe(text));

  it.each([
    [45, '45 s'],
    [200, '3 min 20 s'],
    [7_500, '2 h 5 min'],
    [-120, '-2 min'],
  ])('%d s -> %s', (value, text) => expect(formatSeconds(value)).toBe(text));

  it.each([
    [0.042, 'ratio', '4.2 %'],
    [2.5, 'factor', '×2.5'],
    [120, 'requests_per_s', '120 req/s'],
    [0.5, 'per_s', '0.5/s'],
    [1.5, 'cores', '1.5 cores'],
    [3, 'widgets', '3 widgets'],
    [Number.NaN, 'ratio', 'unknown'],
  ])('%d %s -> %s', (value, unit, text) => expect(formatValue(value, unit)).toBe(text));

  it('bytes', () => expect(formatBytes(1536 * 1024)).toBe('1.5 MiB'));
});
