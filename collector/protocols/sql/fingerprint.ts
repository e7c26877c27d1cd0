/** SQL fingerprints: the shape of a statement with its literals, comments, case and list lengths removed. */
import { fnv1a } from '../../../src/stats/fnv1a.ts';

/** Longer fingerprints are cut and told apart by a short hash of the whole. */
const MAX_FINGERPRINT = 200;

export interface SqlDialect {
  /** `\` escapes inside strings (MySQL). */
  readonly backslash: boolean;
  /** `"…"` is a string (MySQL), else an identifier. */
  readonly doubleQuoteString: boolean;
  /** `#` begins a comment (MySQL). */
  readonly hashComment: boolean;
  /** `$1` parameters and `$tag$…$tag$` strings (PostgreSQL). */
  readonly dollar: boolean;
}

export const POSTGRESQL_DIALECT: SqlDialect = {
  backslash: false,
  doubleQuoteString: false,
  hashComment: false,
  dollar: true,
};
export const MYSQL_DIALECT: SqlDialect = {
  backslash: true,
  doubleQuoteString: true,
  hashComment: true,
  dollar: false,
};

function isWord(code: number): boolean {
  return (
    (code >= 48 && code <= 57) || // 0-9
    (code >= 65 && code <= 90) ||
    (code >= 97 && code <= 122) ||
    code === 95 ||
    code >= 128
  );
}

function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
}

/** Index behind the quoted stretch that opens at `at`; the end of the text when it is not closed. */
function skipQuoted(sql: string, at: number, backslash: boolean): number {
  const quote = sql.charCodeAt(at);
  let i = at + 1;
  while (i < sql.length) {
    const code = sql.charCodeAt(i);
    if (backslash && code === 92) i += 2;
    else if (code === quote) {
      if (sql.charCodeAt(i + 1) !== quote) return i + 1;
      i += 2;
    } else i++;
  }
  return sql.length;
}

/** Index behind the number that begins at `at`: decimals, exponents, 0x… */
function skipNumber(sql: string, at: number): number {
  let i = at;
  while (i < sql.length) {
    const code = sql.charCodeAt(i);
    if (isWord(code) || code === 46) i++;
    else if ((code === 43 || code === 45) && (sql.charCodeAt(i - 1) | 32) === 101 && sql[at + 1] !== 'x') i++;
    else break;
  }
  return i;
}

function skipComment(sql: string, at: number, dialect: SqlDialect): number {
  const two = sql.charCodeAt(at);
  if ((two === 45 && sql.charCodeAt(at + 1) === 45) || (dialect.hashComment && two === 35)) {
    const end = sql.indexOf('\n', at);
    return end < 0 ? sql.length : end + 1;
  }
  if (two === 47 && sql.charCodeAt(at + 1) === 42) {
    const end = sql.indexOf('*/', at + 2);
    return end < 0 ? sql.length : end + 2;
  }
  return at;
}

/** `$1` or `$tag$…$tag$` at `at`: index behind it, or `at` when it is neither. */
function skipDollar(sql: string, at: number): number {
  let i = at + 1;
  while (i < sql.length && isWord(sql.charCodeAt(i))) i++;
  if (sql.charCodeAt(i) === 36) {
    const tag = sql.slice(at, i + 1);
    const end = sql.indexOf(tag, i + 1);
    return end < 0 ? sql.length : end + tag.length;
  }
  return i > at + 1 ? i : at;
}

