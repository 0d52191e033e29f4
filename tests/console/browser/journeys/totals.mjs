// A manager of an organisation with days that are over: the totals that are shown, and those that are not
// (tests/console/browser/prepared.rs).

import { join } from "../lib/staff.mjs";

const DECIDED = { fr: "4\u202f242", en: "4,242" };

export async function run(person) {
  const name = `manager-${person.language}${person.scripts ? "" : "-plain"}`;
  await join(person, `${name}@counted.example`, ["--manager", "counted"]);
  await person.page.getByText(DECIDED[person.language]).waitFor();
  await person.reads("staff-totals-hidden-day");
  await person.look("overview");
}
