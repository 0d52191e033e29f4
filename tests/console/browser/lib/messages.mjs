// The console's own words, by the keys that its templates use, so that journeys press what a person reads.

import { FluentBundle, FluentResource } from "@fluent/bundle";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";

export class Messages {
  static async of(folder, language) {
    const bundle = new FluentBundle(language, { useIsolating: false });
    const own = join(folder, language);
    for (const file of (await readdir(own)).filter((name) => name.endsWith(".ftl"))) {
      bundle.addResource(new FluentResource(await readFile(join(own, file), "utf8")));
    }
    return Object.assign(new Messages(), { bundle });
  }

  text(key, values = {}) {
    const message = this.bundle.getMessage(key);
    if (!message?.value) {
      throw new Error(`no message "${key}" in ${this.bundle.locales}`);
    }
    return this.bundle.formatPattern(message.value, values);
  }
}
