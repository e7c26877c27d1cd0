import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import type { CallLeaf } from '../../src/model/comparison.ts';
import type { Entity } from '../../src/model/entity.ts';
import { edge, service } from '../../src/model/entity.ts';
import type { Anomaly } from '../../src/model/incident.ts';
import type { ChangeRecord } from '../../src/model/records.ts';
import type { Verdict } from '../../src/model/verdict.ts';
import type { Ledger, Suspect } from '../../src/model/walk.ts';
import { LEDGER_TERMS } from '../../src/model/walk.ts';
import { buildReport, canonicalJson, toMarkdown } from '../../src/report/index.ts';
import { anomaly, call, comparison, START, suspect, walk } from '../classify/fixtures.ts';
import { incident, input, SUSPECTS, sampleReport, WORLD } from './fixtures.ts';

const schema = JSON.parse(
  readFileSync(fileURLToPath(new URL('../../schemas/report.schema.json', import.meta.url)), 'utf8'),
);
const validate = new Ajv2020({ allowUnionTypes: true }).compile(schema);

function verdictOf(more: Partial<Verdict>): Verdict {
  return {
    suspect: service('x'),
    faultClass: 'connection_refused',
    title: 'refused',
    confidence: 0.8,
    evidence: [],
    excluded: [],
    missing: [],
    ...more,
  };
}

