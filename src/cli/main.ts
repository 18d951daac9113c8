#!/usr/bin/env node
// The command line: one file per command, exit codes in exit-codes.ts.
import { Command, CommanderError } from 'commander';
import { analyzeCommand } from './analyze-command.js';
import { benchCommand } from './bench-command.js';
import { certsCommand } from './certs-command.js';
import { codesCommand } from './codes-command.js';
import { deviationsCommand } from './deviations-command.js';
import { diffCommand } from './diff-command.js';
import { CommandError, INTERNAL, OK, USAGE } from './exit-codes.js';
import { explainCommand } from './explain-command.js';
import { exportCommand } from './export-command.js';
import { initCommand } from './init-command.js';
import { proxyConfigCommand } from './proxy-config-command.js';
import { runCommand } from './run-command.js';
import { testCommand } from './test-command.js';
import { version } from './version.js';

// Whoever read our output has gone (`postern run | head`): nobody is left to be told, and a gateway goes on serving.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

const program = new Command('postern')
  .description('An Istio ingress gateway without a cluster')
  .version(version, '-V, --version')
  .showHelpAfterError('(--help lists the flags)')
  .addCommand(runCommand())
  .addCommand(testCommand())
  .addCommand(initCommand())
  .addCommand(explainCommand())
  .addCommand(analyzeCommand())
  .addCommand(proxyConfigCommand())
  .addCommand(exportCommand())
  .addCommand(diffCommand())
  .addCommand(benchCommand())
  .addCommand(certsCommand())
  .addCommand(codesCommand())
  .addCommand(deviationsCommand())
  .addCommand(
    new Command('version').description('print the version').action(() => {
      process.stdout.write(`postern ${version} (node ${process.version}, OpenSSL ${process.versions.openssl})\n`);
    }),
  );

exitInsteadOfThrowing(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
// Whatever is still open (a watcher, an idle pool, a socket that Node lost count of) must not keep a finished command
// alive. Commands that only print set no code and end by themselves, when all is printed.
if (process.exitCode !== undefined) process.exit();

function exitInsteadOfThrowing(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) exitInsteadOfThrowing(child);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError) {
    process.stderr.write(`postern: ${error.message}\n`);
    return error.exitCode;
  }
  // commander has printed its own message already; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? OK : USAGE;
  process.stderr.write(`postern: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return INTERNAL;
}
