/** JSON.parse with what it leaves out: the line of a syntax error, and keys written twice (the first is silently lost). */

export interface JsonProblem {
  readonly path: string;
  readonly message: string;
  readonly mend: string;
}

export function parseJson(text: string): { readonly value?: unknown; readonly problems: readonly JsonProblem[] } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = (error as Error).message;
    const at = /position (\d+)/.exec(message)?.[1];
    const place = at === undefined ? '' : ` (${lineAndColumn(text, Number(at))})`;
    return { problems: [{ path: '$', message: `not JSON: ${message}${place}`, mend: 'mend the syntax there' }] };
  }
  const problems = duplicateKeys(text).map(({ key, offset }) => ({
    path: '$',
    message: `key "${key}" is written twice in one object (${lineAndColumn(text, offset)}): only the last would count`,
    mend: 'keep one of them, or nest both under "all"',
  }));
  return { value, problems };
}

function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset);
  return `line ${before.split('\n').length}, column ${offset - before.lastIndexOf('\n')}`;
}

/** Keys that occur twice in one object of a valid JSON text. Cost: O(length). */
function duplicateKeys(text: string): { key: string; offset: number }[] {
  const found: { key: string; offset: number }[] = [];
  const stack: (Set<string> | null)[] = [];
  const token = /"(?:[^"\\]|\\.)*"|[{}[\]]/g;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const word = match[0];
    if (word === '{') stack.push(new Set());
    else if (word === '[') stack.push(null);
    else if (word === '}' || word === ']') stack.pop();
    else {
      const keys = stack.at(-1);
      if (keys === null || keys === undefined || !/^\s*:/.test(text.slice(token.lastIndex, token.lastIndex + 64)))
        continue;
      const key = JSON.parse(word) as string;
      if (keys.has(key)) found.push({ key, offset: match.index });
      keys.add(key);
    }
  }
  return found;
}
