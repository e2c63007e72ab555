// What Labwright asks of a NAS, as a program: so that a test can run it on a device of a rehearsal. A JSON list
// of questions in, the list of answers out.
import { asLabwrightError } from '@labwright/core/errors/error';
import type { ServiceKind } from '@labwright/core/lab/service-schema';
import { Secret } from '@labwright/core/ports/secret';
import { systemRandom } from '@labwright/core/ports/system';
import { type ExportRule, readExports, writeExports } from '@labwright/drivers/nas/linux-exports';
import { probeNfs } from '@labwright/drivers/nas/nfs-probe';
import { probeService } from '@labwright/drivers/nas/service-probe';

export type NasQuestion =
  | { readonly ask: 'nfs'; readonly address: string; readonly port?: number }
  | {
      readonly ask: 'service';
      readonly kind: ServiceKind;
      readonly address: string;
      readonly port: number;
      readonly times?: number;
    }
  | ({ readonly ask: 'read' | 'write'; readonly lab: string; readonly rules: readonly ExportRule[] } & {
      readonly login: {
        readonly host: string;
        readonly user: string;
        readonly hostKey: string;
        readonly privateKey: string;
      };
    });

const signal = AbortSignal.timeout(14_000);

async function answer(question: NasQuestion): Promise<unknown> {
  switch (question.ask) {
    case 'nfs': {
      const { address, port = 2049 } = question;
      return await probeNfs(address, { random: systemRandom, signal, port, timeoutMs: 2_000 });
    }
    case 'service': {
      if (question.times === undefined) return await probeService(question, { signal, timeoutMs: 2_000 });
      const answers: unknown[] = [];
      while (answers.length < question.times) answers.push(await probeService(question, { signal, timeoutMs: 2_000 }));
      return answers;
    }
    default: {
      const { login, lab, rules } = question;
      const target = { ...login, port: 22, privateKey: new Secret(login.privateKey), timeoutMs: 12_000, signal };
      return question.ask === 'read' ? await readExports(target, rules) : await writeExports(target, lab, rules);
    }
  }
}

const questions = JSON.parse(process.argv[2] ?? '') as readonly NasQuestion[];
const answers = questions.map(
  async (question) => await answer(question).catch((error: unknown) => ({ error: asLabwrightError(error).toJSON() })),
);
process.stdout.write(JSON.stringify(await Promise.all(answers)));
