// A session near its end: said in time, put off, and over; what was being typed is there again afterwards. Without scripts
// its length stands at the foot of the page.

const HEADERS = "From: Shop <offers@shop.example>\nSubject: Offers\n";
const ADDRESS = "half@typed.example";

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

  await endsInMidText(person);
  await endsBeforeSending(person);
}

/// The page says that the session is over, and leads to the sign-in and back.
async function endsInMidText(person) {
  await person.visit("/pourquoi");
  await person.fill("why-headers", HEADERS);
  await end(person);
  await person.page.clock.fastForward("31:00");
  await person.follow("base-session-again");
  await comeBack(person, "/pourquoi");
  person.expect((await typed(person, "why-headers")) === HEADERS, "the pasted headers are there again");
  await person.press("why-explain");
  await person.page.locator("#answer").waitFor();
  await person.visit("/pourquoi");
  person.expect((await typed(person, "why-headers")) === "", "what was answered is not there again");
}

/// The session is over when the form is sent.
async function endsBeforeSending(person) {
  await person.visit("/");
  await person.fill("home-field", ADDRESS);
  await end(person);
  await person.press("lists-personal-button");
  await comeBack(person, "/");
  person.expect((await typed(person, "home-field")) === ADDRESS, "the address is there again");
  await person.press("lists-personal-button");
  await person.reads("lists-added-personal", { value: ADDRESS });
  await person.visit("/");
  person.expect((await typed(person, "home-field")) === "", "what was added is not there again");
}

async function end(person) {
  await person.context.clearCookies({ name: "__Host-cim-session" });
}

/// Signs in on the page that asks for it.
async function comeBack(person, path) {
  await person.fill("sign-in-code", await person.askForCode());
  await person.press("sign-in-confirm");
  await person.page.waitForURL((url) => url.pathname === path);
}

function typed(person, key) {
  return person.page.getByLabel(person.text(key), { exact: true }).inputValue();
}
