// What anybody may read, the language switch, and pages that are not there.

export async function run(person) {
  for (const [name, path, title] of [
    ["help", "/aide", "help-title"],
    ["privacy", "/confidentialite", "privacy-title"],
    ["accessibility", "/accessibilite", "accessibility-title"],
  ]) {
    await person.visit(path);
    await person.reads(title);
    await person.look(name);
  }
  await person.page.goto("/nulle-part");
  await person.reads("failure-not-found-title");
  await person.look("not-found");

  await person.visit("/aide");
  await person.press("base-other-language");
  const now = await person.page.evaluate(() => [document.documentElement.lang, location.pathname]);
  const other = person.language === "fr" ? "en" : "fr";
  person.expect(now.join(" ") === `${other} /aide`, `the same page in the other language: ${now}`);
}
