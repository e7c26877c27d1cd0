/**
 * Leaves, edges, names and resources that nothing refers to any more are forgotten, and their numbers given to others: with
 * every deploy instances get new names, and an engine runs for weeks. Known is who was in a window that is kept, singly or
 * in a minute's sums, or is in an open one. What is forgotten depends on closed windows only: what an open window brought
 * back before it was looked at becomes as new as what comes after.
 */
import type { LeafDirectory } from '../model/window.ts';
import {
  KEY_CALLEE,
  KEY_CALLEE_INSTANCE,
  KEY_CALLEE_MACHINE,
  KEY_CALLER,
  KEY_CALLER_INSTANCE,
  KEY_CALLER_MACHINE,
  KEY_ERROR_TYPE,
  KEY_OPERATION,
  KEY_PROTOCOL,
  KEY_STATUS,
  KEY_TAGS,
  MANY_COLLECTORS,
} from '../model/window.ts';
import type { Directory, Forgotten } from './directory.ts';
import type { Identities } from './identities.ts';
import type { KeptWindow } from './kept-window.ts';
import type { WindowBuilder } from './window-builder.ts';

/** Where keys have names: the side and the port are none. */
const END_NAMES = [
  KEY_CALLER,
  KEY_CALLEE,
  KEY_CALLER_INSTANCE,
  KEY_CALLEE_INSTANCE,
  KEY_CALLER_MACHINE,
  KEY_CALLEE_MACHINE,
];
const CALL_NAMES = [...END_NAMES, KEY_PROTOCOL, KEY_OPERATION, KEY_STATUS, KEY_ERROR_TYPE, KEY_TAGS];
const EDGE_NAMES = [0, 1];

/**
 * @param fromMs  start of the oldest window that is kept
 * @param kept    windows that are kept singly
 * @param open    open windows, oldest first
 * Cost: O(identities + rows of the open windows).
 */
export function forget(
  identities: Identities,
  fromMs: number,
  kept: readonly KeptWindow[],
  open: readonly WindowBuilder[],
): void {
  const { calls, tcp, edges, resources } = identities;
  const held = {
    calls: new Uint8Array(calls.size),
    tcp: new Uint8Array(tcp.size),
    edges: new Uint8Array(edges.size),
  };
  for (const window of open) window.hold(held);
  const goneEdges = edges.forget(fromMs, held.edges);
  const goneCalls = calls.forget(fromMs, held.calls);
  const goneTcp = tcp.forget(fromMs, held.tcp);
  if (goneEdges !== undefined) identities.namedEdges.forget(goneEdges);
  if (goneTcp !== undefined) identities.namedTcp.forget(goneTcp);
  if (goneCalls !== undefined) identities.namedCalls.forget(goneCalls);
  forgetEdges(identities, goneCalls, goneEdges);
  resources.forget(fromMs, (id) => open.some((window) => window.hasResource(id)));
  forgetNames(identities, kept, open);
}

/** No leaf leads to an edge that is gone, and none that is gone to an edge. */
function forgetEdges({ calls, edgeOf }: Identities, leaves: Forgotten | undefined, edges: Forgotten | undefined): void {
  if (leaves === undefined && edges === undefined) return;
  for (let leaf = 0; leaf < calls.size; leaf++) {
    const edge = edgeOf.get(leaf);
    if (edge >= 0 && (leaves?.gone[leaf] === 1 || edges?.gone[edge] === 1)) edgeOf.set(leaf, -1);
  }
}

function forgetNames(identities: Identities, kept: readonly KeptWindow[], open: readonly WindowBuilder[]): void {
  const { names, calls, tcp, edges, metrics, joins, dictionaries } = identities;
  const used = new Uint8Array(names.size);
  const useAll = (leavesOf: (directory: Directory) => Uint32Array): void => {
    useKeys(calls, leavesOf(calls), CALL_NAMES, used);
    useKeys(tcp, leavesOf(tcp), END_NAMES, used);
    useKeys(edges, leavesOf(edges), EDGE_NAMES, used);
  };
  // An address is remembered as long as a leaf of a closed window has it; then the names of who was behind it count too.
  useAll((directory) => directory.seenSince(0));
  joins.forget(used);
  useAll((directory) => directory.since(0));
  useCollectors(calls, used);
  for (const metric of metrics.values()) used[metric] = 1;
  for (const { tcp: counters } of kept) {
    for (const reason of counters.dropReason) used[reason] = 1;
    for (const reason of counters.failureReason) used[reason] = 1;
  }
  for (const window of open) window.holdNames(used);
  const gone = names.forget(used);
  if (gone !== undefined) dictionaries.forget(gone);
}

/** Marks the names at some places of the keys. */
function useKeys(
  { keys, width }: LeafDirectory,
  leaves: Uint32Array,
  places: readonly number[],
  used: Uint8Array,
): void {
  for (const id of leaves) for (const at of places) used[keys[id * width + at]!] = 1;
}

function useCollectors(directory: LeafDirectory, used: Uint8Array): void {
  const { collector } = directory;
  for (const id of directory.since(0)) if (collector[id] !== MANY_COLLECTORS) used[collector[id]!] = 1;
}
