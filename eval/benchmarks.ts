/** The public cases beside the project: where the archives and scorers lie, and a place to unpack them. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RcaError } from '../src/model/errors.ts';

const folder = fileURLToPath(new URL('../../shared/benchmarks', import.meta.url));

/** Path of an archive or scorer. */
export function benchmark(name: string): string {
  return join(folder, name);
}

/** A temporary folder for the time of an eval; removed whatever happens. */
export function withScratch(run: (scratch: string) => void): void {
  const scratch = mkdtempSync(join(tmpdir(), 'rootwalk-eval-'));
  try {
    run(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Unpacks an archive, or one folder of it, and returns its `dev` folder. Throws when tar does. */
export function unpack(archive: string, scratch: string, member?: string): string {
  const file = benchmark(archive);
  if (!existsSync(file))
    throw new RcaError(
      'RCA_BAD_INPUT',
      `no ${archive} in ${folder}: expected the public cases there; put it there or name an unpacked folder (--help)`,
    );
  const only = member === undefined ? [] : [join('dev', member)];
  execFileSync('tar', ['xJf', file, '-C', scratch, ...only], { stdio: ['ignore', 'ignore', 'inherit'] });
  return join(scratch, 'dev');
}
