// What lakekey counts, for whoever collects it through OpenTelemetry: by the same names as in Python, and as sums of the
// whole process, whose clients share them.

import type { Client, Stats } from "./client.js";

type Observe = (value: number, attributes: Record<string, string>) => void;

/** The part of a meter that is used. */
export interface CountingMeter {
  createObservableCounter(
    name: string,
    options: object,
  ): { addCallback(callback: (result: { observe: Observe }) => void): void };
}

const COUNTERS = [
  ["lakekey.credential.mints", "Database credentials minted", "mints"],
  ["lakekey.credential.refreshes", "Of these, those minted ahead of time", "refreshes"],
  ["lakekey.credential.cache_hits", "Credentials handed out that were there already", "cache_hits"],
  ["lakekey.credential.waits", "Calls that waited for a credential", "waits"],
  ["lakekey.credential.invalidations", "Refused credentials thrown away", "invalidations"],
  ["lakekey.login.attempts", "Logins tried", "login_attempts"],
  ["lakekey.logins", "Logins that succeeded", "logins"],
] as const;

const LABELLED = [
  ["lakekey.credential.mint_failures", "Requests to mint that failed", "mintFailures", "error.code"],
  ["lakekey.login.failures", "Logins tried that failed", "loginFailures", "lakekey.login.kind"],
  ["lakekey.failures", "Calls and connects that failed", "failures", "error.code"],
] as const;

const SUMS = [
  ["lakekey.credential.mint.time", "Time that requests to mint took", "mint_ms", "ms"],
  ["lakekey.credential.wait.time", "Time that calls waited for a credential", "wait_ms", "ms"],
  ["lakekey.credential.age", "Age of the credentials that were handed out, added up", "token_age_s", "s"],
  ["lakekey.login.time", "Time that successful connects took", "connect_ms", "ms"],
] as const;

/** Weak, because a client that was forgotten shall not be kept by its counts. */
const clients = new Set<WeakRef<Client>>();

/** One that may be asked, from now on. */
export function counted(client: Client): void {
  clients.add(new WeakRef(client));
}

/** Shows the counts to whoever reads this meter. */
export function show(meter: CountingMeter): void {
  const counter = (name: string, description: string, unit: string, read: (stats: Stats, observe: Observe) => void) => {
    meter.createObservableCounter(name, { description, unit }).addCallback((result) => {
      const stats = counts();
      if (stats !== undefined) read(stats, (value, attributes) => result.observe(value, attributes));
    });
  };
  for (const [name, description, key] of COUNTERS) {
    counter(name, description, "1", (stats, observe) => observe(stats.counters[key] ?? 0, {}));
  }
  for (const [name, description, key, attribute] of LABELLED) {
    counter(name, description, "1", (stats, observe) => {
      for (const [label, count] of Object.entries(stats[key])) observe(count, { [attribute]: label });
    });
  }
  for (const [name, description, key, unit] of SUMS) {
    counter(name, description, unit, (stats, observe) => observe(stats.histograms[key]?.sum ?? 0, {}));
  }
}

/** Those of the process, by any client that is still open. */
function counts(): Stats | undefined {
  for (const weak of clients) {
    try {
      const stats = weak.deref()?.stats();
      if (stats !== undefined) return stats;
    } catch {
      // It was closed.
    }
    clients.delete(weak);
  }
  return undefined;
}
