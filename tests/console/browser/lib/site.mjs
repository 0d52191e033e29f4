// The console under test, as tests/console/browser.rs prepared it.

import { execFile } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { setTimeout } from "node:timers/promises";

/// The patience with a machine that has other things to do.
const MAIL_WITHIN_MS = 20_000;

export class Site {
  /// SITE.json: `url`, where the console answers; `later`, where another one does on the same store, whose clock is `ahead`
  /// seconds ahead; `away`, where one does whose store is not there; `domain`, whose addresses may sign in; `mail`, a folder
  /// with one file for each mail that the console sent, `TO-NUMBER.json` with `subject`, `text` and `html`; `program` and
  /// `config`, for the command line; `milter`, the socket of the relay; `i18n`, the folder of the messages; `output`, for
  /// screenshots; `pages`, the templates that are pages.
  static async read(file) {
    return Object.assign(new Site(), JSON.parse(await readFile(file, "utf8")));
  }

  get origins() {
    return [this.url, this.later, this.away].map((url) => new URL(url).origin);
  }

  /// Runs a command on the console's store and gives what it printed.
  async command(...args) {
    const env = { PERSO_MILTER_CONFIG: this.config, LC_ALL: "C.UTF-8", PATH: process.env.PATH };
    return (await promisify(execFile)(this.program, args, { env })).stdout;
  }

  /// The sign-in messages to an address, oldest first; other mails of the console carry no code.
  async mailsTo(address) {
    return (await this.everythingTo(address)).filter((mail) => /\b\d{3} \d{3}\b/.test(mail.subject));
  }

  async everythingTo(address) {
    const files = (await readdir(this.mail)).filter((file) => file.startsWith(`${address}-`) && file.endsWith(".json"));
    const number = (file) => Number(file.slice(address.length + 1, -".json".length));
    files.sort((a, b) => number(a) - number(b));
    return Promise.all(files.map(async (file) => JSON.parse(await readFile(join(this.mail, file), "utf8"))));
  }

  /// The sign-in message to an address after the `seen` ones that were there before.
  nextMailTo(address, seen) {
    return awaited(`mail to ${address}`, async () => (await this.mailsTo(address))[seen]);
  }

  /// The path of a link below `start` that an address was mailed.
  linkTo(address, start) {
    const links = (text) => text.match(/https?:\/\/\S+/g) ?? [];
    const isBelow = (path) => path.startsWith(start);
    return awaited(`mail to ${address} that leads to ${start}`, async () => {
      const mails = await this.everythingTo(address);
      return mails.flatMap(({ text }) => links(text).map((link) => new URL(link).pathname)).find(isBelow);
    });
  }
}

async function awaited(what, look) {
  const end = Date.now() + MAIL_WITHIN_MS;
  for (;;) {
    const found = await look();
    if (found) {
      return found;
    }
    if (Date.now() > end) {
      throw new Error(`no ${what} within ${MAIL_WITHIN_MS / 1000} s`);
    }
    await setTimeout(50);
  }
}
