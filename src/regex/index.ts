// RE2 for everybody else: compile a pattern, match whole strings, replace with RE2's rewrite strings.
export { type CompiledRegex, compileRegex, MAX_PROGRAM_SIZE, type RegexError, toBytes } from './compile.js';
export { parseSubstitution, type Substitution } from './substitution.js';
