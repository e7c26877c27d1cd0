/** The decoder on frames put together by hand: any cut of the stream, big times, bad input. */
import { describe, expect, it } from 'vitest';
import { formatAddress } from '../../../collector/frames/address.ts';
import {
  FRAME_TYPE,
  RW_CONN_EVENT,
  RW_DATA_EVENT,
  RW_DATAGRAM_EVENT,
  RW_FLOW_EVENT,
  RW_HELLO,
  RW_NAME,
  RW_TCP_TOTALS,
  RW_TUPLE,
  UNKNOWN_U32,
  WIRE_VERSION,
} from '../../../collector/frames/layout.ts';
import type { ConnFrame, DataFrame, DatagramFrame, FlowFrame, Frame } from '../../../collector/frames/types.ts';
import { FrameDecoder } from '../../../collector/frames/wire.ts';

const BOOT_MS = 1_795_000_000_000;

function frame(type: number, size: number, fill: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, size, true);
  view.setUint16(4, type, true);
  fill(view, bytes);
  return bytes;
}

const text = (bytes: Uint8Array, at: number, value: string): void => bytes.set(new TextEncoder().encode(value), at);

function hello(version = WIRE_VERSION): Uint8Array {
  return frame(FRAME_TYPE.hello, RW_HELLO.size, (view, bytes) => {
    view.setUint32(RW_HELLO.wire_version, version, true);
    view.setBigUint64(RW_HELLO.boot_offset_ns, BigInt(BOOT_MS) * 1_000_000n + 500_000n, true);
    view.setBigUint64(RW_HELLO.ktime_ns, 1_000_000n, true);
    text(bytes, RW_HELLO.kernel_release, '6.1.0-test');
  });
}

function data(payload: string, enterNs: bigint): Uint8Array {
  return frame(FRAME_TYPE.data, RW_DATA_EVENT.size + payload.length, (view, bytes) => {
    view.setBigUint64(RW_DATA_EVENT.enter_ns, enterNs, true);
    view.setBigUint64(RW_DATA_EVENT.exit_ns, enterNs + 2_000n, true);
    view.setBigUint64(RW_DATA_EVENT.conn_id, (1n << 40n) | 3n, true);
    view.setUint32(RW_DATA_EVENT.stream_seq, 0xfffffff0, true);
    view.setUint32(RW_DATA_EVENT.full_length, 70_000, true);
    view.setUint32(RW_DATA_EVENT.flags, 1, true);
    view.setUint8(RW_DATA_EVENT.direction, 1);
    view.setUint8(RW_DATA_EVENT.protocol, 1);
    view.setUint8(RW_DATA_EVENT.role, 2);
    text(bytes, RW_DATA_EVENT.size, payload);
  });
}

function conn(): Uint8Array {
  return frame(FRAME_TYPE.conn, RW_CONN_EVENT.size, (view, bytes) => {
    view.setUint8(RW_CONN_EVENT.kind, 2);
    view.setUint8(RW_CONN_EVENT.reason, 1);
    view.setInt32(RW_CONN_EVENT.error, 111, true);
    bytes.set([10, 0, 0, 1], RW_CONN_EVENT.tuple + RW_TUPLE.local_addr);
    bytes.set([10, 0, 0, 2], RW_CONN_EVENT.tuple + RW_TUPLE.remote_addr);
    view.setUint16(RW_CONN_EVENT.tuple + RW_TUPLE.local_port, 40_000, true);
    view.setUint16(RW_CONN_EVENT.tuple + RW_TUPLE.remote_port, 80, true);
    bytes[RW_CONN_EVENT.tuple + RW_TUPLE.family] = 4;
    bytes[RW_CONN_EVENT.tuple + RW_TUPLE.role] = 1;
    view.setUint32(RW_CONN_EVENT.totals + RW_TCP_TOTALS.last_rtt_us, UNKNOWN_U32, true);
    view.setUint32(RW_CONN_EVENT.totals + RW_TCP_TOTALS.rwnd_limited_ms, UNKNOWN_U32, true);
    text(bytes, RW_CONN_EVENT.comm, 'curl');
  });
}

