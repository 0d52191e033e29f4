// An organisation's manager: enrolled with two factors, its rules, its users, and nothing of anybody's lists.

import { join } from "../lib/staff.mjs";

export async function run(person) {
  const domain = `${person.language}${person.scripts ? "" : "-plain"}.managed.example`;
  await person.site.command("org", "add", domain, "--domain", domain);
  await join(person, `manager@${domain}`, ["--manager", domain], (name) => person.look(name));
  await person.reads("staff-totals-none");
  await person.look("overview");

  await person.visit("/gestion/listes");
  await person.fill("staff-lists-value", "gmail.com");
  await person.press("staff-add");
  await person.look("lists");

  await person.visit("/gestion/domaines");
  await person.fill("staff-domains-field", "customer.example");
  await person.press("staff-add");
  await person.reads("staff-domains-added", { domain: "customer.example" });
  await person.look("domains");

  for (const [name, path] of [
    ["marking", "/gestion/marquage"],
    ["rules", "/gestion/regles"],
    ["account", "/gestion/compte"],
  ]) {
    await person.visit(path);
    await person.look(name);
  }
  await users(person, domain);
}

async function users(person, domain) {
  await person.visit("/gestion/utilisateurs");
  await person.look("users");
  await person.visit("/gestion/utilisateurs/importer");
  await person.look("import");
  await person.fill("staff-import-text", `anna@${domain}\nbruno@${domain}\nsomebody@elsewhere.example\n`);
  await person.press("staff-import-check");
  await person.reads("staff-import-foreign");
  await person.look("import-preview");
  await person.press("staff-import-confirm");
  await person.visit("/gestion/utilisateurs");
  await person.page.getByRole("link", { name: `anna@${domain}` }).click();
  await person.look("user");
  await person.press("staff-user-sessions-end");
  await person.reads("staff-user-sessions-ended");
}
