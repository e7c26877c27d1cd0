/** Identities shared by all windows of an environment. */
import { CALL_KEY_WIDTH, TCP_KEY_WIDTH } from '../model/window.ts';
import { Dictionaries } from './dictionaries.ts';
import { Directory } from './directory.ts';
import { EDGE_KEY_WIDTH } from './edge-key.ts';
import { RowIndex } from './growable.ts';
import { Joins } from './joins.ts';
import { NameTable } from './names.ts';
import { RenamedIds } from './renamed-ids.ts';
import { ResourceIdentities } from './resource-identities.ts';
import type { SketchLog } from './sketch-log.ts';

export class Identities {
  readonly names = new NameTable();
  readonly calls = new Directory(CALL_KEY_WIDTH);
  readonly tcp = new Directory(TCP_KEY_WIDTH);
  /** caller, callee, side. */
  readonly edges = new Directory(EDGE_KEY_WIDTH);
  readonly resources = new ResourceIdentities();
  readonly dictionaries = new Dictionaries(this.names);
  readonly joins = new Joins(this.names);
  readonly namedCalls = new RenamedIds(this.calls, this.joins, (key) => this.joins.rename(key));
  readonly namedTcp = new RenamedIds(this.tcp, this.joins, (key) => this.joins.rename(key));
  readonly namedEdges = new RenamedIds(this.edges, this.joins, (key) => this.joins.renameEdge(key));
  /** Call leaf -> its edge, once a sketch asked for it. */
  readonly edgeOf = new RowIndex();
  /** Names of metrics: few, and never forgotten. */
  readonly metrics = new Map<string, number>();
  /** Sketch logs of closed windows, to be used again. */
  readonly spareLogs: SketchLog[] = [];
  /** Sizes of the last closed window, with some room: the next one is built without growing. */
  readonly expected = { calls: 256, tcp: 256 };

  metricId(metric: string): number {
    const known = this.metrics.get(metric);
    if (known !== undefined) return known;
    const id = this.names.id(metric);
    this.metrics.set(metric, id);
    return id;
  }
}