function name(id: number, value: string): Uint8Array {
  return frame(FRAME_TYPE.name, RW_NAME.size, (view, bytes) => {
    view.setUint32(RW_NAME.id, id, true);
    text(bytes, RW_NAME.name, value);
  });
}

function drop(reason: number): Uint8Array {
  return frame(FRAME_TYPE.flow, RW_FLOW_EVENT.size, (view) => {
    view.setUint32(RW_FLOW_EVENT.kind, 1, true);
    view.setUint32(RW_FLOW_EVENT.reason, reason, true);
    view.setBigUint64(RW_FLOW_EVENT.count, 7n, true);
    view.setUint8(RW_FLOW_EVENT.tuple + RW_TUPLE.family, 4);
  });
}

function datagram(payload: string, errno: number): Uint8Array {
  return frame(FRAME_TYPE.datagram, RW_DATAGRAM_EVENT.size + payload.length, (view, bytes) => {
    view.setBigUint64(RW_DATAGRAM_EVENT.ts_ns, 5_000_000n, true);
    view.setUint32(RW_DATAGRAM_EVENT.tgid, 77, true);
    view.setUint32(RW_DATAGRAM_EVENT.full_length, 900, true);
    view.setInt32(RW_DATAGRAM_EVENT.error, errno, true);
    view.setUint8(RW_DATAGRAM_EVENT.direction, 2);
    bytes.set([10, 0, 0, 1], RW_DATAGRAM_EVENT.tuple + RW_TUPLE.local_addr);
    bytes.set([10, 0, 0, 2], RW_DATAGRAM_EVENT.tuple + RW_TUPLE.remote_addr);
    view.setUint16(RW_DATAGRAM_EVENT.tuple + RW_TUPLE.local_port, 53, true);
    view.setUint16(RW_DATAGRAM_EVENT.tuple + RW_TUPLE.remote_port, 40_000, true);
    bytes.set([4, 2, 7], RW_DATAGRAM_EVENT.tuple + RW_TUPLE.family);
    text(bytes, RW_DATAGRAM_EVENT.comm, 'dnsmasq');
    text(bytes, RW_DATAGRAM_EVENT.size, payload);
  });
}

const stream = (...parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);

function decode(bytes: Uint8Array, step = bytes.length): Frame[] {
  const decoder = new FrameDecoder();
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; at += step) {
    // A copy per chunk, as the runtime gives them.
    decoder.push(bytes.slice(at, at + step), (each) =>
      frames.push(each.type === 'data' ? { ...each, head: Uint8Array.from(each.head) } : each),
    );
  }
  return frames;
}

