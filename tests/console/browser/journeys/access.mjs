// Support access: a person lets an operator read one list, sees that it was read, and takes it back.

import { join } from "../lib/staff.mjs";

const MOTHER = "mother@family.example";

export async function run(person) {
  const operator = await person.meet();
  const name = `support-${person.language}${person.scripts ? "" : "-plain"}@operator.example`;
  await join(operator, name, ["--operator"]);
  await operator.visit("/exploitation/acces");
  await operator.reads("staff-granted-none");
  await operator.look("nothing-granted");

  await person.signIn();
  await person.visit("/");
  await person.fill("home-field", MOTHER);
  await person.press("lists-personal-button");
  await person.reads("lists-added-personal", { value: MOTHER });
  await give(person, name);
  const list = await read(person, operator);
  await takeBack(person, name);

  const gone = await operator.page.goto(list);
  operator.expect(gone.status() === 404, `what was taken back is answered with ${gone.status()}`);
  await operator.look("taken-back");
}

async function give(person, name) {
  await person.visit("/acces");
  await person.page.getByLabel(person.text("grants-person"), { exact: true }).selectOption(name);
  await person.press("grants-give");
  await person.reads("grants-given", { name });
  await person.reads("grants-never");
  await person.look("given");
}

/// The operator reads the list; gives where it stands.
async function read(person, operator) {
  await operator.visit("/exploitation/acces");
  await operator.look("granted");
  const link = `${operator.text("grants-list-personal")} ${person.address}`;
  await operator.page.getByRole("link", { name: link, exact: true }).click();
  await operator.reads("staff-granted-seen");
  await operator.page.getByText(MOTHER).waitFor();
  await operator.look("read");
  return operator.page.url();
}

/// The person sees that it was read.
async function takeBack(person, name) {
  await person.visit("/acces");
  const row = person.page.getByRole("row", { name });
  person.expect(!(await row.innerText()).includes(person.text("grants-never")), "that it was read is said");
  await person.look("read-by-support");
  await row.getByRole("button", { name: person.text("grants-revoke") }).click();
  await person.reads("grants-revoked");
  await person.reads("grants-was-revoked");
  await person.look("revoked");
}