/** Tokens of a statement; literals are `?`. */
function tokens(sql: string, dialect: SqlDialect): string[] {
  const found: string[] = [];
  let i = 0;
  while (i < sql.length) {
    const code = sql.charCodeAt(i);
    if (isSpace(code)) {
      i++;
      continue;
    }
    const comment = skipComment(sql, i, dialect);
    if (comment > i) {
      i = comment;
      continue;
    }
    const from = i;
    if (code === 39 || (code === 34 && dialect.doubleQuoteString)) {
      // E'…' strings of PostgreSQL escape with a backslash; the prefix letter was pushed as a word.
      const prefix = found[found.length - 1];
      const prefixed = (prefix === 'e' || prefix === 'n' || prefix === 'b' || prefix === 'x') && isPrefix(sql, from);
      i = skipQuoted(sql, i, dialect.backslash || (prefixed && prefix === 'e'));
      if (prefixed) found.pop();
      found.push('?');
    } else if (code === 34 || code === 96) {
      i = skipQuoted(sql, i, false);
      found.push(sql.slice(from, i));
    } else if ((code >= 48 && code <= 57) || (code === 46 && isDigit(sql.charCodeAt(i + 1)))) {
      i = skipNumber(sql, i);
      found.push('?');
    } else if (code === 36 && dialect.dollar && skipDollar(sql, i) > i) {
      i = skipDollar(sql, i);
      found.push('?');
    } else if (isWord(code)) {
      while (i < sql.length && (isWord(sql.charCodeAt(i)) || sql.charCodeAt(i) === 36)) i++;
      const word = sql.slice(from, i).toLowerCase();
      found.push(word === 'true' || word === 'false' ? '?' : word);
    } else {
      i++;
      found.push(sql.slice(from, i));
    }
  }
  return found;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** True when the character before `at` is a letter that stands alone, as in `E'…'`. */
function isPrefix(sql: string, at: number): boolean {
  return at > 0 && isWord(sql.charCodeAt(at - 1)) && (at < 2 || !isWord(sql.charCodeAt(at - 2)));
}

/** Index behind a parenthesised list of nothing but `?` that opens at `at`, or `at`. */
function literalList(found: readonly string[], at: number): number {
  if (found[at] !== '(' || found[at + 1] !== '?') return at;
  let i = at + 2;
  while (found[i] === ',' && found[i + 1] === '?') i += 2;
  return found[i] === ')' ? i + 1 : at;
}

const NO_SPACE_BEFORE = new Set([',', ')', '.', ';', '(', ':', ']', '[']);
const NO_SPACE_AFTER = new Set(['(', '.', ':', '[', '@']);
/** Words before a parenthesis keep their space; a function name does not. */
const KEYWORD_BEFORE_PAREN = new Set([
  'in',
  'values',
  'and',
  'or',
  'not',
  'where',
  'on',
  'from',
  'as',
  'exists',
  'any',
]);

/** Short stable hash (FNV-1a, base 36) that tells cut fingerprints apart. */
function shortHash(text: string): string {
  return fnv1a(text).toString(36);
}

/**
 * The fingerprint of a statement: comments removed, strings, numbers, booleans and parameters replaced by `?`, lists of
 * literals collapsed to `(?)`, repeated VALUES rows to one, keywords and plain identifiers in lower case, white space
 * normalised, cut at 200 characters. Unterminated literals (a cut statement) end the text.
 *
 * Cost: O(length).
 * @example sqlFingerprint("SELECT * FROM t WHERE id IN (1, 2) AND n='x'", POSTGRESQL_DIALECT)
 * // => 'select * from t where id in (?) and n = ?'
 */
export function sqlFingerprint(sql: string, dialect: SqlDialect): string {
  const found = tokens(sql, dialect);
  while (found[found.length - 1] === ';') found.pop();
  let out = '';
  let last = '';
  for (let i = 0; i < found.length; ) {
    let token = found[i]!;
    const list = literalList(found, i);
    if (list > i) {
      const bare = last === 'in' || last === 'values' || last === ',' || last === 'any';
      token = bare ? '(?)' : found.slice(i, list).join('');
      i = list;
      // VALUES (…), (…), (…): one row says it all.
      if (bare) {
        while (found[i] === ',' && literalList(found, i + 1) > i + 1) i = literalList(found, i + 1);
      }
    } else i++;
    if (token.startsWith('(?') && token.length > 3) token = token.replaceAll(',', ', ');
    const tight =
      out === '' ||
      NO_SPACE_AFTER.has(last) ||
      (NO_SPACE_BEFORE.has(token) && !(token === '(' && KEYWORD_BEFORE_PAREN.has(last))) ||
      (token.startsWith('(?') && !KEYWORD_BEFORE_PAREN.has(last) && isWord(last.charCodeAt(0)));
    out += joined(last, token) || tight ? token : ` ${token}`;
    last = token;
  }
  if (out.length <= MAX_FINGERPRINT) return out;
  return `${out.slice(0, MAX_FINGERPRINT)}…#${shortHash(out)}`;
}

/** Operators of two characters (`>=`, `<>`, `!=`, `||`) stay together. */
function joined(last: string, token: string): boolean {
  return (
    last.length === 1 &&
    token.length === 1 &&
    ((token === '=' && '<>!'.includes(last)) || `${last}${token}` === '<>' || (last === '|' && token === '|'))
  );
}
