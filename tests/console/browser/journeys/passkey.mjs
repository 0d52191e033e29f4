// A passkey: made, used to sign in, and removed. The one thing that needs scripts.

export const variants = ({ scripts }) => scripts;

/// A device with a screen lock, as phones and laptops have.
const DEVICE = {
  protocol: "ctap2",
  ctap2Version: "ctap2_1",
  transport: "internal",
  hasResidentKey: true,
  hasUserVerification: true,
  isUserVerified: true,
  hasPrf: true,
  automaticPresenceSimulation: true,
};

export async function run(person) {
  const device = await person.context.newCDPSession(person.page);
  await device.send("WebAuthn.enable");
  await device.send("WebAuthn.addVirtualAuthenticator", { options: DEVICE });

  await person.signIn();
  await person.visit("/securite");
  await person.follow("security-passkey-title");
  await person.look("make");
  await person.fill("security-passkey-name", "Phone");
  await person.press("security-passkey-add");
  await person.reads("security-passkey-added");
  await person.look("made");

  await person.page.getByText(person.address).first().click();
  await person.press("base-sign-out");
  await person.visit("/connexion");
  await person.look("sign-in");
  await person.press("secrets-with-passkey");
  await person.page.waitForURL((url) => url.pathname === "/");
  await person.visit("/securite");
  await person.reads("security-opens");
}
