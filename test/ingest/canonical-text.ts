import type { ClosedWindow } from '../../src/model/window.ts';

/** Everything a window says, by name and sorted: equal texts are equal windows. */
export function canonicalText(window: ClosedWindow): string {
  const { names, callDirectory, tcpDirectory, calls, tcp, histograms, resources } = window;
  const call = Array.from({ length: calls.rows }, (_, r) => {
    const at = calls.leaf[r]! * callDirectory.width;
    const parts = Array.from(callDirectory.keys.subarray(at, at + 12), (id, i) => (i === 6 ? id : names.name(id)));
    return JSON.stringify([...parts, calls.count[r], calls.errors[r], calls.durationSumUs[r]]);
  });
  const edge = Array.from({ length: histograms.rows }, (_, r) => {
    const counts = histograms.counts.slice(histograms.start[r], histograms.start[r + 1]);
    const { caller, callee, side, first } = histograms;
    return JSON.stringify([names.name(caller[r]!), names.name(callee[r]!), side[r], first[r], [...counts]]);
  });
  const net = Array.from({ length: tcp.rows }, (_, r) => {
    const at = tcp.leaf[r]! * tcpDirectory.width;
    const parts = Array.from(tcpDirectory.keys.subarray(at, at + 6), (id) => names.name(id));
    return JSON.stringify([...parts, ...tcp.values.map((column) => column?.[r] ?? null)]);
  });
  const gauges = Array.from({ length: resources.rows }, (_, i) =>
    JSON.stringify([
      resources.entities[resources.entity[i]!]?.entity,
      names.name(resources.metric[i]!),
      resources.value[i],
    ]),
  );
  const { startMs, topology, changes, health, collectors, incomplete } = window;
  return JSON.stringify([
    startMs,
    call.sort(),
    edge.sort(),
    net.sort(),
    gauges.sort(),
    topology,
    changes,
    health,
    collectors,
    incomplete,
  ]);
}
