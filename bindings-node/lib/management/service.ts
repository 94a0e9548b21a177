// How the generated methods send, receive, wait and page.

import * as native from "../../native.cjs";
import { type Client, nativeOf, waited } from "../client.js";
import { here } from "../errors.js";
import { checked, type Kind } from "../options.js";
import { Methods } from "./generated/methods.js";

/** What every call can be told. */
export interface CallOptions {
  /** How long to wait for an answer. */
  timeoutMillis?: number | null | undefined;
  /** Ends the wait. */
  signal?: AbortSignal | null | undefined;
}

/** How to wait for an operation. */
export interface WaitOptions extends CallOptions {
  /** Called while the operation goes on. What it throws ends the wait. */
  progress?: ((progress: Progress) => void) | null | undefined;
}

/** Where an unfinished operation is. */
export interface Progress {
  /** The operation's name. */
  name: string;
  /** For how long it has been waited for. */
  waitedMillis: number;
  /** What the service says of it. */
  metadata: Record<string, unknown> | null;
}

const CALL: Record<string, Kind> = { timeoutMillis: "number", signal: "object" };
const WAIT: Record<string, Kind> = { ...CALL, progress: "function" };

/** The management API of a client's workspace. Methods have the names of the API, messages are its JSON. */
export class Postgres extends Methods {
  readonly #client: Client;

  constructor(client: Client) {
    super();
    this.#client = client;
  }

  /** Calls a method by its name, such as `create_branch`: for what this version has no method for. */
  call(method: string, args: object, options?: CallOptions): Promise<unknown> {
    const given = checked("options", options, CALL);
    return this.#call(method, args, given, here(this.call));
  }

  /** An operation that was begun earlier, or elsewhere, by its name. */
  operation<T>(name: string): Operation<T> {
    return new Operation<T>(this.#client, { name });
  }

  protected override async one<T>(method: string, args: object, options: CallOptions | undefined, kinds: Record<string, Kind>): Promise<T> {
    const where = here(this.one);
    return (await this.#call(method, args, checked("options", options, { ...CALL, ...kinds }), where)) as T;
  }

  protected override async begun<T>(method: string, args: object, options: CallOptions | undefined, kinds: Record<string, Kind>): Promise<Operation<T>> {
    const where = here(this.begun);
    const given = checked("options", options, { ...CALL, ...kinds });
    return new Operation<T>(this.#client, (await this.#call(method, args, given, where)) as Record<string, unknown>);
  }

  protected override async *pages<T>(method: string, items: string, args: object, options: CallOptions | undefined, kinds: Record<string, Kind>): AsyncGenerator<T, void, undefined> {
    const given = checked("options", options, { ...CALL, ...kinds });
    let token: unknown = (args as { page_token?: string }).page_token;
    do {
      // The next page is fetched while this one is read.
      const asked = { ...args, page_token: token, prefetch: true };
      const page = (await this.#call(method, asked, given, here(this.pages))) as Record<string, unknown>;
      yield* (page[items] ?? []) as T[];
      token = page["next_page_token"];
    } while (token);
  }

  async #call(method: string, args: object, options: CallOptions, where: { stack?: string }): Promise<unknown> {
    const text = await waited<string>(
      (deliver) => native.startCall(nativeOf(this.#client), method, JSON.stringify(args), options.timeoutMillis ?? null, deliver),
      options.signal ?? undefined,
      where,
    );
    return JSON.parse(text);
  }
}

/** What takes longer than a request, and goes on whether anybody waits or not. */
export class Operation<T> {
  readonly #client: Client;
  readonly #record: Record<string, unknown>;

  constructor(client: Client, record: Record<string, unknown>) {
    this.#client = client;
    this.#record = record;
  }

  /** Its name, by which it can be waited for later. Empty if the answer that told it was lost. */
  get name(): string {
    return (this.#record["name"] as string | undefined) ?? "";
  }

  /** The name of the resource that it is about. */
  get resource(): string | undefined {
    return this.#record["resource"] as string | undefined;
  }

  /** Whether it had ended when it was last looked at. */
  get done(): boolean {
    return this.#record["done"] === true;
  }

  /** What the service said of it. */
  get metadata(): Record<string, unknown> | undefined {
    return this.#record["metadata"] as Record<string, unknown> | undefined;
  }

  /** Waits for its end, for 20 minutes unless told otherwise, and gives what it ended with. The operation goes on when the
   * wait ends early: `client.postgres.operation(name)` waits again. */
  async wait(options?: WaitOptions): Promise<T> {
    const where = here(this.wait);
    const given = checked("options", options, WAIT);
    const stop = new AbortController();
    const signal = given.signal ? AbortSignal.any([given.signal, stop.signal]) : stop.signal;
    const { progress } = given;
    const tell = progress
      ? (json: string) => {
          if (stop.signal.aborted) return;
          const { name, waited_ms, metadata } = JSON.parse(json);
          try {
            progress({ name, waitedMillis: waited_ms, metadata });
          } catch (thrown) {
            stop.abort(thrown);
          }
        }
      : null;
    try {
      const text = await waited<string>(
        (deliver) => native.startWait(nativeOf(this.#client), JSON.stringify(this.#record), given.timeoutMillis ?? null, tell, deliver),
        signal,
        where,
      );
      return JSON.parse(text);
    } catch (error) {
      throw stop.signal.aborted ? stop.signal.reason : error;
    }
  }

  /** The JSON of the API. */
  toJSON(): Record<string, unknown> {
    return { ...this.#record };
  }
}
