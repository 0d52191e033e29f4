// Somebody whose history of the last days is not complete: the weekly digest and its end, the history, and "Combien ?" with a
// count (tests/console/browser/prepared.rs).

const MOTHER = "mother@family.example";

export async function run(person) {
  await person.visit(await person.site.linkTo(person.address, "/resume/arreter/"));
  await person.reads("digest-end-text");
  await person.look("digest-end");
  await person.press("digest-stop");
  await person.reads("digest-ended");
  await person.look("digest-ended");

  await person.signIn();
  await person.visit("/historique");
  await person.reads("history-incomplete");
  await person.look("incomplete");

  await person.visit("/");
  await person.fill("home-field", MOTHER);
  await person.press("how-many-ask");
  await person.reads("how-many-incomplete");
  const answer = await person.page.locator("#count-answer").innerText();
  person.expect(/\b3\b/.test(answer), `three messages are counted: ${answer}`);
  await person.look("counted");
}