describe('FrameDecoder', () => {
  const all = stream(hello(), name(12, 'NETFILTER_DROP'), conn(), data('GET / HTTP/1.1\r\n', 5_000_000n), drop(12));

  it('decodes the same frames however the stream is cut', () => {
    const whole = decode(all);
    expect(whole.map((each) => each.type)).toEqual(['hello', 'name', 'conn', 'data', 'flow']);
    for (const step of [1, 2, 3, 7, 64, 100, 199, 200, 201]) expect(decode(all, step)).toEqual(whole);
  });

  it('gives times as epoch milliseconds and keeps microseconds', () => {
    const [first, , , second] = decode(all) as [Frame, Frame, Frame, DataFrame];
    expect(first).toMatchObject({ type: 'hello', atMs: BOOT_MS + 1.5, kernelRelease: '6.1.0-test' });
    expect(second.enterMs).toBe(BOOT_MS + 5.5);
    expect(second.exitMs - second.enterMs).toBeCloseTo(0.002, 3);
  });

  it('keeps durations exact to 2 ns beyond 2^53 ns of uptime', () => {
    const enter = (1n << 53n) + 1_000_000_000_000_001n;
    const [, frameOfData] = decode(stream(hello(), data('x', enter))) as [Frame, DataFrame];
    expect(frameOfData.enterMs).toBeCloseTo(BOOT_MS + 0.5 + Number(enter / 1000n) / 1000, 2);
  });

  it('reads a data frame whole', () => {
    const found = decode(all)[3] as DataFrame;
    expect(found).toMatchObject({
      connId: 2 ** 40 + 3,
      direction: 'send',
      role: 'server',
      protocol: 'http1',
      streamSeq: 0xfffffff0,
      fullLength: 70_000,
      fault: true,
      noPayload: false,
    });
    expect(Buffer.from(found.head).toString()).toBe('GET / HTTP/1.1\r\n');
  });

  it('reads a datagram whole, and why there is none', () => {
    const [, found, failed] = decode(stream(hello(), datagram('question', 0), datagram('', 111))) as [
      Frame,
      DatagramFrame,
      DatagramFrame,
    ];
    expect(found).toMatchObject({
      atMs: BOOT_MS + 5.5,
      pid: 77,
      comm: 'dnsmasq',
      role: 'server',
      protocol: 'dns',
      direction: 'recv',
      fullLength: 900,
      errno: 0,
      tuple: { localAddress: '10.0.0.1', localPort: 53, remoteAddress: '10.0.0.2', remotePort: 40_000 },
    });
    expect(Buffer.from(found.head).toString()).toBe('question');
    expect([failed.errno, failed.head.length]).toEqual([111, 0]);
  });

  it('leaves unknown values absent', () => {
    const found = decode(all)[2] as ConnFrame;
    expect(found).toMatchObject({ kind: 'failed', reason: 'refused', errno: 111, role: 'client', comm: 'curl' });
    expect(found.tuple).toEqual({
      family: 4,
      localAddress: '10.0.0.1',
      localPort: 40_000,
      remoteAddress: '10.0.0.2',
      remotePort: 80,
    });
    expect(found).not.toHaveProperty('connectNs');
    for (const key of ['srttUs', 'lastRttUs', 'rwndLimitedMs']) expect(found.totals).not.toHaveProperty(key);
  });

  it('names drop reasons, and numbers those it was not told', () => {
    expect((decode(all)[4] as FlowFrame).reason).toBe('NETFILTER_DROP');
    expect((decode(stream(hello(), drop(77)))[1] as FlowFrame).reason).toBe('REASON_77');
  });

  it('passes over frames of a type it does not know', () => {
    const decoder = new FrameDecoder();
    const frames: Frame[] = [];
    decoder.push(
      stream(
        hello(),
        frame(999, 24, () => undefined),
        drop(12),
      ),
      (each) => frames.push(each),
    );
    expect(frames.map((each) => each.type)).toEqual(['hello', 'flow']);
    expect(decoder.skipped).toBe(1);
  });

  it.each([
    ['another wire version', hello(1), /wire version 1, expected 3/],
    ['a length below the header', frame(20, 8, (view) => view.setUint32(0, 7, true)), /frame length 7/],
    ['a huge length', frame(20, 8, (view) => view.setUint32(0, 1 << 30, true)), /frame length 1073741824/],
    ['a struct of another size', frame(FRAME_TYPE.conn, 100, () => undefined), /conn frame of 100 bytes, expected 208/],
    ['an unknown kind', frame(FRAME_TYPE.conn, RW_CONN_EVENT.size, () => undefined), /conn kind is not known/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decode(bytes)).toThrow(message);
  });
});

describe('formatAddress', () => {
  it.each([
    ['0a000001000000000000000000000000', 4, '10.0.0.1'],
    ['00000000000000000000000000000001', 6, '::1'],
    ['00000000000000000000000000000000', 6, '::'],
    ['20010db8000000000001000000000001', 6, '2001:db8::1:0:0:1'],
    ['20010db8000100010001000100010001', 6, '2001:db8:1:1:1:1:1:1'],
    ['fe800000000000000202b3fffe1e8329', 6, 'fe80::202:b3ff:fe1e:8329'],
    ['20010db8000000010001000100010001', 6, '2001:db8:0:1:1:1:1:1'],
    ['00000000000000000000000000000000', 0, ''],
    ['031f00000000000001fe000001000000', 1, 'unix:1f03-fe01'],
    ['efbeadde0000000007000000020000ff', 1, 'unix:@deadbeef-7'],
    ['0123456789abcdef2a00000003000000', 1, 'unix:~efcdab8967452301-2a'],
  ])('%s family %i is %s', (hex, family, expected) => {
    expect(formatAddress(Buffer.from(hex, 'hex'), 0, family)).toBe(expected);
  });
});
