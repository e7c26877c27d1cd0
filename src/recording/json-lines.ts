/** A file of JSON events, one message a line (what `kcat -P -l` would send), as a recording. */
import type { BusMessage } from '../bus/index.ts';
import { readInput } from './input-file.ts';

/**
 * The bus time of a line is the end of its window, so that a replay is the same every time; 0 when it has none.
 * @throws {RcaError} RCA_BAD_INPUT when the file cannot be read
 */
export function readJsonLines(file: string): readonly BusMessage[] {
  return readInput(file)
    .toString('utf8')
    .split('\n')
    .flatMap((line, index) =>
      line.trim() === ''
        ? []
        : [
            {
              topic: 'file',
              partition: 0,
              offset: String(index),
              timestampMs: windowEndMs(line),
              key: null,
              value: Buffer.from(line, 'utf8'),
              headers: {},
            },
          ],
    );
}

function windowEndMs(line: string): number {
  try {
    const { windowStartMs, windowMs = 5_000 } = JSON.parse(line) as { windowStartMs?: unknown; windowMs?: unknown };
    return typeof windowStartMs === 'number' && typeof windowMs === 'number' ? windowStartMs + windowMs : 0;
  } catch {
    return 0;
  }
}
