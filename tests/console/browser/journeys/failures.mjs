// What goes wrong, as pages: a form of another site, too many tries, an address that no page
// leads to, and the store away.

/// Tries of one browser (src/console/limits.rs).
const TRIES = 10;

export async function run(person) {
  await fromElsewhere(person);
  await tooMany(person);
  await person.visit(`${person.site.away}/connexion`);
  await person.fill("sign-in-address", person.address);
  await person.press("sign-in-send");
  await person.reads("failure-store-away-title");
  await person.look("store-away");
}

async function fromElsewhere(person) {
  await person.page.setContent(`<form method="post" action="${person.site.url}/langue"><button>Win</button></form>`);
  await person.page.getByRole("button").click();
  await person.reads("failure-foreign-title");
  await person.look("foreign");
}

async function tooMany(person) {
  await person.visit("/connexion");
  for (let tries = 0; tries <= TRIES; tries += 1) {
    await person.fill("sign-in-address", "no address");
    await Promise.all([person.page.waitForEvent("load"), person.press("sign-in-send")]);
  }
  await person.reads("failure-too-many-title");
  await person.look("too-many");
  await person.page.goto("/connexion/code?retour=/&retour=/");
  await person.reads("failure-malformed-title");
  await person.look("malformed");
}
