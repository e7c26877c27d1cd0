/** Facts of time on the way: what the caller waits beyond what the called end takes, over the edges that both ends see. */
import type { CallLeaf } from '../model/comparison.ts';
import type { FactSheet } from './fact-sheet.ts';
import { setFact } from './fact-sheet.ts';
import { byEdge, sumCalls } from './facts-edge.ts';
import { minus, over } from './metric-sum.ts';
import type { Scope } from './scope.ts';

type Side = 'client' | 'server';
type Means = Readonly<Record<'baseline' | 'current', number | null>>;

export function networkTimeFacts({ calls }: Scope, sheet: FactSheet): void {
  const client = meansOf(calls, 'client');
  const server = meansOf(calls, 'server');
  setFact(sheet, 'edge.client_latency_ratio', over(client.current, client.baseline));
  setFact(sheet, 'edge.server_latency_ratio', over(server.current, server.baseline));
  const { waitUs, networkUs } = rises(calls);
  setFact(sheet, 'edge.network_time_rise_us', networkUs);
  setFact(sheet, 'edge.network_time_of_rise_ratio', partOf(networkUs, waitUs));
}

/** 0..1; who waits no longer than before does not wait for the network either. */
function partOf(networkUs: number | null, waitUs: number | null): number | null {
  if (networkUs === null || waitUs === null) return null;
  return waitUs > 0 ? Math.min(1, Math.max(0, networkUs / waitUs)) : 0;
}

/** Mean duration per call, us. */
function meansOf(leaves: readonly CallLeaf[], side: Side): Means {
  const own = leaves.filter((leaf) => leaf.side === side);
  return { baseline: sumCalls(own, 'baseline').meanUs, current: sumCalls(own, 'current').meanUs };
}

/** Per call of now, us: how much longer callers wait, and how much of that is on the way; null where no edge has both ends. */
function rises(leaves: readonly CallLeaf[]): { readonly waitUs: number | null; readonly networkUs: number | null } {
  let calls = 0;
  let waitUs = 0;
  let networkUs = 0;
  for (const own of byEdge(leaves)) {
    const [client, server] = [meansOf(own, 'client'), meansOf(own, 'server')];
    const waited = minus(client.current, client.baseline);
    const served = minus(server.current, server.baseline);
    if (waited === null || served === null) continue;
    const { count } = sumCalls(
      own.filter(({ side }) => side === 'client'),
      'current',
    );
    calls += count;
    waitUs += count * waited;
    networkUs += count * (waited - served);
  }
  return calls > 0 ? { waitUs: waitUs / calls, networkUs: networkUs / calls } : { waitUs: null, networkUs: null };
}
