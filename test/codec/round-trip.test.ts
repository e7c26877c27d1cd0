import { describe, expect, it } from 'vitest';
import type { DecodedBatch } from '../../src/codec/index.ts';
import { decodeMessage, encodeBatch, MAX_MESSAGE_BYTES, withEnvironment } from '../../src/codec/index.ts';
import { BATCH_TYPE } from '../../src/codec/proto-rows.ts';
import type { CallColumns, TcpColumns } from '../../src/model/columns.ts';
import { TCP_FIELDS } from '../../src/model/columns.ts';
import type { AnyBatch, Batch, CallRecord, RecordType, TcpRecord } from '../../src/model/records.ts';
import { createRandom } from '../../src/stats/index.ts';

const envelope = {
  schemaVersion: 1,
  environment: 'shop',
  collector: 'host-1',
  windowStartMs: 1_700_000_000_000,
  windowMs: 5_000,
  sequence: 3,
} as const;

const call: CallRecord = {
  caller: 'web',
  callee: 'cart',
  callerInstance: 'web-1',
  calleeMachine: 'm2',
  side: 'server',
  protocol: 'http',
  operation: 'GET /cart/{id}',
  status: '200',
  count: 7,
  errors: 1,
  errorType: 'timeout',
  durationSumUs: 12_345.5,
  durationHistogram: { scale: 3, offset: 60, counts: [1, 0, 6], zeroCount: 2 },
  requestBytes: 700,
  tags: { zone: 'a', version: '1.2' },
};
const bare: CallRecord = {
  caller: 'a',
  callee: 'b',
  side: 'client',
  protocol: 'redis',
  operation: 'GET',
  status: 'OK',
  count: 0,
  errors: 0,
};
const tcp: TcpRecord = {
  caller: 'web',
  callee: 'cart',
  side: 'client',
  calleePort: 8080,
  segmentsOut: 10,
  retransmits: 0,
  drops: { NETFILTER_DROP: 3 },
  connectFailures: {},
};
const bareTcp: TcpRecord = { caller: 'a', callee: 'b', side: 'server' };

const rare: readonly AnyBatch[] = [
  {
    ...envelope,
    type: 'resource',
    records: [
      {
        entityKind: 'instance',
        entity: 'cart-1',
        service: 'cart',
        cpuUsedUs: 0,
        cpuThrottledUs: 5,
        extra: { heap_bytes: 9 },
      },
    ],
  },
  { ...envelope, type: 'topology', records: [{ relation: 'calls', from: 'web', to: 'cart', lastSeenMs: 5 }] },
  {
    ...envelope,
    type: 'change',
    records: [{ atMs: 17, change: 'process_exit', entityKind: 'instance', entity: 'cart-1', signal: 9, exitCode: 0 }],
  },
  { ...envelope, type: 'log', records: [{ instance: 'cart-1', template: 'failed <*>', level: 'error', count: 2 }] },
  {
    ...envelope,
    type: 'sample',
    records: [
      {
        atMs: 17,
        caller: 'web',
        callee: 'cart',
        side: 'client',
        protocol: 'http',
        operation: 'GET /',
        status: '500',
        durationUs: 12,
      },
    ],
  },
  {
    ...envelope,
    type: 'health',
    records: [
      { machine: 'm1', probes: [{ name: 'tcp', state: 'missing', reason: 'no BTF' }], lost: {}, breaker: 'closed' },
    ],
  },
];

function decodeAll(batch: AnyBatch, encoding: 'protobuf' | 'json'): DecodedBatch[] {
  return encodeBatch(batch, encoding).flatMap(({ value, headers }) => {
    const result = decodeMessage(value, headers);
    if (!result.ok) throw new Error(`${result.reason}: ${result.detail}`);
    return [...result.batches];
  });
}

