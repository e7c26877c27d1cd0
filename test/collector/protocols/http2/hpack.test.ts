/** The examples of RFC 7541, appendix C, and what only an onlooker meets: blocks that are cut, tables that are not known. */
import { describe, expect, it } from 'vitest';
import { HpackDecoder } from '../../../../collector/protocols/http2/hpack/decoder.ts';
import { MAX_TABLE_BYTES } from '../../../../collector/protocols/http2/hpack/dynamic-table.ts';
import { decodeHuffman } from '../../../../collector/protocols/http2/hpack/huffman.ts';
import { STATIC_COUNT, STATIC_NAMES } from '../../../../collector/protocols/http2/hpack/static-table.ts';
import { Encoder, integer } from './frames.ts';

type Field = readonly [string | undefined, string | undefined];
const hex = (digits: string): Buffer => Buffer.from(digits.replace(/\s/g, ''), 'hex');
const all = (): HpackDecoder => new HpackDecoder(() => true);

function decode(decoder: HpackDecoder, block: Buffer, there = block.length): { fields: Field[]; isWhole: boolean } {
  const fields: Field[] = [];
  // In the middle of something larger.
  const bytes = Buffer.concat([Buffer.from('@@'), block.subarray(0, there), Buffer.alloc(9, 0xff)]);
  const isWhole = decoder.decode(bytes, 2, 2 + there, block.length, (name, value) => fields.push([name, value]));
  return { fields, isWhole };
}

const lines = (fields: readonly Field[]): string[] => fields.map(([name, value]) => `${name}: ${value}`);

function table(decoder: HpackDecoder): string[] {
  return Array.from({ length: decoder.table.count }, (_, i) => `${decoder.table.name(i)}: ${decoder.table.value(i)}`);
}

const REQUESTS = [
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com', 'cache-control: no-cache'],
  [':method: GET', ':scheme: https', ':path: /index.html', ':authority: www.example.com', 'custom-key: custom-value'],
];
const REQUEST_TABLE = ['custom-key: custom-value', 'cache-control: no-cache', ':authority: www.example.com'];
const COOKIE = 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';
const RESPONSES = [
  [
    ':status: 302',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ],
  [
    ':status: 307',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ],
  [
    ':status: 200',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:22 GMT',
    'location: https://www.example.com',
    'content-encoding: gzip',
    `set-cookie: ${COOKIE}`,
  ],
];
const RESPONSE_TABLE = [`set-cookie: ${COOKIE}`, 'content-encoding: gzip', 'date: Mon, 21 Oct 2013 20:13:22 GMT'];

