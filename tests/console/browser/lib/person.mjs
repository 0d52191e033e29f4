// Somebody with a browser of their own, in one language, with or without scripts.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { guard } from "./browser.mjs";
import { SETTINGS, accessibility, apply, keyboard, overflow } from "./inspect.mjs";
import { Messages } from "./messages.mjs";

const LOCALES = { fr: "fr-FR", en: "en-GB" };
const PATIENCE_MS = 20_000;

/// Counts people, each of whom comes from a network of their own: what is throttled by network must not see one visitor.
let arrived = 0;

export class Person {
  /// A browser without cookies, whose owner has an address that nobody else uses.
  static async arrive(browser, site, journey, { language, scripts }) {
    arrived += 1;
    const options = {
      baseURL: site.url,
      locale: LOCALES[language],
      timezoneId: "Europe/Paris",
      reducedMotion: "reduce",
      extraHTTPHeaders: { "X-Forwarded-For": `10.1.${arrived}.1` },
    };
    const context = await browser.newContext({ ...options, javaScriptEnabled: scripts });
    context.setDefaultTimeout(PATIENCE_MS);
    const person = Object.assign(new Person(), {
      site,
      journey,
      language,
      scripts,
      options,
      context,
      messages: await Messages.of(site.i18n, language),
      problems: [],
      looks: 0,
      inspected: new Set(),
      photographs: [],
      met: [],
    });
    guard(context, site, person.problems);
    person.page = await context.newPage();
    return person;
  }

  /// Somebody else, in a browser of their own; what they find is found on this person's journey.
  async meet() {
    const other = await Person.arrive(this.context.browser(), this.site, this.journey, this);
    this.met.push(other);
    return other;
  }

  async leave() {
    for (const other of this.met) {
      await other.leave();
      this.problems.push(...other.problems);
      this.photographs.push(...other.photographs);
      this.looks += other.looks;
      other.inspected.forEach((template) => this.inspected.add(template));
    }
    await this.reflection?.context().close();
    await this.context.close();
  }

  get variant() {
    return `${this.language}${this.scripts ? "" : ", no scripts"}`;
  }

  /// An address of their own, in the served domain where the journey has none of its own.
  get address() {
    return `${this.journey}.${this.language}${this.scripts ? "" : ".plain"}@${this.domain ?? this.site.domain}`;
  }

  /// Signs in by the mailed code, as far as the page that a person then sees.
  async signIn() {
    await this.visit("/connexion");
    const code = await this.askForCode();
    await this.fill("sign-in-code", code);
    await this.press("sign-in-confirm");
    await this.page.waitForURL((url) => !url.pathname.startsWith("/connexion"));
  }

  /// Types the own address into the sign-in page and gives the code that is mailed.
  async askForCode() {
    return /\b\d{3} \d{3}\b/.exec((await this.askForMail()).text)[0];
  }

  async askForMail() {
    const seen = (await this.site.mailsTo(this.address)).length;
    await this.fill("sign-in-address", this.address);
    await this.press("sign-in-send");
    await this.page.waitForURL("**/connexion/code**");
    return this.site.nextMailTo(this.address, seen);
  }

  text(key, values) {
    return this.messages.text(key, values);
  }

  async visit(path) {
    const answer = await this.page.goto(path);
    this.expect(answer.ok(), `${path} is answered with ${answer.status()}`);
    return answer;
  }

  /// A control by the words on it: a role of ARIA, and the key of the message.
  control(role, key, values) {
    return this.page.getByRole(role, { name: this.text(key, values), exact: true });
  }

  async press(key, values) {
    await this.control("button", key, values).click();
  }

  async follow(key, values) {
    await this.control("link", key, values).first().click();
  }

  async fill(key, value) {
    await this.page.getByLabel(this.text(key), { exact: true }).fill(value);
  }

  /// Waits until the page shows these words of its own.
  async reads(key, values) {
    await this.page.getByText(this.text(key, values)).first().waitFor();
  }

  /// Inspects what is on the screen in both schemes, wide and narrow, and takes a picture of each.
  async look(name) {
    this.looks += 1;
    const found = (problems, setting) => {
      this.problems.push(...problems.map((text) => ({ where: `${name}${setting}`, text })));
    };
    const { lang, title, words, template } = await this.page.evaluate(() => {
      const { body, documentElement, title } = document;
      return { lang: documentElement.lang, title, words: body.innerText, template: body.dataset.page };
    });
    found(lang === this.language ? [] : [`the page says it is in "${lang}"`], "");
    found(title ? [] : ["the page has no title"], "");
    found(words.match(/Unknown localization .*/g) ?? [], "");
    found(template ? [] : ["the page does not say which template it is"], "");
    const page = this.scripts ? this.page : await this.mirror();
    for (const setting of SETTINGS) {
      await apply(page, setting);
      const problems = [...(await accessibility(page)), ...(await overflow(page))];
      found(problems, `, ${setting.scheme}, ${setting.width} px`);
      // Without scripts pages look the same.
      if (this.scripts) {
        await this.photograph(name, page, setting);
      }
    }
    await apply(page, SETTINGS[0]);
    if (!this.scripts) {
      // Where scripts run, focus stays where they, or the journey, have put it.
      found(await keyboard(page), ", keyboard");
      await this.photograph(name, page);
    }
    this.inspected.add(template);
  }

  /// The page as it is without scripts, in a browser in which those of axe run, and none of the page's.
  async mirror() {
    const html = (await this.page.content()).replace(/<(\/?)noscript>/g, "<$1div>");
    this.reflection ??= await this.reflect();
    await this.reflection.route("**/*", (route) => {
      const request = route.request();
      if (request.isNavigationRequest()) {
        return route.fulfill({ contentType: "text/html; charset=utf-8", body: html });
      }
      return request.resourceType() === "script" ? route.abort() : route.continue();
    });
    await this.reflection.goto(this.page.url());
    await this.reflection.unrouteAll();
    return this.reflection;
  }

  async reflect() {
    const context = await this.context.browser().newContext({ ...this.options, javaScriptEnabled: true });
    guard(context, this.site, this.problems);
    return context.newPage();
  }

  async photograph(name, page = this.page, { scheme, width } = SETTINGS[0]) {
    const folder = `${this.language}${this.scripts ? "" : "-no-scripts"}`;
    const file = join(folder, `${this.journey}-${name}-${scheme}-${width}.png`);
    await mkdir(join(this.site.output, folder), { recursive: true });
    await page.screenshot({ path: join(this.site.output, file), fullPage: true });
    this.photographs.push({ file, name: `${this.journey}: ${name}`, scheme, width });
  }

  /// A claim of a journey about what it has seen.
  expect(holds, claim) {
    if (!holds) {
      throw new Error(`${claim} (at ${this.page.url()})`);
    }
  }
}
