/** Reading of the kernel's text files. What cannot be read is undefined: unknown, never zero. */
import { readdirSync, readFileSync } from 'node:fs';

export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

export function listDir(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** The number a file holds; undefined for `max`, for text and when it cannot be read. */
export function readNumber(path: string): number | undefined {
  const text = readText(path)?.trim();
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** `key value` lines. */
export function readKeys(path: string): ReadonlyMap<string, number> | undefined {
  const text = readText(path);
  if (text === undefined) return undefined;
  const keys = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [key, value] = line.split(/[\s:]+/);
    if (key !== undefined && key !== '' && value !== undefined && value !== '') keys.set(key, Number(value));
  }
  return keys;
}

/** Pairs of header and value lines, as in /proc/net/netstat and snmp: `TcpExt: A B` over `TcpExt: 1 2`. */
export function readPairs(path: string): ReadonlyMap<string, number> | undefined {
  const text = readText(path);
  if (text === undefined) return undefined;
  const found = new Map<string, number>();
  const lines = text.split('\n');
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const names = lines[i]?.split(' ') ?? [];
    const values = lines[i + 1]?.split(' ') ?? [];
    const group = names[0]?.replace(':', '') ?? '';
    for (let k = 1; k < names.length; k++) found.set(`${group}.${names[k]}`, Number(values[k]));
  }
  return found;
}

/** Total µs of the `some` line of a pressure file. */
export function readPressure(path: string): number | undefined {
  const match = /^some .*total=(\d+)/m.exec(readText(path) ?? '');
  return match === null ? undefined : Number(match[1]);
}
