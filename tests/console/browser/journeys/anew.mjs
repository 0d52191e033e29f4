// Somebody who lost every secret and started anew: nobody can read what they had on their lists
// (tests/console/browser/prepared.rs).

export async function run(person) {
  await person.signIn();
  await person.visit("/listes/personnels");
  await person.reads("security-unreadable-text");
  await person.look("unreadable");
  await person.visit("/securite/verrou");
  await person.reads("security-unreadable-text");
  await person.look("unreadable-at-the-lock");
  await person.press("security-unreadable-remove");
  await person.reads("security-unreadable-removed");
}
