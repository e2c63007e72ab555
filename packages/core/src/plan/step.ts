// Steps are data: they can be shown, saved, applied exactly, refused when the lab moved, journaled and resumed.

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

export type Risk =
  | { readonly level: 'none' }
  /** The machine stops serving for a while. */
  | { readonly level: 'restart' }
  /** Something is gone for good; `lost` names it: "disk of node101, 8 GiB". */
  | { readonly level: 'data-loss'; readonly lost: string };

/** What a plan relies on: an entry of the facts as it was when the plan was made. */
export interface Reliance {
  /** "vm/101 presence", "vm/101 status". */
  readonly entry: string;
  readonly was: string;
}

export interface Step {
  /** Unique in its plan and the same whenever the plan is made again: "vm.create node101". */
  readonly id: string;
  readonly kind: string;
  /** The thing it changes, by name. */
  readonly target: string;
  /** "create node101 on pve1" */
  readonly title: string;
  readonly change: 'add' | 'change' | 'destroy' | 'wait';
  readonly reason: string;
  /** Ids of steps that end first. */
  readonly needs: readonly string[];
  readonly risk: Risk;
  readonly estimateMs: number;
  readonly relies: readonly Reliance[];
  /** At most one step at a time holds each of these: "vm/101". */
  readonly queues: readonly string[];
  readonly input: Json;
}

/** An id as every planner forms it. */
export function stepId(kind: string, target: string): string {
  return `${kind} ${target}`;
}
