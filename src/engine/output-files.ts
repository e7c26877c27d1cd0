/** Reports as files: `<dir>/<incident id>.md` and `.json`, replaced atomically so that a reader never sees half a file. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from '../model/report.ts';
import { toMarkdown } from '../report/index.ts';

/** @returns the path of the Markdown file */
export function writeReportFiles(dir: string, report: Report): string {
  mkdirSync(dir, { recursive: true });
  const base = join(dir, report.incidentId.replaceAll(/[^\w.-]/g, '_'));
  replaceFile(`${base}.json`, `${JSON.stringify(report, null, 2)}\n`);
  replaceFile(`${base}.md`, toMarkdown(report));
  return `${base}.md`;
}

function replaceFile(path: string, content: string): void {
  const temporary = `${path}.tmp`;
  writeFileSync(temporary, content);
  renameSync(temporary, path);
}
