// One connect, step by step: which address to dial with which password, and whether to try again. The core decides.

import * as native from "../native.cjs";
import { connectRequest, nativeOf, tokensChanged, waited, type Client, type ConnectOptions } from "./client.js";
import { errorOf } from "./errors.js";
import { described, ended } from "./refused.js";

/** A connect under way. */
export class Steps {
  readonly #plan: native.Plan;
  readonly #where: { stack?: string };

  /** `budgetMillis` bounds all of it; left out, the core's own budget does. */
  constructor(
    client: Client,
    target: string | null,
    wanted: ConnectOptions,
    budgetMillis: number | undefined,
    where: { stack?: string },
  ) {
    const plan = native.openPlan(nativeOf(client), connectRequest(target, wanted), budgetMillis ?? null);
    if ("slug" in plan) throw errorOf(plan, undefined, where);
    this.#plan = plan;
    this.#where = where;
  }

  /** The next attempt, after what became of the last one; rejects with the error to show. */
  next(failure: unknown, signal?: AbortSignal): Promise<native.Attempt> {
    const told = failure === undefined ? null : described(failure);
    const attempt = waited<native.Attempt>(
      (deliver) => this.#plan.startNext(told, deliver),
      signal,
      this.#where,
      failure === undefined ? undefined : (gave) => ended(gave, failure, this.#where),
    );
    return failure === undefined ? attempt : attempt.finally(tokensChanged);
  }

  /** Tells that the last attempt succeeded. */
  connected(): void {
    this.#plan.connected();
  }
}
