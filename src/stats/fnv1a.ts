/** FNV-1a of a text's UTF-16 units, 32 bits, unsigned (Fowler, Noll, Vo). Stable: it may leave the process. */
export function fnv1a(text: string, basis = 0x811c9dc5): number {
  let hash = basis;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
