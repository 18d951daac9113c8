// Times inside header values and access logs: Envoy's default form and its strftime-like formats (spec
// virtualservice.md §14.5, dataplane.md §7.3). UTC always.

let second = Number.NaN;
/** `2018-04-03T23:06:09.` of that second: what is logged now was mostly logged in this second, too. */
let secondText = '';

/** `2018-04-03T23:06:09.123Z`. */
export function renderTime(milliseconds: number): string {
  const whole = Math.floor(milliseconds / 1000);
  if (whole !== second) {
    secondText = new Date(whole * 1000).toISOString().slice(0, -4);
    second = whole;
  }
  return `${secondText}${String(Math.floor(milliseconds) - whole * 1000).padStart(3, '0')}Z`;
}

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
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

/** `%Y-%m-%dT%H:%M:%S`, with Envoy's `%f` and `%Nf` (digits of the second's fraction), `%s` and `%Ns` (epoch), `%ENS`. */
export function formatTime(milliseconds: number, format: string): string {
  const date = new Date(milliseconds);
  const nanos = Math.round((milliseconds - Math.floor(milliseconds / 1000) * 1000) * 1e6)
    .toString()
    .padStart(9, '0');
  return format.replace(/%(E?)([1-9*]?)([A-Za-z%])/g, (whole, extended: string, digits: string, letter: string) => {
    const count = digits === '' || digits === '*' ? 9 : Number(digits);
    if (letter === 'f') return nanos.slice(0, count);
    if (letter === 's') return `${Math.floor(milliseconds / 1000)}${digits === '' ? '' : nanos.slice(0, count)}`;
    if (letter === 'S' && extended !== '') return `${pad(date.getUTCSeconds())}.${nanos.slice(0, count)}`;
    return digits === '' && extended === '' ? (renderField(date, letter) ?? whole) : whole;
  });
}

function renderField(date: Date, letter: string): string | undefined {
  const hour12 = date.getUTCHours() % 12 === 0 ? 12 : date.getUTCHours() % 12;
  const iso = date.toISOString();
  switch (letter) {
    case 'Y':
      return String(date.getUTCFullYear());
    case 'y':
      return pad(date.getUTCFullYear() % 100);
    case 'm':
      return pad(date.getUTCMonth() + 1);
    case 'd':
      return pad(date.getUTCDate());
    case 'e':
      return String(date.getUTCDate()).padStart(2, ' ');
    case 'H':
      return pad(date.getUTCHours());
    case 'I':
      return pad(hour12);
    case 'M':
      return pad(date.getUTCMinutes());
    case 'S':
      return pad(date.getUTCSeconds());
    case 'p':
      return date.getUTCHours() < 12 ? 'AM' : 'PM';
    case 'a':
      return (DAYS[date.getUTCDay()] as string).slice(0, 3);
    case 'A':
      return DAYS[date.getUTCDay()];
    case 'b':
    case 'h':
      return (MONTHS[date.getUTCMonth()] as string).slice(0, 3);
    case 'B':
      return MONTHS[date.getUTCMonth()];
    case 'F':
      return iso.slice(0, 10);
    case 'T':
      return iso.slice(11, 19);
    case 'R':
      return iso.slice(11, 16);
    case 'z':
      return '+0000';
    case 'Z':
      return 'UTC';
    case '%':
      return '%';
    default:
      return undefined;
  }
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
