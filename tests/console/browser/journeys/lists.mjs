// Mother's address: one field, three actions. Then what is refused, what is offered instead, a note, the search, removing and
// taking back; and what somebody else put there.

const MOTHER = "mother@family.example";

export async function run(person) {
  await person.signIn();
  await person.look("home-first");
  await addMother(person);
  await refusals(person);
  await elsewhere(person);
  await onItsPage(person);
  await oneEntry(person);
  await takeBack(person);
  await addedByOthers(person);
}

/// Open, type, press.
async function addMother(person) {
  await person.fill("home-field", MOTHER);
  await person.press("lists-personal-button");
  await person.reads("lists-added-personal", { value: MOTHER });
  await person.look("added");
  await person.press("base-undo");
  await person.reads("lists-undone");
  await person.visit("/");
  await person.fill("home-field", `Mother <${MOTHER}>`);
  await person.press("lists-personal-button");
  await person.reads("lists-added-personal", { value: MOTHER });
}

async function refusals(person) {
  for (const [typed, reason] of [
    ["", "lists-bad-empty"],
    ["gmail.com", "lists-refused-freemail"],
    [person.site.domain, "lists-refused-own-domain"],
  ]) {
    await person.visit("/");
    await person.fill("home-field", typed);
    await person.press("lists-personal-button");
    await person.reads(reason);
    const field = person.page.getByLabel(person.text("home-field"), { exact: true });
    person.expect((await field.getAttribute("aria-invalid")) === "true", "the field is marked");
    person.expect((await person.page.title()).startsWith(person.text("base-error-title").trim()), "the title says it");
  }
  await person.look("refused");
}

/// An address that stands on another list is offered to move.
async function elsewhere(person) {
  await person.visit("/");
  await person.fill("home-field", MOTHER);
  await person.press("lists-blocked-button");
  await person.reads("lists-offer-title");
  await person.look("offer");
  await person.follow("lists-offer-none");
  await person.reads("lists-empty-title");
  await person.look("empty");
}

/// "Combien ?" and what is refused, on the page of a list: what was typed, and the note beside it, stay.
async function onItsPage(person) {
  await person.visit("/listes/bloques");
  await person.fill("home-field", "no address");
  await person.fill("lists-note", "from the fair");
  await person.press("how-many-ask");
  await person.reads("lists-bad-no-address");
  await person.look("count-refused");
  const typed = async (key) => person.page.getByLabel(person.text(key), { exact: true }).inputValue();
  person.expect((await typed("home-field")) === "no address", "the field is kept");
  person.expect((await typed("lists-note")) === "from the fair", "the note is kept");
  await person.fill("home-field", "offers@shop.example");
  await person.press("how-many-ask");
  await person.reads("how-many-not-kept");
  person.expect((await typed("home-field")) === "offers@shop.example", "nothing is typed twice");
  await person.look("counted");
  await person.fill("home-field", person.site.domain);
  await person.press("lists-add");
  await person.reads("lists-refused-protected-sender");
  person.expect(new URL(person.page.url()).pathname === "/listes/ajouter", "the page of the list answers");
  person.expect((await typed("lists-note")) === "from the fair", "the note is kept once more");
  await person.look("list-refused");
}

async function oneEntry(person) {
  await person.visit("/listes/personnels");
  await person.look("list");
  await person.fill("lists-search", "nobody");
  await person.control("button", "lists-search").click();
  await person.reads("lists-search-none", { search: "nobody" });
  await person.look("search-none");
  await person.follow("lists-search-all");
  await person.page.getByRole("link", { name: `${person.text("lists-edit")} ${MOTHER}` }).click();
  await person.look("entry");
  await person.fill("lists-note", "Sunday calls");
  await person.press("lists-note-save");
  await person.reads("lists-noted", { value: MOTHER });
  await person.visit("/listes/personnels");
  await person.page.getByText("Sunday calls").first().waitFor();
}

async function takeBack(person) {
  await person.page.getByRole("button", { name: `${person.text("lists-remove")} ${MOTHER}` }).click();
  await person.reads("lists-removed", { value: MOTHER });
  await person.visit("/listes/journal");
  await person.look("journal");
  await person.page.getByRole("button", { name: person.text("base-undo") }).first().click();
  await person.reads("lists-undone");
  await person.visit("/listes/personnels");
  await person.page.getByText(MOTHER).first().waitFor();
}

async function addedByOthers(person) {
  await person.site.command("entry", "add", person.address, "personal", "aunt@family.example", "uncle@family.example");
  await person.visit("/");
  await person.reads("home-waiting-title");
  await person.look("waiting");
  await person.press("home-keep-all");
  await person.reads("lists-confirmed-all", { count: 2 });
}
