/** Numbers as people read them. Deterministic, no locale. */

/** Three significant digits, no exponent, thousands unseparated: 0.0123, 1.23, 12.3, 123, 12345. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return 'unknown';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 100) return String(Math.round(value));
  const digits = size >= 10 ? 1 : size >= 1 ? 2 : Math.min(6, 2 - Math.floor(Math.log10(size)));
  const text = value.toFixed(digits).replace(/\.?0+$/, '');
  return text === '-0' || text === '' ? '0' : text;
}

/** A time given in microseconds, in the unit that suits it: `850 us`, `12.3 ms`, `4.5 s`. */
export function formatMicroseconds(us: number): string {
  const size = Math.abs(us);
  if (!Number.isFinite(us)) return 'unknown';
  if (size >= 999_500) return `${formatNumber(us / 1e6)} s`;
  if (size >= 999.5) return `${formatNumber(us / 1e3)} ms`;
  return `${formatNumber(us)} us`;
}

export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return 'unknown';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${formatNumber(value)} ${units[unit]}`;
}

/** A share as percent: 0.042 -> `4.2 %`. */
export function formatPercent(ratio: number): string {
  return Number.isFinite(ratio) ? `${formatNumber(ratio * 100)} %` : 'unknown';
}

/** A length of time in seconds: `45 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'unknown';
  const sign = seconds < 0 ? '-' : '';
  const size = Math.abs(seconds);
  if (size < 100) return `${sign}${formatNumber(size)} s`;
  const whole = Math.round(size);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = whole % 60;
  if (hours > 0) return `${sign}${hours} h${minutes > 0 ? ` ${minutes} min` : ''}`;
  return `${sign}${minutes} min${rest > 0 ? ` ${rest} s` : ''}`;
}

/** A value with its unit. Units: ratio, factor, per_s, us, s, ms, bytes, cores, count, sigma, requests_per_s, …; others are appended. */
export function formatValue(value: number, unit: string): string {
  if (!Number.isFinite(value)) return 'unknown';
  switch (unit) {
    case 'ratio':
    case 'percent_of_one':
      return formatPercent(value);
    case 'factor':
      return `×${formatNumber(value)}`;
    case 'per_s':
      return `${formatNumber(value)}/s`;
    case 'requests_per_s':
      return `${formatNumber(value)} req/s`;
    case 'us':
      return formatMicroseconds(value);
    case 'us_per_request':
      return `${formatMicroseconds(value)}/req`;
    case 'errors_per_request':
      return `${formatNumber(value)} errors/req`;
    case 's':
      return formatSeconds(value);
    case 'bytes':
      return formatBytes(value);
    case 'cores':
      return `${formatNumber(value)} cores`;
    case 'sigma':
      return `${formatNumber(value)} σ`;
    case 'count':
    case '':
      return formatNumber(value);
    default:
      return `${formatNumber(value)} ${unit}`;
  }
}

/** The first `limit` names, and how many more there are. */
export function listOf(names: readonly string[], limit: number): string {
  const shown = names.slice(0, limit).join(', ');
  return names.length > limit ? `${shown} and ${names.length - limit} more` : shown;
}

/** A share to a reader's precision: whole percents, tenths below ten. */
export function sharePercent(share: number): string {
  const percent = share * 100;
  const text = Math.abs(percent) >= 10 ? percent.toFixed(0) : percent.toFixed(1).replace(/\.0$/, '');
  return `${text === '-0' ? '0' : text} %`;
}

/** `2026-11-22 08:17:05 UTC`. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** The time of day alone. */
export function formatClock(ms: number): string {
  return formatTime(ms).slice(11, 19);
}
