/** Primitive reads from one chunk of the loader's stream, and the parts that several frames share. */
import { RcaError } from '../../src/model/errors.ts';
import { formatAddress } from './address.ts';
import { RW_TCP_TOTALS, RW_TUPLE, UNKNOWN_U32 } from './layout.ts';
import type { Role, TcpTotals, Tuple, WireProtocol } from './types.ts';
import { ROLES } from './types.ts';

const PROTOCOLS: Readonly<Record<number, WireProtocol>> = {
  0: 'undetermined',
  1: 'http1',
  2: 'postgresql',
  3: 'mysql',
  4: 'redis',
  5: 'fastcgi',
  6: 'h2',
  7: 'dns',
  32: 'other',
  33: 'tls',
  34: 'http2',
  35: 'excluded',
};
const TEXT = new TextDecoder();

/** Reads at absolute offsets of the chunk last given to `load`. */
export class WireReader {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  #offsetMs = 0;

  load(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  tuple(at: number): Tuple {
    const family = this.u8(at + RW_TUPLE.family);
    return {
      family,
      localAddress: formatAddress(this.bytes, at + RW_TUPLE.local_addr, family),
      localPort: this.view.getUint16(at + RW_TUPLE.local_port, true),
      remoteAddress: formatAddress(this.bytes, at + RW_TUPLE.remote_addr, family),
      remotePort: this.view.getUint16(at + RW_TUPLE.remote_port, true),
    };
  }

  totals(at: number): TcpTotals {
    const srttUs = this.u32(at + RW_TCP_TOTALS.srtt_us);
    const lastRttUs = this.u32(at + RW_TCP_TOTALS.last_rtt_us);
    const rwndLimitedMs = this.u32(at + RW_TCP_TOTALS.rwnd_limited_ms);
    return {
      bytesSent: this.u64(at + RW_TCP_TOTALS.bytes_sent),
      bytesReceived: this.u64(at + RW_TCP_TOTALS.bytes_received),
      segmentsOut: this.u32(at + RW_TCP_TOTALS.segs_out),
      segmentsIn: this.u32(at + RW_TCP_TOTALS.segs_in),
      retransmits: this.u32(at + RW_TCP_TOTALS.retransmits),
      totalRetransmits: this.u32(at + RW_TCP_TOTALS.total_retransmits),
      ...(srttUs === 0 ? {} : { srttUs }),
      ...(lastRttUs === UNKNOWN_U32 ? {} : { lastRttUs }),
      resetsSent: this.u32(at + RW_TCP_TOTALS.resets_sent),
      resetsReceived: this.u32(at + RW_TCP_TOTALS.resets_received),
      ...(rwndLimitedMs === UNKNOWN_U32 ? {} : { rwndLimitedMs }),
      sendWindowBytes: this.u32(at + RW_TCP_TOTALS.snd_wnd),
      receiveWindowBytes: this.u32(at + RW_TCP_TOTALS.rcv_wnd),
      unreadBytes: this.u32(at + RW_TCP_TOTALS.unread_bytes),
      unsentBytes: this.u32(at + RW_TCP_TOTALS.unsent_bytes),
      unknownBytes: this.u32(at + RW_TCP_TOTALS.unknown_bytes),
    };
  }

  role(at: number): Role {
    return known(ROLES[this.u8(at)], 'role');
  }

  protocol(at: number): WireProtocol {
    return known(PROTOCOLS[this.u8(at)], 'protocol');
  }

  /** Sets the clock from CLOCK_REALTIME − CLOCK_MONOTONIC in ns; microseconds are kept. */
  clock(at: number): void {
    this.#offsetMs = Number(this.view.getBigUint64(at, true) / 1000n) / 1000;
  }

  /** ns of CLOCK_MONOTONIC → epoch ms. A double holds ns exactly for 104 days of uptime and to 2 ns for 208. */
  ms(at: number): number {
    return this.#offsetMs + this.u64(at) / 1e6;
  }

  u8(at: number): number {
    return this.bytes[at]!;
  }

  u32(at: number): number {
    return this.view.getUint32(at, true);
  }

  u64(at: number): number {
    return this.view.getUint32(at + 4, true) * 0x1_0000_0000 + this.view.getUint32(at, true);
  }

  text(at: number, size: number): string {
    let end = at;
    while (end < at + size && this.bytes[end] !== 0) end++;
    return TEXT.decode(this.bytes.subarray(at, end));
  }
}

export function known<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw malformed(`${what} is not known`);
  return value;
}

export function malformed(found: string): RcaError {
  return new RcaError('RCA_BAD_INPUT', `the loader's stream is not readable: ${found}`);
}
