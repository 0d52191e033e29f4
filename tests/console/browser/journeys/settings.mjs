// How one's own mail is treated, the weekly digest, and who may read a list to help.

export async function run(person) {
  await person.signIn();
  await person.visit("/reglages");
  await person.look("first");
  await person.control("radio", "preferences-own").check();
  for (const box of await person.page.getByRole("checkbox").all()) {
    await box.uncheck();
  }
  await person.press("preferences-save");
  await person.reads("preferences-none");
  await person.look("refused");
  await person.control("checkbox", "preferences-tag").check();
  await person.press("preferences-save");
  await person.reads("preferences-saved");
  await digest(person);
  await person.visit("/acces");
  await person.reads("grants-none");
  await person.look("access");
}

/// It needs the history; then one button switches it on, and off.
async function digest(person) {
  await person.visit("/reglages");
  await person.follow("digest-link");
  await person.reads("digest-needs-history");
  await person.look("digest-without-history");
  await person.visit("/historique");
  await person.press("history-on");
  await person.visit("/reglages/resume");
  await person.press("digest-start");
  await person.reads("digest-is-on");
  await person.look("digest");
  await person.press("digest-stop");
  await person.reads("digest-is-off");
}
