// Drives Debian's Chromium through the console, as people use it: each journey in French and English, with and without
// scripts. What a journey looks at is inspected (lib/inspect.mjs) and photographed; where all of them run, each page has to
// be among it.
//
//   node run.mjs SITE.json [JOURNEY…]
//
// SITE.json is written by tests/console/browser.rs, which starts the console and takes its mail; lib/site.mjs says what is
// in it. Screenshots, and index.html that shows them, are left in its `output`. The exit code is 1 where anything was found.

import { readdir, rm } from "node:fs/promises";
import { basename } from "node:path";

import { start } from "./lib/browser.mjs";
import { Person } from "./lib/person.mjs";
import { Report } from "./lib/report.mjs";
import { Site } from "./lib/site.mjs";

/// How many people use the console at once.
const AT_ONCE = 2;

const VARIANTS = ["fr", "en"].flatMap((language) => [true, false].map((scripts) => ({ language, scripts })));

const [siteFile, ...wanted] = process.argv.slice(2);
const site = await Site.read(siteFile);
const report = new Report(site.output);
const journeys = await load(wanted);
if (wanted.length === 0) {
  await rm(site.output, { recursive: true, force: true });
}

const browser = await start();
const ahead = journeys.flatMap((journey) => variantsOf(journey).map((variant) => ({ ...journey, variant })));
await Promise.all(Array.from({ length: AT_ONCE }, work));
await browser.close();
if (wanted.length === 0) {
  report.compare(site.pages);
}
process.exitCode = await report.close();

/// Takes one journey after the other until none is left.
async function work() {
  for (let next = ahead.shift(); next; next = ahead.shift()) {
    const person = await Person.arrive(browser, site, next.name, next.variant);
    const began = Date.now();
    let failure;
    try {
      await next.run(person);
    } catch (error) {
      failure = error;
      await person.photograph("failure").catch(() => {});
    }
    await person.leave();
    report.journey(person, Date.now() - began, failure);
  }
}

/// The journeys, one file each: `run(person)`, and `variants` where not every one makes sense.
async function load(wanted) {
  const folder = new URL("journeys/", import.meta.url);
  const files = (await readdir(folder)).filter((file) => file.endsWith(".mjs")).sort();
  const names = files.map((file) => basename(file, ".mjs"));
  const unknown = wanted.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new Error(`no such journey: ${unknown.join(", ")}; there are ${names.join(", ")}`);
  }
  const chosen = wanted.length > 0 ? wanted : names;
  return Promise.all(chosen.map(async (name) => ({ name, ...(await import(new URL(`${name}.mjs`, folder))) })));
}

function variantsOf(journey) {
  return VARIANTS.filter(journey.variants ?? (() => true));
}
