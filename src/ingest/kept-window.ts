/** A closed window as the store keeps it: what a comparison reads, packed. Sketches, logs and samples are not kept. */
import { TCP_FIELDS } from '../model/columns.ts';
import type { ClosedWindow } from '../model/window.ts';
import type { Packed } from './packed.ts';
import { packed, UNKNOWN } from './packed.ts';

export interface KeptCalls {
  readonly rows: number;
  readonly leaf: Packed;
  readonly count: Packed;
  readonly errors: Packed;
  readonly durationSumUs: Packed;
}

export interface KeptTcp extends Pick<ClosedWindow['tcp'], 'dropRow' | 'dropReason' | 'dropValue'> {
  readonly rows: number;
  readonly leaf: Packed;
  /** One column per TCP_FIELDS. */
  readonly values: readonly Packed[];
  readonly hasDrops: Packed;
  readonly hasConnectFailures: Packed;
  readonly failureRow: Uint32Array;
  readonly failureReason: Uint32Array;
  readonly failureValue: Float64Array;
}

export interface KeptResources {
  readonly rows: number;
  readonly entity: Packed;
  readonly metric: Packed;
  readonly value: Packed;
}

export interface KeptWindow
  extends Pick<ClosedWindow, 'startMs' | 'windowMs' | 'health' | 'collectors' | 'incomplete'> {
  readonly calls: KeptCalls;
  readonly tcp: KeptTcp;
  readonly resources: KeptResources;
  /** Bytes of the window as it was built: what `detailBytes` counts. */
  readonly builtBytes: number;
}

/** Cost: O(rows), about 60 ms for 840,000 records. */
export function keep(window: ClosedWindow): KeptWindow {
  const { startMs, windowMs, health, collectors, incomplete, calls, tcp, resources } = window;
  return {
    startMs,
    windowMs,
    health,
    collectors,
    incomplete,
    calls: {
      rows: calls.rows,
      leaf: packed(calls.leaf, calls.rows),
      count: packed(calls.count, calls.rows),
      errors: packed(calls.errors, calls.rows),
      durationSumUs: packed(calls.durationSumUs, calls.rows),
    },
    tcp: {
      rows: tcp.rows,
      leaf: packed(tcp.leaf, tcp.rows),
      values: tcp.values.map((column) => (column === undefined ? UNKNOWN : packed(column, tcp.rows))),
      hasDrops: packed(tcp.hasDrops, tcp.rows),
      hasConnectFailures: packed(tcp.hasConnectFailures, tcp.rows),
      dropRow: tcp.dropRow.slice(),
      dropReason: tcp.dropReason.slice(),
      dropValue: tcp.dropValue.slice(),
      failureRow: tcp.failureRow.slice(),
      failureReason: tcp.failureReason.slice(),
      failureValue: tcp.failureValue.slice(),
    },
    resources: {
      rows: resources.rows,
      entity: packed(resources.entity, resources.rows),
      metric: packed(resources.metric, resources.rows),
      value: packed(resources.value, resources.rows),
    },
    builtBytes: builtBytes(window),
  };
}

function builtBytes({ calls, tcp, resources, histograms }: ClosedWindow): number {
  return (
    calls.rows * 28 +
    tcp.rows * (6 + TCP_FIELDS.length * 8) +
    (tcp.dropRow.length + tcp.failureRow.length + resources.rows) * 16 +
    histograms.counts.byteLength +
    histograms.rows * 17
  );
}
