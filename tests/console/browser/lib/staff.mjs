// Managers and operators: made on the command line, enrolled and signed in with two factors.

import { createHmac } from "node:crypto";

const PASSWORD = "four quiet grey herons";
const STEP_SECONDS = 30;

/// Makes a member of the staff, enrols them and signs them in; gives the secret that their codes come from. `look` is told
/// the name of each page on the way.
export async function join(person, address, role, look = async () => {}) {
  const invited = await person.site.command("staff", "add", address, ...role);
  const code = /\b(?:[A-Z0-9]{4}-){5}[A-Z0-9]{4}\b/.exec(invited)[0];

  await person.visit("/gestion/inscription");
  await look("enrol");
  await person.fill("staff-enrol-code", code);
  await person.press("staff-enrol-enter");
  const secret = (await person.page.locator(".code-block").innerText()).replace(/\s/g, "");
  await look("factors");
  await person.fill("staff-password", PASSWORD);
  await person.fill("staff-code", totp(secret, 0));
  await person.press("staff-enrol-confirm");
  await person.reads("staff-enrol-done");

  await look("sign-in");
  await person.fill("staff-address", address);
  await person.fill("staff-password", PASSWORD);
  await person.fill("staff-code", "000000");
  await person.press("staff-sign-in-send");
  await person.reads("staff-sign-in-refused");
  await look("refused");
  await person.fill("staff-password", PASSWORD);
  // A code is good once: the one of enrolling was this step's.
  await person.fill("staff-code", totp(secret, 1));
  await person.press("staff-sign-in-send");
  await person.page.waitForURL((url) => !url.pathname.startsWith("/gestion/connexion"));
  return secret;
}

/// The code that their app shows some seconds from now.
export function codeIn(secret, seconds) {
  return totp(secret, seconds / STEP_SECONDS);
}

/// RFC 6238, six digits by SHA-1, some steps from now.
function totp(secret, ahead) {
  const bits = [...secret].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"));
  const key = Buffer.from(bits.join("").match(/.{8}/g).map((octet) => parseInt(octet, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 1000 / STEP_SECONDS) + ahead));
  const mac = createHmac("sha1", key).update(counter).digest();
  const number = mac.readUInt32BE(mac.at(-1) & 0xf) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}
