// Hands every event to everyone who listens now; whoever comes later reads the store.
import type { LabEvent } from '@labwright/core/events/event';

export interface EventBus {
  emit(event: LabEvent): void;
  /** Until the signal is aborted. A listener must not throw. */
  listen(listener: (event: LabEvent) => void, signal: AbortSignal): void;
}

export function makeEventBus(): EventBus {
  const listeners = new Set<(event: LabEvent) => void>();
  return {
    emit: (event) => {
      for (const listener of listeners) listener(event);
    },
    listen: (listener, signal) => {
      if (signal.aborted) return;
      listeners.add(listener);
      signal.addEventListener('abort', () => listeners.delete(listener), { once: true });
    },
  };
}
