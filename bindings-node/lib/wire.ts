// The beginning of a connection to Postgres, for drivers that take a socket which is encrypted already.

import { connect as dial, isIP, type Socket } from "node:net";
import { connect as startTls } from "node:tls";

import { dialling, type Server } from "./address.js";
import { refusesToken } from "./refused.js";

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const YES = 0x53;
const ERROR = 0x45;
const READY = 0x5a;

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

/** Calls `refused` when the login that follows is refused for its token. */
export function onRefusal(socket: Socket, refused: () => void): void {
  let seen = Buffer.alloc(0);
  const look = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    while (seen.length >= 5) {
      const end = 1 + seen.readUInt32BE(1);
      if (seen.length < end) return;
      const [kind, body] = [seen[0], seen.subarray(5, end)];
      seen = seen.subarray(end);
      if (kind === ERROR && refusesToken(fields(body))) refused();
      if (kind === ERROR || kind === READY) {
        socket.off("data", look);
        return;
      }
    }
  };
  socket.on("data", look);
}

/** The code and the message of an error that Postgres sent. */
function fields(body: Buffer): { code: string; message: string } {
  const all = new Map(
    body
      .toString("utf8")
      .split("\0")
      .map((field) => [field.slice(0, 1), field.slice(1)]),
  );
  return { code: all.get("C") ?? "", message: all.get("M") ?? "" };
}

function timedOut(message: string): Error {
  return Object.assign(new Error(message), { code: "CONNECT_TIMEOUT" });
}
