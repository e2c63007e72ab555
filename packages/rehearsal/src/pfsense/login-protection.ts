// Login protection as sshguard does it on pfSense: each failed login scores, and an address that scored enough is not answered for a
// while, the longer the oftener it happens. A login that succeeds takes nothing back.

export interface LoginProtectionOptions {
  readonly isOn: boolean;
  readonly threshold: number;
  readonly blockSeconds: number;
  readonly detectionSeconds: number;
}

const scoreOfFailure = 10;
const growth = 1.5;

interface Attacker {
  failuresAtMs: number[];
  blocks: number;
  blockedUntilMs: number;
}

export interface LoginProtection {
  isBlocked(address: string): boolean;
  addFailure(address: string): void;
  /** Addresses that are not answered now. */
  list(): readonly string[];
  /** As a person on the router's page: Diagnostics > Tables. */
  clear(): void;
}

export function makeLoginProtection(options: LoginProtectionOptions, nowMs: () => number): LoginProtection {
  const attackers = new Map<string, Attacker>();
  const isBlocked = (address: string): boolean => (attackers.get(address)?.blockedUntilMs ?? 0) > nowMs();
  return {
    isBlocked,
    addFailure: (address) => {
      if (!options.isOn) return;
      const now = nowMs();
      const attacker = attackers.get(address) ?? { failuresAtMs: [], blocks: 0, blockedUntilMs: 0 };
      attackers.set(address, attacker);
      const remembered = attacker.failuresAtMs.filter((atMs) => now - atMs <= options.detectionSeconds * 1000);
      attacker.failuresAtMs = [...remembered, now];
      if (attacker.failuresAtMs.length * scoreOfFailure < options.threshold) return;
      attacker.blockedUntilMs = now + options.blockSeconds * 1000 * growth ** attacker.blocks;
      attacker.blocks += 1;
      attacker.failuresAtMs = [];
    },
    list: () => [...attackers.keys()].filter(isBlocked),
    clear: () => attackers.clear(),
  };
}
