/** Single curves through the product's detector for gauges: one pass, defaults only, the label column never read. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { SeasonalGauge } from '../../src/detect/index.ts';
import { RcaError } from '../../src/model/errors.ts';

const SUFFIX = '.csv.gz';

export interface PredictSummary {
  readonly curves: number;
  readonly points: number;
  readonly alarms: number;
  /** Seconds inside the detector alone. */
  readonly seconds: number;
}

/** Folders with curves below `pack`, or `pack` itself. */
function setsOf(pack: string): { name: string; dir: string }[] {
  const hasCurves = (dir: string) => readdirSync(dir).some((file) => file.endsWith(SUFFIX));
  if (hasCurves(pack)) return [{ name: basename(pack), dir: pack }];
  return readdirSync(pack)
    .sort()
    .map((name) => ({ name, dir: join(pack, name) }))
    .filter(({ dir }) => statSync(dir).isDirectory() && hasCurves(dir));
}

interface Curve {
  readonly times: Float64Array;
  readonly values: Float64Array;
}

function readCurve(path: string): Curve {
  const lines = gunzipSync(readFileSync(path)).toString('utf8').split('\n');
  const header = (lines[0] ?? '').trim().split(',');
  const time = header.indexOf('ts_s');
  const value = header.indexOf('value');
  if (time < 0 || value < 0) {
    throw new RcaError('RCA_BAD_INPUT', `${path}: expected columns ts_s and value, found ${header.join(', ')}`);
  }
  const rows = lines.slice(1).filter((line) => line.length > 0);
  const times = new Float64Array(rows.length);
  const values = new Float64Array(rows.length);
  rows.forEach((line, i) => {
    const cells = line.split(',');
    const cell = cells[value] ?? '';
    times[i] = Number(cells[time]);
    values[i] = cell === '' ? Number.NaN : Number(cell);
  });
  return { times, values };
}

/**
 * Writes OUT/<set>/<curve>.csv.gz (ts_s,score,alarm), one row per point of the curve.
 * @throws {RcaError} RCA_BAD_INPUT when the folder holds no curves or a curve lacks a column
 */
export function predictCurves(pack: string, out: string, progress: (line: string) => void): PredictSummary {
  const sets = setsOf(pack);
  if (sets.length === 0) throw new RcaError('RCA_BAD_INPUT', `${pack}: no <set>/<curve>${SUFFIX} found`);
  const total = { curves: 0, points: 0, alarms: 0, seconds: 0 };
  for (const { name, dir } of sets) {
    mkdirSync(join(out, name), { recursive: true });
    const files = readdirSync(dir).filter((file) => file.endsWith(SUFFIX));
    for (const file of files.sort()) {
      const { times, values } = readCurve(join(dir, file));
      const text = ['ts_s,score,alarm'];
      const started = performance.now();
      const gauge = new SeasonalGauge(Math.max(1, (times[1] ?? 60) - (times[0] ?? 0)));
      const scores = new Float64Array(times.length);
      const alarms = new Uint8Array(times.length);
      for (let i = 0; i < times.length; i++) {
        const { score, alarm } = gauge.push(times[i]!, values[i]!);
        scores[i] = score;
        alarms[i] = alarm ? 1 : 0;
      }
      total.seconds += (performance.now() - started) / 1000;
      for (let i = 0; i < times.length; i++) {
        text.push(`${times[i]},${Number(scores[i]!.toPrecision(6))},${alarms[i]}`);
        total.alarms += alarms[i]!;
      }
      total.points += times.length;
      total.curves++;
      writeFileSync(join(out, name, file), gzipSync(`${text.join('\n')}\n`, { level: 1 }));
    }
    progress(`${name}: ${files.length} curves`);
  }
  return total;
}
