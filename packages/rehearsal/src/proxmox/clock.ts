// Time for the emulated host: the real clock, with Proxmox's waits shortened by one factor so that tests need not sit them out.
import { setTimeout as sleepFor } from 'node:timers/promises';

export interface Clock {
  nowMs(): number;
  /** Waits as long as Proxmox waits `seconds`, which is shorter here when the topology's time scale is below one. */
  wait(seconds: number, signal?: AbortSignal): Promise<void>;
  /** Waits in real milliseconds, never scaled: for looking again at something outside the emulator. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
  scaledMs(seconds: number): number;
}

export function makeClock(timeScale: number): Clock {
  const sleep = async (durationMs: number, signal?: AbortSignal): Promise<void> => {
    await sleepFor(durationMs, undefined, signal === undefined ? {} : { signal });
  };
  const scaledMs = (seconds: number): number => Math.max(1, Math.round(seconds * 1000 * timeScale));
  return {
    nowMs: () => new Date().getTime(),
    wait: (seconds, signal) => sleep(scaledMs(seconds), signal),
    sleep,
    scaledMs,
  };
}

export function nowSeconds(clock: Clock): number {
  return Math.floor(clock.nowMs() / 1000);
}
