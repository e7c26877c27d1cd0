/** Where a command's result goes, made sure of before the work. */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { RcaError } from '../model/errors.ts';

/**
 * Makes the file's folder and opens the file for writing; what it held stays until the result is there.
 * @throws RCA_ENVIRONMENT when either cannot be done
 */
export function makeSureOf(file: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    closeSync(openSync(file, 'a'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RcaError(
      'RCA_ENVIRONMENT',
      `--out ${file}: cannot write there (${reason}); name another file`,
      {},
      error,
    );
  }
}
