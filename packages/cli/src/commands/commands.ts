// Every command, in the order help shows them.
import type { Command } from '../command.ts';
import { configCommands } from './config.ts';
import { explainCommand } from './explain.ts';
import { identityCommands } from './identities.ts';
import { machineCommands } from './machine.ts';
import { planCommand } from './plan.ts';
import { rehearseCommands } from './rehearse.ts';
import { serveCommand } from './serve.ts';
import { statusCommand } from './status.ts';
import { upCommand } from './up.ts';

export const commands: readonly Command[] = [
  ...rehearseCommands,
  planCommand,
  upCommand,
  statusCommand,
  ...machineCommands,
  serveCommand,
  ...configCommands,
  ...identityCommands,
  explainCommand,
];
