// The MTA's side of the milter protocol, as much as it takes to show the relay a message: protocol 6 of libmilter, where each
// frame is its length (32 bits, big endian), a letter and its data.

import { createConnection } from "node:net";

const VERSION = 6;
/// Every modification may be answered.
const ACTIONS = 0x1ff;
/// Steps that a milter may do without, by their letter: CONNECT, HELO, MAIL, RCPT, BODY, headers, end of headers.
const STEPS = { C: 0x01, H: 0x02, M: 0x04, R: 0x08, B: 0x10, L: 0x20, N: 0x40 };
/// The answers that end a step.
const ENDS = "acdrtyO";

/// Shows a message to the relay that listens at `socket`, and gives the letters that it answered the end with, modifications
/// among them; or those with which it refused the recipient.
export async function send(socket, { from, to, headers }) {
  const relay = new Relay(createConnection(socket));
  try {
    await relay.negotiate();
    await relay.step("C", "outside.example\x004", Buffer.from([0x9c, 0x40]), "192.0.2.1\0");
    await relay.step("M", `<${from}>\0`);
    const recipient = await relay.step("R", `<${to}>\0`);
    if (recipient.at(-1) !== "c" && recipient.length > 0) {
      return recipient;
    }
    for (const [name, value] of Object.entries({ From: from, To: to, ...headers })) {
      await relay.step("L", `${name}\0${value}\0`);
    }
    return await relay.step("E");
  } finally {
    relay.socket.destroy();
  }
}

class Relay {
  constructor(socket) {
    Object.assign(this, { socket, pending: Buffer.alloc(0), frames: [], wanted: null, skipped: 0 });
    socket.on("data", (bytes) => this.take(bytes));
    socket.on("error", (error) => this.wanted?.reject(error));
    socket.on("close", () => this.wanted?.reject(new Error("the relay closed the connection")));
  }

  async negotiate() {
    const offer = Buffer.alloc(12);
    offer.writeUInt32BE(VERSION, 0);
    offer.writeUInt32BE(ACTIONS, 4);
    offer.writeUInt32BE(Object.values(STEPS).reduce((all, bit) => all | bit), 8);
    this.write("O", offer);
    const answer = await this.frame();
    this.skipped = answer.data.readUInt32BE(8);
  }

  /// Sends a step, unless the relay does without, and gives the letters of its answers.
  async step(letter, ...data) {
    if (this.skipped & (STEPS[letter] ?? 0)) {
      return [];
    }
    this.write(letter, ...data);
    const letters = [];
    do {
      letters.push((await this.frame()).letter);
    } while (!ENDS.includes(letters.at(-1)));
    return letters;
  }

  write(letter, ...data) {
    const body = Buffer.concat([letter, ...data].map((part) => Buffer.from(part)));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    this.socket.write(Buffer.concat([length, body]));
  }

  frame() {
    if (this.frames.length > 0) {
      return Promise.resolve(this.frames.shift());
    }
    return new Promise((resolve, reject) => {
      this.wanted = { resolve, reject };
    });
  }

  take(bytes) {
    this.pending = Buffer.concat([this.pending, bytes]);
    while (this.pending.length >= 4 && this.pending.length >= 4 + this.pending.readUInt32BE()) {
      const end = 4 + this.pending.readUInt32BE();
      this.frames.push({ letter: String.fromCharCode(this.pending[4]), data: this.pending.subarray(5, end) });
      this.pending = this.pending.subarray(end);
    }
    if (this.wanted && this.frames.length > 0) {
      const { resolve } = this.wanted;
      this.wanted = null;
      resolve(this.frames.shift());
    }
  }
}
