// What was found, for the terminal, and the screenshots on one page.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

export class Report {
  constructor(output) {
    Object.assign(this, { output, found: 0, passed: 0, looks: 0, photographs: [], inspected: new Map() });
  }

  journey(person, took, failure) {
    this.looks += person.looks;
    this.photographs.push(...person.photographs);
    const inspected = this.inspected.get(person.variant) ?? new Set();
    this.inspected.set(person.variant, new Set([...inspected, ...person.inspected]));
    const lines = merge(person.problems);
    if (failure) {
      lines.push(`stopped: ${failure.stack ?? failure}`);
    }
    this.found += lines.length;
    this.passed += lines.length === 0 ? 1 : 0;
    const mark = lines.length === 0 ? "ok  " : "FAIL";
    console.log(`${mark} ${person.journey} (${person.variant}): ${person.looks} looks, ${(took / 1000).toFixed(1)} s`);
    lines.forEach((line) => console.log(`     ${line}`));
  }

  /// Finds the pages that no journey has looked at, in each language, with and without scripts.
  compare(pages) {
    for (const [variant, inspected] of this.inspected) {
      const missed = pages.filter((page) => !inspected.has(page));
      if (missed.length > 0) {
        this.found += missed.length;
        console.log(`FAIL (${variant}): no journey looks at ${missed.join(", ")}`);
      }
    }
  }

  /// Writes the page with the screenshots and gives the exit code.
  async close() {
    await mkdir(this.output, { recursive: true });
    await writeFile(join(this.output, "index.html"), gallery(this.photographs));
    console.log(`${this.looks} looks, ${this.photographs.length} screenshots in ${this.output}; ${this.found} faults`);
    return this.found === 0 && this.passed > 0 ? 0 : 1;
  }
}

/// The same finding at several places is one line with all of them.
function merge(problems) {
  const places = new Map();
  for (const { where, text } of problems) {
    places.set(text, [...(places.get(text) ?? []), where]);
  }
  return [...places].map(([text, all]) => {
    const more = all.length > 2 ? ` and ${all.length - 2} more` : "";
    return `${text}\n       at ${all.slice(0, 2).join(" · ")}${more}`;
  });
}

function gallery(photographs) {
  const figures = [...photographs]
    .sort((a, b) => a.file.localeCompare(b.file))
    .map(({ file, name, scheme, width }) => {
      const caption = `${name}, ${scheme}, ${width} px`;
      return `<figure><a href="${file}"><img src="${file}" alt="" width="${width / 4}" loading="lazy"></a><figcaption>${caption}</figcaption></figure>`;
    });
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Screenshots of the console</title>
<style>body{display:flex;flex-wrap:wrap;gap:1rem;align-items:start;font:14px sans-serif;background:#999}figure{margin:0}</style>
${figures.join("\n")}</html>\n`;
}
