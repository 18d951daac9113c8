// Takes one row out of a decoder: the field is passed over, as a field that no row reads would be if nobody minded it.
import type { FieldRow, MessageShape, ValueType } from '../../../src/config/decode/value-type.js';
import type { Field } from '../../../src/config/fields.js';

const UNREAD: ValueType<unknown> = { name: 'any', absent: undefined, zeroIsAbsent: false, read: () => undefined };

/** Runs `act` while the row of `field` reads nothing; what the model has without the field is unchanged. */
export function withoutRow<R>({ message, row }: Field, act: () => R): R {
  // The decoder looks a row up each time that it meets a field, so that replacing it here is taking its line out.
  const rows = message.rows as Map<string, FieldRow>;
  const name = nameOf(message, row);
  rows.set(name, { ...row, type: UNREAD, required: false, ...PASSED_OVER });
  try {
    return act();
  } finally {
    rows.set(name, row);
  }
}

// Of the decoder's own row: the object around the field is not given up because the field is missing.
const PASSED_OVER = { always: false, implied: false };

function nameOf({ rows }: MessageShape, row: FieldRow): string {
  for (const [name, candidate] of rows) if (candidate === row) return name;
  throw new Error('the row is not in its message');
}
