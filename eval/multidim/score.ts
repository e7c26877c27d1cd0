/** Scores of predicted elements against the truth, counted as multidim-score.py does, with intervals and reliability. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createRandom } from '../../src/stats/random.ts';

export interface Truth {
  readonly name: string;
  readonly elements: ReadonlySet<string>;
  readonly external: boolean;
  readonly setting: string;
}

export interface Prediction {
  readonly elements: ReadonlySet<string>;
  readonly external: boolean;
  /** NaN: not given. */
  readonly seconds: number;
}

export interface Tally {
  readonly tp: number;
  readonly fp: number;
  readonly fn: number;
}

export interface Scored extends Tally {
  readonly truth: Truth;
  readonly prediction: Prediction | undefined;
  readonly externalRight: boolean;
}

/** One name per element: its terms sorted. Repeated elements count once. */
export function elementSet(text: string): Set<string> {
  const elements = text.split(';').filter((element) => element !== '');
  return new Set(elements.map((element) => element.split('&').sort().join('&')));
}

/** Rows of a CSV without quoting, as records. */
function records(file: string): Record<string, string>[] {
  const [head = '', ...lines] = readFileSync(file, 'utf8').split(/\r?\n/);
  const names = head.split(',');
  return lines
    .filter((line) => line !== '')
    .map((line) => Object.fromEntries(line.split(',').map((cell, k) => [names[k] ?? `${k}`, cell])));
}

/** Truth of a set, in the order of its file. */
export function readTruth(dir: string): Truth[] {
  return records(join(dir, 'injection_info.csv')).map((row) => ({
    name: row['timestamp'] ?? '',
    elements: elementSet(row['set'] ?? ''),
    external: row['external'] === '1',
    setting: row['setting'] ?? '',
  }));
}

/** @returns predictions by `dataset/case` */
export function readPredictions(file: string): Map<string, Prediction> {
  return new Map(
    records(file).map((row) => [
      `${row['dataset']}/${row['case']}`,
      {
        elements: elementSet(row['set'] ?? ''),
        external: row['external'] === '1',
        seconds: row['seconds'] ? Number(row['seconds']) : Number.NaN,
      },
    ]),
  );
}

/** Per case of a folder; a case without a prediction has no elements. */
export function scoreCases(dir: string, predictions: ReadonlyMap<string, Prediction>): Scored[] {
  return readTruth(dir).map((truth) => {
    const prediction = predictions.get(`${basename(dir)}/${truth.name}`);
    const got = prediction?.elements ?? new Set<string>();
    const tp = [...truth.elements].filter((element) => got.has(element)).length;
    return {
      truth,
      prediction,
      tp,
      fp: got.size - tp,
      fn: truth.elements.size - tp,
      externalRight: (prediction?.external ?? false) === truth.external,
    };
  });
}

/** 2TP/(2TP+FP+FN), micro-summed; 1 when there is nothing to find and nothing was named. */
export function f1(cases: readonly Tally[]): number {
  let tp = 0;
  let wrong = 0;
  for (const one of cases) {
    tp += one.tp;
    wrong += one.fp + one.fn;
  }
  return tp + wrong > 0 ? (2 * tp) / (2 * tp + wrong) : 1;
}

/** Percentile bootstrap over cases: the 2.5th and 97.5th percentile of F1 of as many cases drawn with replacement. */
export function bootstrap(cases: readonly Tally[], resamples = 1000, seed = 1): readonly [number, number] {
  const random = createRandom(seed);
  const scores = Float64Array.from({ length: resamples }, () =>
    f1(cases.map(() => cases[Math.floor(random() * cases.length)]!)),
  ).sort();
  const at = (p: number): number => scores[Math.round(p * (resamples - 1))]!;
  return [at(0.025), at(0.975)];
}

export function share(cases: readonly Scored[], test: (one: Scored) => boolean): number {
  return cases.length > 0 ? cases.filter(test).length / cases.length : Number.NaN;
}

export interface Claim {
  readonly confidence: number;
  readonly right: boolean;
}

export interface ReliabilityBin {
  readonly from: number;
  readonly to: number;
  readonly claims: number;
  /** Mean confidence and share of right elements; NaN without claims. */
  readonly confidence: number;
  readonly precision: number;
}

/** Equal-width bins, the last one closed, and the expected calibration error Σ n/N |precision − confidence|. */
export function reliability(claims: readonly Claim[], count = 5): { bins: ReliabilityBin[]; error: number } {
  const bins = Array.from({ length: count }, (_, b) => {
    const own = claims.filter(({ confidence }) => Math.min(count - 1, Math.floor(confidence * count)) === b);
    return {
      from: b / count,
      to: (b + 1) / count,
      claims: own.length,
      confidence: own.reduce((sum, { confidence }) => sum + confidence, 0) / own.length,
      precision: own.filter(({ right }) => right).length / own.length,
    };
  });
  const gaps = bins.map((bin) => (bin.claims > 0 ? bin.claims * Math.abs(bin.precision - bin.confidence) : 0));
  return { bins, error: gaps.reduce((sum, gap) => sum + gap, 0) / claims.length };
}
