// The history: switched on, a message of mother's, why it came as it did, her address put on a list from there, and all of it
// erased.

import { setTimeout } from "node:timers/promises";

import { send } from "../lib/mta.mjs";

const MOTHER = "mother@family.example";
const HEADERS = "Return-Path: <mother@family.example>\nFrom: Mother <mother@family.example>\nSubject: Sunday\n";

export async function run(person) {
  await person.signIn();
  await person.visit("/historique");
  await person.look("off");
  await person.press("history-on");
  await person.reads("history-empty-title");
  await person.look("empty");

  await receive(person);
  await person.look("rows");
  await person.page.getByRole("main").getByRole("link", { name: person.text("history-why") }).first().click();
  await person.reads("decision-nothing");
  await person.look("why");
  await person.press("why-add-personal");
  await person.reads("lists-added-personal", { value: MOTHER });

  await explainHeaders(person);
  await receive(person);
  await person.look("personal");
  await erase(person);
}

/// A message of mother's, and the page once it shows one more.
async function receive(person) {
  await person.visit("/historique");
  const rows = person.page.getByRole("rowheader");
  const before = await rows.count();
  await send(person.site.milter, { from: MOTHER, to: person.address, headers: { Subject: "Sunday" } });
  // Recording is no part of answering: the row comes a little later.
  for (let tries = 0; tries < 100 && (await rows.count()) === before; tries += 1) {
    await setTimeout(100);
    await person.visit("/historique");
  }
  person.expect((await rows.count()) === before + 1, "the message is in the history");
}

async function explainHeaders(person) {
  await person.visit("/pourquoi");
  await person.press("why-explain");
  await person.reads("why-empty");
  await person.look("headers-refused");
  await person.fill("why-headers", HEADERS);
  await person.press("why-explain");
  await person.reads("decision-entry-personal", { entry: MOTHER });
  await person.look("explained");
}

async function erase(person) {
  await person.visit("/historique");
  await person.follow("history-stop");
  await person.look("stop");
  await person.press("history-stop");
  await person.reads("history-stopped");
}
