// A password, a recovery code, the personal lock, and what a session that a mail opened may still do.

export async function run(person) {
  await person.signIn();
  await person.visit("/securite");
  await person.look("first");
  const password = await choosePassword(person);
  await printRecoveryCode(person);
  await setLock(person);
  await openLock(person, password);
  await comeBackByPassword(person, password);
  await endSessions(person);
}

async function choosePassword(person) {
  await person.follow("security-password-choose");
  await person.look("password");
  await person.fill("security-password-new", "short");
  await person.press("security-password-save");
  await person.reads("security-password-short");
  await person.look("password-refused");
  await person.press("security-password-generate");
  await person.reads("security-password-generated");
  const password = (await person.page.locator("samp").innerText()).trim();
  await person.photograph("password-generated");
  await person.press("security-password-save");
  await person.reads("security-password-set");
  return password;
}

async function printRecoveryCode(person) {
  await person.follow("security-recovery-make");
  await person.look("recovery");
  await person.press("security-recovery-make");
  await person.reads("security-recovery-once");
  await person.look("recovery-code");
  await person.page.emulateMedia({ media: "print" });
  const printed = await person.page.evaluate(() => document.body.innerText);
  person.expect(printed.includes(await person.page.locator("samp").innerText()), "the code is printed");
  person.expect(!printed.includes(person.text("security-recovery-kept")), "buttons are not printed");
  await person.page.emulateMedia({ media: null });
  await person.follow("security-recovery-kept");
}

async function setLock(person) {
  await person.follow("security-lock-set");
  await person.look("lock");
  await person.press("security-lock-set");
  await person.reads("security-lock-on");
  await person.look("locked");
}

/// A session that a mail opened does not read what the lock closes, until a secret opens it.
async function openLock(person, password) {
  await signOut(person);
  await person.signIn();
  await person.visit("/securite");
  await person.reads("security-lock-closed-here");
  await person.look("closed-here");
  await person.visit("/securite/verrou/perdu");
  await person.look("lost");
  await person.visit("/securite");
  await person.follow("security-lock-open-here");
  await person.look("confirm");
  await person.fill("secrets-password", "not this one at all");
  await person.press("confirm-with-password");
  await person.reads("confirm-password-wrong");
  await person.look("confirm-refused");
  await person.fill("secrets-password", password);
  await person.press("confirm-with-password");
  await person.page.waitForURL("**/securite");
  person.expect((await person.page.getByText(person.text("security-lock-closed-here")).count()) === 0, "the lock is open");
}

async function comeBackByPassword(person, password) {
  await signOut(person);
  await person.visit("/connexion");
  await person.follow("secrets-with-recovery");
  await person.look("by-recovery-code");
  await person.visit("/connexion");
  await person.follow("secrets-with-password");
  await person.look("by-password");
  await person.fill("sign-in-address", person.address);
  await person.fill("secrets-password", password);
  await person.press("sign-in-confirm");
  await person.page.waitForURL((url) => url.pathname === "/");
}

async function endSessions(person) {
  await person.visit("/securite");
  await person.press("security-sessions-end-all");
  await person.page.waitForURL("**/connexion**");
  await person.page.goto("/securite");
  person.expect(person.page.url().includes("/connexion"), "nobody is signed in any more");
}

async function signOut(person) {
  await person.page.getByText(person.address).first().click();
  await person.press("base-sign-out");
  await person.reads("sign-in-out");
}
