import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Report } from '../../src/model/report.ts';
import { messageIdOf, openStore } from '../../src/store/index.ts';
import { incident, sampleReport, WORLD } from '../report/fixtures.ts';

let dir: string;
let path: string;
let report: Report;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'store-'));
  path = join(dir, 'sub', 'rootwalk.db');
  report = await sampleReport();
});
afterEach(() => rmSync(dir, { recursive: true }));

const positions = [{ source: 'rootwalk.calls/0', offset: '9007199254740993' }];

describe('applyEffect', () => {
  it('stores incident, report, message and positions together, and they survive', () => {
    const store = openStore(path);
    expect(store.applyEffect({ incident: incident(WORLD), report, positions, state: { a: '1' } })).toEqual({
      reportStored: true,
      messageId: messageIdOf(report.id),
    });
    store.close();
    const again = openStore(path);
    expect(again.incident('inc_7f3a')?.environment).toBe('test');
    expect(again.report(report.id)).toEqual(report);
    expect(again.latestReport('inc_7f3a')?.revision).toBe(1);
    expect(again.positions()).toEqual(new Map([['rootwalk.calls/0', '9007199254740993']]));
    expect(again.state('a')).toBe('1');
    expect(again.unroutedMessages(10)).toEqual([
      {
        id: messageIdOf(report.id),
        type: 'incident.opened',
        reportId: report.id,
        environment: 'test',
        timestampMs: report.reportedMs,
      },
    ]);
    again.close();
  });

  it('of the same report changes nothing but the positions', () => {
    const store = openStore(path);
    store.applyEffect({ report, positions });
    store.route(messageIdOf(report.id), ['a'], 0);
    const moved = [{ source: 'rootwalk.calls/0', offset: '9007199254740999' }];
    expect(store.applyEffect({ report, positions: moved })).toEqual({ reportStored: false, messageId: null });
    expect(store.unroutedMessages(10)).toEqual([]);
    expect(store.deliveries({ limit: 10 })).toHaveLength(1);
    expect(store.positions().get('rootwalk.calls/0')).toBe('9007199254740999');
    store.close();
  });

  it('is all or nothing: a part that fails leaves nothing behind', () => {
    const store = openStore(path);
    const broken = [{ source: 'x', offset: Symbol('no text') as unknown as string }];
    expect(() => store.applyEffect({ incident: incident(WORLD), report, positions: broken })).toThrow(/database/);
    expect(store.report(report.id)).toBeUndefined();
    expect(store.incident('inc_7f3a')).toBeUndefined();
    expect(store.unroutedMessages(1)).toEqual([]);
    expect(store.applyEffect({ report }).reportStored).toBe(true);
    store.close();
  });

  it('tells updates and resolutions apart, and can be silent', async () => {
    const store = openStore(path);
    const second = await sampleReport({ previous: report });
    const resolved = await sampleReport({
      previous: second,
      incident: incident(WORLD, { state: 'resolved', resolvedMs: 1_700_000_090_000 }),
    });
    for (const each of [report, second, resolved]) store.applyEffect({ report: each });
    expect(store.unroutedMessages(9).map((m) => m.type)).toEqual([
      'incident.opened',
      'incident.updated',
      'incident.resolved',
    ]);
    expect(store.reports('inc_7f3a').map((r) => r.revision)).toEqual([1, 2, 3]);
    const quiet = await sampleReport({ configHash: 'other' });
    expect(store.applyEffect({ report: quiet, silent: true })).toEqual({ reportStored: true, messageId: null });
    store.close();
  });

  it('survives kill -9 in the middle of many: what is there is whole', () => {
    const script = `
      import { openStore } from ${JSON.stringify(fileURLToPath(new URL('../../src/store/index.ts', import.meta.url)))};
      import { readFileSync } from 'node:fs';
      const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
      const store = openStore(process.argv[3]);
      for (let i = 0; ; i++) {
        store.applyEffect({ report: { ...report, id: 'rep_' + i }, positions: [{ source: 's', offset: String(i) }] });
        if (i === 40) process.kill(process.pid, 'SIGKILL');
      }`;
    writeFileSync(join(dir, 'report.json'), JSON.stringify(report));
    writeFileSync(join(dir, 'writer.ts'), script);
    const child = spawnSync(process.execPath, [join(dir, 'writer.ts'), join(dir, 'report.json'), path], {
      encoding: 'utf8',
    });
    expect(child.signal, child.stderr).toBe('SIGKILL');
    const store = openStore(path);
    const last = Number(store.positions().get('s'));
    expect(last).toBe(40);
    expect(store.unroutedMessages(1_000)).toHaveLength(last + 1);
    expect(store.reports(report.incidentId)).toHaveLength(last + 1);
    store.close();
  });
});

