/** Route templates: the operation of an HTTP request with bounded cardinality. */

const MAX_SEGMENTS = 8;
const MAX_SEGMENT = 48;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const HEX = /^(?=.*\d)[0-9a-f]{8,}$/i;
const DIGITS = /^\d+$/;
const PLAIN = /^[A-Za-z0-9._~!$&'()*+,;=:@-]*$/;
const NAMED_ID = /^([A-Za-z]+[-_:.])(\d{2,}|\d(?=$))$/;
const MANY_DIGITS = /\d[^\d]*\d[^\d]*\d[^\d]*\d/;

/** `{id}` in the place of what looks generated: in all of a segment, or behind a word (`order-{id}`). */
export function segmentTemplate(text: string): string {
  if (text === '') return text;
  if (DIGITS.test(text) || UUID.test(text) || HEX.test(text)) return '{id}';
  if (!PLAIN.test(text) || text.length > MAX_SEGMENT) return '{id}';
  const named = NAMED_ID.exec(text);
  if (named !== null) return `${named[1]}{id}`;
  // Tokens such as 5f3aZk29xQ1: letters and at least four digits, and no extension to keep.
  if (text.length >= 10 && MANY_DIGITS.test(text) && !text.includes('.')) return '{id}';
  return text;
}

/**
 * The route template of a request target: query and fragment cut, scheme and authority of an absolute form cut,
 * segments that are numbers, UUIDs, hex of 8 and more, or token-like replaced by `{id}`; at most 8 segments.
 *
 * @example routeTemplate('/orders/17/items/5f0c1d2e9a?x=1') // => '/orders/{id}/items/{id}'
 */
export function routeTemplate(target: string): string {
  let path = target;
  const scheme = path.startsWith('/') ? -1 : path.indexOf('://');
  if (scheme > 0) {
    const slash = path.indexOf('/', scheme + 3);
    path = slash < 0 ? '/' : path.slice(slash);
  }
  const cut = path.search(/[?#]/);
  if (cut >= 0) path = path.slice(0, cut);
  if (path === '*' || path === '' || path === '/') return path === '' ? '/' : path;
  const parts = path.split('/');
  const kept = parts.slice(0, MAX_SEGMENTS + 1).map(segmentTemplate);
  if (parts.length > MAX_SEGMENTS + 1) kept.push('…');
  return kept.join('/');
}

/** `GET /orders/{id}`; the target of CONNECT is an address and is left out. */
export function httpOperation(method: string, target: string): string {
  return method === 'CONNECT' ? method : `${method} ${routeTemplate(target)}`;
}