describe('encodeBatch and decodeMessage', () => {
  it.each(rare.map((batch) => [batch.type, batch] as const))(
    'carries %s through both encodings unchanged',
    (_type, batch) => {
      expect(decodeAll(batch, 'json')).toEqual([batch]);
      expect(decodeAll(batch, 'protobuf')).toEqual([batch]);
    },
  );

  it('carries calls as columns: every field, absent as 0 or NaN', () => {
    const [columns] = decodeAll({ ...envelope, type: 'call', records: [call, bare] }, 'protobuf') as [CallColumns];
    const text = (column: Uint32Array, row: number): string => columns.strings[column[row] ?? -1] ?? '?';
    expect(columns.rows).toBe(2);
    expect([
      text(columns.caller, 0),
      text(columns.callee, 0),
      text(columns.callerInstance, 0),
      text(columns.calleeInstance, 0),
    ]).toEqual(['web', 'cart', 'web-1', '']);
    expect([
      text(columns.calleeMachine, 0),
      text(columns.operation, 0),
      text(columns.errorType, 0),
      text(columns.errorType, 1),
    ]).toEqual(['m2', 'GET /cart/{id}', 'timeout', '']);
    expect(text(columns.tags, 0)).toBe('{"version":"1.2","zone":"a"}');
    expect([...columns.side]).toEqual([1, 0]);
    expect([...columns.count]).toEqual([7, 0]);
    expect([...columns.durationSumUs]).toEqual([12_345.5, Number.NaN]);
    expect([...columns.responseBytes]).toEqual([Number.NaN, Number.NaN]);
    expect([...columns.histogramStart]).toEqual([0, 3, 3]);
    expect([...columns.histogramCounts]).toEqual([1, 0, 6]);
    expect([columns.histogramScale[0], columns.histogramOffset[0], columns.histogramZeroCount[0]]).toEqual([3, 60, 2]);
  });

  it('carries TCP counters as columns: an empty map is known, an absent one is not', () => {
    const [columns] = decodeAll({ ...envelope, type: 'tcp', records: [tcp, bareTcp] }, 'protobuf') as [TcpColumns];
    const column = (name: (typeof TCP_FIELDS)[number]): number[] => [
      ...(columns.values[TCP_FIELDS.indexOf(name)] ?? []),
    ];
    expect(column('segmentsOut')).toEqual([10, Number.NaN]);
    expect(column('retransmits')).toEqual([0, Number.NaN]);
    expect(column('rttSumUs')).toEqual([Number.NaN, Number.NaN]);
    expect([...columns.calleePort]).toEqual([8080, Number.NaN]);
    expect([[...columns.hasDrops], [...columns.hasConnectFailures]]).toEqual([
      [1, 0],
      [1, 0],
    ]);
    expect([columns.dropRow[0], columns.strings[columns.dropKey[0] ?? -1], columns.dropValue[0]]).toEqual([
      0,
      'NETFILTER_DROP',
      3,
    ]);
    expect(columns.failureRow.length).toBe(0);
  });

  it('writes what protobufjs reads with the published schema', () => {
    const [message] = encodeBatch({ ...envelope, type: 'call', records: [call, bare] }, 'protobuf');
    const read = BATCH_TYPE.toObject(BATCH_TYPE.decode(message?.value ?? new Uint8Array()), { longs: Number });
    expect(read).toMatchObject({
      schemaVersion: 1,
      type: 'call',
      environment: 'shop',
      windowStartMs: 1_700_000_000_000,
      sequence: 3,
      rows: 2,
    });
    expect(read['call'].count).toEqual([7, 0]);
    expect(read['call'].operation.map((id: number) => read['strings'][id])).toEqual(['GET /cart/{id}', 'GET']);
  });

  it('reads what protobufjs writes with the published schema', () => {
    const [message] = encodeBatch({ ...envelope, type: 'tcp', records: [tcp, bareTcp] }, 'protobuf');
    const again = BATCH_TYPE.encode(BATCH_TYPE.decode(message?.value ?? new Uint8Array())).finish();
    const first = decodeMessage(message?.value ?? new Uint8Array(), {});
    expect(decodeMessage(again, {})).toEqual(first);
  });

  it('renames the environment and nothing else', () => {
    for (const batch of [{ ...envelope, type: 'call', records: [call, bare] } as AnyBatch, ...rare]) {
      for (const encoding of ['protobuf', 'json'] as const) {
        const [message] = encodeBatch(batch, encoding);
        const renamed = decodeMessage(withEnvironment(message?.value ?? new Uint8Array(), 'demo'), {});
        const expected = encodeBatch({ ...batch, environment: 'demo' }, encoding)[0];
        expect(renamed).toEqual(decodeMessage(expected?.value ?? new Uint8Array(), {}));
      }
    }
  });

  it('splits a large batch into messages near 64 KB with consecutive sequence numbers and loses no row', () => {
    const records = Array.from(
      { length: 5_000 },
      (_, i): CallRecord => ({ ...call, operation: `GET /r${i}`, count: i + 1 }),
    );
    for (const encoding of ['protobuf', 'json'] as const) {
      const batch: Batch<'call'> = { ...envelope, type: 'call', records };
      const messages = encodeBatch(batch, encoding);
      expect(messages.length).toBeGreaterThan(5);
      expect(Math.max(...messages.map((message) => message.value.byteLength))).toBeLessThanOrEqual(64 * 1024);
      const decoded = decodeAll(batch, encoding);
      expect(decoded.map((part) => part.sequence)).toEqual(messages.map((_, i) => 3 + i));
      const counts = decoded.flatMap((part) =>
        'rows' in part
          ? [...(part as CallColumns).count]
          : (part as Batch<'call'>).records.map((record) => record.count),
      );
      const total = counts.reduce((sum, count) => sum + count, 0);
      expect(total).toBe((5_000 * 5_001) / 2);
    }
  });
});

const good = { type: 'call', environment: 'shop', windowStartMs: 1_700_000_000_000, records: [bare] };
const with_ = (change: object): object => ({ ...good, records: [{ ...bare, ...change }] });

