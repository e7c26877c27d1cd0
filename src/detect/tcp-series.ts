/** Retransmits, drops, connect failures, resets and round-trip times of edges, both sides together. */

import type { TcpField } from '../model/columns.ts';
import { TCP_FIELDS } from '../model/columns.ts';
import type { ClosedWindow, LeafDirectory } from '../model/window.ts';
import { KEY_CALLEE, KEY_CALLER, KEY_SIDE } from '../model/window.ts';
import { withRoom } from './columns.ts';
import type { DetectConfig } from './config.ts';
import type { Entities, Resolver } from './entities.ts';
import type { Family, FamilyState, Moment } from './family.ts';
import { DurationFamily } from './judge-duration.ts';
import { CountFamily, RatioFamily } from './judge-ratio.ts';

const field = (name: TcpField): number => TCP_FIELDS.indexOf(name);
const SEGMENTS_OUT = field('segmentsOut');
const RETRANSMITS = field('retransmits');
const RTT_SUM = field('rttSumUs');
const RTT_COUNT = field('rttCount');
const RESETS_SENT = field('resetsSent');
const RESETS_RECEIVED = field('resetsReceived');
const OVERFLOWS = field('acceptQueueOverflows');

/** What is summed per edge. NaN: nobody reported it. */
const SUMMED = ['segments', 'retransmits', 'drops', 'failures', 'resets', 'rttSum', 'rttCount', 'overflows'] as const;
type Summed = (typeof SUMMED)[number];

/** Round trips: smallest rise that matters. Half of it is felt nowhere. */
const RTT_MIN_US = 1_000;
const RTT_MIN_RATIO = 2;

export class TcpSeries {
  readonly #entities: Entities;
  readonly #retransmits: RatioFamily;
  readonly #drops: CountFamily;
  readonly #failures: CountFamily;
  readonly #resets: CountFamily;
  readonly #overflows: CountFamily;
  readonly #rtt: DurationFamily;
  readonly #sums: Record<Summed, Float64Array>;
  #directory: LeafDirectory | undefined;
  /** By leaf the edge; -1: no window had the leaf. */
  #edge = new Int32Array(0);
  /** Of the window being summed. */
  #edgeOfRow = new Int32Array(0);
  /** Leaves the directory had made when it was last asked. */
  #made = 0;

