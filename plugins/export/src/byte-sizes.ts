// Sizes in bytes as text: parsed from flags, written in messages. Not with the package bytes: its
// GB is 2 ** 30 bytes, and it has no GiB.
import { sizeInvalid } from './errors.ts';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/** `5GB`, `1GiB`, `200MB` or a number of bytes; throws LMFLOW_EXPORT_SIZE. */
export function parseSize(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const factor = UNITS[(unit ?? '?').toUpperCase()];
  const bytes = factor === undefined ? 0 : Math.floor(Number(digits) * factor);
  if (bytes < 1) throw sizeInvalid(text);
  return bytes;
}

/** For messages: 1.2 GB. */
export function sizeText(bytes: number): string {
  const unit = ['B', 'KB', 'MB', 'GB', 'TB'][
    Math.min(4, Math.floor(Math.log10(Math.max(1, bytes)) / 3))
  ]!;
  const amount = bytes / UNITS[unit]!;
  return `${unit === 'B' ? amount : amount.toFixed(amount < 10 ? 2 : 1)} ${unit}`;
}
