// How Go prints what messages quote.

/** `%q`: quotes, with backslashes where Go puts them. */
export function quote(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\u00a0\u2028\u2029]/g, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x80 ? `\\x${code.toString(16)}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** `%v` of a slice. */
export function printList(items: readonly (string | number)[]): string {
  return `[${items.join(' ')}]`;
}
