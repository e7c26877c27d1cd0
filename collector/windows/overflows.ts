/**
 * Connections that listeners lost to a full accept queue, shared out among the edges to them. The kernel counts them per
 * listener; whose they were is told by the connects that have no answer, else by who is connected.
 */
import type { ListenerStatsFrame } from '../frames/types.ts';
import type { Edge, EdgeResolver } from '../naming/edges.ts';
import type { Connection } from '../tracker/connection.ts';
import type { TupleIndex } from '../tracker/tuple-index.ts';

export interface OverflowShare {
  /** At the server's side. */
  readonly edge: Edge;
  readonly count: number;
}

/**
 * Shares of one listener's losses, as whole numbers that add up to them.
 *
 * By the number of connects without a server's end (largest remainder, ties by the edge's id); where none is on this
 * host by the number of connections at the listener; where there is none either the caller is `external`.
 *
 * @param connections  those that live, and those that ended in the interval
 * @param edgeOf       the edge of a connection, undefined when it is not to be reported
 * @returns empty when nothing names the listener
 * Cost: O(connections)
 */
export function overflowShares(
  frame: ListenerStatsFrame,
  connections: Iterable<Connection>,
  resolver: EdgeResolver,
  index: TupleIndex,
  edgeOf: (connection: Connection) => Edge | undefined,
): OverflowShare[] {
  const waiting = new Map<Edge, number>();
  const present = new Map<Edge, number>();
  for (const connection of connections) {
    if (!isAt(connection, frame, resolver)) continue;
    const edge = edgeOf(connection);
    if (edge === undefined) continue;
    const isWaiting = connection.role === 'client' && index.peer(connection) === undefined;
    if (connection.role === 'client' && !isWaiting) continue;
    const counts = isWaiting ? waiting : present;
    const side = connection.role === 'client' ? resolver.fromSide('server', edge) : edge;
    counts.set(side, (counts.get(side) ?? 0) + 1);
  }
  const weights = waiting.size > 0 ? waiting : present;
  if (weights.size > 0) return share(frame.drops, weights);
  const edge = resolver.listenerEdge(frame.tuple, frame.netns, frame.pid);
  return edge === undefined ? [] : [{ edge, count: frame.drops }];
}

/** Whether a connection is, or would be, one of the listener's. */
function isAt(connection: Connection, { tuple, netns }: ListenerStatsFrame, resolver: EdgeResolver): boolean {
  const own = connection.tuple;
  if (own === undefined) return false;
  const isAnywhere = tuple.localAddress === '0.0.0.0' || tuple.localAddress === '::';
  if (connection.role === 'server') {
    const isThere = connection.netns === netns && own.localPort === tuple.localPort;
    return isThere && (isAnywhere || own.localAddress === tuple.localAddress);
  }
  if (connection.role !== 'client' || own.remotePort !== tuple.localPort) return false;
  const isLocal = connection.netns === netns && own.remoteAddress === own.localAddress;
  if (!isLocal && resolver.netnsOf(own.remoteAddress) !== netns) return false;
  return isAnywhere || own.remoteAddress === tuple.localAddress;
}

function share(total: number, weights: ReadonlyMap<Edge, number>): OverflowShare[] {
  const sum = [...weights.values()].reduce((a, b) => a + b, 0);
  const shares = [...weights].map(([edge, weight]) => {
    const exact = (total * weight) / sum;
    return { edge, count: Math.floor(exact), rest: exact - Math.floor(exact) };
  });
  shares.sort((a, b) => b.rest - a.rest || a.edge.id - b.edge.id);
  let left = total - shares.reduce((whole, { count }) => whole + count, 0);
  for (const each of shares) {
    if (left <= 0) break;
    each.count++;
    left--;
  }
  return shares.filter(({ count }) => count > 0);
}
