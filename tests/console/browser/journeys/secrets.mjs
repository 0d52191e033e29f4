// Secrets of one's own: a password, a recovery code on paper, a passkey where scripts run, the personal lock, sessions, and
// proving once more who one is.

const PASSWORD = "cheval agrafe pile";

export async function run(person) {
  await person.signIn();
  await person.visit("/securite");
  await person.look("nothing-yet");

  await choosePassword(person);
  await printRecoveryCode(person);
  await person.follow("security-passkey-title");
  await person.look("passkey");
  if (person.scripts) {
    await addPasskey(person);
  }
  await setLock(person);
  await signOut(person);
  await byPassword(person);
  if (person.scripts) {
    await signOut(person);
    await byPasskey(person);
  }
  await signOut(person);
  await byMailUnderTheLock(person);
  await byRecoveryCode(person);
}

async function choosePassword(person) {
  await person.follow("security-password-choose");
  await person.look("password");
  await person.fill("security-password-new", "123456789012");
  await person.press("security-password-save");
  await person.reads("security-password-plain");
  await person.look("password-refused");
  await person.press("security-password-generate");
  await person.reads("security-password-generated");
  await person.look("password-generated");
  await person.fill("security-password-new", PASSWORD);
  await person.press("security-password-save");
  await person.reads("security-password-set");
}

async function printRecoveryCode(person) {
  await person.follow("security-recovery-make");
  await person.look("recovery");
  await person.press("security-recovery-make");
  await person.reads("security-recovery-once");
  await person.look("recovery-code");
  person.recoveryCode = await person.page.locator("#secours").innerText();
  await person.page.emulateMedia({ media: "print" });
  await person.photograph("recovery-code-printed");
  await person.page.emulateMedia({ media: "screen" });
  await person.follow("security-recovery-kept");
}

/// The passkey of a device that can open the lock with it (PRF).
async function addPasskey(person) {
  const devices = await person.context.newCDPSession(person.page);
  await devices.send("WebAuthn.enable");
  const options = {
    protocol: "ctap2",
    ctap2Version: "ctap2_1",
    transport: "internal",
    hasResidentKey: true,
    hasUserVerification: true,
    hasPrf: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
  };
  await devices.send("WebAuthn.addVirtualAuthenticator", { options });
  await person.fill("security-passkey-name", "Laptop");
  await person.press("security-passkey-add");
  await person.reads("security-passkey-added");
}

async function setLock(person) {
  await person.visit("/securite/verrou");
  await person.look("lock");
  await person.press("security-lock-set");
  await person.reads("security-lock-on");
  await person.look("all-set");
  await person.visit("/confirmer?retour=/securite");
  await person.look("confirm");
}

async function signOut(person) {
  await person.page.locator("details.menu summary").click();
  await person.press("base-sign-out");
  await person.reads("sign-in-out");
}

async function byPassword(person) {
  await person.follow("secrets-with-password");
  await person.look("sign-in-password");
  await person.fill("sign-in-address", person.address);
  await person.fill("secrets-password", "quelque chose d’autre");
  await person.press("sign-in-confirm");
  await person.reads("secrets-password-wrong");
  await person.look("sign-in-password-refused");
  await person.fill("secrets-password", PASSWORD);
  await person.press("sign-in-confirm");
  await person.page.waitForURL((url) => !url.pathname.startsWith("/connexion"));
  await opensTheLock(person);
}

async function byPasskey(person) {
  await person.press("secrets-with-passkey");
  await person.page.waitForURL((url) => !url.pathname.startsWith("/connexion"));
  await opensTheLock(person);
}

/// The session reads under the lock: nothing asks for a secret.
async function opensTheLock(person) {
  await person.visit("/securite");
  const closed = await person.page.getByText(person.text("security-lock-closed-here")).count();
  person.expect(closed === 0, "a secret of one's own opens the lock");
}

async function byMailUnderTheLock(person) {
  await person.signIn();
  await person.visit("/securite");
  await person.reads("security-lock-closed-here");
  await person.look("lock-closed-here");
  await person.page.goto("/historique");
  await person.reads("failure-locked-title");
  await person.look("locked");
  await person.visit("/securite/verrou");
  await person.follow("security-lock-lost-link");
  await person.look("everything-lost");
  await person.press("security-lost-do");
  await person.reads("security-lost-not-understood");
  await person.look("everything-lost-refused");
  await person.page.getByLabel(person.text("security-lost-understood")).check();
  await person.press("security-lost-do");
  await person.reads("security-lost-asked");
  await person.look("fresh-start-asked");
  await person.visit("/securite/verrou/perdu");
  await person.look("fresh-start-waits");
  await person.page.locator("main .card").getByRole("button", { name: person.text("security-lost-cancel") }).click();
  await person.reads("security-lost-cancelled");
  await person.visit("/securite");
  await person.press("security-sessions-end-all");
  await person.reads("security-signed-out-everywhere");
}

async function byRecoveryCode(person) {
  await person.follow("secrets-with-recovery");
  await person.look("sign-in-recovery");
  await person.fill("sign-in-address", person.address);
  await person.fill("secrets-recovery", person.recoveryCode.toLowerCase());
  await person.press("sign-in-confirm");
  await person.reads("security-recovery-used");
  await person.look("recovery-used");
  await person.press("security-recovery-make");
  await person.follow("security-recovery-kept");
  await opensTheLock(person);
}
