/**
 * Bytes by owner, out of a snapshot of this process's own heap: every object and array buffer is counted for the first
 * owner in the list that reaches it. Buffers that nobody in the list reaches, and the engine's code, are `rest`.
 */
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeHeapSnapshot } from 'node:v8';

/** What is shown under one name, and the classes whose instances own it; what stands first wins. */
export type Owners = readonly (readonly [name: string, classes: readonly string[]])[];

interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly [readonly string[], ...unknown[]];
      readonly edge_fields: readonly string[];
      readonly edge_types: readonly [readonly string[], ...unknown[]];
    };
    readonly node_count: number;
  };
  readonly nodes: readonly number[];
  readonly edges: readonly number[];
  readonly strings: readonly string[];
}

/** Links that lead from any object to all of the engine's code. */
const NOT_OWNED = new Set([
  'map',
  '__proto__',
  'constructor',
  'prototype',
  'context',
  'shared',
  'code',
  'feedback_cell',
]);

/** Cost: seconds, and some hundred bytes per object; call it at the end. */
export function bytesByOwner(owners: Owners): Readonly<Record<string, number>> {
  const file = writeHeapSnapshot(join(tmpdir(), `rootwalk-bench-${process.pid}.heapsnapshot`));
  const parsed = JSON.parse(readFileSync(file, 'utf8')) as Snapshot;
  rmSync(file);
  return count(parsed, owners);
}

function count({ snapshot, nodes, edges, strings }: Snapshot, owners: Owners): Readonly<Record<string, number>> {
  const { node_fields, node_types, edge_fields, edge_types } = snapshot.meta;
  const nodeWidth = node_fields.length;
  const edgeWidth = edge_fields.length;
  const [type, name, size, edgeCount] = ['type', 'name', 'self_size', 'edge_count'].map((f) =>
    node_fields.indexOf(f),
  ) as [number, number, number, number];
  const [edgeType, edgeName, toNode] = ['type', 'name_or_index', 'to_node'].map((f) => edge_fields.indexOf(f)) as [
    number,
    number,
    number,
  ];
  const first = new Uint32Array(snapshot.node_count + 1);
  for (let n = 0; n < snapshot.node_count; n++) {
    first[n + 1] = first[n]! + nodes[n * nodeWidth + edgeCount]! * edgeWidth;
  }
  const isObject = (n: number): boolean => node_types[0][nodes[n * nodeWidth + type]!] === 'object';
  const nameOf = (n: number): string => strings[nodes[n * nodeWidth + name]!]!;
  const isOwned = (e: number): boolean => {
    const kind = edge_types[0][edges[e + edgeType]!];
    if (kind === 'weak' || kind === 'shortcut') return false;
    return kind === 'element' || kind === 'hidden' || !NOT_OWNED.has(strings[edges[e + edgeName]!]!);
  };
  const seen = new Uint8Array(snapshot.node_count);
  const bytes: Record<string, number> = {};
  const roots = new Map<string, number[]>(owners.flatMap(([, classes]) => classes.map((c) => [c, [] as number[]])));
  for (let n = 0; n < snapshot.node_count; n++) if (isObject(n)) roots.get(nameOf(n))?.push(n);
  for (const [owner, classes] of owners) {
    let sum = 0;
    const open = classes.flatMap((c) => roots.get(c) ?? []).filter((n) => seen[n] === 0);
    for (const n of open) seen[n] = 1;
    for (let n = open.pop(); n !== undefined; n = open.pop()) {
      sum += nodes[n * nodeWidth + size]!;
      for (let e = first[n]!; e < first[n + 1]!; e += edgeWidth) {
        const to = edges[e + toNode]! / nodeWidth;
        if (seen[to] === 1 || !isOwned(e)) continue;
        seen[to] = 1;
        open.push(to);
      }
    }
    bytes[owner] = sum;
  }
  let rest = 0;
  for (let n = 0; n < snapshot.node_count; n++) if (seen[n] === 0) rest += nodes[n * nodeWidth + size]!;
  return { ...bytes, rest };
}
