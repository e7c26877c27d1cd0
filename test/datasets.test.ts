/** Recordings of real faults, made by our own collector in the lab: the engine must name what was really wrong. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import type { BusMessage } from '../src/bus/index.ts';
import { createRuleSet } from '../src/classify/index.ts';
import { BUILT_IN_RULES } from '../src/engine/create.ts';
import { replayMessages } from '../src/engine/replay.ts';
import { createPipeline } from '../src/pipeline.ts';
import { readManifest, readRecording } from '../src/recording/index.ts';
import { canonicalJson, toldCauses } from '../src/report/index.ts';
import { createRandom, shuffled } from '../src/stats/index.ts';

interface Named {
  readonly entity: { readonly kind: string; readonly name: string };
  readonly faultClass: string;
}

interface Truth {
  readonly faults: readonly {
    readonly fromMs: number;
    readonly truth: Named;
  }[];
}

const schema = JSON.parse(
  readFileSync(fileURLToPath(new URL('../schemas/report.schema.json', import.meta.url)), 'utf8'),
);
const validate = new Ajv2020({ allowUnionTypes: true }).compile(schema);
const folder = fileURLToPath(new URL('../datasets', import.meta.url));
const recordings = existsSync(folder)
  ? readdirSync(folder)
      .filter((name) => name.endsWith('.rwrec'))
      .sort()
  : [];
/** Lateness that covers the shuffle below: three windows of 5 s. */
const pipeline = () =>
  createPipeline({ rules: createRuleSet(BUILT_IN_RULES), configHash: 'test', ingest: { latenessMs: 15_000 } });

/** Messages of one window mixed with those of the next one. */
function mixed(messages: readonly BusMessage[], seed: number): BusMessage[] {
  const random = createRandom(seed);
  const out: BusMessage[] = [];
  for (let i = 0; i < messages.length; i += 8) out.push(...shuffled(messages.slice(i, i + 8), random));
  return out;
}

describe('recorded incidents', () => {
  it('are there', () => {
    expect(recordings.length).toBeGreaterThan(0);
  });

  it.each(recordings)(
    '%s: one incident, the true entities and classes and no others; reports as published',
    async (name) => {
      const file = join(folder, name);
      const { faults } = readManifest(file)!.truth as Truth;
      const result = await replayMessages(pipeline(), readRecording(file));
      const [fault] = faults;
      expect(result.deadLetters).toEqual([]);
      expect(result.last).toHaveLength(1);
      const words = ({ entity, faultClass }: Named): string => `${entity.kind} ${entity.name}: ${faultClass}`;
      const truths = faults.map(({ truth }) => words(truth)).sort();
      const told = result.reports.map(({ causes, ledgers }) => toldCauses(causes, ledgers).map(words).sort());
      expect(told.at(-1)).toEqual(truths);
      // On the way there nothing is told that was not so, in no revision.
      for (const revision of told) expect(truths).toEqual(expect.arrayContaining(revision));
      for (const report of result.reports) expect(validate(report), JSON.stringify(validate.errors)).toBe(true);
      expect(Math.abs((result.last[0]?.startMs ?? 0) - (fault?.fromMs ?? 0))).toBeLessThanOrEqual(15_000);
    },
  );

  it.each(recordings)('%s: byte-identical reports in any order within the lateness', async (name) => {
    const messages = readRecording(join(folder, name));
    const expected = (await replayMessages(pipeline(), messages)).reports.map(canonicalJson);
    for (const seed of [1, 2, 3]) {
      expect((await replayMessages(pipeline(), mixed(messages, seed))).reports.map(canonicalJson)).toEqual(expected);
    }
  });
});
