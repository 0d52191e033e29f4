// A session near its end: said in time, put off, and over. Without scripts its length stands at the foot of the page.

export const variants = ({ scripts }) => scripts;

export async function run(person) {
  const warning = person.page.locator("#session-warning");
  await person.page.clock.install();
  await person.signIn();
  await person.visit("/");
  person.expect(!(await warning.isVisible()), "nothing is said while there is time");

  await person.page.clock.fastForward("28:10");
  await warning.waitFor({ state: "visible" });
  person.expect((await warning.innerText()).includes("2 min"), "the warning says how long is left");
  await person.look("warning");
  await person.press("base-session-stay");
  await warning.waitFor({ state: "hidden" });

  await person.page.clock.fastForward("28:10");
  await warning.waitFor({ state: "visible" });
  await person.page.clock.fastForward("03:00");
  await person.control("link", "base-session-again").waitFor();
  await person.look("over");
}
