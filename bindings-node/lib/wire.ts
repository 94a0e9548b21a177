// The beginning of a connection to Postgres, for drivers that take a socket which is encrypted already.

import { connect as dial, isIP, type Socket } from "node:net";
import { connect as startTls } from "node:tls";

import { dialling, type Server } from "./address.js";

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const YES = 0x53;
const ERROR = 0x45;
const READY = 0x5a;
const AUTHENTICATION = 0x52;
const DONE = 0;
const CLEAR_TEXT = 3;

/** Connects and encrypts; the server's certificate is verified against its name. */
export function encrypted(server: Server, limitMillis: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const plain = dial(dialling(server));
    let socket: Socket = plain;
    const timer = setTimeout(() => {
      socket.destroy(timedOut(`no connection to ${server.host}:${server.port} within ${limitMillis} ms`));
    }, limitMillis);
    const failed = (error: Error) => {
      clearTimeout(timer);
      plain.destroy();
      reject(error);
    };
    const closed = () => failed(new Error(`${server.host}:${server.port} closed the connection before the login`));
    const done = () => {
      clearTimeout(timer);
      socket.off("error", failed);
      socket.off("close", closed);
      resolve(socket);
    };
    plain.once("error", failed);
    plain.once("close", closed);
    plain.once("connect", () => {
      plain.setNoDelay(true);
      const { ssl } = server;
      if (ssl === false) return done();
      plain.write(SSL_REQUEST);
      plain.once("data", (answer: Buffer) => {
        if (answer.length !== 1 || answer[0] !== YES) {
          return failed(new Error(`${server.host}:${server.port} offers no TLS`));
        }
        plain.off("error", failed);
        plain.off("close", closed);
        const name = isIP(server.host) === 0 ? { servername: server.host } : {};
        socket = startTls({ ...ssl, ...name, host: server.host, socket: plain });
        socket.once("error", failed);
        socket.once("close", closed);
        socket.once("secureConnect", done);
      });
    });
  });
}

/** A server's refusal of a login, with Postgres' code. */
export class Refusal extends Error {
  readonly code: string;

  constructor(fields: Map<string, string>) {
    const detail = fields.get("D");
    super(`${fields.get("S") ?? "FATAL"}:  ${fields.get("M") ?? ""}${detail === undefined ? "" : `\nDETAIL:  ${detail}`}`);
    this.code = fields.get("C") ?? "";
  }
}

/**
 * Sends a start-up message and answers the server's question for the password. Gives what the server said from then on, up
 * to the moment at which it is ready for queries.
 */
export function authenticated(socket: Socket, startup: Buffer, password: string, limitMillis: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let unread = Buffer.alloc(0);
    const told: Buffer[] = [];
    const timer = setTimeout(() => failed(timedOut(`no login within ${limitMillis} ms`)), limitMillis);
    const stop = () => {
      clearTimeout(timer);
      socket.off("data", look).off("error", failed).off("close", closed);
      socket.pause();
    };
    const failed = (error: Error) => {
      stop();
      socket.on("error", () => undefined);
      socket.destroy();
      reject(error);
    };
    const closed = () => failed(new Error("the server closed the connection before the login"));
    const look = (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk]);
      while (unread.length >= 5) {
        const end = 1 + unread.readUInt32BE(1);
        const least = unread[0] === AUTHENTICATION ? 9 : 5;
        if (end < least) return failed(new Error("the server speaks another protocol"));
        if (unread.length < end) return;
        const message = unread.subarray(0, end);
        unread = unread.subarray(end);
        const kind = message[0];
        if (kind === ERROR) return failed(new Refusal(fields(message.subarray(5))));
        if (kind === AUTHENTICATION && message.readUInt32BE(5) !== DONE) {
          if (message.readUInt32BE(5) !== CLEAR_TEXT) {
            return failed(new Error("the server asks for a native password, and lakekey has a token only"));
          }
          socket.write(passwordMessage(password));
          continue;
        }
        told.push(message);
        if (kind === READY) {
          stop();
          resolve(Buffer.concat([...told, unread]));
          return;
        }
      }
    };
    socket.on("data", look).on("error", failed).on("close", closed);
    socket.write(startup);
  });
}

function passwordMessage(password: string): Buffer {
  const text = Buffer.from(`${password}\0`);
  const head = Buffer.alloc(5, "p");
  head.writeUInt32BE(4 + text.length, 1);
  return Buffer.concat([head, text]);
}

/** The fields of an error that Postgres sent, by their letter. */
function fields(body: Buffer): Map<string, string> {
  const each = body.toString("utf8").split("\0");
  return new Map(each.map((field) => [field.slice(0, 1), field.slice(1)]));
}

function timedOut(message: string): Error {
  return Object.assign(new Error(message), { code: "CONNECT_TIMEOUT" });
}
