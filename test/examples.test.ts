import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { FAULT_FROM_WINDOW, generate } from '../examples/generate.ts';
import type { BusMessage } from '../src/bus/index.ts';
import { createRuleSet } from '../src/classify/index.ts';
import { decodeMessage } from '../src/codec/index.ts';
import { BUILT_IN_RULES } from '../src/engine/create.ts';
import { replayMessages } from '../src/engine/replay.ts';
import { RECORD_TYPES } from '../src/model/records.ts';
import { createPipeline } from '../src/pipeline.ts';
import { readJsonLines } from '../src/recording/index.ts';
import { canonicalJson } from '../src/report/index.ts';
import { createRandom, shuffled } from '../src/stats/index.ts';

const folder = fileURLToPath(new URL('../examples', import.meta.url));
const text = readFileSync(`${folder}/shop-with-fault.jsonl`, 'utf8');

function messages(): BusMessage[] {
  return text
    .trim()
    .split('\n')
    .map((line, index) => ({
      topic: 'rootwalk.calls',
      partition: 0,
      offset: String(index),
      timestampMs: (JSON.parse(line) as { windowStartMs: number }).windowStartMs + 6_000,
      key: null,
      value: Buffer.from(line),
      headers: {},
    }));
}

const pipeline = () =>
  createPipeline({ rules: createRuleSet(BUILT_IN_RULES), configHash: 'test', ingest: { latenessMs: 15_000 } });

describe('examples', () => {
  it.each(RECORD_TYPES)('the smallest %s event is accepted', (type) => {
    const value = readFileSync(`${folder}/events/${type}.json`);
    const result = decodeMessage(value, {});
    expect(result.ok ? result.batches[0]?.type : result).toBe(type);
  });

  it('the README shows the smallest event of every type, as its file has it', () => {
    const readme = readFileSync(`${folder}/../README.md`, 'utf8');
    const shown = readme.split('\n').filter((line) => line.startsWith('{"type":'));
    expect(shown.map((line) => (JSON.parse(line) as { type: string }).type).sort()).toEqual([...RECORD_TYPES].sort());
    for (const line of shown) {
      const event = JSON.parse(line) as { type: string };
      expect(event).toEqual(JSON.parse(readFileSync(`${folder}/events/${event.type}.json`, 'utf8')));
    }
  });

  it('has an event file of every type and no other', () => {
    expect(readdirSync(`${folder}/events`).sort()).toEqual(RECORD_TYPES.map((type) => `${type}.json`).sort());
  });

  it('shop-with-fault.jsonl is what its generator writes', () => {
    expect(text).toBe(`${generate().join('\n')}\n`);
  });

  it('shop-with-fault.jsonl leads to one incident with the right cause', async () => {
    const result = await replayMessages(pipeline(), messages());
    expect(result.deadLetters).toEqual([]);
    expect(result.last).toHaveLength(1);
    const report = result.last[0];
    expect(report?.causes[0]).toMatchObject({
      entity: { kind: 'edge', from: 'order', to: 'stock' },
      faultClass: 'packet_loss',
    });
    expect(report?.startMs).toBe(1_780_000_000_000 + FAULT_FROM_WINDOW * 5_000);
  });

  it.each([1, 2, 3])('any order within the lateness gives the same bytes (seed %i)', async (seed) => {
    const expected = await replayMessages(pipeline(), messages());
    const random = createRandom(seed);
    const inOrder = messages();
    // Six neighbouring lines span at most three windows of 5 s: every message stays within the lateness of 15 s.
    const mixed: BusMessage[] = [];
    for (let i = 0; i < inOrder.length; i += 6) mixed.push(...shuffled(inOrder.slice(i, i + 6), random));
    expect(mixed.map((message) => message.offset)).not.toEqual(inOrder.map((message) => message.offset));
    const actual = await replayMessages(pipeline(), mixed);
    expect(actual.reports.map(canonicalJson)).toEqual(expected.reports.map(canonicalJson));
  });

  it('replays from the file as from the bus', async () => {
    const expected = await replayMessages(pipeline(), messages());
    const actual = await replayMessages(pipeline(), readJsonLines(`${folder}/shop-with-fault.jsonl`));
    expect(actual.reports.map(canonicalJson)).toEqual(expected.reports.map(canonicalJson));
  });

  it('the same messages twice change nothing', async () => {
    const expected = await replayMessages(pipeline(), messages());
    const doubled = messages().flatMap((message) => [message, message]);
    const actual = await replayMessages(pipeline(), doubled);
    expect(actual.reports.map(canonicalJson)).toEqual(expected.reports.map(canonicalJson));
  });
});
