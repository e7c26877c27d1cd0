/** Reports as files: `<dir>/<incident id>.md` and `.json`, replaced atomically so that a reader never sees half a file. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { RcaError } from '../model/errors.ts';
import type { Report } from '../model/report.ts';
import { toMarkdown } from '../report/index.ts';

/**
 * @returns the path of the Markdown file
 * @throws {RcaError} RCA_ENVIRONMENT naming the file that could not be written
 */
export function writeReportFiles(dir: string, report: Report): string {
  const base = join(dir, report.incidentId.replaceAll(/[^\w.-]/g, '_'));
  replaceFile(`${base}.json`, `${JSON.stringify(report, null, 2)}\n`);
  replaceFile(`${base}.md`, toMarkdown(report));
  return `${base}.md`;
}

function replaceFile(path: string, content: string): void {
  const temporary = `${path}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(temporary, content);
    renameSync(temporary, path);
  } catch (cause) {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // What is wrong is said below.
    }
    throw new RcaError(
      'RCA_ENVIRONMENT',
      `cannot write ${path}: ${(cause as Error).message}. Mend: free some space or set the rights of its folder, or name another one in engine.output`,
      { path },
      cause,
    );
  }
}
