// Many at once: pasted, from a file, more than one page of them, and all of them taken along. With scripts, what is typed
// outlives the page.

import { readFile } from "node:fs/promises";

const PASTED = "Anna <anna@friends.example>, bruno@friends.example; gmail.com\nclub.example\nnot an address\n";
const CLASS = Array.from({ length: 101 }, (_, number) => `pupil${number}@school.example`).join("\n");
const FILE = "name;address\nDr Petit;petit@practice.example\nSchool;school.example\nNobody;yahoo.fr\n";

export async function run(person) {
  await person.signIn();
  await person.visit("/listes/coller?liste=personnels");
  await person.look("paste");
  if (person.scripts) {
    await keepDraft(person);
  }
  await person.fill("lists-paste-field", PASTED);
  await person.press("lists-look");
  await person.reads("lists-preview-bad-title");
  await person.look("preview");
  await person.press("lists-preview-add", { count: 3 });
  await person.reads("lists-added-several", { count: 3, there: 0 });
  await person.visit("/listes/coller?liste=personnels");
  const field = person.page.getByLabel(person.text("lists-paste-field"), { exact: true });
  person.expect((await field.inputValue()) === "", "what was added is not there again");

  await person.visit("/listes/importer?liste=personnels");
  await person.look("import");
  const file = person.page.getByLabel(person.text("lists-import-field"), { exact: true });
  await file.setInputFiles({ name: "contacts.csv", mimeType: "text/csv", buffer: Buffer.from(FILE) });
  await person.press("lists-look");
  await person.reads("lists-refused-freemail");
  await person.look("import-preview");
  await person.press("lists-preview-add", { count: 2 });
  await person.reads("lists-added-several", { count: 2, there: 0 });
  await person.visit("/listes/personnels");
  await person.look("list");

  await pages(person);
  await takeAlong(person);
}

async function keepDraft(person) {
  await person.fill("lists-paste-field", "half@typed.example");
  await person.visit("/aide");
  await person.visit("/listes/coller?liste=personnels");
  const field = person.page.getByLabel(person.text("lists-paste-field"), { exact: true });
  person.expect((await field.inputValue()) === "half@typed.example", "what was typed is still there");
}

/// By links; and by buttons while something is searched for.
async function pages(person) {
  await person.visit("/listes/coller?liste=acceptes");
  await person.fill("lists-paste-field", CLASS);
  await person.press("lists-look");
  await person.press("lists-preview-add", { count: 101 });
  await person.reads("lists-added-several", { count: 101, there: 0 });
  await person.follow("lists-next");
  await person.reads("lists-caption", { count: 101, page: 2 });
  await person.look("second-page");
  await person.fill("lists-search", "pupil");
  await person.control("button", "lists-search").click();
  await person.press("lists-page-number", { number: 2 });
  await person.reads("lists-caption", { count: 101, page: 2 });
  await person.look("second-page-of-search");
}

async function takeAlong(person) {
  await person.visit("/listes/exporter");
  await person.look("export");
  const [download] = await Promise.all([
    person.page.waitForEvent("download"),
    person.follow("lists-export-csv"),
  ]);
  const text = await readFile(await download.path(), "utf8");
  for (const entry of ["anna@friends.example", "club.example", "petit@practice.example"]) {
    person.expect(text.includes(entry), `${entry} is in the export`);
  }
}
