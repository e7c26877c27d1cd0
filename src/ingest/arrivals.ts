/**
 * What arrived of each collector for one window, and what is known to be missing of it. A collector that falls silent, a
 * partition (or a request to the bus) that is lost, and a service without traffic are three things:
 *
 * - the collector is silent when nothing of it arrived;
 * - records were lost when fewer arrived than the collector's health record says it made, when a sequence number is
 *   missing, or when a type and the health record that would account for it are both missing;
 * - else no row means zero.
 */
import { compareNames } from '../model/entity.ts';
import type { HealthRecord } from '../model/records.ts';

/** Its topic is compacted: older parts may be gone from a log that is read again, and nothing is counted from them. */
const UNCOUNTED = 'topology';

/** Collector -> the types it last said it had records of. Shared by the windows of an environment. */
export type Accounts = Map<string, readonly string[]>;

interface Arrived {
  readonly sequences: Set<number>;
  records: number;
}

export class Arrivals {
  /** Collector -> type -> what came. */
  readonly #arrived = new Map<string, Map<string, Arrived>>();
  /** Collector -> type -> records it made. */
  readonly #produced = new Map<string, Map<string, number>>();

  /** Notes that a batch of this collector arrived, whatever is in it. */
  note(collector: string, type: string, sequence: number, records: number): void {
    let types = this.#arrived.get(collector);
    if (types === undefined) {
      types = new Map();
      this.#arrived.set(collector, types);
    }
    let arrived = types.get(type);
    if (arrived === undefined) {
      arrived = { sequences: new Set(), records: 0 };
      types.set(type, arrived);
    }
    arrived.sequences.add(sequence);
    arrived.records += records;
  }

  declare(collector: string, { recordsProduced }: HealthRecord): void {
    if (recordsProduced === undefined) return;
    const sums = this.#produced.get(collector) ?? new Map<string, number>();
    for (const [type, count] of Object.entries(recordsProduced)) {
      if (type !== UNCOUNTED) sums.set(type, (sums.get(type) ?? 0) + count);
    }
    this.#produced.set(collector, sums);
  }

  /** Collectors of which anything arrived, sorted. */
  collectors(): string[] {
    return [...this.#arrived.keys()].sort(compareNames);
  }

  /** `collector/type` of records known to be missing, sorted. Windows must be asked in order. */
  incomplete(accounts: Accounts): string[] {
    const gaps: string[] = [];
    for (const [collector, types] of this.#arrived) {
      const produced = this.#produced.get(collector);
      const missing = new Set<string>();
      for (const [type, { sequences, records }] of types) {
        if (sequences.size < Math.max(...sequences) + 1 || records < (produced?.get(type) ?? 0)) missing.add(type);
      }
      const due =
        produced === undefined
          ? (accounts.get(collector) ?? [])
          : [...produced].filter(([, count]) => count > 0).map(([type]) => type);
      for (const type of due) if (!types.has(type)) missing.add(type);
      if (produced !== undefined) accounts.set(collector, due);
      for (const type of missing) gaps.push(`${collector}/${type}`);
    }
    return gaps.sort(compareNames);
  }
}