describe('the rest', () => {
  it('keeps baselines by environment and key', () => {
    const store = openStore(':memory:');
    store.saveBaseline({ environment: 'a', key: 'k', atMs: 1, data: new Uint8Array([1, 2]) });
    store.saveBaseline({ environment: 'a', key: 'k', atMs: 2, data: new Uint8Array([3]) });
    expect(store.baseline('a', 'k')).toEqual({ environment: 'a', key: 'k', atMs: 2, data: new Uint8Array([3]) });
    expect(store.baseline('b', 'k')).toBeUndefined();
    store.close();
  });

  it('lists incidents by environment and state, newest first', () => {
    const store = openStore(':memory:');
    for (const [id, startMs, state] of [
      ['a', 1, 'open'],
      ['b', 3, 'open'],
      ['c', 2, 'resolved'],
    ] as const) {
      store.applyEffect({ incident: incident(WORLD, { id, startMs, state }) });
    }
    expect(store.incidents().map((i) => i.id)).toEqual(['b', 'c', 'a']);
    expect(store.incidents({ state: 'open', limit: 1 }).map((i) => i.id)).toEqual(['b']);
    expect(store.incidents({ environment: 'elsewhere' })).toEqual([]);
    store.close();
  });

  it('prunes what is over, keeps what is still to be delivered', () => {
    const store = openStore(':memory:');
    const over = incident(WORLD, { state: 'resolved', resolvedMs: 5, updatedMs: 5 });
    store.applyEffect({ incident: over, report });
    store.route(messageIdOf(report.id), ['a'], 0);
    expect(store.prune(10)).toEqual({ incidents: 0, reports: 0 });
    const [delivery] = store.deliveries({ limit: 1 });
    store.recordAttempt(
      {
        deliveryId: delivery!.id,
        messageId: delivery!.messageId,
        receiver: 'a',
        attempt: 1,
        atMs: 1,
        status: 200,
        durationMs: 1,
        error: null,
      },
      { state: 'delivered', nextAttemptMs: 1 },
    );
    expect(store.prune(10)).toEqual({ incidents: 1, reports: 1 });
    expect(store.incidents()).toEqual([]);
    expect(store.deliveries({ limit: 9 })).toEqual([]);
    store.close();
  });
});

describe('a bad file', () => {
  it('that is no database is named, with the mend', () => {
    const bad = join(dir, 'bad.db');
    writeFileSync(bad, 'this is not a database, but it is long enough to have a header'.repeat(40));
    expect(() => openStore(bad)).toThrow(/bad\.db is not a SQLite database.*name another file/);
    // To SQLite a few bytes are an empty database, and it would write over them.
    const short = join(dir, 'rootwalk.json');
    writeFileSync(short, '{}\n');
    expect(() => openStore(short)).toThrow(/rootwalk\.json is not a SQLite database.*name another file/);
    expect(readFileSync(short, 'utf8')).toBe('{}\n');
  });

  it('that is damaged is named when it is read', () => {
    const store = openStore(path);
    for (let i = 0; i < 60; i++) store.applyEffect({ report: { ...report, id: `rep_${i}` } });
    store.close();
    truncateSync(path, 20 * 4096);
    expect(() => {
      const damaged = openStore(path);
      try {
        for (let i = 0; i < 60; i++) damaged.report(`rep_${i}`);
      } finally {
        damaged.close();
      }
    }).toThrow(/is damaged.*recover/s);
  });

  it('that another process holds is named after the timeout', () => {
    openStore(path).close();
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    const store = openStore(path, { busyTimeoutMs: 50 });
    expect(() => store.applyEffect({ report })).toThrow(/is locked by another process.*stop the other rootwalk/);
    other.exec('ROLLBACK');
    expect(store.applyEffect({ report }).reportStored).toBe(true);
    store.close();
    other.close();
  });

  it('from a newer rootwalk is refused', () => {
    openStore(path).close();
    const raw = new DatabaseSync(path);
    raw.exec('PRAGMA user_version = 99');
    raw.close();
    expect(() => openStore(path)).toThrow(/schema version 99/);
  });
});
