// Judges JUnit XML by the schema beside this file.
import { readFileSync } from 'node:fs';
import { validateXML } from 'xmllint-wasm';

const SCHEMA = readFileSync('test/support/junit.xsd', 'utf8');

/** What is wrong with the document, one line each; empty = it is valid. */
export async function junitProblems(xml: string): Promise<readonly string[]> {
  const { valid, errors } = await validateXML({
    xml: [{ fileName: 'junit.xml', contents: xml }],
    schema: [{ fileName: 'junit.xsd', contents: SCHEMA }],
  });
  if (valid) return [];
  return errors.length === 0 ? ['invalid'] : errors.map(({ message }) => message);
}
