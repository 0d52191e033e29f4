// A manager comes back to an open session: what is grave asks for the second factor again, and what was typed is kept.

import { codeIn, join } from "../lib/staff.mjs";

export async function run(person) {
  const domain = `${person.language}${person.scripts ? "" : "-plain"}.proven.example`;
  await person.site.command("org", "add", domain, "--domain", domain);
  const secret = await join(person, `manager@${domain}`, ["--manager", domain]);

  await person.visit(`${person.site.later}/gestion/domaines`);
  await person.fill("staff-domains-field", "customer.example");
  await person.press("staff-add");
  await person.reads("staff-prove-lead");
  await person.look("asked");
  await person.fill("staff-prove-code", "000000");
  await person.press("staff-prove-do");
  await person.reads("staff-prove-wrong");
  await person.look("refused");
  await person.fill("staff-prove-code", codeIn(secret, person.site.ahead));
  await person.press("staff-prove-do");
  await person.reads("staff-domains-added", { domain: "customer.example" });
}
