// A stream that logs in by itself at its first write, for drivers that would otherwise do so and try only once.
//
// What the driver writes first says what it wants: a session, whose start-up message is then sent at every attempt, or the
// end of a query, which is sent once and not answered.

import type { Socket } from "node:net";
import { Duplex } from "node:stream";

import type * as native from "../native.cjs";
import { serverOf } from "./address.js";
import { LakekeyError } from "./errors.js";
import type { Steps } from "./plan.js";
import { authenticated, encrypted } from "./wire.js";

const CANCEL = 80877102;

/** A session that begins when it is written to. */
export class Login extends Duplex {
  readonly #steps: Steps;
  readonly #first: native.Attempt;
  readonly #giveUp = new AbortController();
  #socket: Socket | undefined;
  #begun = false;

  constructor(steps: Steps, first: native.Attempt) {
    super();
    this.#steps = steps;
    this.#first = first;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#socket !== undefined) {
      this.#socket.write(chunk, done);
      return;
    }
    if (this.#begun) {
      done(new Error("the driver wrote before it was logged in"));
      return;
    }
    this.#begun = true;
    const opened = chunk.readUInt32BE(4) === CANCEL ? this.#cancelling(chunk) : this.#loggedIn(chunk);
    opened.then(
      ([socket, told]) => this.#join(socket, told, done),
      (error: Error) => done(error),
    );
  }

  override _read(): void {
    this.#socket?.resume();
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#socket === undefined) done();
    else this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#giveUp.abort(error ?? undefined);
    this.#socket?.destroy();
    done(error);
  }

  /** As of a socket: without it postgres.js neither says goodbye nor finds out that the stream has closed. */
  get readyState(): string {
    if (this.destroyed) return "closed";
    return this.#socket === undefined ? "opening" : "open";
  }

  /** As of a socket; drivers set these on what they take for one. */
  setKeepAlive(on: boolean, millis: number): this {
    this.#socket?.setKeepAlive(on, millis);
    return this;
  }

  async #loggedIn(startup: Buffer): Promise<[Socket, Buffer]> {
    for (let attempt = this.#first, failure: unknown; ; ) {
      try {
        const began = performance.now();
        const socket = await encrypted(serverOf(attempt), attempt.timeoutMillis);
        if (this.destroyed) {
          // Nobody waits for the login any more.
          socket.destroy();
          return [socket, Buffer.alloc(0)];
        }
        const left = Math.max(1, attempt.timeoutMillis - (performance.now() - began));
        const told = await authenticated(socket, startup, attempt.password, left);
        this.#steps.connected();
        return [socket, told];
      } catch (error) {
        if (error instanceof LakekeyError) throw error;
        failure = error;
      }
      attempt = await this.#steps.next(failure, this.#giveUp.signal);
    }
  }

  async #cancelling(request: Buffer): Promise<[Socket, Buffer]> {
    const socket = await encrypted(serverOf(this.#first), this.#first.timeoutMillis);
    socket.write(request);
    return [socket, Buffer.alloc(0)];
  }

  #join(socket: Socket, told: Buffer, done: (error?: Error | null) => void): void {
    if (this.destroyed) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.on("end", () => this.push(null));
    socket.on("error", (error: Error) => this.destroy(error));
    socket.on("close", () => this.destroy());
    done();
    if (told.length > 0) this.push(told);
    socket.resume();
  }
}
