// Python's strftime in the C locale: English wherever this runs.
import { unsupported } from '../fault.ts';

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const two = (number: number): string => String(number).padStart(2, '0');

const DIRECTIVES: Readonly<Record<string, (date: Date) => string>> = {
  '%': () => '%',
  A: (date) => DAYS[date.getDay()]!,
  a: (date) => DAYS[date.getDay()]!.slice(0, 3),
  B: (date) => MONTHS[date.getMonth()]!,
  b: (date) => MONTHS[date.getMonth()]!.slice(0, 3),
  d: (date) => two(date.getDate()),
  F: (date) => strftime(date, '%Y-%m-%d'),
  H: (date) => two(date.getHours()),
  I: (date) => two(date.getHours() % 12 || 12),
  j: (date) =>
    String(
      Math.round(
        (new Date(date.getFullYear(), date.getMonth(), date.getDate(), 12).getTime() -
          new Date(date.getFullYear(), 0, 0, 12).getTime()) /
          86_400_000,
      ),
    ).padStart(3, '0'),
  M: (date) => two(date.getMinutes()),
  m: (date) => two(date.getMonth() + 1),
  p: (date) => (date.getHours() < 12 ? 'AM' : 'PM'),
  S: (date) => two(date.getSeconds()),
  T: (date) => strftime(date, '%H:%M:%S'),
  Y: (date) => String(date.getFullYear()),
  y: (date) => two(date.getFullYear() % 100),
};

/** What Python does too, with the platform's flags: it must not stay as it is. */
const NOT_HERE = /^%(?:[_0^#]|-?[CDEGOPRUVWXZcefghklnrstuwxz])/;

/** A date by Python's format directives; one that Python does not know stays as it is. */
export function strftime(date: Date, format: string): string {
  return format.replace(/%(?:-?[%a-zA-Z]|[_0^#])/g, (directive) => {
    if (NOT_HERE.test(directive)) throw unsupported(`${directive} of strftime`);
    const text = DIRECTIVES[directive.at(-1)!]?.(date);
    if (text === undefined) return directive;
    return directive.startsWith('%-') ? text.replace(/^0+(?=\d)/, '') : text;
  });
}
