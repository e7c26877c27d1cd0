/** Flags of the scripts in eval/ and bench/: `--help` prints the script's own head comment, a wrong flag gets one line. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ParseArgsOptionsConfig } from 'node:util';
import { parseArgs } from 'node:util';
import { RcaError } from '../src/model/errors.ts';

/**
 * @param script   `import.meta.url` of the script; its first comment is the help
 * @param options  as of node:util's parseArgs; help is added
 * @returns the values; ends the process with 0 after `--help`, with 2 after a wrong flag. From then on an error that the
 *   user can mend (a path, a missing program) ends it with one line and 1.
 */
export function flags<T extends ParseArgsOptionsConfig>(script: string, options: T) {
  const file = fileURLToPath(script);
  process.on('uncaughtException', (error: Error & { readonly code?: string }) => {
    const isMendable = error instanceof RcaError || error.code === 'ENOENT';
    console.error(isMendable ? `error: ${error.message}` : error.stack);
    process.exit(1);
  });
  try {
    const { values } = parseArgs({ options: { ...options, help: { type: 'boolean', short: 'h' } } });
    if ((values as { readonly help?: boolean }).help !== true)
      return values as ReturnType<typeof parseArgs<{ readonly options: T }>>['values'];
    console.log(helpOf(file));
    process.exit(0);
  } catch (error) {
    console.error(`error: ${(error as Error).message.split('\n')[0]}; --help says what there is`);
    process.exit(2);
  }
}

/** @throws RCA_BAD_INPUT when a flag's text is not a whole number from `least` on */
export function wholeNumber(flag: string, text: string, least = 1): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isSafeInteger(value) || value < least)
    throw new RcaError('RCA_BAD_INPUT', `--${flag}: expected a whole number from ${least} on, found ${text}`);
  return value;
}

function helpOf(file: string): string {
  const comment = /\/\*\*([\s\S]*?)\*\//.exec(readFileSync(file, 'utf8'))?.[1] ?? '';
  return comment
    .split('\n')
    .map((line) => line.replace(/^ \* ?/, '').trimEnd())
    .join('\n')
    .trim();
}
