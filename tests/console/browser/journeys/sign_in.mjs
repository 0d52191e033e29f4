// Coming in: the address, the mail, a wrong code, the code, the link, and out again.

export async function run(person) {
  await person.visit("/");
  await person.look("address");

  await person.fill("sign-in-address", "no address");
  await person.press("sign-in-send");
  await person.reads("sign-in-address-wrong");
  await person.look("address-refused");

  const code = await person.askForCode();
  await person.look("code");
  await person.fill("sign-in-code", code === "000 000" ? "000 001" : "000 000");
  await person.press("sign-in-confirm");
  await person.reads("sign-in-code-wrong", { left: 4 });
  await person.look("code-refused");

  await person.fill("sign-in-code", code);
  await person.press("sign-in-confirm");
  await person.reads("home-title");
  await person.page.getByText(person.address).first().click();
  await person.look("account-menu");
  await person.press("base-sign-out");
  await person.reads("sign-in-out");

  await byLink(person);
}

async function byLink(person) {
  await person.visit("/connexion");
  const { text } = await person.askForMail();
  const link = new URL(/https?:\/\/\S+\/connexion\/lien\/\S+/.exec(text)[0]).pathname;
  await person.visit(link);
  await person.look("link");
  await person.press("sign-in-confirm");
  await person.reads("home-title");
}