  constructor(entities: Entities, config: DetectConfig) {
    this.#entities = entities;
    const edge = { entity: 'edge' } as const;
    this.#retransmits = new RatioFamily(
      { ...edge, metric: 'retransmit_ratio', symptoms: ['retransmit_rise'] },
      config,
      {
        floor: 0.001,
        minRise: config.minRetransmitRatio,
        minNumerator: config.minRetransmits,
        minFactor: 2,
        minVolume: 50,
      },
    );
    this.#drops = new CountFamily({ ...edge, metric: 'drops_per_window', symptoms: ['drop_rise'] }, config, {
      floor: 0.2,
      minNumerator: 5,
      minFactor: 3,
    });
    this.#failures = new CountFamily(
      { ...edge, metric: 'connect_failures_per_window', symptoms: ['connect_failure_rise'] },
      config,
      { floor: 0.1, minNumerator: 3, minFactor: 3 },
    );
    this.#resets = new CountFamily({ ...edge, metric: 'resets_per_window', symptoms: ['reset_rise'] }, config, {
      floor: 0.5,
      minNumerator: 10,
      minFactor: 3,
    });
    this.#overflows = new CountFamily(
      { ...edge, metric: 'accept_queue_overflows_per_window', symptoms: ['saturation'] },
      config,
      { floor: 0.1, minNumerator: 3, minFactor: 3 },
    );
    this.#rtt = new DurationFamily({ ...edge, metric: 'rtt_mean_us', symptoms: ['rtt_rise'] }, config, {
      minRatio: RTT_MIN_RATIO,
      minUs: RTT_MIN_US,
      minVolume: 10,
      spreadFloor: 0.2,
    });
    this.#sums = Object.fromEntries(SUMMED.map((name) => [name, new Float64Array(64)])) as Record<Summed, Float64Array>;
  }

  get families(): readonly Family[] {
    return [this.#retransmits, this.#drops, this.#failures, this.#resets, this.#overflows, this.#rtt];
  }

  step(window: ClosedWindow, moment: Moment): void {
    this.#map(window);
    const size = this.#entities.edges.size;
    for (const family of this.families) family.ensure(size);
    this.#sum(window, size);
    const { segments, retransmits, drops, failures, resets, rttSum, rttCount, overflows } = this.#sums;
    // Family by family, not edge by edge: a family's columns stay in the cache.
    for (let i = 0; i < size; i++) {
      const sent = segments[i]!;
      const again = retransmits[i]!;
      if (sent > 0 && again >= 0) this.#retransmits.step(i, moment, Math.min(again, sent), sent);
      else this.#retransmits.unknown(i);
    }
    stepAll(this.#drops, moment, drops, size);
    stepAll(this.#failures, moment, failures, size);
    stepAll(this.#resets, moment, resets, size);
    stepAll(this.#overflows, moment, overflows, size);
    for (let i = 0; i < size; i++) {
      this.#rtt.step(i, moment, rttSum[i]! / rttCount[i]!, rttCount[i]!, 0, Number.NaN, false);
    }
  }

  #sum({ tcp, tcpDirectory }: ClosedWindow, size: number): void {
    for (const name of SUMMED) {
      if (this.#sums[name].length < size) this.#sums[name] = new Float64Array(size * 2);
      this.#sums[name].fill(Number.NaN, 0, size);
    }
    const { segments, retransmits, drops, failures, resets, rttSum, rttCount, overflows } = this.#sums;
    const { keys, width } = tcpDirectory;
    const { leaf, values, rows, hasDrops, hasConnectFailures } = tcp;
    const edges = this.#edgeOfRow;
    addColumn(segments, edges, values[SEGMENTS_OUT], rows);
    addColumn(retransmits, edges, values[RETRANSMITS], rows);
    addColumn(resets, edges, values[RESETS_SENT], rows);
    addColumn(resets, edges, values[RESETS_RECEIVED], rows);
    addColumn(overflows, edges, values[OVERFLOWS], rows);
    for (let r = 0; r < rows; r++) {
      if (hasDrops[r]) addTo(drops, edges[r]!, 0);
      if (hasConnectFailures[r]) addTo(failures, edges[r]!, 0);
    }
    const sum = values[RTT_SUM];
    const count = values[RTT_COUNT];
    for (let r = 0; r < rows; r++) {
      if (keys[leaf[r]! * width + KEY_SIDE] !== 0) continue;
      if (sum !== undefined) addTo(rttSum, edges[r]!, sum[r]!);
      if (count !== undefined) addTo(rttCount, edges[r]!, count[r]!);
    }
    for (let k = 0; k < tcp.dropRow.length; k++) addTo(drops, this.#edge[leaf[tcp.dropRow[k]!]!]!, tcp.dropValue[k]!);
    for (let k = 0; k < tcp.failureRow.length; k++) {
      addTo(failures, this.#edge[leaf[tcp.failureRow[k]!]!]!, tcp.failureValue[k]!);
    }
  }

  /** The edge of each row; leaves that no window had before are given theirs. */
  #map({ tcpDirectory: directory, tcp, names }: ClosedWindow): void {
    if (directory !== this.#directory) {
      this.#directory = directory;
      this.#made = 0;
    }
    this.#edge = withRoom(this.#edge, directory.size);
    // A new leaf may have the id of one that is gone.
    for (const id of directory.since(this.#made)) this.#edge[id] = -1;
    this.#made = directory.made;
    const { keys, width } = directory;
    const { leaf, rows } = tcp;
    if (this.#edgeOfRow.length < rows) this.#edgeOfRow = new Int32Array(rows + (rows >> 3));
    const edge = this.#edge;
    const edges = this.#edgeOfRow;
    let resolve: Resolver | undefined;
    for (let r = 0; r < rows; r++) {
      const id = leaf[r]!;
      if (edge[id]! < 0) {
        resolve ??= this.#entities.resolver(names);
        edge[id] = resolve.edge(keys[id * width + KEY_CALLER]!, keys[id * width + KEY_CALLEE]!);
      }
      edges[r] = edge[id]!;
    }
  }

  save(): readonly FamilyState[] {
    return this.families.map((family) => family.save());
  }

  restore(state: readonly FamilyState[]): void {
    this.families.forEach((family, k) => {
      family.restore(state[k]!);
    });
  }
}

function stepAll(family: CountFamily, moment: Moment, counts: Float64Array, size: number): void {
  for (let i = 0; i < size; i++) family.step(i, moment, counts[i]!);
}

/** Sums a column by edge. */
function addColumn(sums: Float64Array, edges: Int32Array, column: Float64Array | undefined, rows: number): void {
  if (column === undefined) return;
  for (let r = 0; r < rows; r++) addTo(sums, edges[r]!, column[r]!);
}

function addTo(column: Float64Array, i: number, value: number): void {
  if (Number.isNaN(value)) return;
  const old = column[i]!;
  column[i] = Number.isNaN(old) ? value : old + value;
}
