/** One open window of one environment: everything that arrived for it, merged. */
import type { CallColumns, TcpColumns } from '../model/columns.ts';
import { compareNames } from '../model/entity.ts';
import type { ChangeRecord, LogRecord, ResourceRecord, SampleRecord, TopologyRecord } from '../model/records.ts';
import type { ClosedWindow, CollectorHealth, ResourceIdentity } from '../model/window.ts';
import type { Accounts } from './arrivals.ts';
import { Arrivals } from './arrivals.ts';
import { CallBuilder } from './call-builder.ts';
import type { Identities } from './identities.ts';
import { renamedCalls, renamedRelations, renamedTcp } from './renamed.ts';
import { renamedHistograms } from './renamed-histograms.ts';
import { ResourceBuilder } from './resource-builder.ts';
import { identityOf, isSame, merged } from './resource-identities.ts';
import { CallerShares } from './shared-callers.ts';
import { TcpBuilder } from './tcp-builder.ts';

export class WindowBuilder {
  readonly startMs: number;
  readonly windowMs: number;
  readonly #environment: string;
  readonly #identities: Identities;
  readonly #calls: CallBuilder;
  readonly #tcp: TcpBuilder;
  readonly #resources: ResourceBuilder;
  /** Number of an entity -> what this window says of it. */
  readonly #whose = new Map<number, ResourceIdentity>();
  readonly #topology = new Set<string>();
  readonly #changes: ChangeRecord[] = [];
  readonly #health: CollectorHealth[] = [];
  readonly #logs: LogRecord[] = [];
  readonly #samples: SampleRecord[] = [];
  readonly #arrivals = new Arrivals();

  constructor(environment: string, startMs: number, windowMs: number, identities: Identities) {
    this.#environment = environment;
    this.startMs = startMs;
    this.windowMs = windowMs;
    this.#identities = identities;
    const { tcp, expected } = identities;
    this.#calls = new CallBuilder(identities, expected.calls);
    this.#tcp = new TcpBuilder(tcp, expected.tcp);
    this.#resources = new ResourceBuilder((metric) => identities.metricId(metric));
  }

  /** Notes that a batch of this collector arrived, whatever is in it. */
  note(collector: string, type: string, sequence: number, records: number): void {
    this.#arrivals.note(collector, type, sequence, records);
  }

  addCalls(batch: CallColumns): void {
    this.#calls.add(batch, this.#identities.dictionaries.ids(batch), this.#identities.names.id(batch.collector));
  }

  addTcp(batch: TcpColumns): void {
    this.#tcp.add(batch, this.#identities.dictionaries.ids(batch));
  }

  addResource(record: ResourceRecord, collector: string): void {
    const { resources } = this.#identities;
    const id = resources.id(record);
    this.#resources.add(record, id);
    const known = this.#whose.get(id);
    // Mostly it is as in the windows before, and one object serves them all.
    const before = known ?? resources.list[id]!;
    if (isSame(before, record, collector)) {
      if (known === undefined) this.#whose.set(id, before);
      return;
    }
    const own = identityOf(record, collector);
    this.#whose.set(id, known === undefined ? own : merged(known, own));
  }

  addTopology(record: TopologyRecord): void {
    this.#topology.add(`${record.relation}\0${record.from}\0${record.to}`);
  }

  addChange(record: ChangeRecord): void {
    this.#changes.push(record);
  }

  addHealth(entry: CollectorHealth): void {
    this.#health.push(entry);
    this.#arrivals.declare(entry.collector, entry.record);
  }

  addLog(record: LogRecord): void {
    this.#logs.push(record);
  }

  addSample(record: SampleRecord): void {
    this.#samples.push(record);
  }

  /** Marks what the window has of each directory. */
  hold({ calls, tcp, edges }: Held): void {
    this.#calls.hold(calls, edges);
    this.#tcp.hold(tcp);
  }

  /** Marks names that no leaf has. */
  holdNames(used: Uint8Array): void {
    this.#calls.holdNames(used);
    this.#tcp.holdNames(used);
  }

  /** Whether it has an entity of that number. */
  hasResource(id: number): boolean {
    return this.#whose.has(id);
  }

  #named({ calls, histograms, tcp }: Tables): Tables {
    const { joins, namedCalls, namedTcp, namedEdges } = this.#identities;
    const shares = new CallerShares(calls, namedCalls.directory, (leaf) => namedCalls.of(leaf), joins);
    return {
      calls: renamedCalls(calls, namedCalls, shares),
      histograms: renamedHistograms(histograms, namedEdges, shares, this.startMs),
      tcp: renamedTcp(tcp, namedTcp, shares),
    };
  }

  #relations(): ClosedWindow['topology'] {
    const { joins, names } = this.#identities;
    const found = [...this.#topology];
    const named = joins.isEmpty ? found : [...new Set(found.flatMap((entry) => renamedRelations(entry, joins, names)))];
    return named.sort(compareNames).map((entry) => entry.split('\0') as [string, string, string]);
  }

  /** Windows of an environment are closed in order. */
  close(accounts: Accounts): ClosedWindow {
    const { names, calls, tcp, expected, joins } = this.#identities;
    const { startMs } = this;
    this.#calls.report();
    const tables = { calls: this.#calls.table(), histograms: this.#calls.histograms(startMs), tcp: this.#tcp.table() };
    expected.calls = roomy(tables.calls.rows);
    expected.tcp = roomy(tables.tcp.rows);
    joins.learn(this.#tcp.endpoints, tcp, startMs);
    const named = joins.isEmpty ? tables : this.#named(tables);
    const resources = this.#resources.table(this.#identities.resources.list);
    for (const table of new Set([tables, named])) {
      calls.touch(table.calls.leaf, table.calls.rows, startMs);
      tcp.touch(table.tcp.leaf, table.tcp.rows, startMs);
    }
    this.#identities.resources.touch(this.#whose, startMs);
    return {
      environment: this.#environment,
      startMs,
      windowMs: this.windowMs,
      names: names.shown,
      callDirectory: calls,
      tcpDirectory: tcp,
      ...named,
      resources,
      topology: this.#relations(),
      changes: canonical(this.#changes),
      health: canonical(this.#health),
      logs: canonical(this.#logs),
      samples: canonical(this.#samples),
      collectors: this.#arrivals.collectors(),
      incomplete: this.#arrivals.incomplete(accounts),
    };
  }
}

/** By kind of leaf, id -> 1: an open window has it. */
export interface Held {
  readonly calls: Uint8Array;
  readonly tcp: Uint8Array;
  readonly edges: Uint8Array;
}

type Tables = Pick<ClosedWindow, 'calls' | 'histograms' | 'tcp'>;

function roomy(rows: number): number {
  return Math.max(256, Math.ceil(rows * 1.05));
}

/** Sorted by content, so that arrival order leaves no trace. */
function canonical<T>(items: readonly T[]): readonly T[] {
  if (items.length < 2) return items;
  return items
    .map((item) => ({ item, text: stableText(item) }))
    .sort((a, b) => compareNames(a.text, b.text))
    .map(({ item }) => item);
}

function stableText(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    item !== null && typeof item === 'object' && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => compareNames(a, b)))
      : item,
  );
}
