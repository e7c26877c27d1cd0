/** Copies of one service on one machine, as their processes come and go. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Namer } from '../../../collector/naming/namer.ts';
import { listener, tuple } from '../frames-of.ts';

let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'rootwalk-copies-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function worker(pid: number): void {
  const dir = join(root, String(pid));
  mkdirSync(join(dir, 'ns'), { recursive: true });
  writeFileSync(join(dir, 'stat'), `${pid} (node) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 100 1 1`);
  writeFileSync(join(dir, 'cmdline'), 'node\0worker.js\0');
  writeFileSync(join(dir, 'cgroup'), '0::/\n');
  symlinkSync('net:[7]', join(dir, 'ns/net'));
  symlinkSync('/usr/bin/node', join(dir, 'exe'));
}
const end = (pid: number): void => rmSync(join(root, String(pid)), { recursive: true });

describe('copies of a service that end and begin', () => {
  const at = (pid: number, port: number) =>
    listener({ pid, netns: 7, atMs: 1, tuple: tuple(`0.0.0.0:${port}`, '0.0.0.0:0') });
  const listens = (names: Namer, pid: number, port: number): string => names.learnListener(at(pid, port)).instance;
  const closes = (names: Namer, pid: number, port: number): void =>
    names.closeListener({ ...at(pid, port), kind: 'closed' });

  it('a hundred restarts later each has its port still', () => {
    const names = new Namer({ hostName: 'host', procRoot: root });
    worker(1_000);
    worker(2_000);
    listens(names, 1_000, 8201);
    listens(names, 2_000, 8202);
    for (let i = 1; i <= 100; i++) {
      closes(names, 1_999 + i, 8202);
      end(1_999 + i);
      worker(2_000 + i);
      expect(listens(names, 2_000 + i, 8202)).toBe('worker@host:8202');
    }
    expect(names.findProcess(1_000, 7)?.instance).toBe('worker@host:8201');
    closes(names, 2_100, 8202);
    for (const pid of [1_000, 2_100]) end(pid);
  });

  it('who is started anew, at other ports too, is no copy of who ended', () => {
    const names = new Namer({ hostName: 'host', procRoot: root });
    worker(3_000);
    listens(names, 3_000, 8301);
    listens(names, 3_000, 9301);
    for (const port of [8301, 9301]) closes(names, 3_000, port);
    end(3_000);
    worker(3_001);
    // The port it had second comes first now, and nothing but a new one in the end.
    expect([9301, 8301, 7301].map((port) => listens(names, 3_001, port))).toEqual(Array(3).fill('worker@host'));
    end(3_001);
  });

  it('one that ends leaves the others their names, and one that has its process’s number has its own port', () => {
    const names = new Namer({ hostName: 'host', procRoot: root });
    for (const pid of [4_000, 4_001]) worker(pid);
    listens(names, 4_000, 8401);
    expect(listens(names, 4_001, 8402)).toBe('worker@host:8402');
    closes(names, 4_000, 8401);
    names.forget(4_000);
    expect(names.findProcess(4_001, 7)?.instance).toBe('worker@host:8402');
    expect(listens(names, 4_000, 8403)).toBe('worker@host:8403');
    for (const pid of [4_000, 4_001]) end(pid);
  });

  it('one that takes over another’s port before that ends keeps it', () => {
    const names = new Namer({ hostName: 'host', procRoot: root });
    for (const pid of [6_000, 6_001, 6_002]) worker(pid);
    listens(names, 6_000, 8601);
    listens(names, 6_001, 8602);
    listens(names, 6_002, 8602);
    closes(names, 6_001, 8602);
    expect(listens(names, 6_002, 9602)).toBe('worker@host:8602');
    for (const pid of [6_000, 6_001, 6_002]) end(pid);
  });

  it('one whose first process is gone while its port is open is there still', () => {
    const names = new Namer({ hostName: 'host', procRoot: root });
    worker(5_000);
    listens(names, 5_000, 8501);
    end(5_000);
    worker(5_001);
    expect(listens(names, 5_001, 8502)).toBe('worker@host:8502');
    end(5_001);
  });
});

describe('names of processes whose end nobody saw', () => {
  it('are not their next owner’s, and stay for a moment for what is still told of them', () => {
    const names = new Namer({ hostName: 'host', procRoot: root });
    worker(7_000);
    names.learnListener(listener({ pid: 7_000, netns: 7, atMs: 1, tuple: tuple('10.0.0.1:8701', '0.0.0.0:0') }));
    names.use({ machines: [], endpoints: [{ address: '10.0.0.1', port: 8701, service: 'cart' }], processes: [] });
    worker(7_001);
    const called = (pid: number): string | undefined => names.findProcess(pid, 7)?.service;
    expect([7_000, 7_001].map(called)).toEqual(['cart', 'worker']);
    for (const pid of [7_000, 7_001]) end(pid);
    names.retain(new Set([1]));
    expect([7_000, 7_001].map(called)).toEqual(['cart', 'worker']);
    names.retain(new Set([1]));
    for (const pid of [7_000, 7_001]) worker(pid);
    writeFileSync(join(root, '7001/cmdline'), 'node\0other.js\0');
    names.retain(new Set([7_000, 7_001]));
    expect([7_000, 7_001].map(called)).toEqual(['worker', 'other']);
    for (const pid of [7_000, 7_001]) end(pid);
  });
});