describe('RFC 7541, appendix C', () => {
  it.each([
    ['C.2.1', '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', 'custom-key: custom-header', 55],
    ['C.2.2', '040c 2f73 616d 706c 652f 7061 7468', ':path: /sample/path', 0],
    ['C.2.3', '1008 7061 7373 776f 7264 0673 6563 7265 74', 'password: secret', 0],
    ['C.2.4', '82', ':method: GET', 0],
  ])('%s', (_, block, field, size) => {
    const decoder = all();
    expect(lines(decode(decoder, hex(block)).fields)).toEqual([field]);
    expect(decoder.table.size).toBe(size);
  });

  it.each([
    [
      'C.3',
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
    ],
    [
      'C.4 (Huffman)',
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
    ],
  ])('%s: requests on one connection', (_, blocks) => {
    const decoder = all();
    expect(blocks.map((block) => lines(decode(decoder, hex(block)).fields))).toEqual(REQUESTS);
    expect(table(decoder)).toEqual(REQUEST_TABLE);
    expect(decoder.table.size).toBe(164);
  });

  it.each([
    [
      'C.5',
      [
        `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d
         546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
        '4803 3330 37c1 c0bf',
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f
         6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b
         2076 6572 7369 6f6e 3d31`,
      ],
    ],
    [
      'C.6 (Huffman)',
      [
        `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7
         8f0b 97c8 e9ae 82ae 43d3`,
        '4883 640e ffc1 c0bf',
        `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335
         dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
      ],
    ],
  ])('%s: responses, with eviction from a table of 256 bytes', (_, blocks) => {
    const decoder = all();
    decoder.table.resize(256);
    expect(blocks.map((block) => lines(decode(decoder, hex(block)).fields))).toEqual(RESPONSES);
    expect(table(decoder)).toEqual(RESPONSE_TABLE);
    expect(decoder.table.size).toBe(215);
  });
});

describe('Huffman code', () => {
  const out = Buffer.alloc(64);

  it('measures what finds no room', () => {
    const bytes = hex('f1e3c2e5f23a6ba0ab90f4ff');
    const small = Buffer.alloc(3);
    expect(decodeHuffman(bytes, 0, bytes.length, small)).toBe('www.example.com'.length);
    expect(small.toString()).toBe('www');
  });

  it.each([
    ['EOS in the string', 'ffffffff'],
    ['a byte of padding', '1fff'],
    ['padding of zeros', '18'],
  ])('refuses %s', (_, digits) => expect(decodeHuffman(hex(digits), 0, digits.length / 2, out)).toBe(-1));

  it('accepts an empty string', () => expect(decodeHuffman(out, 0, 0, out)).toBe(0));
});

describe('a table that is not known', () => {
  it('knows what came after the loss by its index, and no more', () => {
    const decoder = all();
    decode(decoder, hex('400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572'));
    decoder.lose();
    expect(decode(decoder, hex('be'))).toEqual({ fields: [[undefined, undefined]], isWhole: true });
    // Inserted with a name that is not known, then one that is.
    expect(lines(decode(decoder, hex('7e01 61 4401 2f')).fields)).toEqual(['undefined: undefined', ':path: /']);
    expect(lines(decode(decoder, hex('be bf c0')).fields)).toEqual([
      ':path: /',
      'undefined: undefined',
      'undefined: undefined',
    ]);
  });

  it('is known again when it is emptied', () => {
    const decoder = all();
    decoder.lose();
    expect(decode(decoder, hex('20 3fe11f be')).isWhole).toBe(false);
    expect(decode(decoder, hex('20 3fe11f 4401 2f be')).fields).toHaveLength(2);
    expect(decode(decoder, hex('bf')).isWhole).toBe(false);
  });

  it('is not lost by a block whose last value alone was cut', () => {
    const decoder = all();
    const encoder = new Encoder();
    const first = encoder.block([':path', '/a'], ['authorization', 'x'.repeat(900)]);
    expect(decode(decoder, first, 100)).toEqual({
      fields: [
        [':path', '/a'],
        ['authorization', undefined],
      ],
      isWhole: true,
    });
    const second = encoder.block([':path', '/a'], ['authorization', 'x'.repeat(900)]);
    expect(decode(decoder, second).fields).toEqual([
      [':path', '/a'],
      ['authorization', undefined],
    ]);
  });

  it('is lost by a block with fields behind the cut', () => {
    const decoder = all();
    const encoder = new Encoder();
    const block = encoder.block([':path', '/a'], ['authorization', 'x'.repeat(900)], ['te', 'trailers']);
    expect(decode(decoder, block, 100)).toEqual({ fields: [[':path', '/a']], isWhole: false });
    expect(decode(decoder, encoder.block([':path', '/a'])).fields).toEqual([[undefined, undefined]]);
  });

  it.each(Array.from({ length: 60 }, (_, i) => i + 1))('never tells a wrong value when %i bytes are there', (there) => {
    const decoder = all();
    const encoder = new Encoder();
    const headers = [
      [':path', '/orders'],
      ['x-a', '1'],
      ['x-b', '22'],
      ['x-c', '333'],
      ['te', 'trailers'],
    ] as const;
    const block = encoder.block(...headers);
    if (there >= block.length) return;
    decode(decoder, block, there);
    const fields = decode(decoder, encoder.block(...headers, [':path', '/new'])).fields;
    expect(fields).toHaveLength(6);
    fields.forEach(([name, value], i) => {
      const [rightName, rightValue] = [...headers, [':path', '/new'] as const][i]!;
      expect([undefined, rightName]).toContain(name);
      expect([undefined, rightValue]).toContain(value);
    });
    expect(fields[5]).toEqual([':path', '/new']);
  });
});

describe('bounds', () => {
  it('keeps at most 64 KB, whatever the ends agreed on', () => {
    const decoder = all();
    decode(decoder, integer(0x20, 5, 2 ** 24));
    const encoder = new Encoder();
    for (let i = 0; i < 3000; i++) decode(decoder, encoder.block([`x-${i}`, 'v'.repeat(50)]));
    expect(decoder.table.size).toBeLessThanOrEqual(MAX_TABLE_BYTES);
    expect(decoder.table.count).toBeGreaterThan(500);
    // What is older than that is not known, and no error.
    expect(decode(decoder, integer(0x80, 7, STATIC_COUNT + 2500))).toEqual({
      fields: [[undefined, undefined]],
      isWhole: true,
    });
  });

  it('cuts long values, and counts them whole', () => {
    const decoder = all();
    const { fields } = decode(decoder, new Encoder().block([':path', `/${'a'.repeat(2000)}`]));
    expect(fields[0]?.[1]).toHaveLength(1024);
    expect(decoder.table.size).toBe(5 + 2001 + 32);
  });

  it('reads no values but those that are wanted', () => {
    const decoder = new HpackDecoder((name) => name === ':path');
    expect(decode(decoder, new Encoder().block([':path', '/a'], ['cookie', 'secret'])).fields).toEqual([
      [':path', '/a'],
      ['cookie', ''],
    ]);
  });

  it.each(['80', 'ffffffffffff00', '4f', '0f', 'bf', '41', '4185', '3fffffffffff7f'])(
    'takes %s for no block',
    (digits) => expect(decode(all(), hex(digits)).isWhole).toBe(false),
  );
});

it('has the 61 entries of the static table', () => {
  expect(STATIC_COUNT).toBe(61);
  expect([STATIC_NAMES[1], STATIC_NAMES[16], STATIC_NAMES[31], STATIC_NAMES[61]]).toEqual([
    ':authority',
    'accept-encoding',
    'content-type',
    'www-authenticate',
  ]);
});
