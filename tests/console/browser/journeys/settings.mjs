// How one's own mail is treated, and who may read a list to help.

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
  await person.visit("/acces");
  await person.reads("grants-none");
  await person.look("access");
}
