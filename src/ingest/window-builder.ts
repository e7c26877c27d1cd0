/** One open window of one environment: everything that arrived for it, merged. */
import type { CallColumns, TcpColumns } from '../model/columns.ts';
import { compareNames } from '../model/entity.ts';
import type { ChangeRecord, LogRecord, ResourceRecord, SampleRecord, TopologyRecord } from '../model/records.ts';
import type { ClosedWindow, CollectorHealth, ResourceIdentity } from '../model/window.ts';
import { CALL_KEY_WIDTH, TCP_KEY_WIDTH } from '../model/window.ts';
import type { Accounts } from './arrivals.ts';
import { Arrivals } from './arrivals.ts';
import { CallBuilder } from './call-builder.ts';
import { Dictionaries } from './dictionaries.ts';
import { Directory } from './directory.ts';
import { EDGE_KEY_WIDTH } from './edge-key.ts';
import { RowIndex } from './growable.ts';
import { Joins } from './joins.ts';
import { NameTable } from './names.ts';
import { renamedCalls, renamedRelations, renamedTcp } from './renamed.ts';
import { renamedHistograms } from './renamed-histograms.ts';
import { RenamedIds } from './renamed-ids.ts';
import { ResourceBuilder } from './resource-builder.ts';
import { CallerShares } from './shared-callers.ts';
import type { SketchLog } from './sketch-log.ts';
import { TcpBuilder } from './tcp-builder.ts';

/** Identities shared by all windows of an environment. */
export class Identities {
  readonly names = new NameTable();
  readonly calls = new Directory(CALL_KEY_WIDTH);
  readonly tcp = new Directory(TCP_KEY_WIDTH);
  /** caller, callee, side. */
  readonly edges = new Directory(EDGE_KEY_WIDTH);
  readonly resources: ResourceIdentity[] = [];
  /** Kind of entity -> name -> number. */
  readonly #resourceIds = { instance: new Map<string, number>(), machine: new Map<string, number>() };
  readonly dictionaries = new Dictionaries(this.names);
  readonly joins = new Joins(this.names);
  readonly namedCalls = new RenamedIds(this.calls, this.joins, (key) => this.joins.rename(key));
  readonly namedTcp = new RenamedIds(this.tcp, this.joins, (key) => this.joins.rename(key));
  readonly namedEdges = new RenamedIds(this.edges, this.joins, (key) => this.joins.renameEdge(key));
  /** Call leaf -> its edge, once a sketch asked for it. */
  readonly edgeOf = new RowIndex();
  /** Sketch logs of closed windows, to be used again. */
  readonly spareLogs: SketchLog[] = [];
  /** Sizes of the last closed window, with some room: the next one is built without growing. */
  readonly expected = { calls: 256, tcp: 256 };

  resource(record: ResourceRecord, collector: string): number {
    const ids = this.#resourceIds[record.entityKind];
    const known = ids.get(record.entity);
    if (known !== undefined) return known;
    const id = this.resources.length;
    ids.set(record.entity, id);
    this.resources.push({
      entityKind: record.entityKind,
      entity: record.entity,
      collector,
      ...(record.service === undefined ? {} : { service: record.service }),
      ...(record.machine === undefined ? {} : { machine: record.machine }),
    });
    return id;
  }
}

export class WindowBuilder {
  readonly startMs: number;
  readonly windowMs: number;
  readonly #environment: string;
  readonly #identities: Identities;
  readonly #calls: CallBuilder;
  readonly #tcp: TcpBuilder;
  readonly #resources: ResourceBuilder;
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
    this.#resources = new ResourceBuilder(identities.names);
  }

  /** Notes that a batch of this collector arrived, whatever is in it. */
  note(collector: string, type: string, sequence: number, records: number): void {
    this.#arrivals.note(collector, type, sequence, records);
  }

  addCalls(batch: CallColumns): void {
    this.#calls.add(batch, this.#identities.dictionaries.ids(batch), this.#identities.names.id(batch.collector));
  }

  addTcp(batch: TcpColumns): void {
    this.#tcp.add(batch, this.#identities.dictionaries.ids(batch), this.#identities.names.id(batch.collector));
  }

  addResource(record: ResourceRecord, collector: string): void {
    this.#resources.add(record, this.#identities.resource(record, collector));
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

  #named({ calls, histograms, tcp }: Tables): Tables {
    const { joins, namedCalls, namedTcp, namedEdges } = this.#identities;
    const shares = new CallerShares(calls, namedCalls.directory, (leaf) => namedCalls.of(leaf), joins);
    return {
      calls: renamedCalls(calls, namedCalls, shares),
      histograms: renamedHistograms(histograms, namedEdges, shares),
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
    const tables = { calls: this.#calls.table(), histograms: this.#calls.histograms(), tcp: this.#tcp.table() };
    expected.calls = roomy(tables.calls.rows);
    expected.tcp = roomy(tables.tcp.rows);
    joins.learn(this.#tcp.endpoints, tcp, this.startMs);
    const named = joins.isEmpty ? tables : this.#named(tables);
    return {
      environment: this.#environment,
      startMs: this.startMs,
      windowMs: this.windowMs,
      names,
      callDirectory: calls,
      tcpDirectory: tcp,
      ...named,
      resources: this.#resources.table(this.#identities.resources),
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