describe('report', () => {
  it('fits the published schema, through JSON and back', async () => {
    const report = await sampleReport();
    expect(validate(JSON.parse(JSON.stringify(report))), JSON.stringify(validate.errors)).toBe(true);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    expect(validate({ ...report, causes: [{ ...report.causes[0], confidence: 1.5 }] })).toBe(false);
    expect(validate({ ...report, surplus: 1 })).toBe(false);
  });

  it('derives its id from its content: same input, same id; another number, another id', async () => {
    const first = await sampleReport();
    expect((await sampleReport()).id).toBe(first.id);
    expect(canonicalJson(await sampleReport())).toBe(canonicalJson(first));
    expect((await sampleReport({ reportedMs: START + 30_000 })).id).not.toBe(first.id);
    expect((await sampleReport({ rulesHash: 'other' })).id).not.toBe(first.id);
  });

  it('says in two sentences what happened, to whom, why, how much and how sure', async () => {
    const { summary, phenomenon, causes } = await sampleReport();
    expect(phenomenon).toBe(
      'gateway: errors rose from 0 % to 1.23 %, mean latency rose from 12.3 ms to 84.9 ms, since 2023-11-14 22:13:20 UTC. Also affected: checkout.',
    );
    expect(summary).toBe(
      'gateway: errors rose from 0 % to 1.23 %, mean latency rose from 12.3 ms to 84.9 ms, since 2023-11-14 22:13:20 UTC. ' +
        'Cause: Packets are lost between gateway and orders (packet_loss at gateway → orders, confidence 98 %), which accounts for 86 % of the added latency.',
    );
    expect(causes[0]).toMatchObject({
      rank: 1,
      faultClass: 'packet_loss',
      contribution: 0.86,
      onsetMs: START,
      instances: ['orders-1'],
    });
  });

  it('names the cause of what the first one does not account for: two faults at once', async () => {
    const [errors, latency] = [walk([], 'errors').ledgers[0]!, walk([]).ledgers[0]!];
    const suspects = [
      suspect(service('cart'), 'originated', 1, { shares: { errors: 1, latency: -0.02 } }),
      suspect(service('db'), 'self', 1.08, { shares: { latency: 1.08 }, score: 0.6 }),
      suspect(service('user'), 'self', 0.06, { shares: { latency: 0.06 }, score: 0.04 }),
    ];
    const classes = ['application_errors', 'slow_database', 'slow_code'];
    const verdicts = suspects.map((s, i) => verdictOf({ suspect: s.entity, faultClass: classes[i]!, title: 't' }));
    const both = { ...walk([]), ledgers: [errors, latency], suspects };
    const base = await input(WORLD, both);
    const { summary, causes } = buildReport({ ...base, verdicts });
    expect(summary).toMatch(
      /Cause: t \(application_errors at cart, confidence 80 %\), which accounts for all of the new errors\. Another cause accounts for all of the added latency: t \(slow_database at db, confidence 80 %\)\.$/,
    );
    expect(causes[0]).toMatchObject({ contribution: 1, shares: { errors: 1, latency: -0.02 } });
    const report = buildReport({ ...base, verdicts });
    expect(toMarkdown(report)).toMatch(/^# application_errors at cart and slow_database at db\n/);
    expect(validate(report), JSON.stringify(validate.errors)).toBe(true);
    // What is explained is stated first, also where it raised no alarm: from the ledger, and only then.
    const errorsOnly = { ...WORLD, anomalies: WORLD.anomalies!.filter(({ symptom }) => symptom !== 'latency_rise') };
    const alone = buildReport({ ...(await input(errorsOnly, both)), verdicts });
    expect(alone.phenomenon).toMatch(
      /^gateway: errors rose from 0 % to 1\.23 %, mean latency rose from 10 ms to 80 ms, since/,
    );
    const unexplained = buildReport({ ...(await input(errorsOnly, both)), verdicts: verdicts.slice(0, 1) });
    expect(unexplained.phenomenon).toMatch(/^gateway: errors rose from 0 % to 1\.23 %, since/);
    // One cause of both says so, and needs no other.
    const one = [{ ...suspects[0]!, shares: { errors: 1, latency: 0.7 } }, ...suspects.slice(1)];
    expect(buildReport({ ...(await input(WORLD, { ...both, suspects: one })), verdicts }).summary).toMatch(
      /which accounts for all of the new errors and 70 % of the added latency\.$/,
    );
  });

  it('says apart from the first what has nothing to do with it, and whose change that is', async () => {
    const main = walk([suspect(service('cart'), 'originated', 1), suspect(service('db'), 'self', 0.1)], 'errors');
    const ownWalk = walk([suspect(service('db'), 'self', 0.96)]);
    const own = {
      ...ownWalk,
      symptom: service('user'),
      ledgers: ownWalk.ledgers.map((ledger) => ({ ...ledger, entry: 'user' })),
    };
    const base = await input(WORLD, { ...main, further: [own] });
    const verdict = (name: string, faultClass: string) =>
      verdictOf({ suspect: service(name), faultClass, title: `${name} is at fault` });
    const verdicts = [verdict('cart', 'application_errors'), verdict('db', 'slow_database')];
    const report = buildReport({ ...base, verdicts, furtherVerdicts: [[verdict('db', 'slow_database')]] });
    expect(report.summary).toMatch(
      /which accounts for all of the new errors\. Apart from that: db is at fault \(slow_database at db, confidence 80 %\), which accounts for 96 % of the added latency of user\.$/,
    );
    expect(report.causes.map(({ rank, entity, symptom }) => [rank, entity.name, symptom?.name])).toEqual([
      [1, 'cart', undefined],
      [2, 'db', 'user'],
    ]);
    expect(report.ledgers.map(({ entry, kind }) => `${entry} ${kind}`)).toEqual(['gateway errors', 'user latency']);
    expect(toMarkdown(report)).toMatch(/^# application_errors at cart and slow_database at db\n/);
    expect(validate(report), JSON.stringify(validate.errors)).toBe(true);
    const unknown = buildReport({ ...base, verdicts, furtherVerdicts: [[verdict('db', 'unknown')]] });
    expect(unknown.summary).not.toContain('Apart');
    const part = { ...own, suspects: [suspect(service('db'), 'self', 0.41)] };
    const little = await input(WORLD, { ...main, further: [part] });
    const half = buildReport({ ...little, verdicts, furtherVerdicts: [[verdict('db', 'slow_database')]] });
    expect(half.summary).not.toContain('Apart');
  });

  it.each(['unknown', 'traffic_surge'])(
    'where a surge comes from belongs to its cause, in the first walk and in a further one (%s)',
    async (source) => {
      const client = edge('client', 'gateway');
      const sends = { text: 'client sends gateway 300 requests/s, 100 before' };
      const caller = suspect(client, 'caller', 1, { score: 0.9, shares: { traffic: 1 }, observations: [sends] });
      const db = suspect(service('db'), 'self', 0.96, { score: 0.5 });
      const unknown = verdictOf({ suspect: client, faultClass: source, title: 'client -> gateway' });
      const surge = verdictOf({ suspect: service('db'), faultClass: 'traffic_surge', title: 'db gets more' });
      const one = await input(WORLD, { ...walk([]), suspects: [caller, db] });
      const report = buildReport({ ...one, verdicts: [unknown, surge] });
      expect(report.causes.map(({ entity, faultClass }) => `${entity.name} ${faultClass}`)).toEqual([
        'db traffic_surge',
      ]);
      expect(report.causes[0]).toMatchObject({
        shares: { latency: 0.96, traffic: 1 },
        suspects: [service('db'), client],
      });
      expect(report.causes[0]?.observations).toContainEqual(sends);

      const cart = suspect(service('cart'), 'originated', 1);
      const main = { ...walk([cart, caller], 'errors'), further: [{ ...walk([db]), symptom: service('user') }] };
      const failing = verdictOf({ suspect: service('cart'), faultClass: 'application_errors', title: 'cart fails' });
      const two = buildReport({
        ...(await input(WORLD, main)),
        verdicts: [failing, unknown],
        furtherVerdicts: [[surge]],
      });
      expect(two.causes.map(({ entity, faultClass }) => `${entity.name} ${faultClass}`)).toEqual([
        'cart application_errors',
        'db traffic_surge',
      ]);
      expect(two.causes[1]?.observations).toContainEqual(sends);
      // Without a surge the caller stays what it is.
      const plain = buildReport({ ...(await input(WORLD, { ...main, further: [] })), verdicts: [failing, unknown] });
      expect(plain.causes.map(({ entity }) => entity.name)).toContain('client -> gateway');
    },
  );

  it('a class that a whole report showed stays when later windows no longer show it, and says since when', async () => {
    const drawn = await input(
      WORLD,
      walk([suspect(service('cart'), 'self', 0.9), suspect(service('db'), 'self', 0.2)]),
    );
    const verdicts = (cart: string, db = 'slow_database') => [
      verdictOf({ suspect: service('cart'), faultClass: cart, title: cart, checks: [`check ${cart}`] }),
      verdictOf({ suspect: service('db'), faultClass: db, title: db }),
    ];
    const first = buildReport({ ...drawn, verdicts: verdicts('process_hang') });
    const later = { ...drawn, verdicts: verdicts('unknown') };
    const kept = buildReport({ ...later, previous: first });
    expect(kept.causes[0]).toMatchObject({ faultClass: 'process_hang', title: 'process_hang', fromRevision: 1 });
    expect(kept.checks).toContain('check process_hang');
    expect(toMarkdown(kept)).toContain('As revision 1 showed it; what came after no longer does.');
    expect(validate(kept), JSON.stringify(validate.errors)).toBe(true);
    // The next one still names the revision that showed it.
    expect(buildReport({ ...later, previous: kept }).causes[0]?.fromRevision).toBe(1);
    // Not what was provisional, not what another class took the place of, not twice.
    const provisional = { ...first, provisional: true };
    expect(buildReport({ ...later, previous: provisional }).causes[0]?.faultClass).toBe('unknown');
    const other = buildReport({ ...drawn, verdicts: verdicts('slow_code'), previous: first });
    expect(other.causes[0]).toMatchObject({ faultClass: 'slow_code' });
    expect(other.causes[0]?.fromRevision).toBeUndefined();
  });

  it('publishes every term of a ledger', () => {
    const { entries } = schema.$defs.ledger.properties;
    expect(entries.items.properties.term.enum).toEqual([...LEDGER_TERMS, 'rest']);
  });

  it('keeps NaN out: unknown becomes null, and ledgers still add up', async () => {
    const drawn = walk([suspect(edge('gateway', 'orders'), 'network', Number.NaN)]);
    const report = buildReport(await input(WORLD, drawn));
    expect(JSON.stringify(report)).not.toContain('NaN');
    expect(report.causes[0]?.contribution).toBe(null);
    const whole = (await sampleReport()).ledgers[0]!;
    const sum = whole.entries.reduce((total, entry) => total + (entry.contribution ?? 0), 0);
    expect(sum).toBeCloseTo(whole.change ?? 0, 6);
  });

  it('shows no further ledger of a change that is noise', async () => {
    const drawn = walk(SUSPECTS);
    const traffic = (noise: number): Ledger => ({
      kind: 'traffic',
      entry: 'gateway',
      unit: 'requests_per_s',
      baseline: 117,
      current: 118.2,
      change: 1.2,
      entries: [5.2, -4].map((contribution, i) => ({
        entity: edge(`client-${i}`, 'gateway'),
        term: 'caller' as const,
        contribution,
        share: contribution / 1.2,
        standardError: noise,
        baseline: 58,
        current: 58 + contribution,
      })),
    });
    const kinds = async (noise: number): Promise<string[]> => {
      const two = { ...drawn, ledgers: [...drawn.ledgers, traffic(noise)] };
      return buildReport(await input(WORLD, two)).ledgers.map(({ kind }) => kind);
    };
    expect(await kinds(9)).toEqual(['latency']);
    expect(await kinds(0.1)).toEqual(['latency', 'traffic']);
    expect(await kinds(Number.NaN)).toEqual(['latency', 'traffic']);
  });

  it('shortens a long ledger into one line, and it still adds up', async () => {
    const many = Array.from({ length: 80 }, (_, i) => suspect(service(`s${i}`), 'self', 0.01));
    const report = buildReport({ ...(await input(WORLD, walk(many))), verdicts: [] });
    const [ledger] = report.ledgers;
    expect(ledger?.entries).toHaveLength(32);
    expect(ledger?.entries.at(-1)).toMatchObject({ term: 'rest', note: '50 small entries together' });
    const sum = ledger?.entries.reduce((total, entry) => total + (entry.contribution ?? 0), 0) ?? 0;
    expect(sum).toBeCloseTo(ledger?.change ?? 0, 6);
  });

  it('says what was changed at the cause, and when; not elsewhere, and not what processes do', async () => {
    const changed = (entity: string, change: ChangeRecord['change'], detail: Record<string, string>): ChangeRecord => ({
      atMs: START + 2_000,
      change,
      entityKind: 'instance',
      entity,
      service: 'orders',
      detail,
    });
    const changes = [
      changed('orders-1', 'limit_changed', { limit: 'cpuLimit', from: '1', to: '0.05' }),
      changed('orders-2', 'limit_changed', { limit: 'memoryLimitBytes', from: 'none', to: '1048576' }),
      changed('orders-1', 'process_exit', { pid: '7' }),
    ];
    const at = async (drawn: Suspect): Promise<string[]> => {
      const base = await input({ ...WORLD, changes }, walk([drawn]));
      return buildReport(base).causes[0]!.observations.map(({ text }) => text);
    };
    const one = { ...suspect({ kind: 'instance', name: 'orders-1' }, 'self', 0.9), service: 'orders' };
    const cpu = 'CPU limit of orders-1 changed from 1 core to 0.05 cores, seen at 22:13:22';
    expect(await at(one)).toEqual([cpu]);
    expect(await at(suspect(service('orders'), 'self', 0.9))).toEqual([
      cpu,
      'memory limit of orders-2 changed from none to 1 MiB, seen at 22:13:22',
    ]);
    expect(await at(suspect(service('payments-saas'), 'self', 0.9))).toEqual([]);
  });

  it('says of a new instance that it is new, and when it was started; of a crash loop nothing', async () => {
    const of = { entityKind: 'instance', service: 'orders', machine: 'm1' } as const;
    const started = { ...of, entity: 'orders-v2-1', atMs: START - 2_000, change: 'process_start' } as const;
    const calls = (name: string, before: number, now: number) =>
      call({
        caller: 'gateway',
        callee: 'orders',
        side: 'server',
        calleeInstance: name,
        before: [before, 0, 1_000],
        now: [now, 0, 1_000],
      });
    const at = async (entity: Entity, changes: readonly ChangeRecord[], old = 30, all?: readonly CallLeaf[]) => {
      const drawn = { ...suspect(entity, 'self', 0.9), service: 'orders' };
      const world = {
        ...WORLD,
        changes,
        calls: all ?? [calls('orders-1', 60, old), calls('orders-v2-1', 0, 10)],
        instances: { orders: ['orders-1', 'orders-v2-1'] },
      };
      const { causes, summary } = buildReport(await input(world, walk([drawn])));
      return [causes[0]!.observations.map(({ text }) => text), summary] as const;
    };
    const one = { kind: 'instance', name: 'orders-v2-1' } as const;
    const isNew =
      'orders-v2-1 is new, started at 22:13:18, 2 s before the trouble: it is held against what the other instances of orders were before';
    const [texts, summary] = await at(one, [started]);
    expect(texts).toEqual([isNew]);
    expect(summary).toContain(` What changed there: ${isNew}.`);
    expect((await at(service('orders'), [started]))[0]).toEqual([
      '1 of 2 instances of orders is new (orders-v2-1), started at 22:13:18, 2 s before the trouble; it answers 25 % of its calls',
    ]);
    const again = { ...started, entity: 'orders-1' };
    const old = { kind: 'instance', name: 'orders-1' } as const;
    const stop = { ...again, atMs: START - 3_000, change: 'process_exit', signal: 15 } as const;
    expect((await at(old, [stop, again]))[0]).toEqual([
      'orders-1 was started anew at 22:13:18, 2 s before the trouble',
    ]);
    // It may be an instance of a deploy that ended well: nobody saw another one end.
    expect((await at(old, [again]))[0]).toEqual(['orders-1 was started at 22:13:18, 2 s before the trouble']);
    // A canary with 1 % of the calls is beside the point, and no old instance either.
    expect((await at(service('orders'), [started], 990))[0]).toEqual([]);
    // The whole of a service in one new instance.
    expect((await at(service('orders'), [started], 0))[0]).toEqual([
      'the only instance of orders is new (orders-v2-1), started at 22:13:18, 2 s before the trouble',
    ]);
    // A service that is new as a whole: of no siblings before, and of no start before this one.
    expect((await at(one, [started], 30, [calls('orders-v2-1', 0.1, 10)]))[0]).toEqual([
      'orders-v2-1 was started at 22:13:18, 2 s before the trouble',
    ]);
    // It got its first requests now: it warmed up for three minutes.
    const warm = { ...started, atMs: START - 180_000 };
    expect((await at(one, [warm]))[0][0]).toContain('is new, started at 22:10:20, 3 min before the trouble');
    expect((await at(old, [{ ...again, atMs: START - 180_000 }]))[0]).toEqual([]);
    const late = { ...started, atMs: START + 60_000 };
    expect((await at(one, [late]))[0]).toEqual([]);
    const crash = { ...again, change: 'process_exit', signal: 11 } as const;
    expect((await at({ kind: 'instance', name: 'orders-1' }, [crash, again]))[0]).toEqual([]);
  });

  it('says which way got slow, not that the service it leads from got faster', async () => {
    const way = edge('gateway', 'orders');
    const base = await input(WORLD, walk([suspect(way, 'network', 0.9)]));
    const [ledger] = base.walk.ledgers;
    const faster = { ...ledger!, change: -3_000, baseline: 24_000, current: 21_000, entries: [] };
    const slow = anomaly(way, 'duration_mean_us', 'latency_rise', 9_270, 15_800);
    const report = buildReport({
      ...base,
      walk: { ...base.walk, ledgers: [faster], suspects: [] },
      verdicts: [],
      incident: { ...base.incident, anomalies: [slow] },
    });
    expect(report.phenomenon).toContain('gateway: gateway → orders mean latency rose from 9.27 ms to 15.8 ms, since');
    // Nor that requests fell by a twentieth, once they are back.
    const wobble = { ...faster, kind: 'traffic', change: -1, baseline: 23.6, current: 22.6 } as const;
    const fall = anomaly(service('orders'), 'request_rate_per_s', 'traffic_drop', 42.5, 10);
    const back = buildReport({
      ...base,
      walk: { ...base.walk, ledgers: [wobble], suspects: [] },
      verdicts: [],
      incident: { ...base.incident, anomalies: [fall] },
    });
    expect(back.phenomenon).toContain('gateway: orders requests fell from 42.5 req/s to 10 req/s, since');
  });

  it('dates a cause by its own evidence, not by what those who wait for it show', async () => {
    const since = async (own: number, ofWaiting: number, evidence?: number): Promise<number | null | undefined> => {
      const db = { ...suspect(service('db'), 'self', 0.8), onsetMs: START + own };
      const web = { ...suspect(service('web'), 'self', 0.2), onsetMs: START + ofWaiting };
      const lock = verdictOf({ suspect: service('db'), faultClass: 'database_lock' });
      const verdicts = [
        evidence === undefined ? lock : { ...lock, onsetMs: START + evidence },
        verdictOf({ suspect: service('web'), blames: service('db'), faultClass: 'slow_downstream', defers: true }),
      ];
      const { causes } = buildReport({ ...(await input(WORLD, walk([db, web]))), verdicts });
      expect(causes[0]).toMatchObject({ entity: service('db'), suspects: [service('db'), service('web')] });
      return causes[0]!.onsetMs! - START;
    };
    expect(await since(5_000, -30_000)).toBe(5_000);
    expect(await since(-10_000, 0)).toBe(0);
    expect(await since(0, 0, -5_000)).toBe(-5_000);
    expect(await since(0, 0, 10_000)).toBe(0);
  });

  it('makes one cause of suspects that blame one entity', async () => {
    const callers = [
      suspect(edge('gateway', 'orders'), 'originated', 0.5),
      suspect(edge('checkout', 'orders'), 'originated', 0.3),
    ];
    const verdicts = callers.map((s) => verdictOf({ suspect: s.entity, blames: service('orders') }));
    const report = buildReport({ ...(await input(WORLD, walk(callers, 'errors'))), verdicts });
    expect(report.causes).toHaveLength(1);
    expect(report.causes[0]).toMatchObject({ entity: service('orders'), contribution: 0.8 });
    expect(report.causes[0]?.suspects.map((e) => e.name)).toEqual(['gateway -> orders', 'checkout -> orders']);
    expect(report.propagation.map((e) => e.name)).toEqual(['orders', 'gateway -> orders', 'gateway']);
  });

  it('adds a suspect that only waits to the cause of what it waits for, over several steps', async () => {
    const three = [
      suspect(service('web'), 'self', 0.4),
      suspect(service('order'), 'originated', 0.3),
      suspect(service('db'), 'self', 0.2),
    ];
    const waits = (who: string, forWhom: string): Verdict =>
      verdictOf({ suspect: service(who), blames: service(forWhom), faultClass: 'slow_downstream', defers: true });
    const lock = verdictOf({ suspect: service('db'), faultClass: 'database_lock' });
    const base = await input(WORLD, walk(three));
    const report = buildReport({ ...base, verdicts: [waits('web', 'order'), waits('order', 'db'), lock] });
    expect(report.causes).toHaveLength(1);
    expect(report.causes[0]).toMatchObject({ entity: service('db'), faultClass: 'database_lock' });
    expect(report.causes[0]?.contribution).toBeCloseTo(0.9, 9);
    expect(report.causes[0]?.suspects.map((e) => e.name)).toEqual(['db', 'web', 'order']);
    const circle = buildReport({ ...base, verdicts: [waits('web', 'order'), waits('order', 'web'), lock] });
    expect(circle.causes.map((c) => c.faultClass)).toContain('slow_downstream');
    const alone = buildReport({ ...base, verdicts: [waits('web', 'cache'), waits('order', 'cache'), lock] });
    expect(alone.causes.map((c) => [c.entity.name, c.faultClass])).toEqual([
      ['cache', 'slow_downstream'],
      ['db', 'database_lock'],
    ]);
  });

  it('ranks an explained suspect above an unexplained one of nearly the same weight, but not of twice it', async () => {
    const two = [suspect(service('a'), 'self', 0.5), suspect(service('b'), 'self', 0.45)];
    const verdicts = [
      verdictOf({ suspect: service('a'), faultClass: 'unknown', confidence: 0 }),
      verdictOf({ suspect: service('b'), faultClass: 'cpu_throttling', confidence: 0.9 }),
    ];
    const base = await input(WORLD, walk(two));
    expect(buildReport({ ...base, verdicts }).causes.map((c) => c.entity.name)).toEqual(['b', 'a']);
    const lopsided = [suspect(service('a'), 'self', 0.9), suspect(service('b'), 'self', 0.1)];
    expect(buildReport({ ...(await input(WORLD, walk(lopsided))), verdicts }).causes.map((c) => c.entity.name)).toEqual(
      ['a', 'b'],
    );
  });

  it('tells blind spots: lost events, missing probes, one-sided services, unexplained rests, silent collectors', async () => {
    const report = await sampleReport();
    expect(report.blindSpots).toEqual([
      '1.32 % of kernel events were lost (data 1200)',
      'probe tp_btf/sched_process_exit is not attached everywhere: not permitted: CAP_BPF is missing',
      "only the callers' side was seen of payments-saas: network time and own time cannot be told apart there",
    ]);
    // Had no name yet when the baseline began, and has one now.
    const named = {
      ...WORLD,
      calls: [...WORLD.calls!, call({ caller: 'a', callee: '10.0.0.9:80', before: [5, 0, 9], now: [0, 0, 0] })],
    };
    const known = buildReport(await input(named, walk([suspect(service('orders'), 'self', 1)]))).blindSpots.join('\n');
    expect(known).toContain('payments-saas');
    expect(known).not.toContain('10.0.0.9:80');
    const silent = { ...WORLD, health: { silentCollectors: ['host-7'] } };
    const rest = walk([suspect(service('orders'), 'self', 0.4)]);
    const blind = buildReport(await input(silent, rest)).blindSpots.join('\n');
    expect(blind).toContain('collector host-7 reported before the incident and is silent now');
    expect(blind).toContain('60 % of the latency change of gateway is unexplained');
  });

  it('counts revisions and says what changed', async () => {
    const previous = await sampleReport({ provisional: true });
    const resolved = incident(WORLD, { state: 'resolved', resolvedMs: START + 90_000 });
    const next = await sampleReport({ previous, incident: resolved, reportedMs: START + 95_000 });
    expect(next.revision).toBe(2);
    expect(next.changedSincePrevious).toEqual(['state: open → resolved']);
    // The last symptom's window began 25 s after the start; that it stayed the last was known a minute later.
    expect([next.endedMs, next.resolvedMs]).toEqual([START + 30_000, START + 90_000]);
    expect(next.summary).toContain('over since 2023-11-14 22:13:50 UTC');
    expect(toMarkdown(next)).toContain('**state** resolved, lasted 30 s');
  });

  it('survives an incident without suspects', async () => {
    const report = buildReport(await input(WORLD, walk([])));
    expect(report.causes).toEqual([]);
    expect(report.summary).toContain('No suspect stands out');
    expect(validate(report), JSON.stringify(validate.errors)).toBe(true);
    expect(toMarkdown(report)).toContain('no cause found');
  });
});

describe('numbers for people', () => {
  it('tells counts of a window as rates', async () => {
    const { keyMetrics } = await sampleReport();
    expect(keyMetrics.find(({ metric }) => metric.startsWith('drops'))).toMatchObject({
      metric: 'drops_per_s',
      unit: 'per_s',
      baseline: 0,
      current: 6,
    });
  });

  it('says what came little by little, and when what runs full is full', async () => {
    const grown = (anomaly: Anomaly): Anomaly => ({ ...anomaly, grownMs: START + 600_000 });
    const [first, second, ...rest] = WORLD.anomalies!;
    const memory = (lastMs: number): Anomaly => ({
      ...first!,
      lastMs,
      entity: { kind: 'instance', name: 'orders-1' },
      metric: 'memory_limit_ratio',
      symptom: 'memory_pressure',
      baseline: 0.62,
      current: 0.81,
      limitAtMs: START + 20 * 60_000 + 0.4,
    });
    const reportedMs = START + 6 * 60_000;
    const seenMs = START + 5 * 60_000;
    const some = (anomalies: readonly Anomaly[], lastMs = seenMs) =>
      input({ ...WORLD, anomalies: [...anomalies, memory(lastMs)] });
    const report = buildReport({ ...(await some([grown(first!), grown(second!), ...rest])), reportedMs });
    expect(report.phenomenon).toContain(', little by little since 2023-11-14 22:13:20 UTC.');
    expect(report.keyMetrics.at(-1)).toMatchObject({ metric: 'memory_limit_ratio', limitAtMs: START + 20 * 60_000 });
    expect(validate(report), JSON.stringify(validate.errors)).toBe(true);
    expect(toMarkdown(report)).toMatch(/memory used of limit \| 62 % \| 81 %, full in 14 min at this pace \|/);
    const lateMs = START + 25 * 60_000;
    const late = [first!, grown(second!), ...rest];
    const full = buildReport({ ...(await some(late, lateMs - 60_000)), reportedMs: lateMs });
    expect(toMarkdown(full)).toContain('81 %, full any minute |');
    // It has not been seen to fill for minutes: nobody knows.
    expect(toMarkdown(buildReport({ ...(await some(late)), reportedMs: lateMs }))).toContain('| 81 % |');
    // One of two came at once.
    expect(full.phenomenon).not.toContain('little by little');
  });

  it('narrows a cause at an instance to that instance', async () => {
    const refused = verdictOf({ blames: { kind: 'instance', name: 'orders-2' } });
    const suspects = [{ ...suspect(service('orders'), 'self', 0.9), instances: ['orders-1'] }];
    const report = buildReport({ ...(await input()), walk: walk(suspects), verdicts: [refused] });
    expect(report.causes[0]).toMatchObject({ entity: { kind: 'instance', name: 'orders-2' }, instances: ['orders-2'] });
  });
});

describe('Markdown', () => {
  it('has every section in reading order', async () => {
    const text = toMarkdown(await sampleReport());
    const order = [
      '# packet_loss at gateway → orders',
      '## Key metrics',
      '## Causes',
      'Evidence:',
      'Excluded:',
      '## Propagation',
      '## Drill-down',
      'One dimension at a time',
      'Combined dimensions',
      '## Ledger',
      '## Suggested checks',
      '## Blind spots',
    ];
    const positions = order.map((section) => text.indexOf(section));
    expect(positions).not.toContain(-1);
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
    expect(text).toContain('| gateway | mean latency | 12.3 ms | 84.9 ms | ×6.88 | 22:13:20 |');
    expect(text).toContain('| gateway → orders | network time | 60.2 ms/req | 86 % | ± 1.4 ms/req |');
    expect(text).toContain('Verdict: the change sits on these elements.');
    expect(text).toContain('| callee=orders & callerMachine=m1 | 91 % | 97 % | ×2.57 |');
  });

  it('says which windows a ledger and which a key metric speaks of', async () => {
    const report = await sampleReport();
    const { baseline, current } = comparison(WORLD);
    expect(report.compared).toEqual({
      baseline: { fromMs: baseline.fromMs, toMs: baseline.toMs },
      current: { fromMs: current.fromMs, toMs: current.toMs },
    });
    const at = (ms: number): string => new Date(ms).toISOString().slice(11, 19);
    const text = toMarkdown(report);
    expect(text).toContain(
      `Before: means of all windows from ${at(baseline.fromMs)} to ${at(baseline.toMs)}. Now: of all from ${at(current.fromMs)} to ${at(current.toMs)}.`,
    );
    expect(text).toContain('Before: its usual level. Now: the mean of its abnormal windows.');
    // A report stored by an earlier version does not say.
    const { compared: _, ...older } = report;
    expect(toMarkdown(older)).not.toContain('means of all windows');
  });

  it('says of fewer visits and calls that they are fewer', async () => {
    const drawn = walk([suspect(service('orders'), 'visits', -0.2), suspect(service('cart'), 'calls', -0.1)]);
    const text = toMarkdown(buildReport(await input(WORLD, drawn)));
    expect(text).toContain('| orders | visited less often | -14 ms/req |');
    expect(text).toContain('| cart | fewer calls for each request | -7 ms/req |');
    const more = toMarkdown(buildReport(await input(WORLD, walk([suspect(service('orders'), 'visits', 0.2)]))));
    expect(more).toContain('| orders | visited more often | 14 ms/req |');
  });

  it('lets no name from the network become markup', async () => {
    const name = 'evil|<img src=x>`\nservice';
    const world = { ...WORLD, anomalies: [anomaly(service(name), 'error_ratio', 'error_rise', 0, 0.5)] };
    const text = toMarkdown(buildReport(await input(world, walk(SUSPECTS))));
    expect(text).not.toMatch(/<img/);
    expect(text).toContain("evil\\|&lt;img src=x>' service");
    expect(text).toContain('GET /orders\\|&lt;script>');
  });

  it('of a comparison without any health record says so', async () => {
    const base = await input();
    const health = { ...comparison(WORLD).health, collectors: [] };
    const report = buildReport({ ...base, comparison: { ...base.comparison, health } });
    expect(report.blindSpots.join('\n')).toContain('no collector reported its health');
  });
});