describe('rejections', () => {
  it.each([
    ['not JSON', '{"type":', 'bad_encoding', /not JSON/],
    ['another content', 'hello', 'bad_encoding', /not a rootwalk.v1.Batch/],
    ['no type', { ...good, type: undefined }, 'missing_field', /^type:/],
    ['unknown type', { ...good, type: 'cals' }, 'bad_type', /did you mean "call"/],
    ['unknown version', { ...good, schemaVersion: 2 }, 'unknown_version', /expected 1, found 2/],
    ['missing field', with_({ callee: undefined }), 'missing_field', /records\[0\]\.callee/],
    ['unknown field', with_({ durationSum: 5 }), 'unknown_field', /did you mean "durationSumUs"/],
    ['wrong type', with_({ count: '5' }), 'bad_type', /records\[0\]\.count: expected a number, found a string/],
    ['negative count', with_({ count: -1 }), 'bad_value', /0 or more, found -1/],
    ['NaN as null', with_({ count: null }), 'bad_type', /found null/],
    ['more errors than calls', with_({ count: 1, errors: 2 }), 'bad_value', /at most count/],
    ['wrong side', with_({ side: 'both' }), 'bad_value', /client, server/],
    ['unaligned window', { ...good, windowStartMs: 1_700_000_000_001 }, 'bad_window', /use 1700000000000/],
    ['empty name', with_({ caller: '' }), 'bad_value', /leave the field out/],
  ])('%s', (_name, input, reason, detail) => {
    const value = Buffer.from(typeof input === 'string' ? input : JSON.stringify(input));
    const result = decodeMessage(value, {});
    expect(result).toMatchObject({ ok: false, reason });
    expect(result.ok ? '' : result.detail).toMatch(detail);
  });

  it.each([
    ['not JSON', 'not JSON'],
    ['a number', '1234567890'],
    ['a list', '["a","b"]'],
    ['null', 'null'],
    ['numbers in it', '{"a":1}'],
  ])('tags in columns that are %s', (_name, text) => {
    const batch: Batch<'call'> = { ...envelope, type: 'call', records: [{ ...call, tags: { zone: 'a' } }] };
    const value = Buffer.from(encodeBatch(batch, 'protobuf')[0]!.value);
    const at = value.indexOf('{"zone":"a"}');
    // The same length: JSON may end in spaces.
    value.write(text.padEnd('{"zone":"a"}'.length), at);
    expect(decodeMessage(value, {})).toMatchObject({
      ok: false,
      reason: 'bad_value',
      detail: expect.stringMatching(/^tags\[0\]/),
    });
  });

  it('refuses 10 MB of garbage unread, an unknown content type and an unknown schema header', () => {
    expect(decodeMessage(new Uint8Array(MAX_MESSAGE_BYTES + 1), {})).toMatchObject({ ok: false, reason: 'too_large' });
    expect(decodeMessage(Buffer.from('{}'), { 'content-type': 'text/xml' })).toMatchObject({
      ok: false,
      reason: 'bad_encoding',
    });
    expect(decodeMessage(Buffer.from(JSON.stringify(good)), { 'rootwalk-schema': '9' })).toMatchObject({
      ok: false,
      reason: 'unknown_version',
    });
  });

  it('refuses NaN and negative numbers in columns', () => {
    const [message] = encodeBatch({ ...envelope, type: 'call', records: [{ ...bare, count: Number.NaN }] }, 'protobuf');
    expect(decodeMessage(message?.value ?? new Uint8Array(), {})).toMatchObject({ ok: false, reason: 'bad_value' });
    const [negative] = encodeBatch(
      { ...envelope, type: 'call', records: [{ ...bare, durationSumUs: -5 }] },
      'protobuf',
    );
    expect(decodeMessage(negative?.value ?? new Uint8Array(), {})).toMatchObject({ ok: false, reason: 'bad_value' });
  });

  it('never throws on cut or garbled bytes (seed 7)', () => {
    const random = createRandom(7);
    const sources: [RecordType, Uint8Array][] = [
      ...rare,
      { ...envelope, type: 'call', records: [call, bare] } as AnyBatch,
      { ...envelope, type: 'tcp', records: [tcp, bareTcp] } as AnyBatch,
    ].map((batch) => [batch.type, encodeBatch(batch, 'protobuf')[0]?.value ?? new Uint8Array()]);
    let rejected = 0;
    for (const [, value] of sources) {
      for (let cut = 0; cut < value.length; cut++) if (!decodeMessage(value.subarray(0, cut), {}).ok) rejected++;
      for (let round = 0; round < 500; round++) {
        const garbled = Uint8Array.from(value);
        for (let k = 0; k < 3; k++) garbled[Math.floor(random() * garbled.length)] = Math.floor(random() * 256);
        const result = decodeMessage(garbled, {});
        if (!result.ok) rejected++;
      }
    }
    expect(rejected).toBeGreaterThan(1_000);
  });
});
