// An operator: health, organisations and the staff itself.

import { join } from "../lib/staff.mjs";

export async function run(person) {
  const name = `operated-${person.language}${person.scripts ? "" : "-plain"}`;
  await join(person, `${name}@operator.example`, ["--operator"]);
  await person.visit("/exploitation");
  await person.reads("staff-health-follows");
  for (const figures of await person.page.getByRole("main").locator("summary").all()) {
    await figures.press("Enter");
  }
  await person.look("health");

  await person.visit("/exploitation/organisations");
  await person.fill("staff-organisations-name", name);
  await person.fill("staff-organisations-domain", `${name}.example`);
  await person.press("staff-add");
  await person.reads("staff-organisations-added");
  await person.visit("/exploitation/organisations");
  await person.look("organisations");
  await person.page.getByRole("link", { name, exact: true }).click();
  await person.look("organisation");

  await person.visit("/exploitation/equipe");
  await person.look("team");
  await person.fill("staff-address", `colleague-of-${name}@operator.example`);
  await person.press("staff-add");
  await person.reads("staff-team-code-for");
  await person.look("team-code");
}
