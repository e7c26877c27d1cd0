import { expect, it } from 'vitest';
import { Changes } from '../../collector/changes.ts';
import type { ProcessFrame } from '../../collector/frames/types.ts';
import { Namer } from '../../collector/naming/namer.ts';
import type { ChangeRecord } from '../../src/model/records.ts';
import { listener } from './frames-of.ts';

const exec: ProcessFrame = {
  type: 'process',
  kind: 'exec',
  atMs: 1_000,
  pid: 900_400,
  netns: 1,
  comm: 'gunicorn',
  cgroupId: 0,
  parentPid: 1,
  uid: 0,
  path: '/usr/bin/gunicorn',
  exitCode: 0,
  signal: 0,
};
const socket = { family: 1, localAddress: 'unix:2a-fe01', localPort: 0, remoteAddress: '', remotePort: 0 };

/** Told by its first call, as all Unix sockets are. */
function firstCall(pid: number, comm = 'gunicorn'): { told: ChangeRecord[]; namer: Namer } {
  const namer = new Namer({ hostName: 'host', procRoot: '/nonexistent' });
  namer.use({
    machines: [],
    endpoints: [],
    processes: [{ pid: 900_400, service: 'shop', instance: 'shop@host', machine: 'host' }],
  });
  const told: ChangeRecord[] = [];
  const changes = new Changes(namer, { first: 32_768, last: 60_999 }, (change) => told.push(change));
  changes.onProcess(exec);
  changes.onListener(listener({ atMs: 3_000, pid, comm, tuple: socket }));
  return { told, namer };
}

it('tells the start of who listens at a Unix socket with its first call, as of its start', () => {
  const { told } = firstCall(900_400);
  expect(told.map(({ change, atMs, service }) => [change, atMs, service])).toEqual([['process_start', 1_000, 'shop']]);
});

it('does not name a Unix socket after who made it and is gone', () => {
  const { told, namer } = firstCall(900_401, 'systemd');
  expect(told).toEqual([]);
  expect(namer.endpoint(socket.localAddress, 0)).toBeUndefined();
});

it('tells a worker with a program of its own that failed as its master, and no forked one that turned a client away', () => {
  const exits = (worker: number, exitCode: number, hasProgram: boolean): ChangeRecord[] => {
    const namer = new Namer({ hostName: 'host', procRoot: '/nonexistent' });
    namer.use({
      machines: [],
      endpoints: [],
      processes: [{ pid: 900_400, service: 'api', instance: 'api@host', machine: 'host' }],
    });
    const told: ChangeRecord[] = [];
    const changes = new Changes(namer, { first: 32_768, last: 60_999 }, (change) => told.push(change));
    const tuple = { family: 4, localAddress: '127.0.0.1', localPort: 8302, remoteAddress: '', remotePort: 0 };
    changes.onListener(listener({ atMs: 3_000, pid: 900_400, comm: 'node', tuple }));
    const frame = { ...exec, comm: 'node', pid: worker, parentPid: 900_400 };
    if (hasProgram) changes.onProcess({ ...frame, atMs: 4_000 });
    changes.onProcess({ ...frame, kind: 'exit', atMs: 5_000, exitCode });
    return told.filter(({ change }) => change === 'process_exit');
  };
  expect(exits(900_401, 1, true).map(({ service, exitCode }) => [service, exitCode])).toEqual([['api', 1]]);
  expect(exits(900_401, 0, true)).toEqual([]);
  expect(exits(900_401, 143, true)).toEqual([]);
  expect(exits(900_401, 1, false)).toEqual([]);
});
