/** The bytes of a file that a person named. */
import { readFileSync } from 'node:fs';
import { RcaError } from '../model/errors.ts';

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EISDIR: 'a folder; name the recording (.rwrec) or the JSON events (.jsonl) in it',
  EACCES: 'not readable for this user; check its rights',
};

/** @throws {RcaError} RCA_BAD_INPUT naming the file when it cannot be read */
export function readInput(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    throw new RcaError('RCA_BAD_INPUT', `${file}: ${WHY[code] ?? message}`, { file }, cause);
  }
}
